//! From records, settings and proofs to the zones that the DNS server answers for.
//!
//! What people did not say is filled in: name servers, the edge's addresses at the platform's names
//! and at the domains of apps, proofs for a certificate authority. What they did say wins, and wins
//! whole: a name with an address of a user's own gets none of ours beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::{
    clock,
    control::task::Task,
    dns::{InvalidZone, ZoneData, ZoneRecord, Zones},
    model::{
        DnsData, DnsRecord, Domain, Timestamp, Zone,
        zone::{Proofs, is_within, name_servers},
    },
    node::Edges,
    store::{Store, StoreError, View},
};

/// What zones are made of.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// The platform's domain.
    pub platform: &'a str,
    /// Where the world reaches the edges, as far as they are well.
    pub edge: &'a [IpAddr],
    /// Where it reaches this DNS server.
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

/// All zones, with the serial number 0. Pure, sorted.
pub fn zones(from: &Ingredients<'_>) -> Vec<ZoneData> {
    let apexes: BTreeSet<&str> =
        from.zones.iter().map(|zone| zone.name.as_str()).chain([from.platform]).collect();
    let innermost = |name: &str| {
        let around = apexes.iter().copied().filter(|apex| is_within(name, apex));
        around.max_by_key(|apex| apex.len())
    };
    let mut drafts: BTreeMap<&str, Draft<'_>> =
        apexes.iter().map(|apex| (*apex, Draft::new(apex, from.edge))).collect();
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
            draft.lead(name, from.edge);
        }
    }
    if let Some(draft) = drafts.get_mut(from.platform) {
        for name in [from.platform.to_owned(), format!("*.{}", from.platform)] {
            draft.lead(&name, from.edge);
        }
        for name in name_servers(from.platform) {
            draft.lead(&name, from.servers);
        }
    }
    drafts.into_iter().map(|(apex, draft)| draft.finish(apex, from.platform)).collect()
}

/// A zone that is being put together.
struct Draft<'a> {
    apex: &'a str,
    edge: &'a [IpAddr],
    said: BTreeMap<String, Vec<(u32, DnsData)>>,
    /// Names that lead to addresses of ours unless a user says otherwise.
    here: BTreeMap<String, &'a [IpAddr]>,
}

impl<'a> Draft<'a> {
    fn new(apex: &'a str, edge: &'a [IpAddr]) -> Self {
        Self { apex, edge, said: BTreeMap::new(), here: BTreeMap::new() }
    }

    fn say(&mut self, name: &str, ttl: u32, data: DnsData) {
        self.said.entry(name.to_owned()).or_default().push((ttl, data));
    }

    fn lead(&mut self, name: &str, to: &'a [IpAddr]) {
        self.here.insert(name.to_owned(), to);
    }

    fn finish(mut self, apex: &str, platform: &str) -> ZoneData {
        self.uncover();
        let mut records = Vec::new();
        for (name, addresses) in self.here.iter().filter(|(name, _)| !self.leads_elsewhere(name)) {
            let data = addresses.iter().map(|address| match address {
                IpAddr::V4(address) => DnsData::A { address: *address },
                IpAddr::V6(address) => DnsData::Aaaa { address: *address },
            });
            records.extend(data.map(|data| ZoneRecord { name: name.clone(), ttl: EDGE_TTL, data }));
        }
        for (name, said) in self.said {
            let record = |(ttl, data)| ZoneRecord { name: name.clone(), ttl, data };
            records.extend(said.into_iter().map(record));
        }
        records.sort();
        records.dedup();
        let servers = name_servers(platform).to_vec();
        ZoneData { apex: apex.to_owned(), servers, serial: 0, negative_ttl: NEGATIVE_TTL, records }
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
            self.here.entry(name).or_insert(self.edge);
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

/// Keeps what the DNS server answers from as it should be.
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
    /// Which of them serve, and where the world finds these.
    pub edges: Edges,
    /// Ticks when that may have changed.
    pub there: watch::Receiver<()>,
    /// What the DNS server answers from.
    pub zones: watch::Sender<Arc<Zones>>,
    /// What was published last.
    pub published: Published,
}

/// What was published last.
#[derive(Debug, Default)]
pub struct Published {
    zones: Vec<ZoneData>,
    serial: u32,
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
        let made = zones(&Ingredients {
            platform: &self.platform,
            edge: &self.edges.serving_at(),
            servers: &self.edges.own_at(),
            zones: &view.scan::<Zone>(&())?,
            records: &view.scan::<DnsRecord>(&())?,
            domains: &view.scan::<Domain>(&())?,
            proofs: &proofs,
        });
        if let Some(next) = self.published.next(made, clock::now())? {
            self.zones.send_replace(Arc::new(next));
        }
        Ok(())
    }
}

impl Published {
    /// The zones to publish, if they differ, under a serial number that is greater than all before:
    /// the time in seconds, which is so after a restart too.
    fn next(&mut self, made: Vec<ZoneData>, now: Timestamp) -> Result<Option<Zones>, InvalidZone> {
        if made == self.zones {
            return Ok(None);
        }
        let seconds = u32::try_from(now.as_millis() / 1000).unwrap_or(u32::MAX);
        let serial = seconds.max(self.serial.saturating_add(1));
        let numbered: Vec<ZoneData> =
            made.iter().map(|zone| ZoneData { serial, ..zone.clone() }).collect();
        let zones = Zones::new(&numbered)?;
        (self.zones, self.serial) = (made, serial);
        Ok(Some(zones))
    }
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
