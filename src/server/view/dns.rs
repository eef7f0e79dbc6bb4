//! Zones and records, from the records to the wire contract.

use std::net::IpAddr;

use crate::{
    model::{DnsRecord, Zone, zone::name_servers},
    server::state::Reach,
};

pub(in crate::server) fn platform(reach: &Reach) -> api::Zone {
    api::Zone {
        name: reach.domain.clone(),
        platform: true,
        delegation: delegation(&reach.domain, reach),
        created_at: None,
        by: None,
    }
}

pub(in crate::server) fn zone(zone: &Zone, reach: &Reach) -> api::Zone {
    api::Zone {
        name: zone.name.to_string(),
        platform: false,
        delegation: delegation(zone.name.as_str(), reach),
        created_at: Some(zone.created_at.to_string()),
        by: Some(zone.by.to_string()),
    }
}

/// The name servers of a zone; in the platform's own stand their addresses too, for without them
/// nobody could ask the first question.
fn delegation(zone: &str, reach: &Reach) -> Vec<api::DnsSetting> {
    let setting = |name: &str, kind: &str, value: String| api::DnsSetting {
        name: name.to_owned(),
        kind: kind.to_owned(),
        value,
    };
    let servers = name_servers(&reach.domain);
    let mut settings: Vec<_> =
        servers.iter().map(|server| setting(zone, "NS", server.clone())).collect();
    if zone == reach.domain {
        for server in &servers {
            settings.extend(reach.edges.answering_at().iter().map(|address| {
                let kind = if matches!(address, IpAddr::V4(_)) { "A" } else { "AAAA" };
                setting(server, kind, address.to_string())
            }));
        }
    }
    settings
}

pub(in crate::server) fn record(record: &DnsRecord) -> api::Record {
    api::Record {
        name: record.name.to_string(),
        kind: record.data.kind().to_owned(),
        value: record.data.to_string(),
        ttl: record.ttl,
        created_at: record.created_at.to_string(),
        by: record.by.to_string(),
    }
}
