//! What is wanted of one app: a consistent reading of its records.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        App, AppName, HttpProtocol, HttpSettings, Incarnation, Instance, NodeName, Process,
        ProcessName, Release, ReleaseVersion, Rollout, Slot, VolumeName, volume::Away,
    },
    store::{StoreError, View, volumes},
};

/// An app and those of its records that planning needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppState {
    /// The intent.
    pub app: App,
    /// The rollout that is under way.
    pub rollout: Option<Rollout>,
    /// The releases that serve, shall serve, or still have instances.
    pub releases: BTreeMap<ReleaseVersion, Release>,
    /// Volumes that nobody may have now: no process that has one of them is to run.
    pub held: BTreeSet<VolumeName>,
    /// Volumes that this machine does not have, and where they are; known once they were looked for.
    pub away: BTreeMap<VolumeName, Away>,
    /// Whether bytes of volumes are on machines of ours besides this one, or on their way there.
    pub scattered: bool,
    /// Processes that no machine is there for, and why; known when it is known what machines there are.
    pub nowhere: BTreeMap<(ReleaseVersion, ProcessName), String>,
}

impl AppState {
    /// Reads the records of `app`, with the releases that `seen` instances are of.
    pub fn load(
        view: &impl View,
        app: App,
        seen: impl Iterator<Item = ReleaseVersion>,
    ) -> Result<Self, StoreError> {
        let rollout = match app.rollout {
            Some(number) => {
                view.get::<Rollout>(&(app.name.as_str().to_owned(), number.0.into()))?
            }
            None => None,
        };
        let mut versions: BTreeSet<ReleaseVersion> = seen.collect();
        versions.extend(app.current.map(|current| current.release));
        if let Some(rollout) = &rollout {
            versions.insert(rollout.to.release);
            versions.extend(rollout.from.map(|from| from.release));
            versions.extend(rollout.stand_ins.iter().map(|one| one.incarnation.release));
        }
        let mut releases = BTreeMap::new();
        for version in versions {
            let key = (app.name.as_str().to_owned(), u64::from(version.0));
            if let Some(release) = view.get::<Release>(&key)? {
                releases.insert(version, release);
            }
        }
        let held = volumes::held(view, &app.name)?;
        let (away, nowhere) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { app, rollout, releases, held, away, scattered: false, nowhere })
    }

    /// Looks for the volumes on this machine. Nothing goes on that was under way on one that is lost.
    pub fn look_for_volumes(
        &mut self,
        view: &impl View,
        here: &NodeName,
    ) -> Result<(), StoreError> {
        self.away = volumes::all_away(view, &self.app.name, here)?;
        self.held.retain(|volume| !matches!(self.away.get(volume), Some(Away::Lost(_))));
        let on_another = self.away.values().any(|away| matches!(away, Away::On(_)));
        self.scattered = on_another || volumes::are_moving(view, &self.app.name)?;
        Ok(())
    }

    /// Reads the records of every app, with the releases that its instances are of.
    pub fn load_all(
        view: &impl View,
        by_app: &BTreeMap<AppName, Vec<Instance>>,
    ) -> Result<BTreeMap<AppName, Self>, StoreError> {
        let mut states = BTreeMap::new();
        for app in view.scan::<App>(&())? {
            let name = app.name.clone();
            let instances = by_app.get(&name).map_or(&[][..], Vec::as_slice);
            let releases = instances.iter().map(|instance| instance.incarnation.release);
            states.insert(name, Self::load(view, app, releases)?);
        }
        Ok(states)
    }

    /// The release that serves.
    pub fn serving(&self) -> Option<&Release> {
        self.releases.get(&self.app.current?.release)
    }

    /// What it asks of the edge.
    pub fn http(&self) -> Option<&HttpSettings> {
        self.serving().map(|release| &*release.deploy.http)
    }

    /// Whether no host is to lead to it: what serves says so, or before that what is to.
    pub fn is_private(&self) -> bool {
        let first = || self.releases.get(&self.rollout.as_ref()?.to.release);
        self.serving().or_else(first).is_some_and(|release| release.deploy.private.only)
    }

    /// What an instance speaks: its own release says it, which may not be the current one.
    pub fn protocol_of(&self, incarnation: Incarnation, slot: &Slot) -> HttpProtocol {
        let release = self.releases.get(&incarnation.release).filter(|_| slot.process.is_web());
        release.map(|release| release.deploy.http.protocol).unwrap_or_default()
    }

    /// The rollout that has not ended.
    pub fn under_way(&self) -> Option<&Rollout> {
        self.rollout.as_ref().filter(|rollout| !rollout.phase.is_final())
    }

    /// The slots that an incarnation is to fill, in order, each with its process.
    pub fn slots_of(&self, incarnation: Incarnation) -> Vec<(Slot, &Process)> {
        let Some(release) = self.releases.get(&incarnation.release) else { return Vec::new() };
        let of_process = |process| {
            let count = self.app.scale_of(process, release);
            (1..=count).map(|index| Slot { process: process.clone(), index })
        };
        let held =
            |process: &Process| process.volumes.keys().any(|volume| self.held.contains(volume));
        release
            .processes
            .iter()
            .filter(|(_, process)| !held(process))
            .flat_map(|(name, process)| of_process(name).map(move |slot| (slot, process)))
            .collect()
    }

    /// Where the volumes of a process are.
    pub fn home_of(&self, process: &Process) -> Home {
        Home::of(process.volumes.keys().map(|volume| self.away.get(volume)))
    }

    /// Why there is no machine for that slot of an incarnation, if there is none.
    pub fn nowhere(&self, incarnation: Incarnation, slot: &Slot) -> Option<&str> {
        let found = self.nowhere.get(&(incarnation.release, slot.process.clone()));
        found.map(String::as_str)
    }

    /// The process that an instance of that slot and incarnation runs, if its release is known.
    pub fn process_of(&self, incarnation: Incarnation, slot: &Slot) -> Option<&Process> {
        self.releases.get(&incarnation.release)?.processes.get(&slot.process)
    }
}

/// Where a process can be, for its volumes' sake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// Wherever: it has none.
    Anywhere,
    /// On that node, or on this machine.
    At(Option<NodeName>),
    /// Nowhere: one is on a machine that was removed.
    Lost(NodeName),
    /// Nowhere: they are on different machines.
    Torn,
}

impl Home {
    /// That of volumes of which this is known; `None` of one that is here.
    pub fn of<'a>(all: impl Iterator<Item = Option<&'a Away>>) -> Self {
        let mut home = Self::Anywhere;
        for away in all {
            let at = match away {
                Some(Away::Lost(node)) => return Self::Lost(node.clone()),
                Some(Away::On(node)) => Some(node.clone()),
                None => None,
            };
            home = match home {
                Self::Anywhere => Self::At(at),
                Self::At(other) if other == at => Self::At(at),
                _ => Self::Torn,
            };
        }
        home
    }
}

/// The instances of each app, in the order of slot, incarnation and attempt.
pub fn by_app(mut instances: Vec<Instance>) -> BTreeMap<AppName, Vec<Instance>> {
    instances.sort_by(|a, b| {
        (&a.slot, a.incarnation, a.attempt, &a.id).cmp(&(&b.slot, b.incarnation, b.attempt, &b.id))
    });
    let mut by_app: BTreeMap<AppName, Vec<Instance>> = BTreeMap::new();
    for instance in instances {
        by_app.entry(instance.app.clone()).or_default().push(instance);
    }
    by_app
}
