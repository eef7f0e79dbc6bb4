//! Which hosts something is for: one, or all directly below one (`*.example.org`).
//!
//! A wildcard covers one label and never the name itself, as in certificates (RFC 6125 section
//! 6.4.3) and in DNS zones of one level; so a route, a certificate and a name match alike.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::host::{Host, InvalidHost};

/// A host, or a wildcard of one label over one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pattern {
    /// This host only.
    Exact(Host),
    /// Every host with exactly one label before this one.
    Below(Host),
}

impl Pattern {
    /// Whether it covers `host`.
    pub fn covers(&self, host: &Host) -> bool {
        match self {
            Self::Exact(own) => own == host,
            Self::Below(parent) => parent_of(host) == Some(parent.as_str()),
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        match text.strip_prefix("*.") {
            Some(parent) => Host::parse(parent).map(Self::Below),
            None => Host::parse(text).map(Self::Exact),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl From<Host> for Pattern {
    fn from(host: Host) -> Self {
        Self::Exact(host)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// The part of a host behind its first label.
fn parent_of(host: &Host) -> Option<&str> {
    host.as_str().split_once('.').map(|(_, parent)| parent)
}

/// Values by pattern, found by host: the exact one, else the wildcard's.
///
/// The hash need not withstand attacks as the library's does: what clients send is only looked up,
/// and whoever may add a host cannot know the seed, which is drawn anew by every process.
#[derive(Debug, Clone)]
pub(crate) struct ByHost<V> {
    exact: HashMap<Host, V>,
    below: HashMap<Host, V>,
}

impl<V> Default for ByHost<V> {
    fn default() -> Self {
        Self { exact: HashMap::default(), below: HashMap::default() }
    }
}

impl<V> ByHost<V> {
    pub(crate) fn insert(&mut self, pattern: Pattern, value: V) {
        match pattern {
            Pattern::Exact(host) => self.exact.insert(host, value),
            Pattern::Below(parent) => self.below.insert(parent, value),
        };
    }

    pub(crate) fn get(&self, host: &Host) -> Option<&V> {
        let wildcard = || self.below.get(parent_of(host)?);
        self.exact.get(host).or_else(wildcard)
    }
}

impl<V: Clone> From<&BTreeMap<Pattern, V>> for ByHost<V> {
    fn from(map: &BTreeMap<Pattern, V>) -> Self {
        let mut by_host = Self::default();
        for (pattern, value) in map {
            by_host.insert(pattern.clone(), value.clone());
        }
        by_host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, host: &str, expected: bool) {
        let (pattern, host): (Pattern, _) = (pattern.parse().unwrap(), Host::parse(host).unwrap());
        assert_eq!(pattern.covers(&host), expected, "{pattern} {host}");
        let map = BTreeMap::from([(pattern.clone(), 1)]);
        assert_eq!(ByHost::from(&map).get(&host).is_some(), expected, "{pattern} {host}");
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        check("example.org", "Example.org", true);
        check("example.org", "a.example.org", false);
        check("*.example.org", "a.example.org", true);
        check("*.example.org", "example.org", false);
        check("*.example.org", "a.b.example.org", false);
    }

    #[test]
    fn the_exact_host_wins() {
        let map = BTreeMap::from([
            ("*.example.org".parse::<Pattern>().unwrap(), 1),
            ("a.example.org".parse().unwrap(), 2),
        ]);
        let by_host = ByHost::from(&map);
        assert_eq!(by_host.get(&Host::parse("a.example.org").unwrap()), Some(&2));
        assert_eq!(by_host.get(&Host::parse("b.example.org").unwrap()), Some(&1));
    }
}
