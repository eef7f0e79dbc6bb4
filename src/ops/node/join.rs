//! A machine joins: its token is used and its record made, both or neither.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    model::{JoinToken, Node, NodeKey, NodeName, Timestamp, TokenId, TokenLife},
    ops::Refusal,
    store::{Transaction, View},
};

/// A machine that wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it wants to be called.
    pub name: NodeName,
    /// What it proves itself with.
    pub key: NodeKey,
    /// Where its link listens.
    pub address: SocketAddr,
}

/// Makes the machine that has the token a node. The same machine asking the same again is answered the
/// same again, because its first answer may have been lost.
pub fn join(
    tx: &mut Transaction<'_>,
    control: &NodeName,
    id: &TokenId,
    candidate: Candidate,
    now: Timestamp,
) -> Result<Node, Refusal> {
    let Candidate { name, key, address } = candidate;
    let what = format!("{name} did not join");
    let Some(mut token) = tx.get::<JoinToken>(&id.0)? else {
        return Err(Refusal::conflict(what, "the token was taken back").hint(ANOTHER));
    };
    check_address(&what, address)?;
    let known = tx.get::<Node>(&name.as_str().to_owned())?;
    let again = known.as_ref().is_some_and(|known| known.key == key);
    match token.life(now) {
        TokenLife::Used(user, _) if *user == name && again => {}
        TokenLife::Used(user, at) => {
            let why = format!("the token was used by {user} at {}", at.to_the_second());
            return Err(Refusal::conflict(what, why).hint(ANOTHER));
        }
        TokenLife::Expired => {
            let why = format!("the token ended at {}", token.expires_at.to_the_second());
            return Err(Refusal::conflict(what, why).hint(ANOTHER));
        }
        TokenLife::Open => {}
    }
    if name == *control || RESERVED.contains(&name.as_str()) {
        let why = if name == *control { "the control itself has that name" } else { "no node can" };
        return Err(Refusal::conflict(what, why).hint("choose another with `--name NAME`"));
    }
    if known.is_some() && !again {
        return Err(Refusal::conflict(what, "another machine has that name").hint(format!(
            "choose another with `--name NAME`, or if that machine is gone: `paas nodes remove {name} \
             --confirm {name}`"
        )));
    }
    check_key(tx, &what, (&name, &key))?;
    let first = Node {
        name: name.clone(),
        address,
        key,
        labels: BTreeMap::new(),
        drained: false,
        joined_at: now,
        by: token.by.clone(),
    };
    let node = known.map_or(first, |known| Node { address, ..known });
    tx.put(&node)?;
    if token.used.is_none() {
        token.used = Some((name, now));
        tx.put(&token)?;
    }
    Ok(node)
}

/// Refuses an address that nobody could connect to.
pub(super) fn check_address(what: &str, address: SocketAddr) -> Result<(), Refusal> {
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
        return Err(Refusal::invalid(what, format!("nobody can connect to {address}"))
            .hint("say where others reach it: `--address 203.0.113.7:7600`"));
    }
    Ok(())
}

/// Refuses a key that a node of another name has: a copied data folder is not a second machine.
pub(super) fn check_key(
    tx: &Transaction<'_>,
    what: &str,
    (name, key): (&NodeName, &NodeKey),
) -> Result<(), Refusal> {
    let nodes = tx.scan::<Node>(&())?;
    if let Some(other) = nodes.iter().find(|node| node.key == *key && node.name != *name) {
        let why = format!("that machine joined already, as {}", other.name);
        return Err(Refusal::conflict(what, why).hint(format!(
            "`paas nodes remove {0} --confirm {0}` first, or join with another data folder",
            other.name
        )));
    }
    if nodes.len() >= MOST && nodes.iter().all(|node| node.name != *name) {
        return Err(Refusal::conflict(
            what,
            format!("there are {MOST} nodes, and no more are held"),
        )
        .hint("`paas nodes remove NAME` makes room"));
    }
    Ok(())
}

const ANOTHER: &str = "`paas nodes token` on the control makes another";
/// What stands behind `/v1/nodes/` in the API beside names.
const RESERVED: &[&str] = &["demote", "join", "promote", "rebalance", "tokens"];
/// Nodes of one installation.
const MOST: usize = 100;
