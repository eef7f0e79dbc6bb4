//! From the model to the wire contract.

pub(super) mod dns;
pub(super) mod domain;
mod idle;

use std::collections::BTreeMap;

pub(super) use idle::idle;

use crate::model::{
    App, Build, BuildStatus, Commit, Event, Health, InstanceState, Kept, NodeName, Observed,
    Pending, Phase, Pin, Process, Release, Rollout, Side, Timestamp, observation::Usage,
    rollout::servers,
};

/// What an app's state is derived from.
#[derive(Debug)]
pub(super) struct AppView<'a> {
    pub(super) app: &'a App,
    pub(super) serving: Option<&'a Release>,
    pub(super) last_rollout: Option<&'a Rollout>,
    pub(super) seen: &'a [Observed],
    pub(super) engine_fault: Option<&'a str>,
    /// Where it answers, its name below the platform's domain first.
    pub(super) urls: Vec<String>,
}

impl AppView<'_> {
    pub(super) fn to_api(&self) -> api::App {
        let formation = self.formation();
        let ready = self.ready();
        let (state, reason) = self.state(&formation, &ready);
        api::App {
            name: self.app.name.to_string(),
            created_at: self.app.created_at.to_string(),
            urls: self.urls.clone(),
            state: state.to_owned(),
            reason,
            protected_by: self.app.protected_by.as_ref().map(ToString::to_string),
            maintenance: self.app.maintenance.as_ref().map(|said| said.message.clone()),
            release: self.app.current.map(|current| current.release.to_string()),
            formation,
            ready,
        }
    }

    fn formation(&self) -> BTreeMap<String, u16> {
        match self.serving {
            Some(release) => release
                .processes
                .keys()
                .filter(|name| !name.runs_once())
                .map(|name| (name.to_string(), self.app.scale_of(name, release)))
                .collect(),
            None => {
                self.app.formation.iter().map(|(name, count)| (name.to_string(), *count)).collect()
            }
        }
    }

    fn ready(&self) -> BTreeMap<String, u16> {
        let mut ready = BTreeMap::new();
        for observed in self.seen {
            let slot = &observed.instance.slot;
            let may_serve = servers(self.app, self.last_rollout, slot);
            let serves = may_serve.contains(&observed.instance.incarnation);
            if serves && observed.stopping_since.is_none() && is_well(observed, self.serving) {
                *ready.entry(observed.instance.slot.process.to_string()).or_insert(0) += 1;
            }
        }
        ready
    }

    fn state(
        &self,
        formation: &BTreeMap<String, u16>,
        ready: &BTreeMap<String, u16>,
    ) -> (&'static str, Option<String>) {
        match (self.app.destroyed_at, self.app.kept_until) {
            (Some(_), Some(until)) if self.seen.is_empty() => {
                return ("destroyed", Some(format!("kept until {until}")));
            }
            (Some(_), _) => return ("destroying", None),
            (None, _) => {}
        }
        if let Some(fault) = self.engine_fault {
            return ("unknown", Some(fault.to_owned()));
        }
        if let Some(reason) = self.last_rollout.and_then(under_way) {
            return ("deploying", Some(reason));
        }
        let failed = self.last_rollout.and_then(|rollout| match &rollout.phase {
            Phase::Failed { reason, .. } => {
                Some(format!("{} failed: {reason}", rollout.to.release))
            }
            _ => None,
        });
        if self.app.current.is_none() {
            return ("new", failed);
        }
        let wanted: u16 = formation.values().sum();
        let missing: Vec<String> = formation
            .iter()
            .filter(|(name, count)| ready.get(*name).copied().unwrap_or(0) < **count)
            .map(|(name, count)| {
                format!("{} of {count} {name} ready", ready.get(name).copied().unwrap_or(0))
            })
            .collect();
        match (wanted, missing.is_empty(), ready.values().sum::<u16>()) {
            (0, _, _) => ("stopped", Some("scaled to zero".to_owned())),
            (_, true, _) => ("running", failed),
            (_, false, 0) => ("down", Some(missing.join(", "))),
            (_, false, _) => ("degraded", Some(missing.join(", "))),
        }
    }
}

/// What to say of a rollout that does not serve everywhere yet.
fn under_way(rollout: &Rollout) -> Option<String> {
    let (release, word) = (rollout.to.release, rollout.phase.word());
    match &rollout.phase {
        Phase::Releasing => Some(format!("the release command of {release} runs")),
        Phase::Starting | Phase::Shifting if rollout.waves.is_empty() => {
            Some(format!("{release} is {word}"))
        }
        Phase::Trying => rollout
            .trial
            .as_ref()
            .map(|trial| format!("{release} is tried with {} of the requests", trial.share)),
        Phase::Watching if rollout.is_last_wave() => None,
        Phase::Starting | Phase::Shifting | Phase::Watching => Some(format!(
            "{release} is {word} (wave {} of {})",
            rollout.present_wave() + 1,
            rollout.waves.len() + 1
        )),
        Phase::Reverting { reason, .. } => Some(match rollout.from {
            Some(from) => format!("{release} failed: {reason}; {} comes back", from.release),
            None => format!("{release} failed: {reason}"),
        }),
        Phase::Draining | Phase::Done | Phase::Failed { .. } | Phase::Superseded => None,
    }
}

/// Whether an instance does its work: ready, or running where nothing can be asked.
fn is_well(observed: &Observed, release: Option<&Release>) -> bool {
    let asked = release
        .and_then(|release| release.processes.get(&observed.instance.slot.process))
        .is_some_and(Process::is_asked);
    match observed.instance.state {
        InstanceState::Running { .. } if asked => observed.health == Health::Ready,
        InstanceState::Running { .. } => !matches!(observed.health, Health::Hung { .. }),
        InstanceState::Created | InstanceState::Exited(_) => false,
    }
}

/// What is known of an instance besides what was seen of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Company<'a> {
    pub(super) release: Option<&'a Release>,
    /// The rollout that is under way.
    pub(super) rollout: Option<&'a Rollout>,
    pub(super) node: &'a str,
    /// When it is started again, if it ended and waits for that.
    pub(super) waiting: Option<Timestamp>,
    /// Until when it lingers, if it does.
    pub(super) lingering: Option<Timestamp>,
    /// What speaks against it, though not often enough yet.
    pub(super) doubt: Option<&'a String>,
}

pub(super) fn instance(observed: &Observed, company: Company<'_>) -> api::Instance {
    let Company { release, rollout, node, waiting, lingering, doubt } = company;
    let instance = &observed.instance;
    let process = release.and_then(|release| release.processes.get(&instance.slot.process));
    let (state, detail) = match (state(observed), waiting) {
        ((_, Some(ended)), Some(at)) => ("waiting", Some(format!("{ended}; starts again at {at}"))),
        (("running", _), _) if stands_by(observed, rollout) => ("standing by", None),
        ((state, detail), _) => match lingering {
            Some(until) => ("lingering", Some(format!("for its files, until {until}"))),
            None => (state, detail),
        },
    };
    let (health, seen) = health(observed, release);
    let seen = seen.or(doubt.cloned());
    let port = process.and_then(|process| process.port);
    let address = instance.address.map(|ip| match port {
        Some(port) => std::net::SocketAddr::new(ip, port).to_string(),
        None => ip.to_string(),
    });
    api::Instance {
        name: instance.slot.to_string(),
        node: instance.node.as_ref().map_or(node, NodeName::as_str).to_owned(),
        release: instance.incarnation.release.to_string(),
        state: state.to_owned(),
        health: health.to_owned(),
        detail: detail.or(seen),
        restarts: instance.attempt,
        cpu_millis: observed.usage.map(|Usage { cpu_millis, .. }| cpu_millis),
        memory: observed.usage.map(|Usage { memory, .. }| memory),
        memory_limit: process.map_or(0, |process| process.limits.memory.0),
        started_at: started(&instance.state).map(|at| at.to_string()),
        container: Some(instance.id.to_string()),
        address,
        in_flight: observed.in_flight,
    }
}

/// One that is wanted, and for whom there is no machine.
pub(super) fn pending(pending: &Pending) -> api::Instance {
    api::Instance {
        name: pending.slot.to_string(),
        node: String::new(),
        release: pending.release.to_string(),
        state: "pending".to_owned(),
        health: "-".to_owned(),
        detail: Some(pending.why.clone()),
        restarts: 0,
        cpu_millis: None,
        memory: None,
        memory_limit: 0,
        started_at: None,
        container: None,
        address: None,
        in_flight: 0,
    }
}

/// Whether it gets no requests and waits for whether those that took its place do well.
fn stands_by(observed: &Observed, rollout: Option<&Rollout>) -> bool {
    let instance = &observed.instance;
    rollout.is_some_and(|rollout| {
        matches!(rollout.phase, Phase::Shifting | Phase::Watching)
            && rollout.from == Some(instance.incarnation)
            && rollout.side(&instance.slot) == Side::New
    })
}

fn state(observed: &Observed) -> (&'static str, Option<String>) {
    match &observed.instance.state {
        InstanceState::Created => ("created", None),
        InstanceState::Running { .. } if observed.stopping_since.is_some() => ("stopping", None),
        InstanceState::Running { .. }
            if observed.unrouted_since.is_some() && observed.in_flight > 0 =>
        {
            ("draining", Some(format!("{} requests under way", observed.in_flight)))
        }
        InstanceState::Running { .. } => ("running", None),
        InstanceState::Exited(exit) if observed.stopping_since.is_some() || exit.code == 0 => {
            ("exited", Some(exit.to_string()))
        }
        InstanceState::Exited(exit) => ("crashed", Some(exit.to_string())),
    }
}

fn health(observed: &Observed, release: Option<&Release>) -> (&'static str, Option<String>) {
    let running = matches!(observed.instance.state, InstanceState::Running { .. });
    match (&observed.health, running) {
        (_, false) => ("-", None),
        (Health::Ready, _) => ("ready", None),
        (Health::Failing { seen }, _) => ("failing", Some(seen.clone())),
        (Health::Hung { seen }, _) => ("hung", Some(seen.clone())),
        (Health::Starting { .. }, _) if is_well(observed, release) => ("-", None),
        (Health::Starting { seen, .. }, _) => ("starting", seen.clone()),
    }
}

fn started(state: &InstanceState) -> Option<Timestamp> {
    match state {
        InstanceState::Created => None,
        InstanceState::Running { since } => Some(*since),
        InstanceState::Exited(exit) => exit.started_at,
    }
}

/// One new instance on its way, for who follows a rollout.
pub(super) fn progress(observed: &Observed, release: Option<&Release>) -> api::InstanceProgress {
    let (state, ended) = state(observed);
    let (health, seen) = health(observed, release);
    let word = match (state, health) {
        ("exited" | "crashed", _) => "exited",
        (_, "failing" | "hung") => "failing",
        // Nobody waits for a command to be ready.
        (_, "ready" | "-") if observed.instance.slot.process.runs_once() => "running",
        (_, "ready" | "-") => "ready",
        _ => "starting",
    };
    api::InstanceProgress {
        name: observed.instance.slot.to_string(),
        state: word.to_owned(),
        detail: ended.or(seen),
    }
}

/// How many builds are before one that waits, and the last of them.
pub(super) fn queue(build: &Build, all: &[Build]) -> (u32, Option<String>) {
    let before = build.queue_before(all);
    let behind = before.last().map(|other| format!("{} #{}", other.app, other.number));
    (u32::try_from(before.len()).unwrap_or(u32::MAX), behind)
}

/// What one that waits waits for first.
pub(super) fn awaited(build: &Build, all: &[Build], now: Timestamp) -> Option<api::Awaited> {
    let other = build.waits_for(all)?;
    let (status, since) = match (&other.status, other.started_at) {
        (BuildStatus::Running, Some(since)) => ("running", since),
        _ => ("queued", other.queued_at),
    };
    Some(api::Awaited {
        app: other.app.to_string(),
        build: other.number.0,
        by: other.by.to_string(),
        status: status.to_owned(),
        since_ms: u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX),
    })
}

/// Which build one was cancelled for, and how to see what becomes of that.
pub(super) fn replaced(build: &Build) -> Option<(String, String)> {
    let newer = build.replaced_by?;
    let hint = format!("`paas builds follow {newer} -a {}` watches that one", build.app);
    Some((format!("build {newer} is newer"), hint))
}

pub(super) fn build(build: &Build, all: &[Build]) -> api::Build {
    let (status, reason, hint, artifact) = match &build.status {
        BuildStatus::Queued => ("queued", None, None, None),
        BuildStatus::Running => ("running", None, None, None),
        BuildStatus::Succeeded(artifact) => ("succeeded", None, None, Some(artifact)),
        BuildStatus::Failed { reason, hint, .. } => {
            ("failed", Some(reason.clone()), hint.clone(), None)
        }
        BuildStatus::Cancelled => match replaced(build) {
            Some((reason, hint)) => ("cancelled", Some(reason), Some(hint), None),
            None => ("cancelled", None, None, None),
        },
    };
    let code = match &build.status {
        BuildStatus::Failed { code, .. } => *code,
        _ => None,
    };
    let (ahead, behind) = queue(build, all);
    api::Build {
        number: build.number.0,
        status: status.to_owned(),
        ahead: (build.status == BuildStatus::Queued).then_some(ahead),
        behind,
        reason,
        hint,
        code,
        release: build.release.map(|release| release.to_string()),
        source: build.source.to_string(),
        source_bytes: build.source_bytes.0,
        commit: build.commit.as_ref().map(commit),
        pushed: build.pushed.as_ref().map(|pushed| api::PushedImage {
            tag: pushed.tag.to_string(),
            digest: pushed.digest.to_string(),
        }),
        image: artifact.map(|artifact| artifact.image.to_string()),
        image_bytes: artifact.map(|artifact| artifact.size.0),
        by: build.by.to_string(),
        queued_at: build.queued_at.to_string(),
        started_at: build.started_at.map(|at| at.to_string()),
        finished_at: build.finished_at.map(|at| at.to_string()),
    }
}

fn commit(commit: &Commit) -> api::Commit {
    api::Commit {
        id: commit.id.to_string(),
        reference: commit.reference.as_ref().map(ToString::to_string),
        subject: commit.subject.clone(),
    }
}

/// What is known of a release besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) app: &'a App,
    /// The last that led to it.
    pub(super) rollout: Option<&'a Rollout>,
    /// What made its image.
    pub(super) built: Option<&'a Build>,
    /// Why it stays.
    pub(super) kept: Option<Kept>,
}

pub(super) fn release(release: &Release, past: Past<'_>) -> api::Release {
    let Past { app, rollout, built, kept } = past;
    let pin = |pin: &Pin| api::Pin {
        by: pin.by.to_string(),
        at: pin.at.to_string(),
        note: pin.note.clone(),
    };
    api::Release {
        version: release.version.to_string(),
        current: app.current.is_some_and(|current| current.release == release.version),
        status: rollout.map_or("superseded", |rollout| rollout.phase.word()).to_owned(),
        cause: release.cause.to_string(),
        by: release.by.to_string(),
        at: release.at.to_string(),
        build: release.build.0,
        commit: built.and_then(|build| build.commit.as_ref()).map(commit),
        image: release.image.to_string(),
        processes: release
            .processes
            .values()
            .map(|process| (process.name.to_string(), process.command.clone()))
            .collect(),
        kept: kept.map(|kept| kept.word().to_owned()),
        pinned: app.pins.get(&release.version).map(pin),
    }
}

pub(super) fn event(event: &Event) -> api::Event {
    api::Event {
        at: event.at.to_string(),
        kind: event.kind.word().to_owned(),
        text: event.text.clone(),
        by: event.by.to_string(),
    }
}
