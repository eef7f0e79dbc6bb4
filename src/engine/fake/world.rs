//! The world behind the fake: containers that are what a behaviour and the time make of them. An end
//! is known from the start on and comes true when the time has come.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::{Behaviour, Fault, OnTerminate};
use crate::{
    engine::{EngineError, InstanceSpec, Signal, VolumeUsers},
    model::{
        AppName, ContainerId, Exit, Incarnation, Instance, InstanceState, ProcessName, Timestamp,
        VolumeName, run::RUN,
    },
};

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) made: u32,
    pub(super) calls: u64,
    pub(super) containers: BTreeMap<ContainerId, FakeContainer>,
    pub(super) networks: BTreeSet<AppName>,
    pub(super) behaviours: BTreeMap<AppName, Behaviour>,
    pub(super) faults: VecDeque<(u64, Fault)>,
    pub(super) makes_only: bool,
    /// Who stands still, which keeps nobody from anything here: nothing moves but time.
    pub(super) frozen: BTreeSet<ContainerId>,
    /// How often what is to run once was started.
    pub(super) runs: BTreeMap<(AppName, Incarnation, ProcessName), u32>,
}

/// A container of the fake, for assertions.
#[derive(Debug, Clone)]
pub(crate) struct FakeContainer {
    /// What it was made of.
    pub(crate) spec: InstanceSpec,
    /// When it was started.
    pub(crate) started: Timestamp,
    /// When and how it will end, or has ended.
    pub(crate) end: Option<Exit>,
    pub(super) behaviour: Behaviour,
    /// Made and not started yet.
    only_made: bool,
    number: u32,
}

impl World {
    /// `None` is an answer that never comes.
    pub(super) fn answer<T>(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Option<Result<T, EngineError>> {
        self.calls += 1;
        let call = self.calls;
        let fault = self.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| *fault);
        self.faults.retain(|(at, _)| *at > call);
        match fault {
            None => Some(act(self)),
            Some(Fault::Refuses) => Some(Err(broken(operation))),
            Some(Fault::ActsAndFails) => Some(act(self).and(Err(broken(operation)))),
            Some(Fault::MakesOnly) => {
                self.makes_only = true;
                let answer = act(self).and(Err(broken(operation)));
                self.makes_only = false;
                Some(answer)
            }
            Some(Fault::Hangs) => None,
        }
    }

    pub(super) fn start(&mut self, spec: &InstanceSpec) -> ContainerId {
        self.networks.insert(spec.app.clone());
        let same = |one: &&FakeContainer| {
            let place = |spec: &InstanceSpec| {
                (spec.app.clone(), spec.slot.clone(), spec.incarnation, spec.attempt)
            };
            place(&one.spec) == place(spec)
        };
        let found = self.containers.iter().find(|(_, one)| same(one));
        match found.map(|(id, one)| (id.clone(), one.spec == *spec)) {
            Some((id, true)) => {
                let made = self.containers.get_mut(&id).filter(|one| one.only_made);
                if let Some(made) = made.filter(|_| !self.makes_only) {
                    made.start_again(self.now);
                    self.ran(spec);
                }
                return id;
            }
            Some((id, false)) => drop(self.containers.remove(&id)),
            None => {}
        }
        self.made += 1;
        let id = ContainerId(format!("fake{:08}", self.made));
        let behaviour = self.behaviours.get(&spec.app).cloned().unwrap_or_default();
        let mut container = FakeContainer::start(spec.clone(), behaviour, self.made, self.now);
        if self.makes_only {
            (container.only_made, container.end) = (true, None);
        } else {
            self.ran(spec);
        }
        self.containers.insert(id.clone(), container);
        id
    }

    fn ran(&mut self, spec: &InstanceSpec) {
        if spec.slot.process.runs_once() {
            let of = (spec.app.clone(), spec.incarnation, spec.slot.process.clone());
            *self.runs.entry(of).or_default() += 1;
        }
    }

    pub(super) fn signal(&mut self, id: &ContainerId, signal: Signal) {
        let now = self.now;
        let running = self.containers.get_mut(id).filter(|one| one.is_running(now));
        let Some(container) = running else { return };
        match (signal, container.behaviour.on_terminate) {
            (Signal::Kill, _) => container.end_at(now, 137),
            (Signal::Hangup | Signal::Terminate, OnTerminate::End) => container.end_at(now, 143),
            (Signal::Hangup | Signal::Terminate, OnTerminate::EndAfter(delay)) => {
                container.end_at(now.plus(delay), 143);
            }
            (Signal::Hangup | Signal::Terminate, OnTerminate::Ignore) => {}
        }
    }

    /// What fills no process's place.
    pub(super) fn runs(&self) -> Vec<Instance> {
        self.observed().filter(|one| one.slot.process.as_str() == RUN).collect()
    }

    fn observed(&self) -> impl Iterator<Item = Instance> {
        self.containers.iter().map(|(id, one)| one.observed(id, self.now))
    }

    pub(super) fn instances(&self) -> Vec<Instance> {
        let mut instances: Vec<Instance> =
            self.observed().filter(|one| one.slot.process.as_str() != RUN).collect();
        instances.sort_by(|a, b| {
            let key =
                |one: &Instance| (one.app.clone(), one.slot.clone(), one.incarnation, one.attempt);
            key(a).cmp(&key(b))
        });
        instances
    }

    pub(super) fn users(&self, app: &AppName, volume: &VolumeName) -> VolumeUsers {
        let has = |one: &FakeContainer| {
            one.spec.app == *app && one.spec.process.volumes.contains_key(volume)
        };
        let alive = self.containers.iter().filter(|(_, one)| has(one) && one.is_running(self.now));
        let (paused, running) =
            alive.map(|(id, _)| id.clone()).partition(|id| self.frozen.contains(id));
        VolumeUsers { running, paused }
    }

    pub(super) fn freeze(&mut self, whom: &BTreeSet<ContainerId>) -> BTreeSet<ContainerId> {
        let runs = |id: &&ContainerId| {
            self.containers.get(*id).is_some_and(|one| one.is_running(self.now))
        };
        let fresh: BTreeSet<_> =
            whom.iter().filter(runs).filter(|id| !self.frozen.contains(*id)).cloned().collect();
        self.frozen.extend(fresh.iter().cloned());
        fresh
    }

    pub(super) fn forget(&mut self, app: &AppName) -> Result<(), EngineError> {
        if self.containers.values().any(|one| one.spec.app == *app && one.is_running(self.now)) {
            return Err(EngineError::Refused {
                operation: "network rm",
                subject: app.to_string(),
                status: 403,
                message: "the network has active endpoints".to_owned(),
            });
        }
        self.networks.remove(app);
        // An app of the same name begins with its first release again.
        self.runs.retain(|(of, ..), _| of != app);
        Ok(())
    }
}

impl FakeContainer {
    fn start(spec: InstanceSpec, behaviour: Behaviour, number: u32, now: Timestamp) -> Self {
        let exit = |at, code, out_of_memory, error: Option<String>| Exit {
            code,
            out_of_memory,
            started_at: error.is_none().then_some(now),
            error,
            at,
        };
        let failed = behaviour.start_error.clone().map(|error| exit(now, 127, false, Some(error)));
        let memory = behaviour.out_of_memory_after.map(|d| exit(now.plus(d), 137, true, None));
        // What is to run once does, unless it is to fail.
        let once = spec.slot.process.runs_once().then_some((Duration::from_millis(700), 0));
        let itself = behaviour.exits.or(once).map(|(d, code)| exit(now.plus(d), code, false, None));
        let end = failed.into_iter().chain(memory).chain(itself).min_by_key(|exit| exit.at);
        Self { spec, started: now, end, behaviour, only_made: false, number }
    }

    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.end.as_ref().is_some_and(|end| end.at <= now)
    }

    pub(super) fn is_running(&self, now: Timestamp) -> bool {
        !self.only_made && !self.has_ended(now)
    }

    /// What runs already runs on.
    pub(super) fn start_again(&mut self, now: Timestamp) {
        if !self.is_running(now) {
            let (spec, behaviour) = (self.spec.clone(), self.behaviour.clone());
            *self = Self::start(spec, behaviour, self.number, now);
        }
    }

    /// An end that comes earlier stands.
    pub(super) fn end_at(&mut self, at: Timestamp, code: i64) {
        if self.end.as_ref().is_none_or(|end| end.at > at) {
            let started_at = Some(self.started);
            self.end = Some(Exit { code, out_of_memory: false, error: None, started_at, at });
        }
    }

    fn observed(&self, id: &ContainerId, now: Timestamp) -> Instance {
        let ended = self.end.clone().filter(|end| end.at <= now);
        let running = self.is_running(now);
        let [_, _, high, low] = self.number.to_be_bytes();
        Instance {
            id: id.clone(),
            app: self.spec.app.clone(),
            slot: self.spec.slot.clone(),
            incarnation: self.spec.incarnation,
            attempt: self.spec.attempt,
            image: self.spec.image.clone(),
            node: None,
            address: running.then_some(IpAddr::V4(Ipv4Addr::new(10, 210, high, low))),
            door: None,
            pid: running.then_some(100_000 + self.number),
            state: match ended {
                _ if self.only_made => InstanceState::Created,
                Some(exit) => InstanceState::Exited(exit),
                None => InstanceState::Running { since: self.started },
            },
        }
    }
}

pub(super) fn broken(operation: &'static str) -> EngineError {
    EngineError::Refused {
        operation,
        subject: "the fake".to_owned(),
        status: 500,
        message: "as the test asked".to_owned(),
    }
}
