//! Add a DNS record to a zone, or take it away.

use crate::{
    model::{
        Actor, DnsData, DnsRecord, RecordName, Timestamp, Zone,
        zone::{DEFAULT_TTL, MAX_TTL, MIN_TTL},
    },
    ops::{
        Refusal,
        zone::{innermost, no_zone},
    },
    store::{Record, Transaction, View},
};

/// A record as its user wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name in full.
    pub name: RecordName,
    /// What it says.
    pub data: DnsData,
    /// How long others may keep it, in seconds; `None` is [`DEFAULT_TTL`].
    pub ttl: Option<u32>,
}

/// Adds the record. One that says the same is replaced, so that its time to live can be changed.
pub fn add(
    tx: &mut Transaction<'_>,
    platform: &str,
    draft: Draft,
    by: &Actor,
    now: Timestamp,
) -> Result<DnsRecord, Refusal> {
    let what = format!("record {} {}", draft.name, draft.data.kind());
    let apex = zone_of(tx, platform, &draft.name)?;
    draft.data.check().map_err(|error| Refusal::invalid(&what, error.to_string()))?;
    let ttl = draft.ttl.unwrap_or(DEFAULT_TTL);
    if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
        return Err(Refusal::invalid(&what, format!("{ttl} seconds is no time to live"))
            .hint(format!("choose {MIN_TTL} to {MAX_TTL} seconds with --ttl")));
    }
    if draft.name.as_str() == apex
        && matches!(draft.data, DnsData::Cname { .. } | DnsData::Ns { .. })
    {
        return Err(Refusal::conflict(
            what,
            format!("{apex} is the zone itself, whose name servers are this server's"),
        )
        .hint(format!("use A and AAAA at {apex}; CNAME and NS stand below it")));
    }
    let record =
        DnsRecord { name: draft.name, data: draft.data, ttl, created_at: now, by: by.clone() };
    check_company(tx, &record)?;
    if tx.scan::<DnsRecord>(&())?.len() >= MAX_RECORDS {
        return Err(Refusal::conflict(what, format!("there are {MAX_RECORDS} records already"))
            .hint("paas dns remove NAME TYPE"));
    }
    tx.put(&record)?;
    Ok(record)
}

/// Takes away the records of that name and type, or the one of them that says `data`, and answers
/// what was taken.
pub fn remove(
    tx: &mut Transaction<'_>,
    name: &RecordName,
    kind: &str,
    data: Option<&DnsData>,
) -> Result<Vec<DnsRecord>, Refusal> {
    let kind = kind.to_ascii_uppercase();
    let mut found = tx.scan::<DnsRecord>(&(name.as_str(), kind.as_str()))?;
    found.retain(|record| data.is_none_or(|data| record.data == *data));
    if found.is_empty() {
        return Err(Refusal::not_found(format!("record {name} {kind}"), "there is no such record")
            .hint("`paas dns` lists the records"));
    }
    for record in &found {
        tx.delete::<DnsRecord>(&record.key())?;
    }
    Ok(found)
}

/// The zone that a record of this name would be in.
pub fn zone_of(view: &impl View, platform: &str, name: &RecordName) -> Result<String, Refusal> {
    let zones = view.scan::<Zone>(&())?;
    let apexes = zones.iter().map(|zone| zone.name.as_str()).chain([platform]);
    innermost(apexes, name.as_str()).map(str::to_owned).ok_or_else(|| no_zone(name.as_str()))
}

/// An alias stands alone (RFC 2181 section 10.1): nothing else can be said of its name.
fn check_company(tx: &Transaction<'_>, record: &DnsRecord) -> Result<(), Refusal> {
    let others = tx.scan::<DnsRecord>(&record.name.as_str())?;
    let is_alias = |data: &DnsData| matches!(data, DnsData::Cname { .. });
    let in_the_way = others.iter().find(|other| {
        other.data != record.data && (is_alias(&other.data) || is_alias(&record.data))
    });
    let Some(other) = in_the_way else { return Ok(()) };
    Err(Refusal::conflict(
        format!("record {} {}", record.name, record.data.kind()),
        format!(
            "the name has a record {} {} already, and a CNAME stands alone",
            other.data.kind(),
            other.data
        ),
    )
    .hint(format!("paas dns remove {} {}", record.name, other.data.kind())))
}

/// Records of one server: they are held in memory and built anew with every change.
const MAX_RECORDS: usize = 10_000;
