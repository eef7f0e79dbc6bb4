//! Who is ready, and who hangs: one small task per running instance that asks it, from the daemon, over the
//! app's network or by a program inside it. Nothing else is needed in the image.
//!
//! It asks often at first, because a deploy waits for the answer, and seldom later; one question of a kind
//! at a time, and only so many at once. It reports; what follows from a report is the planner's business.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    clock,
    control::{
        apps::{
            cadence::{Pace, first, pause},
            questions::{Question, Target, Way},
            vault::Vault,
            vitals::{Look, Moment, TELLING, Vitals},
        },
        standstill::Standstill,
    },
    engine::{Checked, Engine, ExecSpec},
    model::{ContainerId, Health},
    node::{ProbeTarget, listening, probe},
};

/// The tasks that ask, one per instance.
#[derive(Debug)]
pub struct Prober<E: Engine> {
    asker: Asker<E>,
    watched: BTreeMap<ContainerId, Watched>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Watched {
    target: Target,
    record: Arc<Record>,
    task: AbortHandle,
}

/// What was heard of one instance.
#[derive(Debug)]
struct Record {
    vitals: Mutex<Vitals>,
    ran_before: Duration,
    asked_since: Instant,
}

/// What asking needs; clones share it.
#[derive(Debug, Clone)]
struct Asker<E: Engine> {
    engine: E,
    vault: Vault,
    standstill: Standstill,
    changed: Arc<Notify>,
    connections: Arc<Semaphore>,
    programs: Arc<Semaphore>,
}

impl<E: Engine> Prober<E> {
    /// One that asks nobody yet.
    pub fn new(engine: E, vault: Vault, standstill: Standstill) -> Self {
        let asker = Asker {
            engine,
            vault,
            standstill,
            changed: Arc::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            programs: Arc::new(Semaphore::new(PROGRAMS)),
        };
        Self { asker, watched: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Asks exactly these from now on.
    pub fn sync(&mut self, targets: BTreeMap<ContainerId, Target>) {
        self.watched.retain(|id, watched| {
            let stays = targets.get(id) == Some(&watched.target);
            if !stays {
                watched.task.abort();
            }
            stays
        });
        // Ended tasks leave their results behind; nobody needs them.
        while self.tasks.try_join_next().is_some() {}
        for (id, target) in targets {
            if !self.watched.contains_key(&id) {
                let record = Arc::new(Record::of(&target));
                let asker = self.asker.clone();
                let asking = asker.ask_for_ever(id.clone(), target.clone(), record.clone());
                let task = self.tasks.spawn(asking);
                self.watched.insert(id, Watched { target, record, task });
            }
        }
    }

    /// The last report on an instance.
    pub fn health(&self, id: &ContainerId) -> Health {
        match self.watched.get(id) {
            Some(Watched { record, .. }) => record.vitals().health(record.moment()),
            None => Health::UNKNOWN,
        }
    }

    /// What speaks against instances, though not often enough yet.
    pub fn doubts(&self) -> BTreeMap<ContainerId, String> {
        let doubt = |(id, Watched { record, .. }): (&ContainerId, &Watched)| {
            Some((id.clone(), record.vitals().doubt(record.moment())?))
        };
        self.watched.iter().filter_map(doubt).collect()
    }

    /// Ticks when a report differs from the one before.
    pub fn changed(&self) -> Arc<Notify> {
        self.asker.changed.clone()
    }
}

impl Record {
    fn of(target: &Target) -> Self {
        let patience = target.readiness.as_ref().map_or(1, |question| question.check.failures);
        Self {
            vitals: Mutex::new(Vitals::new(patience, target.limit)),
            ran_before: clock::now().since(target.since),
            asked_since: Instant::now(),
        }
    }

    fn vitals(&self) -> MutexGuard<'_, Vitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        let asked = self.asked_since.elapsed();
        Moment { running: self.ran_before.saturating_add(asked), asked }
    }
}

impl<E: Engine> Asker<E> {
    async fn ask_for_ever(self, id: ContainerId, target: Target, record: Arc<Record>) {
        tokio::join!(
            self.ask_readiness(&id, &target, &record),
            self.ask_liveness(&id, &target, &record)
        );
    }

    async fn ask_readiness(&self, id: &ContainerId, target: &Target, record: &Record) {
        let Some(question) = &target.readiness else { return };
        for turn in turns(id) {
            let look = self.look(id, target, question, record).await;
            let missing = look.as_ref().is_some_and(|look| *look != Look::Good);
            let was_ready = record.vitals().was_ready();
            let asked = record.moment().asked;
            let elsewhere = match &question.way {
                Way::Connection { at, .. } if missing && !was_ready && asked >= TELLING => {
                    elsewhere(target.pid, *at).await
                }
                Way::Connection { .. } | Way::Program(_) => Vec::new(),
            };
            if let Some(look) = look {
                self.note(record, |vitals, at| vitals.readiness(look, elsewhere, at));
            }
            let running = record.moment().asked;
            let known = record.vitals().was_ready();
            let pace = if known { Pace::Steady } else { Pace::First(running) };
            sleep(pause(&question.check, pace, turn)).await;
        }
    }

    async fn ask_liveness(&self, id: &ContainerId, target: &Target, record: &Record) {
        let Some(question) = &target.liveness else { return };
        // What nobody will count need not be asked.
        let grace = question.check.grace.saturating_sub(record.moment().running);
        let mut wait = grace.saturating_add(first(&question.check, hash(id)));
        for turn in turns(id) {
            sleep(wait).await;
            if let Some(look) = self.look(id, target, question, record).await {
                self.note(record, |vitals, at| vitals.liveness(look, at));
            }
            wait = pause(&question.check, Pace::Steady, turn);
        }
    }

    fn note(&self, record: &Record, take: impl FnOnce(&mut Vitals, Moment)) {
        let at = record.moment();
        let mut vitals = record.vitals();
        let before = (vitals.health(at), vitals.doubt(at));
        take(&mut vitals, at);
        if before != (vitals.health(at), vitals.doubt(at)) {
            self.changed.notify_one();
        }
    }

    /// Asks once; `None` if it could not be asked, or was made to stand still before it had answered: that
    /// says nothing of it.
    async fn look(
        &self,
        id: &ContainerId,
        target: &Target,
        asked: &Question,
        record: &Record,
    ) -> Option<Look> {
        tokio::select! {
            biased;
            () = self.standstill.of(id) => {
                self.note(record, |vitals, _| vitals.stood_still());
                None
            }
            look = self.answer(id, target, asked) => look,
        }
    }

    async fn answer(&self, id: &ContainerId, target: &Target, asked: &Question) -> Option<Look> {
        match &asked.way {
            Way::Connection { at, door, host, protocol } => {
                let _turn = self.connections.acquire().await.ok()?;
                let target = ProbeTarget {
                    at: *at,
                    door: *door,
                    protocol: *protocol,
                    host: host.clone(),
                    check: asked.check.clone(),
                };
                Some(match probe(&target).await {
                    Ok(()) => Look::Good,
                    Err(failure) if failure.is_silence() => Look::Silent(failure.to_string()),
                    Err(failure) => Look::Bad(failure.to_string()),
                })
            }
            Way::Program(command) => {
                let _turn = self.programs.acquire().await.ok()?;
                let secrets = self.vault.open(&target.app, &target.secrets).ok()?;
                let spec = ExecSpec { command: command.clone(), terminal: None, secrets };
                let ended = self.engine.check(id, &spec, asked.check.timeout).await;
                Some(read(&asked.check.command, asked.check.timeout, ended.ok()?))
            }
        }
    }
}

/// What the end of a program says.
fn read(command: &[String], timeout: Duration, ended: Checked) -> Look {
    let name = command.first().map_or("", String::as_str);
    match ended {
        Checked::Exited { code: 0, .. } => Look::Good,
        Checked::Exited { code, last } if last.is_empty() => {
            Look::Bad(format!("`{name}` exited with code {code}"))
        }
        Checked::Exited { code, last } => {
            Look::Bad(format!("`{name}` exited with code {code}: {last}"))
        }
        Checked::NotExecuted => Look::Bad(format!("`{name}` cannot be executed")),
        Checked::Overdue => {
            Look::Silent(format!("`{name}` did not end within {} s", timeout.as_secs_f64()))
        }
    }
}

/// Where the instance listens although nobody asks there. Looked for only once it has had time to
/// get ready, since that costs a read of the kernel's tables.
async fn elsewhere(pid: Option<u32>, asked: SocketAddr) -> Vec<SocketAddr> {
    let Some(pid) = pid else { return Vec::new() };
    let found = tokio::task::spawn_blocking(move || listening(pid)).await;
    let listens = found.ok().and_then(Result::ok).unwrap_or_default();
    let reachable = |at: &SocketAddr| {
        at.port() == asked.port() && (at.ip().is_unspecified() || at.ip() == asked.ip())
    };
    if listens.iter().any(reachable) {
        return Vec::new();
    }
    listens.into_iter().filter(|at| at.ip() != DOCKERS_RESOLVER).collect()
}

/// Numbers that tell one look of this instance from all others.
fn turns(id: &ContainerId) -> impl Iterator<Item = u64> {
    let start = hash(id);
    (0..=u64::MAX).map(move |turn| start.wrapping_add(turn))
}

fn hash(id: &ContainerId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Connections at once: a thousand instances that hang keep no others from being asked.
const CONNECTIONS: usize = 256;
/// Programs at once; Docker starts one in some 50 ms of its own locks.
const PROGRAMS: usize = 8;

/// Docker's own name server, inside every container.
const DOCKERS_RESOLVER: std::net::IpAddr =
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 11));

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
