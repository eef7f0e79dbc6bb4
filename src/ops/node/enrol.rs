//! The machine that controls is put on record as a node, since another may come to lead it.

use crate::{
    model::Node,
    ops::{Refusal, node::keep::control_labels},
    store::{Transaction, View},
};

/// Puts it on record. What people said of it stays so.
pub fn enrol(tx: &mut Transaction<'_>, node: Node) -> Result<Node, Refusal> {
    let node = match tx.get::<Node>(&node.name.as_str().to_owned())? {
        Some(known) => Node { address: node.address, key: node.key, ..known },
        None => Node { labels: control_labels(tx, &node.name)?, ..node },
    };
    tx.put(&node)?;
    Ok(node)
}
