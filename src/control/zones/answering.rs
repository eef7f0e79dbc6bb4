//! What the DNS server of a machine answers from: the public names as they were published, without the machines
//! that this one has not reached for a while.
//!
//! The one that leads takes who is lost out of what it publishes. So only where nobody leads there is anything to leave out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::lead;
use crate::{
    control::task::Task,
    dns::{InvalidZone, ZoneData, Zones},
    model::{NodeName, PublicNames, zone::PublicZone},
    node::Reach,
};

/// Keeps it.
#[derive(Debug)]
pub struct Answering {
    names: watch::Receiver<Arc<PublicNames>>,
    reach: watch::Receiver<Reach>,
    here: NodeName,
    absences: Absences,
    told: Answers,
    made_of: (Arc<PublicNames>, BTreeSet<NodeName>),
}

/// What a machine answers from, and the serial number of that: 0 of nothing yet; `None` is no DNS server.
#[derive(Debug)]
pub struct Answers {
    /// For the server.
    pub zones: watch::Sender<Arc<Zones>>,
    /// For whoever leads.
    pub serial: watch::Sender<Option<u32>>,
}

impl Answering {
    /// By these names, which this machine publishes or whoever leads; on this machine, from which those are reached.
    pub fn new(
        names: watch::Receiver<Arc<PublicNames>>,
        (here, reach): (NodeName, watch::Receiver<Reach>),
        told: Answers,
    ) -> Self {
        let (absences, made_of) = (Absences::default(), (Arc::default(), BTreeSet::new()));
        Self { names, reach, here, absences, told, made_of }
    }
}

impl Task for Answering {
    const NAME: &'static str = "public names";
    type Error = InvalidZone;

    async fn wait(&mut self) {
        let due = self.absences.due(Instant::now());
        let due = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.names.changed() => {}
            Ok(()) = self.reach.changed() => {}
            () = due => {}
        }
    }

    async fn pass(&mut self) -> Result<(), InvalidZone> {
        self.answer(Instant::now())
    }
}

impl Answering {
    fn answer(&mut self, now: Instant) -> Result<(), InvalidZone> {
        let names = self.names.borrow_and_update().clone();
        let reach = self.reach.borrow_and_update().clone();
        let absent = |node: &&NodeName| **node != self.here && !reach.includes(Some(node));
        let absent = names.edges.keys().filter(absent).cloned().collect();
        let lost = self.absences.note(absent, now);
        let same = Arc::ptr_eq(&names, &self.made_of.0) && lost == self.made_of.1;
        if names.serial == 0 || same {
            return Ok(());
        }
        self.told.zones.send_replace(Arc::new(Zones::new(&answers(&names, &lost))?));
        self.told.serial.send_replace(Some(names.serial));
        self.made_of = (names, lost);
        Ok(())
    }
}

/// What is answered while these machines are lost. Pure.
pub(super) fn answers(names: &PublicNames, lost: &BTreeSet<NodeName>) -> Vec<ZoneData> {
    let edges = names.edges_without(lost);
    let answered = |zone: &PublicZone| {
        let here = zone.edge.iter().flat_map(|name| lead(name, edges.clone(), zone.edge_ttl));
        let mut records: Vec<_> = here.chain(zone.records.iter().cloned()).collect();
        records.sort();
        ZoneData {
            apex: zone.apex.clone(),
            servers: zone.servers.clone(),
            serial: names.serial,
            negative_ttl: zone.negative_ttl,
            records,
        }
    };
    names.zones.iter().map(answered).collect()
}

/// Since when machines are not reached.
#[derive(Debug, Default)]
struct Absences(BTreeMap<NodeName, Instant>);

impl Absences {
    /// These and no others are absent now: which of them are lost.
    fn note(&mut self, absent: BTreeSet<NodeName>, now: Instant) -> BTreeSet<NodeName> {
        self.0.retain(|node, _| absent.contains(node));
        for node in absent {
            self.0.entry(node).or_insert(now);
        }
        let lost = self.0.iter().filter(|(_, since)| **since + PATIENCE <= now);
        lost.map(|(node, _)| node.clone()).collect()
    }

    /// When the next of them is.
    fn due(&self, now: Instant) -> Option<Instant> {
        self.0.values().map(|since| *since + PATIENCE).filter(|due| *due > now).min()
    }
}

/// For a machine to be reached again before nobody is sent there any more. It is longer than any election, and a
/// daemon that begins anew is back by then.
const PATIENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(names: &[&str]) -> BTreeSet<NodeName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn whoever_is_absent_for_a_minute_is_lost_until_it_is_reached() {
        let (mut absences, begun) = (Absences::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for (seconds, absent, lost, due) in [
            (0, &["box"][..], &[][..], Some(60)),
            (30, &["box", "edge-1"], &[], Some(60)),
            (60, &["box", "edge-1"], &["box"], Some(90)),
            (89, &["box"], &["box"], None),
            (90, &["box", "edge-1"], &["box"], Some(150)),
            (91, &["edge-1"], &[], Some(150)),
            (200, &["box", "edge-1"], &["edge-1"], Some(260)),
        ] {
            assert_eq!(absences.note(nodes(absent), at(seconds)), nodes(lost), "{seconds}");
            assert_eq!(absences.due(at(seconds)), due.map(at), "{seconds}");
        }
    }

    #[test]
    fn who_leads_is_left_out_a_minute_after_it_is_lost_and_not_before() {
        let (publish, names) = watch::channel(Arc::default());
        let (reaches, reach) = watch::channel(Reach::All);
        let (zones, mut answers) = watch::channel(Arc::default());
        let (serial, answered) = watch::channel(Some(0));
        let own = ("edge-1".parse().unwrap(), reach);
        let mut answering = Answering::new(names, own, Answers { zones, serial });
        let publish = |serial| {
            let edges = [("box", [192, 0, 2, 1]), ("edge-1", [192, 0, 2, 2])];
            let edges = edges.map(|(node, at)| (node.parse().unwrap(), vec![at.into()]));
            let names = PublicNames { serial, edges: edges.into(), ..PublicNames::default() };
            publish.send_replace(Arc::new(names));
        };
        let begun = Instant::now();
        let mut check = |seconds, news, lost: &[&str]| {
            answering.answer(begun + Duration::from_secs(seconds)).unwrap();
            assert_eq!(answers.has_changed().unwrap(), news, "after {seconds} seconds");
            answers.mark_unchanged();
            assert_eq!(answering.made_of.1, nodes(lost), "after {seconds} seconds");
        };
        check(0, false, &[]);
        publish(7);
        check(1, true, &[]);
        reaches.send_replace(Reach::Nodes(BTreeSet::new()));
        check(2, false, &[]);
        check(61, false, &[]);
        check(62, true, &["box"]);
        assert_eq!(*answered.borrow(), Some(7));
        publish(8);
        check(63, true, &["box"]);
        reaches.send_replace(Reach::All);
        check(64, true, &[]);
        assert_eq!(*answered.borrow(), Some(8));
    }
}
