//! Build containers that wait for the next build of their app, so that it need not wait for one.
//!
//! A container waits here only if a build left it as it found it: no process but the agent, no change
//! to its own files (its scratch folders the agent empties). It is given to the same app only, and
//! only while everything that a fresh one would be made of is the same: image, limits, environment,
//! and the very folders that it sees. Invariant: there is at most one for an app, and whatever is not
//! given out in time is removed.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::wire::Wire;
use crate::{
    engine::{BuildEngine, BuilderSpec, MachineMemory, Traces},
    model::{AppName, BuildNumber, ContainerId},
    telemetry::chain,
};

/// A build container whose agent is connected.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: ContainerId,
    pub(super) wire: Wire,
}

/// Where they wait.
#[derive(Debug)]
pub(super) struct Resting {
    /// How long one waits at most; zero is not at all.
    patience: Duration,
    workers: Mutex<BTreeMap<AppName, Rested>>,
}

#[derive(Debug)]
struct Rested {
    worker: Worker,
    spec: BuilderSpec,
    ground: Vec<(u64, u64)>,
    until: Instant,
}

impl Resting {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, workers: Mutex::default() }
    }

    /// The one that waits for that app, if a fresh one would be just like it; another one is removed.
    pub(super) async fn take<E: BuildEngine>(
        &self,
        engine: &E,
        spec: &BuilderSpec,
    ) -> Option<Worker> {
        let rested = self.workers().remove(&spec.app)?;
        let same = rested.spec == of_any_build(spec)
            && ground(spec).is_ok_and(|ground| ground == rested.ground);
        if same && rested.worker.wire.is_quiet() {
            return Some(rested.worker);
        }
        remove(engine, &rested.worker.id).await;
        None
    }

    /// Lets one wait that has just built. Gives it back if it must not.
    pub(super) async fn keep<E: BuildEngine>(
        self: &Arc<Self>,
        engine: &E,
        spec: &BuilderSpec,
        worker: Worker,
    ) -> Result<(), Worker> {
        if self.patience.is_zero() || memory_is_short() {
            return Err(worker);
        }
        let traces = engine.builder_traces(&worker.id).await;
        let (Ok(traces), Ok(ground)) = (traces, ground(spec)) else { return Err(worker) };
        if !is_clean(&traces, spec) {
            tracing::debug!(app = %spec.app, ?traces, "the build container is not kept");
            return Err(worker);
        }
        let (app, until) = (spec.app.clone(), Instant::now() + self.patience);
        let watched = (app.clone(), worker.id.clone());
        let rested = Rested { worker, spec: of_any_build(spec), ground, until };
        let before = self.workers().insert(app, rested);
        let crowded = self.oldest_of_too_many();
        for surplus in before.into_iter().chain(crowded) {
            remove(engine, &surplus.worker.id).await;
        }
        tokio::spawn(watch(engine.clone(), Arc::downgrade(self), watched));
        Ok(())
    }

    /// Removes those of the apps that are not `wanted` any more.
    pub(super) async fn dismiss<E: BuildEngine>(
        &self,
        engine: &E,
        wanted: impl Fn(&AppName) -> bool,
    ) {
        let unwanted: Vec<_> = self.workers().extract_if(.., |app, _| !wanted(app)).collect();
        for (_, rested) in unwanted {
            remove(engine, &rested.worker.id).await;
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.workers().is_empty()
    }

    fn oldest_of_too_many(&self) -> Option<Rested> {
        let mut workers = self.workers();
        if workers.len() <= MOST {
            return None;
        }
        let oldest = workers.iter().min_by_key(|(_, rested)| rested.until)?.0.clone();
        workers.remove(&oldest)
    }

    /// Takes out the one of that id, if it waits and its time has come.
    fn expired(&self, app: &AppName, id: &ContainerId) -> Watched {
        let mut workers = self.workers();
        match workers.get(app) {
            Some(rested) if rested.worker.id == *id => {
                if Instant::now() < rested.until && !memory_is_short() {
                    return Watched::Waits { until: rested.until };
                }
                workers.remove(app).map_or(Watched::Gone, |rested| Watched::Over(Box::new(rested)))
            }
            _ => Watched::Gone,
        }
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<AppName, Rested>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of one that waits.
enum Watched {
    Waits { until: Instant },
    Over(Box<Rested>),
    Gone,
}

/// Removes one when its time is over or memory is short; ends when it is given out.
async fn watch<E: BuildEngine>(
    engine: E,
    resting: Weak<Resting>,
    (app, id): (AppName, ContainerId),
) {
    loop {
        let watched = match resting.upgrade() {
            Some(resting) => resting.expired(&app, &id),
            None => return,
        };
        match watched {
            Watched::Waits { until } => {
                sleep(until.saturating_duration_since(Instant::now()).min(LOOK)).await;
            }
            Watched::Over(rested) => return remove(&engine, &rested.worker.id).await,
            Watched::Gone => return,
        }
    }
}

async fn remove<E: BuildEngine>(engine: &E, id: &ContainerId) {
    if let Err(error) = engine.remove_builder(id).await {
        tracing::warn!(error = %chain(&error), "a build container that waited stays");
    }
}

fn of_any_build(spec: &BuilderSpec) -> BuilderSpec {
    BuilderSpec { build: BuildNumber(0), ..spec.clone() }
}

/// Which folders and files the mounts are, and not only what they are called: an app that was
/// destroyed and made anew has others of the same names.
fn ground(spec: &BuilderSpec) -> io::Result<Vec<(u64, u64)>> {
    let identify = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
    spec.mounts.iter().map(|mount| identify(&mount.source)).collect()
}

/// Whether nothing runs in it and nothing of its own files changed, but for the folders on the way
/// to what is mounted, which the engine makes.
fn is_clean(traces: &Traces, spec: &BuilderSpec) -> bool {
    let engines =
        |path: &Path| spec.mounts.iter().any(|it| Path::new(&it.target).starts_with(path));
    traces.alone && traces.changed.iter().all(|path| engines(path))
}

/// Less than a twelfth of this machine's memory is free, so builders have to wait elsewhere.
fn memory_is_short() -> bool {
    MachineMemory::now().is_some_and(is_short)
}

fn is_short(memory: MachineMemory) -> bool {
    memory.free.0 < memory.all.0 / 12
}

/// Each of them is an agent of some 5 MB.
const MOST: usize = 12;
/// How often one that waits looks whether memory is short.
const LOOK: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Access, Mount},
        model::ByteSize,
    };

    fn spec() -> BuilderSpec {
        let mount = |target: &str| Mount {
            source: "/".into(),
            target: target.to_owned(),
            access: Access::ReadOnly,
        };
        BuilderSpec {
            app: "shop".parse().unwrap(),
            build: BuildNumber(7),
            image: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            command: Vec::new(),
            user: "1000:1000".to_owned(),
            environment: BTreeMap::new(),
            mounts: vec![mount("/workspace"), mount("/run/paas"), mount("/cache/app")],
            memory: ByteSize::mib(1),
            cpu_millis: 1,
            pids: 1,
        }
    }

    #[track_caller]
    fn check(changed: &[&str], clean: bool) {
        let traces = Traces { alone: true, changed: changed.iter().map(Into::into).collect() };
        assert_eq!(is_clean(&traces, &spec()), clean, "{changed:?}");
        let busy = Traces { alone: false, ..traces };
        assert!(!is_clean(&busy, &spec()), "something runs");
    }

    #[test]
    fn only_the_way_to_a_mount_may_have_changed() {
        check(&[], true);
        check(&["/workspace", "/run", "/run/paas", "/cache", "/cache/app"], true);
        check(&["/run", "/run/paas2"], false);
        check(&["/var", "/var/tmp", "/var/tmp/x"], false);
        check(&["/home/app/.m2"], false);
        check(&["/work"], false);
    }

    #[test]
    fn memory_is_short_when_a_twelfth_is_left() {
        let memory = |free| MachineMemory { all: ByteSize::mib(1200), free: ByteSize::mib(free) };
        assert!(is_short(memory(99)));
        assert!(!is_short(memory(100)));
    }
}
