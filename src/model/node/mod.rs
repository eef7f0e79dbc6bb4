//! Machines that joined: what is remembered of them, and of the tokens by which they join.
//!
//! How a node is at present ([`NodeState`]) is observed and never stored. Of a token only a keyed hash of
//! its secret is kept; its text, which a stranger machine needs, is a [`JoinWord`].

mod roster;
mod word;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};

use super::{
    Actor, Timestamp, TokenId,
    name::{Grammar, Name},
};

pub use roster::{Enrolled, Roster};
pub use word::{InvalidWord, JoinWord};

/// A node's name: a label of a host name, 1 to 63 characters, `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`.
pub type NodeName = Name<NodeGrammar>;

/// What a node is recognised by, whatever it is called: the SHA-256 of its public key (SPKI, DER), 64
/// hexadecimal digits.
pub type NodeKey = Name<NodeKeyGrammar>;

/// The key of a label: 1 to 63 lower-case letters, digits and `-_./`, a letter or digit at both ends.
pub type LabelKey = Name<LabelKeyGrammar>;

/// The value of a label: up to 63 letters, digits and `-_.`.
pub type LabelValue = Name<LabelValueGrammar>;

/// What people say of a machine, and what is asked of one.
pub type Labels = BTreeMap<LabelKey, LabelValue>;

/// A machine that joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is called; no two have the same name.
    pub name: NodeName,
    /// Where its link listens.
    pub address: SocketAddr,
    /// What it proves itself with.
    pub key: NodeKey,
    /// What people say of it.
    #[serde(default)]
    pub labels: Labels,
    /// Whether nothing new is started on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    /// When it joined.
    pub joined_at: Timestamp,
    /// Who made the token that it joined by.
    pub by: Actor,
}

#[cfg(test)]
impl Node {
    /// One that joined by nobody's doing in particular.
    pub(crate) fn example(name: &str) -> Self {
        Self {
            name: name.parse().unwrap(),
            address: "10.0.0.2:7600".parse().unwrap(),
            key: "00".repeat(32).parse().unwrap(),
            labels: Labels::new(),
            drained: false,
            joined_at: Timestamp::default(),
            by: Actor::platform(),
        }
    }
}

/// What people say of the machine that controls, which has no record as a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlLabels {
    /// The same as of a node.
    pub labels: Labels,
}

/// What is kept of a token by which one machine may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Its public half.
    pub id: TokenId,
    /// HMAC-SHA-256 of the secret under the server's key, in hexadecimal digits.
    pub hash: String,
    /// Until when it may be used.
    pub expires_at: Timestamp,
    /// Who used it, and when.
    #[serde(default)]
    pub used: Option<(NodeName, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub by: Actor,
}

/// How far a token's life is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenLife<'a> {
    /// One machine may join by it.
    Open,
    /// One has: which, and when.
    Used(&'a NodeName, Timestamp),
    /// Nobody did in time.
    Expired,
}

impl JoinToken {
    /// How far its life is.
    pub fn life(&self, now: Timestamp) -> TokenLife<'_> {
        match &self.used {
            Some((name, at)) => TokenLife::Used(name, *at),
            None if now >= self.expires_at => TokenLife::Expired,
            None => TokenLife::Open,
        }
    }
}

/// How the nodes are, as far as this daemon sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStates(pub BTreeMap<NodeName, NodeState>);

/// How a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeState {
    /// Since when its link is up.
    pub up: Option<Timestamp>,
    /// Since when it is down, and why.
    pub down: Option<(Timestamp, String)>,
    /// The version of its daemon.
    pub version: Option<String>,
    /// The generation of the table that it routes by.
    pub serves: Option<u64>,
    /// How many instances it has, or why it can have none; `None` until that is known.
    pub work: Option<Result<usize, String>>,
    /// The nodes that are up and that it reaches by way of the control only.
    pub apart: BTreeSet<NodeName>,
}

impl NodeName {
    /// The name that a machine's host name suggests: its first label, in small letters.
    pub fn of_host(host: &str) -> Option<Self> {
        let label = host.split('.').next()?.to_ascii_lowercase().replace('_', "-");
        label.trim_matches('-').parse().ok()
    }

    /// What the machine that controls is called among nodes.
    pub fn of_machine(host: &str) -> Self {
        let named = Self::of_host(host);
        named.unwrap_or_else(|| "control".parse().expect("it is a label of a host name"))
    }

    /// The one name in this node's certificate.
    pub fn in_certificate(&self) -> String {
        format!("{self}.{NODES}")
    }

    /// The node whose certificate has this name.
    pub fn of_certificate(name: &str) -> Option<Self> {
        name.strip_suffix(NODES)?.strip_suffix('.')?.parse().ok()
    }
}

impl LabelKey {
    /// The label that every machine has: its name.
    pub const OF_NAME: &'static str = "node";
}

/// The domain of nodes, which no DNS knows.
const NODES: &str = "node.paas.internal";

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
            "1 to 63 characters: lower-case letters, digits and `-`, which is neither first nor last",
        )
    }
}

/// See [`NodeKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKeyGrammar {}

impl Grammar for NodeKeyGrammar {
    const KIND: &'static str = "key of a node";

    fn check(text: &str) -> Result<(), &'static str> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let valid = text.len() == 64 && text.bytes().all(lower_hex);
        valid.then_some(()).ok_or("64 hexadecimal digits in lower case")
    }
}

/// See [`LabelKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelKeyGrammar {}

impl Grammar for LabelKeyGrammar {
    const KIND: &'static str = "label";

    fn check(text: &str) -> Result<(), &'static str> {
        let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let inner = |b: &u8| outer(b) || b"-_./".contains(b);
        let bytes = text.as_bytes();
        let valid = (1..=63).contains(&bytes.len())
            && bytes.iter().all(inner)
            && bytes.first().is_some_and(outer)
            && bytes.last().is_some_and(outer);
        valid.then_some(()).ok_or(
            "1 to 63 characters: lower-case letters, digits and `-_./`, a letter or digit at both ends",
        )
    }
}

/// See [`LabelValue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelValueGrammar {}

impl Grammar for LabelValueGrammar {
    const KIND: &'static str = "value of a label";

    fn check(text: &str) -> Result<(), &'static str> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let valid = text.len() <= 63 && text.bytes().all(plain);
        valid.then_some(()).ok_or("up to 63 letters, digits and `-_.`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_labels_of_host_names() {
        for good in ["a", "1", "edge-1", &"a".repeat(63)] {
            assert!(good.parse::<NodeName>().is_ok(), "{good}");
            assert!(
                good.parse::<LabelValue>().is_ok(),
                "{good}: each machine has its name as a label"
            );
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", "a\n", "*", &"a".repeat(64)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_name_suggests_a_name() {
        let name = |host: &str| NodeName::of_host(host).map(|name| name.to_string());
        assert_eq!(name("Box-2.example.com").as_deref(), Some("box-2"));
        assert_eq!(name("my_box").as_deref(), Some("my-box"));
        assert_eq!((name(""), name("_"), name("ümlaut")), (None, None, None));
        assert_eq!(NodeName::of_machine("Box.example.com").as_str(), "box");
        assert_eq!(NodeName::of_machine("._-").as_str(), "control");
    }

    #[test]
    fn labels_and_what_are_none() {
        for good in ["zone", "a", "example.com/disk-2"] {
            assert!(good.parse::<LabelKey>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a=b", "A", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<LabelKey>().is_err(), "{bad}");
        }
        for good in ["", "SSD", "eu-central.1"] {
            assert!(good.parse::<LabelValue>().is_ok(), "{good}");
        }
        for bad in ["a b", "a=b", "\u{1b}", &"a".repeat(64)] {
            assert!(bad.parse::<LabelValue>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_open_until_it_is_used_or_its_time_is_over() {
        let at = Timestamp::from_millis;
        let mut token: JoinToken = serde_json::from_str(TOKEN).unwrap();
        assert_eq!(token.life(at(1_790_000_000_122)), TokenLife::Open);
        assert_eq!(token.life(at(1_790_000_000_123)), TokenLife::Expired);
        let name: NodeName = "edge-1".parse().unwrap();
        token.used = Some((name.clone(), at(7)));
        assert_eq!(token.life(at(1_790_000_000_123)), TokenLife::Used(&name, at(7)));
    }

    const NODE: &str = r#"{"name":"edge-1","address":"[2001:db8::7]:7600","key":"00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa","labels":{"zone":"a"},"joined_at":"2026-09-21T14:13:20.123Z","by":"admin"}"#;
    const TOKEN: &str = r#"{"id":"0011aabb","hash":"00","expires_at":"2026-09-21T14:13:20.123Z","used":null,"created_at":"2026-09-21T13:13:20.123Z","by":"admin"}"#;
    const USED: &str = r#"{"id":"0011aabb","hash":"00","expires_at":"2026-09-21T14:13:20.123Z","used":["edge-1","2026-09-21T14:00:00.000Z"],"created_at":"2026-09-21T13:13:20.123Z","by":"admin"}"#;

    #[test]
    fn records_are_stored_as_they_always_were() {
        let node: Node = serde_json::from_str(NODE).unwrap();
        assert_eq!(serde_json::to_string(&node).unwrap(), NODE);
        let own = r#"{"labels":{"zone":"a"}}"#;
        let read: ControlLabels = serde_json::from_str(own).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), own);
        for golden in [TOKEN, USED] {
            let token: JoinToken = serde_json::from_str(golden).unwrap();
            assert_eq!(serde_json::to_string(&token).unwrap(), golden);
        }
    }
}
