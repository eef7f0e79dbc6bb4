//! On which machine an instance is started. Pure: the plan, who is where, and where there is room.
//!
//! An instance goes where fewest of its own release are, of those where fewest instances are at all, and
//! else to this machine. What belongs to this machine stays: whoever has a volume, commands that run
//! once, and apps of which several processes listen, since they find each other by private names, which
//! lead nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    control::apps::{
        state::AppState,
        step::{Plan, Step},
    },
    engine::{InstanceSpec, Seat},
    model::{AppName, ImageId, Incarnation, Instance, NodeName, Observed, ProcessName, Release},
};

/// Where instances can be, and how many are.
#[derive(Debug)]
pub struct Seating {
    seats: Vec<Seat>,
    /// By node: all that live there.
    all: BTreeMap<Option<NodeName>, usize>,
    /// The same of one process of one incarnation.
    same: BTreeMap<(Option<NodeName>, AppName, ProcessName, Incarnation), usize>,
}

impl Seating {
    /// These seats, with whoever is seen. Nothing new is started on a node that is drained.
    pub fn of(
        mut seats: Vec<Seat>,
        drained: &BTreeSet<NodeName>,
        seen: &BTreeMap<AppName, Vec<Observed>>,
    ) -> Self {
        seats.retain(|seat| seat.node.as_ref().is_none_or(|node| !drained.contains(node)));
        let mut seating = Self { seats, all: BTreeMap::new(), same: BTreeMap::new() };
        for observed in seen.values().flatten().filter(|one| !one.instance.is_gone()) {
            let Instance { app, slot, incarnation, node, .. } = &observed.instance;
            seating.count(node.clone(), (app, &slot.process, *incarnation));
        }
        seating
    }

    fn count(
        &mut self,
        node: Option<NodeName>,
        (app, process, incarnation): (&AppName, &ProcessName, Incarnation),
    ) {
        *self.all.entry(node.clone()).or_default() += 1;
        *self.same.entry((node, app.clone(), process.clone(), incarnation)).or_default() += 1;
    }

    /// Says of each instance that the plan starts where it is to be. One whose machine is still getting
    /// the image is left out: the plan of another pass has it.
    pub fn place(&mut self, plan: &mut Plan, state: &AppState, seen: &[Observed]) {
        plan.steps.retain_mut(|step| match step {
            Step::Start(spec) => self.seat(spec, state, seen),
            _ => true,
        });
    }

    fn seat(&mut self, spec: &mut InstanceSpec, state: &AppState, seen: &[Observed]) -> bool {
        let made = seen.iter().map(|observed| &observed.instance).find(|made| {
            made.slot == spec.slot
                && made.incarnation == spec.incarnation
                && made.attempt == spec.attempt
        });
        if let Some(made) = made {
            spec.node.clone_from(&made.node);
            return true;
        }
        let release = state.releases.get(&spec.incarnation.release);
        let travels = release.is_some_and(travels) && !spec.slot.process.runs_once();
        let (mut best, mut fewest) = (None, None);
        for seat in &self.seats {
            if seat.node.is_some() && (!travels || seat.wanting.contains(&spec.image)) {
                continue;
            }
            let same =
                (seat.node.clone(), spec.app.clone(), spec.slot.process.clone(), spec.incarnation);
            let of = |count: Option<&usize>| count.copied().unwrap_or_default();
            let count = (of(self.same.get(&same)), of(self.all.get(&seat.node)));
            if fewest.is_none_or(|fewest| count < fewest) {
                (best, fewest) = (Some(seat), Some(count));
            }
        }
        let Some(best) = best else { return true };
        let (node, ready) = (best.node.clone(), best.has(&spec.image));
        self.count(node.clone(), (&spec.app, &spec.slot.process, spec.incarnation));
        spec.node = node;
        ready
    }
}

/// The images that other machines need to be able to start what may be started there.
pub fn images<'a>(states: impl Iterator<Item = &'a AppState>) -> BTreeSet<ImageId> {
    let alive = states.filter(|state| state.app.destroyed_at.is_none());
    let releases = alive.flat_map(|state| state.releases.values());
    releases.filter(|release| travels(release)).map(|release| release.image.clone()).collect()
}

/// Whether instances of a release may be on other machines.
fn travels(release: &Release) -> bool {
    let processes = release.processes.values();
    let listening = processes.clone().filter(|process| process.port.is_some()).count();
    listening <= 1 && processes.clone().all(|process| process.volumes.is_empty())
}
