//! Nodes: the machines of an installation, by name.

use super::{Name, name::Grammar};

/// A node's name, a host label: `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`.
pub type NodeName = Name<NodeGrammar>;

impl NodeName {
    /// What its certificate says, and what it is asked for by: `<node>.node.paas.internal`.
    pub fn host(&self) -> String {
        format!("{}{NODES}", self.as_str())
    }

    /// The node that a certificate with this name is of.
    pub fn of_host(host: &str) -> Option<Self> {
        host.strip_suffix(NODES)?.parse().ok()
    }
}

/// See [`NodeName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeGrammar {}

impl Grammar for NodeGrammar {
    const KIND: &'static str = "node name";

    fn check(text: &str) -> Result<(), &'static str> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.bytes().all(inner);
        valid.then_some(()).ok_or(
            "1 to 63 characters: lower-case letters, digits and `-`, neither starting nor ending \
             with `-`",
        )
    }
}

/// Below which the names of nodes are; no resolver knows it.
const NODES: &str = ".node.paas.internal";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_labels() {
        for good in ["a", "7", "web-1", &"a".repeat(63)] {
            let name: NodeName = good.parse().unwrap();
            assert_eq!(NodeName::of_host(&name.host()), Some(name), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_is_of_one_node() {
        for host in ["node.paas.internal", "*.node.paas.internal", "a.b.node.paas.internal", "a"] {
            assert_eq!(NodeName::of_host(host), None, "{host}");
        }
    }
}
