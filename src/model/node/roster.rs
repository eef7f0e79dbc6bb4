//! The roster: what each node is told of all nodes, so that they find and know each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};

use super::{Node, NodeKey, NodeName};

/// All nodes, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roster(pub BTreeMap<NodeName, Enrolled>);

/// A node, as others have to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Where its link listens.
    pub address: SocketAddr,
    /// What it proves itself with.
    pub key: NodeKey,
    /// Whether it keeps the records, and may lead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps: bool,
}

impl Roster {
    /// That of these nodes, of which the keepers keep the records.
    pub fn of(nodes: &[Node], keepers: &BTreeSet<NodeName>) -> Self {
        let enrolled = |node: &Node| Enrolled {
            address: node.address,
            key: node.key.clone(),
            keeps: keepers.contains(&node.name),
        };
        Self(nodes.iter().map(|node| (node.name.clone(), enrolled(node))).collect())
    }

    /// Those who keep the records; none if it is one machine alone, which no roster names.
    pub fn keepers(&self) -> impl Iterator<Item = (&NodeName, &Enrolled)> {
        self.0.iter().filter(|(_, enrolled)| enrolled.keeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_of_neighbouring_versions_tell_each_other_stays() {
        let key = "ab".repeat(32);
        let golden = format!(r#"{{"edge-1":{{"address":"203.0.113.9:7600","key":"{key}"}}}}"#);
        let roster: Roster = serde_json::from_str(&golden).unwrap();
        assert_eq!(serde_json::to_string(&roster).unwrap(), golden);
        let later = golden.replace("\"key\"", "\"colour\":1,\"key\"");
        assert_eq!(serde_json::from_str::<Roster>(&later).unwrap(), roster);

        assert_eq!(roster.keepers().count(), 0, "of before there were any");
        let golden = golden.replace("}}", ",\"keeps\":true}}");
        let roster: Roster = serde_json::from_str(&golden).unwrap();
        assert_eq!(serde_json::to_string(&roster).unwrap(), golden);
        assert_eq!(roster.keepers().count(), 1);
    }
}
