//! Take a domain's DNS over, or give it back.

use crate::{
    model::{Actor, DnsRecord, DomainName, Timestamp, Zone, zone::is_within},
    ops::Refusal,
    store::{Transaction, View},
};

/// Answers for the domain from now on. Adding it twice is adding it once.
pub fn add(
    tx: &mut Transaction<'_>,
    platform: &str,
    name: &DomainName,
    by: &Actor,
    now: Timestamp,
) -> Result<Zone, Refusal> {
    if let Some(zone) = tx.get::<Zone>(&name.as_str().to_owned())? {
        return Ok(zone);
    }
    if name.is_wildcard() {
        return Err(Refusal::invalid(format!("zone {name}"), "a zone is a domain, not a wildcard")
            .hint(format!("paas dns zones add {}", name.base())));
    }
    if name.as_str() == platform {
        return Err(Refusal::conflict(
            format!("zone {name}"),
            "it is the platform's own, which is always answered for",
        )
        .hint("`paas dns` shows what is answered"));
    }
    if tx.scan::<Zone>(&())?.len() >= MAX_ZONES {
        return Err(Refusal::conflict(
            format!("zone {name}"),
            format!("there are {MAX_ZONES} zones, and no more are held"),
        )
        .hint("paas dns zones remove ZONE"));
    }
    let zone = Zone { name: name.clone(), created_at: now, by: by.clone() };
    tx.put(&zone)?;
    Ok(zone)
}

/// No longer answers for the domain; its records go with it and are returned. Those of a zone
/// below it stay.
pub fn remove(tx: &mut Transaction<'_>, name: &DomainName) -> Result<Vec<DnsRecord>, Refusal> {
    let key = name.as_str().to_owned();
    if tx.get::<Zone>(&key)?.is_none() {
        return Err(no_zone(name.as_str()));
    }
    let apexes: Vec<String> =
        tx.scan::<Zone>(&())?.iter().map(|zone| zone.name.as_str().to_owned()).collect();
    let mut records = tx.scan::<DnsRecord>(&())?;
    records.retain(|record| {
        innermost(apexes.iter().map(String::as_str), record.name.as_str()) == Some(name.as_str())
    });
    for record in &records {
        tx.delete::<DnsRecord>(&crate::store::Record::key(record))?;
    }
    tx.delete::<Zone>(&key)?;
    Ok(records)
}

/// The zone that a name is in: of those it is within, the longest.
pub fn innermost<'a>(apexes: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let within = |apex: &&str| is_within(name, apex);
    apexes.filter(within).max_by_key(|apex| apex.len())
}

pub(super) fn no_zone(name: &str) -> Refusal {
    Refusal::not_found(format!("zone {name}"), "this server does not answer for it").hint(
        "`paas dns zones` lists what it answers for; `paas dns zones add ZONE` takes one over",
    )
}

/// Zones of one server; each is a few kilobytes that are built anew with every change.
const MAX_ZONES: usize = 500;
