//! What happens to a node after it has joined: a new key, another address, labels, its end.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    model::{ControlLabels, LabelKey, LabelValue, Labels, Node, NodeKey, NodeName, Volume},
    ops::{
        Refusal,
        node::join::{check_address, check_key},
    },
    store::{StoreError, Transaction, View, volumes},
};

/// Labels to set, and those to take away (`None`).
pub type LabelChange = BTreeMap<LabelKey, Option<LabelValue>>;

/// All nodes, by name.
pub fn all(view: &impl View) -> Result<Vec<Node>, StoreError> {
    view.scan::<Node>(&())
}

/// Has a node be recognised by this key from now on. That it is this node, the link has shown.
pub fn renew(tx: &mut Transaction<'_>, name: &NodeName, key: NodeKey) -> Result<Node, Refusal> {
    let node = known(tx, name)?;
    check_key(tx, &format!("the certificate of {name} was not renewed"), (name, &key))?;
    let node = Node { key, ..node };
    tx.put(&node)?;
    Ok(node)
}

/// A node's link listens elsewhere from now on.
pub fn readdress(
    tx: &mut Transaction<'_>,
    name: &NodeName,
    address: SocketAddr,
) -> Result<Node, Refusal> {
    let node = known(tx, name)?;
    check_address(&format!("the address of {name} was not changed"), address)?;
    let node = Node { address, ..node };
    tx.put(&node)?;
    Ok(node)
}

/// Changes labels of a node.
pub fn label(
    tx: &mut Transaction<'_>,
    name: &NodeName,
    change: LabelChange,
) -> Result<Node, Refusal> {
    let mut node = known(tx, name)?;
    relabel(&mut node.labels, name, change)?;
    tx.put(&node)?;
    Ok(node)
}

/// Changes labels of the machine that controls, which is called `name`, where they are read from.
pub fn label_control(
    tx: &mut Transaction<'_>,
    name: &NodeName,
    change: LabelChange,
) -> Result<Labels, Refusal> {
    if tx.get::<Node>(&name.as_str().to_owned())?.is_some() {
        return Ok(label(tx, name, change)?.labels);
    }
    let mut labels = control_labels(tx, name)?;
    relabel(&mut labels, name, change)?;
    tx.put(&ControlLabels { labels: labels.clone() })?;
    Ok(labels)
}

/// Those of the machine that controls, which is called `name`: it has a record as a node where several keep the
/// records, since any of them may control.
pub fn control_labels(view: &impl View, name: &NodeName) -> Result<Labels, StoreError> {
    if let Some(node) = view.get::<Node>(&name.as_str().to_owned())? {
        return Ok(node.labels);
    }
    Ok(view.get::<ControlLabels>(&())?.unwrap_or_default().labels)
}

fn relabel(labels: &mut Labels, name: &NodeName, change: LabelChange) -> Result<(), Refusal> {
    let what = format!("the labels of {name} were not changed");
    for (key, value) in change {
        if key.as_str() == LabelKey::OF_NAME {
            let why = format!("`{key}` is a machine's name, and is never anything else");
            return Err(Refusal::invalid(what, why));
        }
        match value {
            Some(value) => drop(labels.insert(key, value)),
            None => drop(labels.remove(&key)),
        }
    }
    if labels.len() > MOST_LABELS {
        return Err(Refusal::invalid(what, format!("a node has {MOST_LABELS} at most"))
            .hint(format!("`paas nodes label {name} KEY-` takes one away")));
    }
    Ok(())
}

/// Takes a node out, if `confirmed` repeats its name. What it proves itself with counts no more, and the volumes that
/// are on it are lost.
pub fn remove(tx: &mut Transaction<'_>, name: &NodeName, confirmed: &str) -> Result<Node, Refusal> {
    let node = known(tx, name)?;
    check_confirmed(name, confirmed)?;
    tx.delete::<Node>(&name.as_str().to_owned())?;
    volumes::lose(tx, name)?;
    Ok(node)
}

/// Refuses a confirmation that does not repeat the name of the node that is to be taken out.
pub fn check_confirmed(name: &NodeName, confirmed: &str) -> Result<(), Refusal> {
    if confirmed == name.as_str() {
        return Ok(());
    }
    let what = format!("{name} was not removed");
    Err(Refusal::invalid(what, "the confirmation does not repeat its name")
        .hint(format!("`paas nodes remove {name} --confirm {name}`")))
}

/// Refuses if a volume is on a node that is to be taken out: what is in it would go with it.
pub fn check_without_volumes(view: &impl View, name: &NodeName) -> Result<(), Refusal> {
    let mut there = view.scan::<Volume>(&())?.into_iter();
    let is_there = |volume: &Volume| volume.home.as_ref() == Some(name);
    let Some(Volume { name: volume, app, .. }) = there.find(is_there) else { return Ok(()) };
    let why = match there.filter(is_there).count() {
        0 => format!("the volume {volume} of {app} is on it, and would be lost"),
        more => {
            format!("the volume {volume} of {app} and {more} more are on it, and would be lost")
        }
    };
    Err(Refusal::conflict(format!("{name} was not removed"), why).hint(format!(
        "`paas volumes move {volume} --to NODE -a {app}` first; `--force` if nobody needs what is in it"
    )))
}

pub(super) fn known(tx: &Transaction<'_>, name: &NodeName) -> Result<Node, Refusal> {
    tx.get::<Node>(&name.as_str().to_owned())?.ok_or_else(|| Refusal::unknown_node(name))
}

/// Labels of one node.
const MOST_LABELS: usize = 32;
