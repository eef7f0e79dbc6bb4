//! Public names: what the DNS servers of all machines answer from. Whoever leads makes them of records, settings and
//! proofs; what of it is the addresses of edges is said once, by machine, so that each server can leave out whom it
//! does not reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Deserializer, Serialize};

use super::DnsData;
use crate::model::NodeName;

/// All of them. Machines of neighbouring versions tell each other: fields are only added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicNames {
    /// What others see a change by; it only grows. 0 of none yet.
    pub serial: u32,
    /// The zones, sorted.
    pub zones: Vec<PublicZone>,
    /// Where the world finds the edges that serve.
    pub edges: BTreeMap<NodeName, Vec<IpAddr>>,
}

/// A zone of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicZone {
    /// Its name, in lower case without a final dot.
    pub apex: String,
    /// The names of its servers; the first is the SOA's.
    pub servers: Vec<String>,
    /// How long others may keep a "no", in seconds.
    pub negative_ttl: u32,
    /// What is said in it besides SOA and NS of the apex, and besides the addresses of edges.
    #[serde(default, deserialize_with = "known")]
    pub records: Vec<ZoneRecord>,
    /// The names in it that lead to the edges.
    #[serde(default)]
    pub edge: BTreeSet<String>,
    /// How long others may keep where these are, in seconds.
    pub edge_ttl: u32,
}

/// One record of a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// The name in full, in lower case without a final dot.
    pub name: String,
    /// In seconds.
    pub ttl: u32,
    /// What it says.
    pub data: DnsData,
}

impl PublicNames {
    /// Where the edges are but for these machines, each address once; of all if none other is left.
    pub fn edges_without(&self, left_out: &BTreeSet<NodeName>) -> BTreeSet<IpAddr> {
        let at = |counts: &dyn Fn(&NodeName) -> bool| -> BTreeSet<IpAddr> {
            let edges = self.edges.iter().filter(|(node, _)| counts(node));
            edges.flat_map(|(_, addresses)| addresses.iter().copied()).collect()
        };
        let left = at(&|node| !left_out.contains(node));
        if left.is_empty() { at(&|_| true) } else { left }
    }
}

/// The records of the kinds that this version knows; one of a later kind is no reason to hear nothing at all.
fn known<'de, D: Deserializer<'de>>(told: D) -> Result<Vec<ZoneRecord>, D::Error> {
    let told = Vec::<serde_json::Value>::deserialize(told)?;
    Ok(told.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_of_neighbouring_versions_tell_each_other_stays() {
        let golden = r#"{"serial":7,"zones":[{"apex":"a.test","servers":["ns1.a.test"],"negative_ttl":60,"records":[{"name":"x.a.test","ttl":1,"data":{"type":"TXT","text":"one"}}],"edge":["a.test"],"edge_ttl":60}],"edges":{"box":["192.0.2.1"]}}"#;
        let names: PublicNames = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&names).unwrap(), golden);
        let later = golden.replace("\"apex\"", "\"colour\":1,\"apex\"");
        assert_eq!(serde_json::from_str::<PublicNames>(&later).unwrap(), names);
        let later = golden.replace(
            "[{\"name\"",
            "[{\"name\":\"y.a.test\",\"ttl\":1,\"data\":{\"type\":\"SVCB\"}},{\"name\"",
        );
        assert_eq!(serde_json::from_str::<PublicNames>(&later).unwrap(), names);
        assert_eq!(serde_json::from_str::<PublicNames>("{}").unwrap(), PublicNames::default());
    }

    #[test]
    fn whoever_is_left_out_is_so_only_while_there_is_another() {
        let edges = [("box", "192.0.2.1"), ("edge-1", "192.0.2.2"), ("edge-2", "192.0.2.2")];
        let at = |text: &str| -> IpAddr { text.parse().unwrap() };
        let edges = edges.map(|(node, address)| (node.parse().unwrap(), vec![at(address)]));
        let names = PublicNames { edges: edges.into(), ..PublicNames::default() };
        for (left_out, expected) in [
            (&[][..], &["192.0.2.1", "192.0.2.2"][..]),
            (&["box"], &["192.0.2.2"]),
            (&["edge-1"], &["192.0.2.1", "192.0.2.2"]),
            (&["edge-1", "edge-2"], &["192.0.2.1"]),
            (&["box", "edge-1", "edge-2"], &["192.0.2.1", "192.0.2.2"]),
        ] {
            let nodes = left_out.iter().map(|node| node.parse().unwrap()).collect();
            let expected = expected.iter().map(|address| at(address)).collect();
            assert_eq!(names.edges_without(&nodes), expected, "{left_out:?}");
        }
    }
}
