//! From records, settings and proofs to the zones that our DNS servers answer for, on the machine that leads;
//! what a machine then answers, [`Answering`] says on each alike.
//!
//! What people did not say is filled in: name servers, the edge's addresses at the platform's names
//! and at the domains of apps, proofs for a certificate authority. What they did say wins, and wins
//! whole: a name with an address of a user's own gets none of ours beside it.

mod answering;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

pub use answering::{Answering, Answers};

use crate::{
    clock,
    control::task::Task,
    dns::InvalidZone,
    model::{
        DnsData, DnsRecord, Domain, NodeName, PublicNames, Timestamp, Zone,
        zone::{Proofs, PublicZone, ZoneRecord, is_within, name_servers},
    },
    node::Edges,
    store::{Store, StoreError, View},
};

/// What zones are made of.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// The platform's domain.
    pub platform: &'a str,
    /// Where the world reaches our DNS servers.
    pub servers: &'a [IpAddr],
    /// The zones that were added.
    pub zones: &'a [Zone],
    /// The records that were added.
    pub records: &'a [DnsRecord],
    /// The apps' own domains.
    pub domains: &'a [Domain],
    /// What a certificate authority is to find.
    pub proofs: &'a Proofs,
}

/// All zones. Pure, sorted.
pub fn zones(from: &Ingredients<'_>) -> Vec<PublicZone> {
    let apexes: BTreeSet<&str> =
        from.zones.iter().map(|zone| zone.name.as_str()).chain([from.platform]).collect();
    let innermost = |name: &str| {
        let around = apexes.iter().copied().filter(|apex| is_within(name, apex));
        around.max_by_key(|apex| apex.len())
    };
    let mut drafts: BTreeMap<&str, Draft<'_>> =
        apexes.iter().map(|apex| (*apex, Draft::new(apex))).collect();
    for record in from.records {
        let draft = innermost(record.name.as_str()).and_then(|apex| drafts.get_mut(apex));
        if let Some(draft) = draft {
            draft.say(record.name.as_str(), record.ttl, record.data.clone());
        }
    }
    for (name, texts) in from.proofs {
        let Some(draft) = innermost(name.as_str()).and_then(|apex| drafts.get_mut(apex)) else {
            continue;
        };
        for text in texts {
            draft.say(name.as_str(), PROOF_TTL, DnsData::Txt { text: text.clone() });
        }
    }
    for domain in from.domains {
        let name = domain.name.as_str();
        if let Some(draft) = innermost(name).and_then(|apex| drafts.get_mut(apex)) {
            draft.lead(name, To::Edges);
        }
    }
    if let Some(draft) = drafts.get_mut(from.platform) {
        for name in [from.platform.to_owned(), format!("*.{}", from.platform)] {
            draft.lead(&name, To::Edges);
        }
        for name in name_servers(from.platform) {
            draft.lead(&name, To::These(from.servers));
        }
    }
    drafts.into_iter().map(|(apex, draft)| draft.finish(apex, from.platform)).collect()
}

/// Where a name leads unless a user says otherwise.
#[derive(Debug, Clone, Copy)]
enum To<'a> {
    Edges,
    These(&'a [IpAddr]),
}

/// A zone that is being put together.
struct Draft<'a> {
    apex: &'a str,
    said: BTreeMap<String, Vec<(u32, DnsData)>>,
    /// Names that lead to machines of ours unless a user says otherwise.
    here: BTreeMap<String, To<'a>>,
}

impl<'a> Draft<'a> {
    fn new(apex: &'a str) -> Self {
        Self { apex, said: BTreeMap::new(), here: BTreeMap::new() }
    }

    fn say(&mut self, name: &str, ttl: u32, data: DnsData) {
        self.said.entry(name.to_owned()).or_default().push((ttl, data));
    }

    fn lead(&mut self, name: &str, to: To<'a>) {
        self.here.insert(name.to_owned(), to);
    }

    fn finish(mut self, apex: &str, platform: &str) -> PublicZone {
        self.uncover();
        let (mut records, mut edge) = (Vec::new(), BTreeSet::new());
        for (name, to) in self.here.iter().filter(|(name, _)| !self.leads_elsewhere(name)) {
            match to {
                To::Edges => {
                    edge.insert(name.clone());
                }
                To::These(addresses) => {
                    records.extend(lead(name, addresses.iter().copied(), EDGE_TTL));
                }
            }
        }
        for (name, said) in self.said {
            let record = |(ttl, data)| ZoneRecord { name: name.clone(), ttl, data };
            records.extend(said.into_iter().map(record));
        }
        records.sort();
        records.dedup();
        PublicZone {
            apex: apex.to_owned(),
            servers: name_servers(platform).to_vec(),
            negative_ttl: NEGATIVE_TTL,
            records,
            edge,
            edge_ttl: EDGE_TTL,
        }
    }

    /// A wildcard does not cover a name that exists, nor one that something is said below of (RFC
    /// 4592): a proof at `_acme-challenge.shop` would take `shop` off the net. Such names get what
    /// the wildcard had given them.
    fn uncover(&mut self) {
        let wildcards: Vec<String> = self
            .here
            .keys()
            .filter(|name| !self.leads_elsewhere(name))
            .filter_map(|name| name.strip_prefix("*.").map(str::to_owned))
            .collect();
        let mut existing = BTreeSet::new();
        for name in self.said.keys().chain(self.here.keys()) {
            let above = std::iter::successors(Some(name.as_str()), |name| {
                name.split_once('.').map(|(_, rest)| rest)
            });
            existing.extend(above.take_while(|name| *name != self.apex).map(str::to_owned));
        }
        let covered = |name: &String| {
            let plain = name.split('.').all(|label| !label.starts_with(['_', '*']));
            plain && wildcards.iter().any(|base| name != base && is_within(name, base))
        };
        existing.retain(covered);
        for name in existing {
            self.here.entry(name).or_insert(To::Edges);
        }
    }

    fn leads_elsewhere(&self, name: &str) -> bool {
        self.said.get(name).is_some_and(|said| {
            said.iter().any(|(_, data)| match data {
                DnsData::A { .. } | DnsData::Aaaa { .. } => true,
                DnsData::Cname { .. } | DnsData::Ns { .. } => true,
                DnsData::Mx { .. } | DnsData::Txt { .. } => false,
                DnsData::Srv { .. } | DnsData::Caa { .. } => false,
            })
        })
    }
}

/// The records that let a name lead to these addresses.
fn lead(
    name: &str,
    to: impl IntoIterator<Item = IpAddr>,
    ttl: u32,
) -> impl Iterator<Item = ZoneRecord> {
    to.into_iter().map(move |address| {
        let data = match address {
            IpAddr::V4(address) => DnsData::A { address },
            IpAddr::V6(address) => DnsData::Aaaa { address },
        };
        ZoneRecord { name: name.to_owned(), ttl, data }
    })
}

/// Keeps what our DNS servers answer from as it should be.
#[derive(Debug)]
pub struct Naming {
    /// Records.
    pub store: Store,
    /// Its changes.
    pub commits: watch::Receiver<u64>,
    /// What authorities are to find, from the task that orders certificates.
    pub proofs: watch::Receiver<Arc<Proofs>>,
    /// The platform's domain.
    pub platform: String,
    /// This machine.
    pub here: NodeName,
    /// Which edges serve, where the world finds these, and which machines answer for names.
    pub edges: Edges,
    /// Ticks when that may have changed.
    pub there: watch::Receiver<()>,
    /// What DNS servers answer from, here and elsewhere.
    pub names: watch::Sender<Arc<PublicNames>>,
}

/// Why the zones stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum NamingError {
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They make no zone.
    #[error(transparent)]
    Zone(#[from] InvalidZone),
}

impl Task for Naming {
    const NAME: &'static str = "zones";
    type Error = NamingError;

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.commits.changed() => {}
            Ok(()) = self.proofs.changed() => {}
            Ok(()) = self.there.changed() => {}
            () = sleep(PERIOD) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), NamingError> {
        self.commits.mark_unchanged();
        let proofs = self.proofs.borrow_and_update().clone();
        let view = self.store.snapshot();
        self.there.mark_unchanged();
        let zones = zones(&Ingredients {
            platform: &self.platform,
            servers: &self.edges.answering_at(),
            zones: &view.scan::<Zone>(&())?,
            records: &view.scan::<DnsRecord>(&())?,
            domains: &view.scan::<Domain>(&())?,
            proofs: &proofs,
        });
        let edges = self.edges.serving_at(&self.here);
        let made = PublicNames { serial: 0, zones, edges };
        let next = next(&self.names.borrow(), made, clock::now());
        if let Some(next) = next {
            self.names.send_replace(Arc::new(next));
        }
        Ok(())
    }
}

/// What to publish, if it differs, under a serial number that is greater than all before: the time in
/// seconds, which is so after a restart too.
fn next(published: &PublicNames, made: PublicNames, now: Timestamp) -> Option<PublicNames> {
    let made = PublicNames { serial: published.serial, ..made };
    let seconds = u32::try_from(now.as_millis() / 1000).unwrap_or(u32::MAX);
    let serial = seconds.max(published.serial.saturating_add(1));
    if made == *published { None } else { Some(PublicNames { serial, ..made }) }
}

/// Of the edge's addresses, in seconds: what fails is gone for everybody within a minute.
const EDGE_TTL: u32 = 60;
/// Of a "no", in seconds: an app that was just made shall be found.
const NEGATIVE_TTL: u32 = 60;
/// Of proofs, in seconds: the next attempt has another.
const PROOF_TTL: u32 = 1;
/// The machine's addresses change without a word.
const PERIOD: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
