//! Zones as they are answered from: built whole from plain data, never changed, found by name.
//!
//! Every name between an apex and a record exists, even where nothing is said of it: an "empty
//! non-terminal", which a wildcard does not cover (RFC 4592 section 2.2.2).

use std::collections::HashMap;

use hickory_proto::rr::{
    Name, RData, RecordType,
    rdata::{A, AAAA, CAA, CNAME, HINFO, MX, NS, SOA, SRV, TXT},
};

use crate::model::{DnsData, zone::ZoneRecord};

/// One zone as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneData {
    /// Its name, in lower case without a final dot.
    pub apex: String,
    /// The names of its servers; the first is the SOA's.
    pub servers: Vec<String>,
    /// What others see a change by; it only grows.
    pub serial: u32,
    /// How long others may keep a "no", in seconds.
    pub negative_ttl: u32,
    /// What is said in it besides SOA and NS of the apex.
    pub records: Vec<ZoneRecord>,
}

/// A zone that cannot be answered from. Names of the model are valid; this is somebody's bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a name of the zone {apex}")]
pub struct InvalidZone {
    /// The zone.
    pub apex: String,
    /// What is in the way.
    pub name: String,
}

/// All zones that this server answers for.
#[derive(Debug)]
pub struct Zones {
    by_apex: HashMap<Name, Zone>,
    /// The most labels that an apex has.
    deepest: usize,
    minimal: RrSet,
}

/// One zone.
#[derive(Debug)]
pub(super) struct Zone {
    apex: Name,
    nodes: HashMap<Name, Node>,
    /// The most labels that a name of it has.
    deepest: usize,
    has_delegations: bool,
    /// The SOA with the time for which others may keep a "no" (RFC 2308 section 3).
    negative: RrSet,
}

/// What is said of one name; nothing at an empty non-terminal.
#[derive(Debug, Default)]
pub(super) struct Node {
    sets: Vec<RrSet>,
}

/// All records of one name and type.
#[derive(Debug)]
pub(super) struct RrSet {
    pub(super) kind: RecordType,
    pub(super) ttl: u32,
    pub(super) data: Vec<RData>,
}

impl Default for Zones {
    /// None: everything is refused.
    fn default() -> Self {
        let text = HINFO::new("RFC8482".to_owned(), String::new());
        let minimal =
            RrSet { kind: RecordType::HINFO, ttl: ANY_TTL, data: vec![RData::HINFO(text)] };
        Self { by_apex: HashMap::new(), deepest: 0, minimal }
    }
}

impl Zones {
    /// Builds all of them.
    pub fn new(all: &[ZoneData]) -> Result<Self, InvalidZone> {
        let mut zones = Self::default();
        for data in all {
            let zone = Zone::new(data)?;
            zones.deepest = zones.deepest.max(zone.apex.iter().len());
            zones.by_apex.insert(zone.apex.clone(), zone);
        }
        Ok(zones)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_apex.is_empty()
    }

    /// Whether that text is answered for that name: a proof is told of to an authority once it is.
    pub fn has_text(&self, name: &str, text: &str) -> bool {
        let said = || {
            let name = Name::from_ascii(format!("{name}.")).ok()?;
            let (_, node) = self.find(&name)?.node(&name)?;
            let whole = |data: &RData| match data {
                RData::TXT(said) => said.txt_data.concat() == text.as_bytes(),
                _ => false,
            };
            Some(node.set(RecordType::TXT)?.data.iter().any(whole))
        };
        said().unwrap_or(false)
    }

    /// The innermost zone that a name is in.
    pub(super) fn find(&self, name: &Name) -> Option<&Zone> {
        up(name, self.deepest).find_map(|name| self.by_apex.get(&name))
    }

    /// What is said of any existing name to one who asks for everything (RFC 8482).
    pub(super) fn minimal(&self) -> &RrSet {
        &self.minimal
    }
}

impl Zone {
    fn new(data: &ZoneData) -> Result<Self, InvalidZone> {
        let name = |text: &str| {
            Name::from_ascii(format!("{text}."))
                .map_err(|_| InvalidZone { apex: data.apex.clone(), name: text.to_owned() })
        };
        let apex = name(&data.apex)?;
        let servers = data.servers.iter().map(|text| name(text)).collect::<Result<Vec<_>, _>>()?;
        let primary = servers.first().cloned().unwrap_or_else(|| apex.clone());
        let mailbox = apex.prepend_label("hostmaster").unwrap_or_else(|_| apex.clone());
        let soa =
            SOA::new(primary, mailbox, data.serial, REFRESH, RETRY, EXPIRE, data.negative_ttl);
        let soa = RData::SOA(soa);
        let negative =
            RrSet { kind: RecordType::SOA, ttl: data.negative_ttl, data: vec![soa.clone()] };
        let mut zone = Self {
            apex: apex.clone(),
            nodes: HashMap::new(),
            deepest: 0,
            has_delegations: false,
            negative,
        };
        zone.add(&apex, SOA_TTL, soa);
        for server in servers {
            zone.add(&apex, SOA_TTL, RData::NS(NS(server)));
        }
        for record in &data.records {
            let owner = name(&record.name)?;
            if !apex.zone_of(&owner) {
                let name = record.name.clone();
                return Err(InvalidZone { apex: data.apex.clone(), name });
            }
            zone.add(&owner, record.ttl, rdata(&record.data, name)?);
        }
        Ok(zone)
    }

    fn add(&mut self, owner: &Name, ttl: u32, data: RData) {
        let kind = data.record_type();
        self.deepest = self.deepest.max(owner.iter().len());
        self.has_delegations |= kind == RecordType::NS && *owner != self.apex;
        let node = self.nodes.entry(owner.clone()).or_default();
        match node.sets.iter_mut().find(|set| set.kind == kind) {
            // All of a set have one time to live (RFC 2181 section 5.2).
            Some(set) => {
                set.ttl = set.ttl.min(ttl);
                if !set.data.contains(&data) {
                    set.data.push(data);
                }
            }
            None => node.sets.push(RrSet { kind, ttl, data: vec![data] }),
        }
        for between in up(owner, usize::MAX).skip(1).take_while(|name| *name != self.apex) {
            self.nodes.entry(between).or_default();
        }
    }

    pub(super) fn apex(&self) -> &Name {
        &self.apex
    }

    pub(super) fn negative(&self) -> &RrSet {
        &self.negative
    }

    /// Whether any name below the apex is somebody else's.
    pub(super) fn has_delegations(&self) -> bool {
        self.has_delegations
    }

    /// The names from this one up to the apex, as far as names of the zone can be.
    pub(super) fn up(&self, name: &Name) -> impl Iterator<Item = Name> {
        up(name, self.deepest).take_while(|name| self.apex.zone_of(name))
    }

    pub(super) fn node(&self, name: &Name) -> Option<(&Name, &Node)> {
        self.nodes.get_key_value(name)
    }
}

impl Node {
    pub(super) fn set(&self, kind: RecordType) -> Option<&RrSet> {
        self.sets.iter().find(|set| set.kind == kind)
    }
}

/// The name, or what is left of it with so many labels, then all above it up to the root. The bound
/// is what keeps a name of 127 labels, each a lookup, from being a cheap attack.
fn up(name: &Name, labels: usize) -> impl Iterator<Item = Name> {
    let first = if name.iter().len() > labels { name.trim_to(labels) } else { name.clone() };
    let above = |name: &Name| (!name.is_root()).then(|| name.base_name());
    std::iter::successors(Some(first), above)
}

fn rdata(
    data: &DnsData,
    name: impl Fn(&str) -> Result<Name, InvalidZone>,
) -> Result<RData, InvalidZone> {
    // "No such service" is the root, which is written as one dot.
    let name = |text: &str| if text == "." { Ok(Name::root()) } else { name(text) };
    Ok(match data {
        DnsData::A { address } => RData::A(A(*address)),
        DnsData::Aaaa { address } => RData::AAAA(AAAA(*address)),
        DnsData::Cname { target } => RData::CNAME(CNAME(name(target)?)),
        DnsData::Mx { preference, exchange } => RData::MX(MX::new(*preference, name(exchange)?)),
        DnsData::Txt { text } => {
            let mut pieces: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
            if pieces.is_empty() {
                pieces.push(&[]);
            }
            RData::TXT(TXT::from_bytes(pieces))
        }
        DnsData::Srv { priority, weight, port, target } => {
            RData::SRV(SRV::new(*priority, *weight, *port, name(target)?))
        }
        DnsData::Caa { flags, tag, value } => {
            let mut caa = CAA::new_issue(flags & 128 != 0, None, Vec::new());
            caa.reserved_flags = flags & 127;
            caa.tag.clone_from(tag);
            caa.value = value.as_bytes().to_vec();
            RData::CAA(caa)
        }
        DnsData::Ns { target } => RData::NS(NS(name(target)?)),
    })
}

/// Of SOA and NS, in seconds.
const SOA_TTL: u32 = 300;
/// What is said to one who asks for everything does not change.
const ANY_TTL: u32 = 3600;
// For secondaries, of which there are none; values as RFC 1912 section 2.2 has them.
const REFRESH: i32 = 7200;
const RETRY: i32 = 900;
const EXPIRE: i32 = 1_209_600;
