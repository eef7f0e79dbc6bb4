//! What is answered to a question about our zones. Pure: no bytes, no sockets, no clock.
//!
//! The algorithm of RFC 1034 section 4.3.2 without recursion, with wildcards as RFC 4592 has them.
//! The invariant: what is not in a zone of ours is refused, and an alias is followed a bounded number
//! of times and only inside our zones.

use std::borrow::Cow;

use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
};

use super::zones::{Node, RrSet, Zone, Zones};

/// An answer, as the sections of a message.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub(super) code: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Part<'a>>,
    pub(super) authorities: Vec<Part<'a>>,
    pub(super) additionals: Vec<Part<'a>>,
}

/// All records of one name and type in a section.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) owner: Cow<'a, Name>,
    pub(super) set: &'a RrSet,
}

/// Answers a question of the class IN.
pub(super) fn answer<'a>(zones: &'a Zones, name: &'a Name, kind: RecordType) -> Reply<'a> {
    let mut reply = Reply {
        code: ResponseCode::NoError,
        authoritative: true,
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
    };
    let Some(mut zone) = zones.find(name) else {
        return Reply { code: ResponseCode::Refused, authoritative: false, ..reply };
    };
    let mut name = Cow::Borrowed(name);
    for _ in 0..LONGEST_CHAIN {
        if let Some((cut, servers)) = delegation(zone, &name, kind) {
            // Behind an alias the referral would be to another question than was asked.
            if reply.answers.is_empty() {
                reply.authoritative = false;
                reply.additionals = addresses(zones, servers);
                reply.authorities.push(Part { owner: Cow::Borrowed(cut), set: servers });
            }
            return reply;
        }
        let Some(node) = node(zone, &name) else {
            reply.code = ResponseCode::NXDomain;
            reply.authorities.push(no(zone));
            return reply;
        };
        let alias = node.set(RecordType::CNAME).filter(|_| kind != RecordType::CNAME);
        let Some(target) = alias.filter(|_| kind != RecordType::ANY) else {
            say(&mut reply, zones, zone, node, name, kind);
            return reply;
        };
        reply.answers.push(Part { owner: name, set: target });
        let Some(RData::CNAME(next)) = target.data.first() else { return reply };
        let Some(next_zone) = zones.find(&next.0) else { return reply };
        (zone, name) = (next_zone, Cow::Borrowed(&next.0));
    }
    reply
}

/// The name exists and is no alias: what it says, or that it says nothing of that type.
fn say<'a>(
    reply: &mut Reply<'a>,
    zones: &'a Zones,
    zone: &'a Zone,
    node: &'a Node,
    name: Cow<'a, Name>,
    kind: RecordType,
) {
    let set = match kind {
        RecordType::ANY => Some(zones.minimal()),
        kind => node.set(kind),
    };
    match set {
        Some(set) => {
            reply.additionals = addresses(zones, set);
            reply.answers.push(Part { owner: name, set });
        }
        None => reply.authorities.push(no(zone)),
    }
}

/// The name's node, or the wildcard's that covers it: the one directly below the closest name above
/// that exists, and no other (RFC 4592 section 3.3.1).
fn node<'a>(zone: &'a Zone, name: &Name) -> Option<&'a Node> {
    if let Some((_, node)) = zone.node(name) {
        return Some(node);
    }
    let encloser = zone.up(name).find(|above| zone.node(above).is_some())?;
    let wildcard = encloser.prepend_label("*").ok()?;
    zone.node(&wildcard).map(|(_, node)| node)
}

/// The highest name below the apex, and not below `name`, that is somebody else's. A zone's signer
/// (DS) is the one thing that is said above the cut (RFC 4035 section 3.1.4.1).
fn delegation<'a>(zone: &'a Zone, name: &Name, kind: RecordType) -> Option<(&'a Name, &'a RrSet)> {
    if !zone.has_delegations() {
        return None;
    }
    let below_apex = zone.up(name).take_while(|above| above != zone.apex());
    let cuts = below_apex.filter_map(|above| {
        let (owner, node) = zone.node(&above)?;
        let signer = kind == RecordType::DS && owner == name;
        Some((owner, node.set(RecordType::NS).filter(|_| !signer)?))
    });
    cuts.last()
}

fn no(zone: &Zone) -> Part<'_> {
    Part { owner: Cow::Borrowed(zone.apex()), set: zone.negative() }
}

/// The addresses, as far as they are ours to tell, of the hosts that a set names.
fn addresses<'a>(zones: &'a Zones, set: &'a RrSet) -> Vec<Part<'a>> {
    if !matches!(set.kind, RecordType::NS | RecordType::MX | RecordType::SRV) {
        return Vec::new();
    }
    let hosts = set.data.iter().filter_map(|data| match data {
        RData::NS(ns) => Some(&ns.0),
        RData::MX(mx) => Some(&mx.exchange),
        RData::SRV(srv) => Some(&srv.target),
        _ => None,
    });
    let mut parts = Vec::new();
    for host in hosts.take(MOST_HOSTS) {
        let Some(node) = zones.find(host).and_then(|zone| node(zone, host)) else { continue };
        for kind in [RecordType::A, RecordType::AAAA] {
            let set = node.set(kind);
            parts.extend(set.map(|set| Part { owner: Cow::Borrowed(host), set }));
        }
    }
    parts
}

/// Aliases followed for one question; more are a loop or a mistake.
const LONGEST_CHAIN: usize = 8;
/// Hosts whose addresses are told along; a user may add more name servers than fit a packet.
const MOST_HOSTS: usize = 13;
