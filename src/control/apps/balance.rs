//! Which apps a restart would spread better over the machines. Pure: what is there, and the placement that a
//! restart would get.
//!
//! An app moves if then fewer of its instances are where none would be started; else if those of its processes are
//! spread more evenly; else if of the machines that it changes the fullest gets emptier, by half at least of what it
//! had there.
//! Invariant: a move makes one of these better and none before it worse. So it comes to rest, and two equals are
//! never exchanged.

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
};

use crate::{
    control::apps::{
        placement::{Guest, Machine, Seating},
        state::AppState,
    },
    model::{AppName, Imbalance, Incarnation, Instance, Move, NodeName, ProcessName, Release},
};

/// What a new placement would have elsewhere. Left out is who is on the way already: an app with a rollout, or
/// with a slot that is not held by one who runs on a machine that is there.
pub fn imbalance(
    seating: &Seating,
    states: &BTreeMap<AppName, AppState>,
    there: &BTreeMap<AppName, Vec<Instance>>,
) -> Imbalance {
    let mut imbalance = Imbalance::default();
    if seating.machines.len() < 2 {
        return imbalance;
    }
    let at_rest = |(name, state)| Spread::of(state, there.get(name)?, seating);
    let mut spreads: Vec<Spread<'_>> = states.iter().filter_map(at_rest).collect();
    // The large find room while there is some.
    spreads.sort_by_key(|spread| Reverse(spread.memory()));
    let mut seating = seating.clone();
    for _ in 0..SWEEPS {
        let before = imbalance.moves.len();
        for spread in &mut spreads {
            let Some(better) = spread.better(&mut seating) else { continue };
            let app = spread.state.app.name.clone();
            if let Some(why) = spread.stays() {
                better.leave(&mut seating);
                spread.take(&mut seating);
                imbalance.left.insert(app, why);
                continue;
            }
            imbalance.moves.push(Move { app, shifts: spread.shifts(&better, &seating) });
            *spread = better;
        }
        if imbalance.moves.len() == before {
            break;
        }
    }
    imbalance
}

/// Where the instances of an app are, or would be.
#[derive(Debug)]
struct Spread<'a> {
    state: &'a AppState,
    release: &'a Release,
    incarnation: Incarnation,
    seated: Vec<(Guest<'a>, Option<NodeName>)>,
}

impl<'a> Spread<'a> {
    fn of(state: &'a AppState, there: &[Instance], seating: &Seating) -> Option<Self> {
        let incarnation = state.app.current?;
        let release = state.releases.get(&incarnation.release)?;
        if state.app.destroyed_at.is_some() || state.under_way().is_some() {
            return None;
        }
        let mut seated = Vec::new();
        for (slot, process) in state.slots_of(incarnation) {
            let holds = |one: &&Instance| {
                one.slot == slot && one.incarnation == incarnation && !one.is_gone()
            };
            let mut holders = there.iter().filter(holds);
            let (Some(one), None) = (holders.next(), holders.next()) else { return None };
            one.running_since()?;
            machine(seating, one.node.as_ref())?.seat.as_ref()?;
            let (app, name, image) = (&state.app.name, &process.name, &release.image);
            seated.push((Guest { app, name, process, incarnation, image }, one.node.clone()));
        }
        Some(Self { state, release, incarnation, seated })
    }

    fn memory(&self) -> u64 {
        self.seated.iter().map(|(guest, _)| guest.memory()).fold(0, u64::saturating_add)
    }

    /// Where a restart would have its instances, if that is better; then `seating` has them there.
    fn better(&self, seating: &mut Seating) -> Option<Self> {
        let before = seating.shares();
        let again = self.again(seating)?;
        self.leave(seating);
        let after = seating.shares();
        let better = match again.burden(seating).cmp(&self.burden(seating)) {
            Ordering::Less => true,
            Ordering::Equal => self.makes_room(seating, &before, &after),
            Ordering::Greater => false,
        };
        if !better {
            again.leave(seating);
            self.take(seating);
        }
        better.then_some(again)
    }

    /// Fresh instances, each placed as a rollout does it: beside those who are there.
    fn again(&self, seating: &mut Seating) -> Option<Self> {
        let Self { state, release, incarnation: Incarnation { release: version, restart }, .. } =
            *self;
        let restart = restart.max(state.app.restarts).saturating_add(1);
        let incarnation = Incarnation { release: version, restart };
        let mut again = Self { state, release, incarnation, seated: Vec::new() };
        for (guest, _) in &self.seated {
            let guest = Guest { incarnation, ..*guest };
            let Some(best) = seating.best(&guest) else {
                again.leave(seating);
                return None;
            };
            let node = best.node().cloned();
            seating.take(&guest, node.clone());
            again.seated.push((guest, node));
        }
        Some(again)
    }

    fn take(&self, seating: &mut Seating) {
        self.seated.iter().for_each(|(guest, node)| seating.take(guest, node.clone()));
    }

    fn leave(&self, seating: &mut Seating) {
        self.seated.iter().for_each(|(guest, node)| seating.leave(guest, node.as_ref()));
    }

    /// How many are where none would be started, and how crowded those of one process are: the least sum of
    /// squares has who is spread evenly.
    fn burden(&self, seating: &Seating) -> (usize, usize) {
        let strays = self.seated.iter().filter(|(guest, node)| {
            let machine = machine(seating, node.as_ref());
            machine.is_none_or(|machine| machine.drained || !machine.has(&guest.process.place))
        });
        let mut crowds: BTreeMap<(&ProcessName, &Option<NodeName>), usize> = BTreeMap::new();
        for (guest, node) in &self.seated {
            *crowds.entry((guest.name, node)).or_default() += 1;
        }
        (strays.count(), crowds.values().map(|count| count * count).sum())
    }

    /// Whether the fullest of the machines that change gets emptier, and clearly.
    fn makes_room(&self, seating: &Seating, before: &[u128], after: &[u128]) -> bool {
        let changed = || {
            let shares = before.iter().zip(after).zip(&seating.machines);
            shares.filter(|((before, after), _)| before != after)
        };
        let Some(((fullest, _), machine)) = changed().max_by_key(|((before, _), _)| **before)
        else {
            return false;
        };
        let then = changed().map(|((_, after), _)| *after).max().unwrap_or_default();
        let here = self.seated.iter().filter(|(_, node)| node.as_ref() == machine.node());
        let own = here.map(|(guest, _)| guest.memory()).fold(0, u64::saturating_add);
        let own = machine.share(own);
        own > 0 && fullest.saturating_sub(then).saturating_mul(2) >= own
    }

    /// Why it is not moved, if it is not: whoever has to end before another begins is away meanwhile.
    fn stays(&self) -> Option<String> {
        let mut names = self.seated.iter().map(|(guest, _)| guest.name);
        let name = names.find(|name| self.release.is_alone(name))?;
        let app = &self.state.app.name;
        let away = format!("its {name} would end before it begins anew");
        Some(format!("{away}; `paas restart -a {app}` does that when it suits"))
    }

    /// By process and machine, how many are there now and then.
    fn shifts(
        &self,
        then: &Self,
        seating: &Seating,
    ) -> BTreeMap<ProcessName, BTreeMap<NodeName, (usize, usize)>> {
        let mut shifts: BTreeMap<ProcessName, BTreeMap<NodeName, (usize, usize)>> = BTreeMap::new();
        let both = self.seated.iter().map(|it| (it, (1, 0)));
        for ((guest, node), (now, later)) in both.chain(then.seated.iter().map(|it| (it, (0, 1)))) {
            let Some(machine) = machine(seating, node.as_ref()) else { continue };
            let of = shifts.entry(guest.name.clone()).or_default();
            let counts = of.entry(machine.name.clone()).or_default();
            *counts = (counts.0 + now, counts.1 + later);
        }
        shifts.retain(|_, of| {
            of.retain(|_, (now, later)| now != later);
            !of.is_empty()
        });
        shifts
    }
}

fn machine<'a>(seating: &'a Seating, node: Option<&NodeName>) -> Option<&'a Machine> {
    seating.machines.iter().find(|machine| machine.node() == node)
}

/// How often all apps are looked at, each in the light of what moves before it. It ends by itself before
/// that, unless there are very many.
const SWEEPS: usize = 8;
