//! Where the users' names lead: looked up when a name is new, when somebody asks, and from then on
//! every few minutes, and put on record where that differs from the last time.
//!
//! It changes no DNS and orders no certificate; it only tells people what the world sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    clock,
    control::task::Task,
    dns::{Lookup, LookupError},
    model::{Actor, Domain, DomainCheck, DomainName, EventKind, Pointing, Timestamp},
    node::Edges,
    store::{Store, StoreError, Transaction, View, diary},
};

/// The task that looks where domains lead.
#[derive(Debug)]
pub struct Domains {
    store: Store,
    lookup: Lookup,
    edges: Edges,
    requests: mpsc::Receiver<(DomainName, oneshot::Sender<()>)>,
    commits: watch::Receiver<u64>,
    asked: Vec<(DomainName, oneshot::Sender<()>)>,
    looked: BTreeMap<DomainName, Timestamp>,
}

impl Domains {
    /// Looks for names that lead to these edges, at once for those that come over `requests`, each
    /// of which is answered when it is on record where the name leads.
    pub fn new(
        store: Store,
        lookup: Lookup,
        edges: Edges,
        requests: mpsc::Receiver<(DomainName, oneshot::Sender<()>)>,
    ) -> Self {
        let commits = store.changes();
        let (asked, looked) = (Vec::new(), BTreeMap::new());
        Self { store, lookup, edges, requests, commits, asked, looked }
    }

    /// The names that are due, those that somebody waits for first.
    fn due(&self, view: &impl View, now: Timestamp) -> Result<Vec<DomainName>, StoreError> {
        let known: BTreeSet<DomainName> =
            view.scan::<Domain>(&())?.into_iter().map(|domain| domain.name).collect();
        let mut due: Vec<DomainName> = self.asked.iter().map(|(name, _)| name.clone()).collect();
        due.retain(|name| known.contains(name));
        for name in known {
            let last = view.get::<DomainCheck>(&name.as_str().to_owned())?;
            let period = match last.map(|check| check.pointing) {
                Some(Pointing::Here) => SETTLED,
                _ => UNSETTLED,
            };
            let rests = self.looked.get(&name).is_some_and(|at| now < at.plus(period));
            if !rests && !due.contains(&name) {
                due.push(name);
            }
        }
        due.truncate(MOST);
        Ok(due)
    }

    /// Forgets what was seen of names that no app has any more.
    async fn forget(&mut self) -> Result<(), StoreError> {
        let snapshot = self.store.snapshot();
        let checks = snapshot.scan::<DomainCheck>(&())?;
        for check in checks {
            if snapshot.scan::<Domain>(check.name.as_str())?.is_empty() {
                self.looked.remove(&check.name);
                self.store
                    .transact(move |tx| tx.delete::<DomainCheck>(&check.name.as_str().to_owned()))
                    .await?;
            }
        }
        Ok(())
    }
}

impl Task for Domains {
    const NAME: &'static str = "domains";
    type Error = StoreError;

    async fn wait(&mut self) {
        tokio::select! {
            Some(request) = self.requests.recv() => self.asked.push(request),
            _ = self.commits.changed() => {}
            () = sleep(PERIOD) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        while let Ok(request) = self.requests.try_recv() {
            self.asked.push(request);
        }
        self.forget().await?;
        let now = clock::now();
        let due = self.due(&self.store.snapshot(), now)?;
        let (lookup, own) = (&self.lookup, &self.edges.all_at());
        let look = |name: DomainName| async move {
            let found = addresses(lookup, &name).await;
            let seen = pointing(found, own);
            (name, seen)
        };
        let seen: Vec<(DomainName, Pointing)> =
            stream::iter(due).map(look).buffer_unordered(AT_ONCE).collect().await;
        for (name, pointing) in seen {
            self.looked.insert(name.clone(), now);
            self.store.transact(move |tx| note(tx, &name, pointing, now)).await?;
        }
        // A receiver that has gone waited long enough.
        let looked = &self.looked;
        for (name, answer) in self.asked.extract_if(.., |(name, _)| looked.contains_key(name)) {
            tracing::debug!(%name, "looked up for somebody");
            answer.send(()).ok();
        }
        self.asked.retain(|(_, answer)| !answer.is_closed());
        Ok(())
    }
}

/// Puts on record where a name leads; if that is news, the apps' diaries tell it.
fn note(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    pointing: Pointing,
    now: Timestamp,
) -> Result<(), StoreError> {
    let domains = tx.scan::<Domain>(name.as_str())?;
    let last = tx.get::<DomainCheck>(&name.as_str().to_owned())?;
    let same = last.as_ref().is_some_and(|last| last.pointing == pointing);
    if domains.is_empty() || same {
        return Ok(());
    }
    let was_here = last.is_some_and(|last| last.pointing == Pointing::Here);
    let news = match &pointing {
        Pointing::Here => Some(format!("{name} leads to this server")),
        Pointing::Elsewhere { addresses } if was_here => {
            Some(format!("{name} leads to this server no more, but to {}", addresses.join(", ")))
        }
        Pointing::Nowhere if was_here => Some(format!("{name} leads nowhere any more")),
        Pointing::Elsewhere { .. } | Pointing::Nowhere | Pointing::Unknown { .. } => None,
    };
    tx.put(&DomainCheck { name: name.clone(), pointing, since: now })?;
    let apps: BTreeSet<_> = domains.into_iter().map(|domain| domain.app).collect();
    for (app, text) in apps.iter().zip(news.iter().cycle()) {
        diary::write(tx, app, EventKind::Domain, text.clone(), &Actor::platform(), now)?;
    }
    Ok(())
}

/// What looking a name up came to.
type Found = Result<Vec<IpAddr>, LookupError>;

/// Asks the resolvers; nothing is remembered here.
async fn addresses(lookup: &Lookup, name: &DomainName) -> Found {
    let host = if name.is_wildcard() {
        format!("{BELOW}.{}", name.base())
    } else {
        name.as_str().to_owned()
    };
    let late = |_| Err(LookupError::Failed("no resolver answered in time".to_owned()));
    timeout(PATIENCE, lookup.addresses(&host)).await.unwrap_or_else(late)
}

/// What was found, seen from a server with those addresses. A name with several addresses leads
/// here only if all of them are ours: half of its visitors would find somebody else.
fn pointing(found: Found, own: &[IpAddr]) -> Pointing {
    let mut found: Vec<IpAddr> = match found {
        Ok(found) => found.iter().map(IpAddr::to_canonical).collect(),
        Err(LookupError::NoSuchName | LookupError::NoData) => return Pointing::Nowhere,
        Err(LookupError::Failed(reason)) => return Pointing::Unknown { reason },
    };
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        Pointing::Nowhere
    } else if found.iter().all(|address| own.contains(address)) {
        Pointing::Here
    } else {
        Pointing::Elsewhere { addresses: found.iter().map(ToString::to_string).collect() }
    }
}

/// Between two looks at a name that leads here.
const SETTLED: Duration = Duration::from_mins(10);
/// Between two looks at one that does not yet.
const UNSETTLED: Duration = Duration::from_secs(30);
/// Without any other sign it goes through the names after so long.
const PERIOD: Duration = Duration::from_secs(15);
/// Names of one pass; the others are due in the next.
const MOST: usize = 64;
/// Lookups at the same time.
const AT_ONCE: usize = 8;
/// Longer than a resolver asks its servers, for each attempt takes five seconds (resolv.conf(5)).
const PATIENCE: Duration = Duration::from_secs(6);
/// A name below a wildcard that nobody has set by itself.
const BELOW: &str = "paas-check";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &[&str], expected: &Pointing) {
        let own: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap()).to_vec();
        let found = found.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(pointing(Ok(found), &own), *expected);
    }

    #[test]
    fn a_name_leads_here_if_all_its_addresses_do() {
        check(&[], &Pointing::Nowhere);
        check(&["192.0.2.1"], &Pointing::Here);
        check(&["2001:db8::1", "::ffff:192.0.2.1"], &Pointing::Here);
        let addresses = vec!["192.0.2.1".to_owned(), "198.51.100.7".to_owned()];
        check(&["198.51.100.7", "192.0.2.1"], &Pointing::Elsewhere { addresses });
    }
}
