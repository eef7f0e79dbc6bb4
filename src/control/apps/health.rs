//! Who is ready: one small task per running instance that asks it, from the daemon, over the app's
//! network. Nothing is needed in the image.
//!
//! It asks often at first, because a deploy waits for the answer, and seldom later. It reports;
//! what follows from a report is the planner's business.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    model::{ContainerId, Health, HealthCheck, HttpProtocol},
    node::{ProbeTarget, listening, probe},
};

/// What to ask, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it should answer.
    pub address: SocketAddr,
    /// Its first process on this machine, to look where else it listens.
    pub pid: Option<u32>,
    /// The host name it is asked under.
    pub host: String,
    /// What it speaks.
    pub protocol: HttpProtocol,
    /// When an answer is good.
    pub check: HealthCheck,
}

/// The tasks that ask, one per instance.
#[derive(Debug, Default)]
pub struct Prober {
    watched: BTreeMap<ContainerId, Watched>,
    tasks: JoinSet<()>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Watched {
    target: Target,
    health: Arc<Mutex<Health>>,
    task: AbortHandle,
}

impl Prober {
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
                let health = Arc::new(Mutex::new(Health::UNKNOWN));
                let asking = ask_for_ever(target.clone(), health.clone(), self.changed.clone());
                let task = self.tasks.spawn(asking);
                self.watched.insert(id, Watched { target, health, task });
            }
        }
    }

    /// The last report on an instance.
    pub fn health(&self, id: &ContainerId) -> Health {
        match self.watched.get(id) {
            Some(watched) => watched.health.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => Health::UNKNOWN,
        }
    }

    /// Ticks when a report differs from the one before.
    pub fn changed(&self) -> Arc<Notify> {
        self.changed.clone()
    }
}

async fn ask_for_ever(target: Target, health: Arc<Mutex<Health>>, changed: Arc<Notify>) {
    let started = Instant::now();
    let mut faults_in_a_row = 0_u32;
    let mut was_ready = false;
    loop {
        let answer = probe(&ProbeTarget {
            address: target.address.ip(),
            port: target.address.port(),
            host: target.host.clone(),
            path: target.check.path.clone(),
            protocol: target.protocol,
            timeout: target.check.timeout,
        })
        .await;
        let report = match answer {
            Ok(()) => {
                (faults_in_a_row, was_ready) = (0, true);
                Some(Health::Ready)
            }
            Err(fault) if was_ready => {
                faults_in_a_row += 1;
                (faults_in_a_row >= PATIENCE).then(|| Health::Failing { seen: fault.to_string() })
            }
            Err(fault) => {
                let elsewhere = elsewhere(&target, started.elapsed()).await;
                // That nobody listens in the first moments is how every start looks.
                let telling = started.elapsed() >= LOOK_ELSEWHERE;
                Some(Health::Starting { seen: telling.then(|| fault.to_string()), elsewhere })
            }
        };
        if let Some(report) = report {
            let mut last = health.lock().unwrap_or_else(PoisonError::into_inner);
            if *last != report {
                *last = report;
                changed.notify_one();
            }
        }
        sleep(pause(&target.check, was_ready && faults_in_a_row == 0, started.elapsed())).await;
    }
}

/// Where the instance listens although nobody asks there. Looked for only once it has had time to
/// get ready, since that costs a read of the kernel's tables.
async fn elsewhere(target: &Target, running: Duration) -> Vec<SocketAddr> {
    let Some(pid) = target.pid.filter(|_| running >= LOOK_ELSEWHERE) else { return Vec::new() };
    let found = tokio::task::spawn_blocking(move || listening(pid)).await;
    let listens = found.ok().and_then(Result::ok).unwrap_or_default();
    let reachable = |at: &SocketAddr| {
        at.port() == target.address.port()
            && (at.ip().is_unspecified() || at.ip() == target.address.ip())
    };
    if listens.iter().any(reachable) {
        return Vec::new();
    }
    listens.into_iter().filter(|at| at.ip() != DOCKERS_RESOLVER).collect()
}

fn pause(check: &HealthCheck, ready: bool, running: Duration) -> Duration {
    match (ready, running) {
        (true, _) => check.interval,
        (false, running) if running < Duration::from_secs(2) => Duration::from_millis(10),
        (false, running) if running < Duration::from_secs(15) => Duration::from_millis(50),
        (false, _) => Duration::from_millis(250),
    }
}

/// So many bad answers in a row make a ready instance a failing one; a single one is noise.
const PATIENCE: u32 = 3;

/// From when on it is worth telling what is missing, and looking where else an instance listens.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(2);

/// Docker's own name server, inside every container.
const DOCKERS_RESOLVER: std::net::IpAddr =
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 11));
