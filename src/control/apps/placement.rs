//! On which machine an instance is started. Pure: the plan, who is where, and where there is room.
//!
//! A machine has to have the labels that the process asks for. Of those an instance goes where its memory is
//! not promised to others yet, then where fewest of its own release are, then where the least is promised
//! at all, and else to this machine. Memory is a preference and no more: what instances may use is rarely what
//! they use. Whoever has a volume is where that is and nowhere else, and commands that run once are on this machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    control::apps::{
        state::{AppState, Home},
        step::{Plan, Step},
    },
    engine::{InstanceSpec, Seat},
    model::{
        AppName, ControlLabels, ImageId, Incarnation, Instance, LabelKey, Labels, Node, NodeName,
        Observed, Process, ProcessName, Release, ReleaseVersion, VolumeName, volume::Away,
    },
    store::{StoreError, View},
};

/// A machine, as it is on record and as it is.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What it is called.
    pub name: NodeName,
    /// What people say of it, and its name as the label `node`.
    pub labels: Labels,
    /// Whether nothing new is to be started there.
    pub drained: bool,
    /// Whether it is this one.
    pub is_here: bool,
    /// What can be started there; `None` while nothing can.
    pub seat: Option<Seat>,
}

impl Machine {
    /// All machines, this one first, which is called `here`.
    pub fn all(
        view: &impl View,
        here: &NodeName,
        seats: Vec<Seat>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut seats: BTreeMap<Option<NodeName>, Seat> =
            seats.into_iter().map(|seat| (seat.node.clone(), seat)).collect();
        let (own, others): (Vec<_>, Vec<_>) =
            view.scan::<Node>(&())?.into_iter().partition(|node| node.name == *here);
        // Where several machines keep the records this one has a record as a node, too.
        let (labels, drained) = match own.into_iter().next() {
            Some(own) => (own.labels, own.drained),
            None => (view.get::<ControlLabels>(&())?.unwrap_or_default().labels, false),
        };
        let here = Self {
            name: here.clone(),
            labels: named(labels, here),
            drained,
            is_here: true,
            seat: seats.remove(&None),
        };
        let mut all = vec![here];
        for Node { name, labels, drained, .. } in others {
            let (labels, seat) = (named(labels, &name), seats.remove(&Some(name.clone())));
            all.push(Self { labels, drained, is_here: false, seat, name });
        }
        Ok(all)
    }

    pub(super) fn has(&self, wanted: &Labels) -> bool {
        wanted.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    pub(super) fn node(&self) -> Option<&NodeName> {
        (!self.is_here).then_some(&self.name)
    }

    fn memory(&self) -> u64 {
        self.seat.as_ref().and_then(|seat| seat.memory).map_or(0, |memory| memory.0)
    }

    /// What share of its memory so many bytes are, in millionths.
    pub(super) fn share(&self, bytes: u64) -> u128 {
        let share = u128::from(bytes).saturating_mul(1_000_000);
        share.checked_div(u128::from(self.memory())).unwrap_or(u128::MAX)
    }

    /// Why nothing is started there, if nothing is.
    fn shut(&self) -> Option<String> {
        if self.drained {
            Some(format!("{} is drained", self.name))
        } else if self.seat.is_none() {
            Some(format!("{} runs no instances now", self.name))
        } else {
            None
        }
    }
}

/// Labels, and the name of their machine.
fn named(mut labels: Labels, name: &NodeName) -> Labels {
    let key = LabelKey::OF_NAME.parse().expect("it is the key of a label");
    labels.insert(key, name.as_str().parse().expect("what a node may be called a label may say"));
    labels
}

/// Somebody for whom a machine is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest<'a> {
    pub(super) app: &'a AppName,
    pub(super) name: &'a ProcessName,
    pub(super) process: &'a Process,
    pub(super) incarnation: Incarnation,
    pub(super) image: &'a ImageId,
}

impl<'a> Guest<'a> {
    fn of(spec: &'a InstanceSpec) -> Self {
        let InstanceSpec { app, slot, process, incarnation, image, .. } = spec;
        Self { app, name: &slot.process, process, incarnation: *incarnation, image }
    }

    pub(super) fn memory(&self) -> u64 {
        self.process.limits.memory.0
    }
}

/// Where instances can be, and how many are.
#[derive(Debug, Clone)]
pub struct Seating {
    pub(super) machines: Vec<Machine>,
    /// By node: the bytes of memory that all who live there may use, by whose they are.
    promised: BTreeMap<Option<NodeName>, BTreeMap<(AppName, Incarnation), u64>>,
    /// By node: all that live there.
    all: BTreeMap<Option<NodeName>, usize>,
    /// The same of one process of one incarnation.
    same: BTreeMap<(Option<NodeName>, AppName, ProcessName, Incarnation), usize>,
    /// The volumes that this machine does not have.
    away: BTreeMap<(AppName, VolumeName), Away>,
}

impl Seating {
    /// These machines, with whoever is there.
    pub fn of(
        machines: Vec<Machine>,
        states: &BTreeMap<AppName, AppState>,
        there: &BTreeMap<AppName, Vec<Instance>>,
    ) -> Self {
        let (promised, all, same) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let of_app = |(app, state): (&AppName, &AppState)| {
            let away = state.away.iter();
            away.map(|(name, away)| ((app.clone(), name.clone()), away.clone())).collect::<Vec<_>>()
        };
        let away = states.iter().flat_map(of_app).collect();
        let mut seating = Self { machines, promised, all, same, away };
        for instance in there.values().flatten().filter(|instance| !instance.is_gone()) {
            let Instance { app, slot, incarnation, node, .. } = instance;
            let process = states.get(app).and_then(|it| it.process_of(*incarnation, slot));
            let memory = process.map_or(0, |process| process.limits.memory.0);
            seating.count(node.clone(), (app, &slot.process, *incarnation), memory);
        }
        seating
    }

    fn count(
        &mut self,
        node: Option<NodeName>,
        (app, process, incarnation): (&AppName, &ProcessName, Incarnation),
        memory: u64,
    ) {
        let promised = self.promised.entry(node.clone()).or_default();
        let promised = promised.entry((app.clone(), incarnation)).or_default();
        *promised = promised.saturating_add(memory);
        *self.all.entry(node.clone()).or_default() += 1;
        *self.same.entry((node, app.clone(), process.clone(), incarnation)).or_default() += 1;
    }

    /// One more is there.
    pub(super) fn take(&mut self, guest: &Guest<'_>, node: Option<NodeName>) {
        self.count(node, (guest.app, guest.name, guest.incarnation), guest.memory());
    }

    /// One of those who are there is not any more.
    pub(super) fn leave(&mut self, guest: &Guest<'_>, node: Option<&NodeName>) {
        let Guest { app, name, incarnation, .. } = *guest;
        let node = node.cloned();
        let same = (node.clone(), app.clone(), name.clone(), incarnation);
        let counts = [self.same.get_mut(&same), self.all.get_mut(&node)];
        counts.into_iter().flatten().for_each(|count| *count = count.saturating_sub(1));
        let promised = self.promised.get_mut(&node);
        if let Some(bytes) = promised.and_then(|it| it.get_mut(&(app.clone(), incarnation))) {
            *bytes = bytes.saturating_sub(guest.memory());
        }
    }

    /// The share of its memory that is promised on each machine, in millionths.
    pub(super) fn shares(&self) -> Vec<u128> {
        let share = |machine: &Machine| {
            let promised = self.promised.get(&machine.node().cloned());
            let promised = promised.into_iter().flat_map(BTreeMap::values).copied();
            machine.share(promised.fold(0, u64::saturating_add))
        };
        self.machines.iter().map(share).collect()
    }

    /// Whether an image is not on this machine, so that nobody can be sent it.
    fn lacks(&self, image: &ImageId) -> bool {
        let here = self.machines.iter().find(|machine| machine.is_here);
        let seat = here.and_then(|here| here.seat.as_ref());
        seat.is_some_and(|seat| seat.wanting.contains(image))
    }

    /// The processes of an app that can be on no machine as things are, and why.
    pub fn nowhere(&self, state: &AppState) -> BTreeMap<(ReleaseVersion, ProcessName), String> {
        let mut nowhere = BTreeMap::new();
        for (version, release) in &state.releases {
            for process in release.processes.values().filter(|it| !it.name.runs_once()) {
                if let Some(why) = self.shut_out(state, release, process) {
                    nowhere.insert((*version, process.name.clone()), why);
                }
            }
        }
        nowhere
    }

    /// Why there is no machine for a process, if there is none.
    fn shut_out(&self, state: &AppState, release: &Release, process: &Process) -> Option<String> {
        let wanted: Vec<String> =
            process.place.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let wanted = wanted.join(" and ");
        let lacks = self.lacks(&release.image);
        let gone =
            || format!("the image of {} is not on this machine any more; {ANEW}", release.version);
        match state.home_of(process) {
            Home::Anywhere => {}
            Home::Lost(node) => return Some(format!("its volume is {}", Away::Lost(node))),
            Home::Torn => return Some(TORN.to_owned()),
            Home::At(node) => {
                let home = self.machines.iter().find(|it| it.node() == node.as_ref())?;
                let why = if !home.has(&process.place) {
                    format!("which does not have {wanted}")
                } else if home.seat.is_none() && !home.is_here {
                    "which runs no instances now".to_owned()
                } else {
                    let has = home.seat.as_ref().filter(|_| !home.is_here);
                    let has = has.is_some_and(|seat| seat.has(&release.image));
                    return (lacks && !has).then(gone);
                };
                return Some(format!("its volume is on {}, {why}", home.name));
            }
        }
        let fitting = || self.machines.iter().filter(|machine| machine.has(&process.place));
        let mut open = fitting().filter(|machine| machine.shut().is_none()).peekable();
        if open.peek().is_some() {
            let has = |machine: &Machine| {
                let seat = machine.seat.as_ref().filter(|_| !machine.is_here);
                seat.is_some_and(|seat| seat.has(&release.image))
            };
            return (lacks && !open.any(has)).then(gone);
        }
        let shut: Vec<String> = fitting().filter_map(Machine::shut).collect();
        Some(if shut.is_empty() {
            format!("no machine has {wanted}")
        } else if wanted.is_empty() {
            shut.join(", ")
        } else {
            format!("of those that have {wanted}, {}", shut.join(", "))
        })
    }

    /// Says of each instance that the plan starts where it is to be. One whose machine is still getting
    /// the image is left out: the plan of another pass has it.
    pub fn place(&mut self, plan: &mut Plan, seen: &[Observed]) {
        plan.steps.retain_mut(|step| match step {
            Step::Start(spec) => self.seat(spec, seen),
            _ => true,
        });
    }

    fn seat(&mut self, spec: &mut InstanceSpec, seen: &[Observed]) -> bool {
        let made = seen.iter().map(|observed| &observed.instance).find(|made| {
            made.slot == spec.slot
                && made.incarnation == spec.incarnation
                && made.attempt == spec.attempt
        });
        if let Some(made) = made {
            spec.node.clone_from(&made.node);
            return true;
        }
        let guest = Guest::of(spec);
        let Some(best) = self.best(&guest) else { return false };
        let ready = best.seat.as_ref().is_none_or(|seat| seat.has(&spec.image));
        let node = best.node().cloned();
        self.take(&guest, node.clone());
        spec.node = node;
        ready
    }

    /// The machine where somebody is to be; `None` if there is none now.
    pub(super) fn best(&self, guest: &Guest<'_>) -> Option<&Machine> {
        let once = guest.name.runs_once();
        let home = match self.home_of(guest) {
            _ if once => Home::Anywhere,
            Home::Lost(_) | Home::Torn => return None,
            home => home,
        };
        let is_home = |machine: &Machine| match &home {
            Home::At(node) => machine.node() == node.as_ref(),
            _ => true,
        };
        // What has a volume is where that is, drained or not.
        let travels = home == Home::Anywhere && !once;
        let lacks = self.lacks(guest.image);
        let suits = |machine: &&Machine| {
            let seat = machine.seat.as_ref().filter(|_| !(travels && machine.drained));
            let gets = |seat: &Seat| {
                !seat.wanting.contains(guest.image) && (!lacks || seat.has(guest.image))
            };
            let there = seat.is_some_and(|seat| !once && gets(seat));
            // What happens once happens here, whoever it is about.
            if !is_home(machine) {
                false
            } else if machine.is_here {
                let stays = machine.has(&guest.process.place) && !(travels && machine.drained);
                once || stays && !lacks
            } else {
                there && machine.has(&guest.process.place)
            }
        };
        let suiting = self.machines.iter().filter(suits);
        suiting.min_by_key(|machine| self.weight(machine, guest))
    }

    /// Where the volumes of somebody are.
    fn home_of(&self, guest: &Guest<'_>) -> Home {
        let key = |name: &VolumeName| (guest.app.clone(), name.clone());
        Home::of(guest.process.volumes.keys().map(|name| self.away.get(&key(name))))
    }

    /// What speaks against a machine, the heaviest first.
    fn weight(&self, machine: &Machine, guest: &Guest<'_>) -> (bool, usize, u128, usize) {
        let node = machine.node().cloned();
        // Those of its own app that it is to replace are on their way out.
        let stays = |(app, incarnation): &(AppName, Incarnation)| {
            app != guest.app || *incarnation == guest.incarnation
        };
        let promised = self.promised.get(&node).into_iter().flatten();
        let promised = promised.filter(|(whose, _)| stays(whose)).map(|(_, bytes)| *bytes);
        let after = promised.fold(guest.memory(), u64::saturating_add);
        let all = self.all.get(&node).copied().unwrap_or_default();
        let (app, process) = (guest.app.clone(), guest.name.clone());
        let same = self.same.get(&(node, app, process, guest.incarnation));
        let same = same.copied().unwrap_or_default();
        // Machines that were sold as equal are, whatever their kernels keep of the memory.
        (after > machine.memory(), same, machine.share(after) / 1000, all)
    }
}

/// Has the planner know which images this machine does not have.
pub fn note_lacking(machines: &mut [Machine], lacking: &BTreeSet<ImageId>) {
    let here = machines.iter_mut().find(|machine| machine.is_here);
    if let Some(seat) = here.and_then(|here| here.seat.as_mut()) {
        seat.wanting.clone_from(lacking);
    }
}

/// The images that other machines need to be able to start what may be started there.
pub fn images<'a>(states: impl Iterator<Item = &'a AppState>) -> BTreeSet<ImageId> {
    let mut images = BTreeSet::new();
    for state in states.filter(|state| state.app.destroyed_at.is_none()) {
        // Who goes along with a volume that moves finds its image there.
        let travels = |process: &Process| {
            let is_here = state.home_of(process) == Home::At(None) && !state.scattered;
            !process.name.runs_once() && !is_here
        };
        let travel = |release: &&Release| release.processes.values().any(travels);
        images.extend(state.releases.values().filter(travel).map(|release| release.image.clone()));
    }
    images
}

/// Why a process is nowhere of which one volume is here and one there.
const TORN: &str =
    "its volumes are on different machines; `paas volumes move` brings them together";

/// What is to be done where an image is lost.
const ANEW: &str = "`paas deploy` builds it anew";
