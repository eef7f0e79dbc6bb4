//! The private names of apps: `<app>.internal` and `<process>.<app>.internal`.
//!
//! What a container may look up depends on where it asks from: names of its own app, and of those that allow it,
//! each with the addresses by which it reaches the instances from there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::zones::{InvalidZone, ZoneData, Zones};
use crate::model::{AppName, DnsData, ProcessName, zone::ZoneRecord};

/// What the containers of one app on this machine may look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppNames {
    /// The app.
    pub app: AppName,
    /// An address of each of the networks that they ask from.
    pub networks: BTreeSet<Ipv4Addr>,
    /// Where they reach the ready instances of what serves, by app and process.
    pub ready: BTreeMap<(AppName, ProcessName), BTreeSet<Ipv4Addr>>,
}

/// The private names of all apps.
#[derive(Debug, Default)]
pub struct Names {
    by_network: HashMap<u32, Arc<Zones>>,
    nobody: Zones,
}

impl Names {
    /// Of all these apps.
    pub fn new(apps: &[AppNames]) -> Result<Self, InvalidZone> {
        let mut by_network = HashMap::new();
        for app in apps {
            let zones = Arc::new(Zones::new(&[zone(app)])?);
            for address in &app.networks {
                by_network.insert(network(*address), zones.clone());
            }
        }
        Ok(Self { by_network, nobody: Zones::new(&[bare(Vec::new())])? })
    }

    /// What a container at that address may look up.
    pub(super) fn seen_from(&self, asker: IpAddr) -> &Zones {
        let IpAddr::V4(asker) = asker.to_canonical() else { return &self.nobody };
        self.by_network.get(&network(asker)).map_or(&self.nobody, AsRef::as_ref)
    }
}

fn zone(app: &AppNames) -> ZoneData {
    let mut records = Vec::new();
    for ((app, process), addresses) in &app.ready {
        let own = format!("{process}.{app}.{INTERNAL}");
        let mut names = BTreeSet::from([own.replace('_', "-"), own]);
        if process.is_web() {
            names.insert(format!("{app}.{INTERNAL}"));
        }
        for (name, address) in
            names.iter().flat_map(|name| addresses.iter().map(move |a| (name, a)))
        {
            let data = DnsData::A { address: *address };
            records.push(ZoneRecord { name: name.clone(), ttl: TTL, data });
        }
    }
    bare(records)
}

fn bare(records: Vec<ZoneRecord>) -> ZoneData {
    ZoneData {
        apex: INTERNAL.to_owned(),
        servers: vec![INTERNAL.to_owned()],
        serial: 1,
        negative_ttl: TTL,
        records,
    }
}

/// The part of an address that all of one app's containers share; the engine cuts networks of this
/// size.
fn network(address: Ipv4Addr) -> u32 {
    address.to_bits() >> (32 - NETWORK_BITS)
}

/// Reserved for private use (ICANN, 2024).
pub(super) const INTERNAL: &str = "internal";
const NETWORK_BITS: u32 = 26;
/// In seconds: an instance that is gone shall be forgotten.
const TTL: u32 = 2;
