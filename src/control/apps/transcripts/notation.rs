//! The notation of situations, line by line:
//!
//! ```text
//! now 60
//! release v1 web=2 worker=1          every process with its scale; web has the port 8080
//! current v1.0
//! scale web=3                        what `paas scale` has said
//! rollout starting v1.0 > v2.0 since 50          (from `none` for a first deploy)
//! destroyed
//! a web.1 v1.0 running 10 ready      a container: name, slot, incarnation, and then any of
//! ```
//!
//! `#2` (attempt), `created`, `running SINCE`, `exited CODE FROM..TO`, `oom FROM..TO`, `broken TEXT`,
//! `ready`, `failing`, `refused`, `elsewhere ADDRESS`, `requests N`, `unrouted SINCE`, `told SINCE`,
//! `kept`. Durations are the defaults: 60 s grace, 120 s for a deploy, 30 s to drain, 30 s to stop.

use std::{collections::BTreeMap, str::SplitWhitespace, time::Duration};

use crate::{
    control::apps::state::AppState,
    model::{
        Actor, App, BuildNumber, Cause, Config, ContainerId, Exit, Health, HealthCheck,
        Incarnation, Instance, InstanceState, Observed, Phase, Process, ProcessName, Release,
        ReleaseVersion, Rollout, RolloutNumber, Slot, Timestamp,
        build::DeploySettings,
        process::{DEFAULT_PORT, DEFAULT_STOP_TIMEOUT, Limits},
    },
};

/// What the planner is given.
pub(super) struct Situation {
    pub(super) state: AppState,
    pub(super) seen: Vec<Observed>,
    pub(super) now: Timestamp,
}

pub(super) fn read(text: &str) -> Situation {
    let app = App::new("my-app".parse().unwrap(), seconds("0"));
    let state = AppState { app, rollout: None, releases: BTreeMap::new() };
    let mut situation = Situation { state, seen: Vec::new(), now: seconds("0") };
    for line in text.trim().lines() {
        let mut words = line.split_whitespace();
        let state = &mut situation.state;
        match words.next().expect("no empty lines") {
            "now" => situation.now = seconds(next(&mut words)),
            "current" => state.app.current = Some(incarnation(next(&mut words))),
            "destroyed" => state.app.destroyed_at = Some(seconds("0")),
            "scale" => state.app.formation.extend(scales(words)),
            "release" => {
                let release = release(next(&mut words), words);
                state.releases.insert(release.version, release);
            }
            "rollout" => {
                state.rollout = Some(rollout(words));
                state.app.rollout = Some(RolloutNumber(1));
            }
            name => situation.seen.push(observed(name, words)),
        }
    }
    situation
}

fn release(version: &str, words: SplitWhitespace<'_>) -> Release {
    let digest = format!("sha256:{:064x}", 1);
    Release {
        app: "my-app".parse().unwrap(),
        version: version.parse().unwrap(),
        image: digest.parse().unwrap(),
        source: digest.parse().unwrap(),
        build: BuildNumber::default(),
        config: Config::default(),
        processes: scales(words)
            .map(|(name, scale)| (name.clone(), process(name, scale)))
            .collect(),
        deploy: DeploySettings::default(),
        cause: Cause::Deploy { build: BuildNumber::default() },
        by: Actor::platform(),
        at: seconds("0"),
    }
}

fn process(name: ProcessName, scale: u16) -> Process {
    Process {
        entrypoint: Vec::new(),
        command: String::new(),
        port: name.is_web().then_some(DEFAULT_PORT),
        name,
        scale,
        health: HealthCheck::default(),
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        limits: Limits::default(),
        privileges: crate::model::Privileges::Plain,
    }
}

fn scales(words: SplitWhitespace<'_>) -> impl Iterator<Item = (ProcessName, u16)> {
    words.map(|word| {
        let (name, count) = word.split_once('=').expect("process=count");
        (name.parse().unwrap(), count.parse().unwrap())
    })
}

fn rollout(mut words: SplitWhitespace<'_>) -> Rollout {
    let phase = match next(&mut words) {
        "starting" => Phase::Starting,
        "shifting" => Phase::Shifting,
        "draining" => Phase::Draining,
        other => panic!("no phase: {other}"),
    };
    let from = Some(next(&mut words)).filter(|from| *from != "none").map(incarnation);
    assert_eq!(words.next(), Some(">"));
    let to = incarnation(next(&mut words));
    assert_eq!(words.next(), Some("since"));
    let started_at = seconds(next(&mut words));
    let app = "my-app".parse().unwrap();
    let number = RolloutNumber(1);
    Rollout { app, number, from, to, phase, started_at, phase_at: started_at }
}

fn observed(name: &str, mut words: SplitWhitespace<'_>) -> Observed {
    let (process, index) = next(&mut words).split_once('.').expect("a slot");
    let slot = Slot { process: process.parse().unwrap(), index: index.parse().unwrap() };
    let mut one = Observed {
        instance: Instance {
            id: ContainerId(name.to_owned()),
            app: "my-app".parse().unwrap(),
            slot,
            incarnation: incarnation(next(&mut words)),
            attempt: 0,
            image: format!("sha256:{:064x}", 1).parse().unwrap(),
            address: None,
            pid: None,
            state: InstanceState::Created,
        },
        health: Health::UNKNOWN,
        in_flight: 0,
        unrouted_since: None,
        stopping_since: None,
        output_kept: false,
        usage: None,
    };
    while let Some(word) = words.next() {
        remark(&mut one, word, &mut words);
    }
    one
}

fn remark(one: &mut Observed, word: &str, words: &mut SplitWhitespace<'_>) {
    match word {
        "created" => {}
        "running" => one.instance.state = InstanceState::Running { since: seconds(next(words)) },
        "exited" => {
            let code = next(words).parse().unwrap();
            one.instance.state = InstanceState::Exited(Exit { code, ..exit(next(words)) });
        }
        "oom" => {
            let ended = Exit { code: 137, out_of_memory: true, ..exit(next(words)) };
            one.instance.state = InstanceState::Exited(ended);
        }
        "broken" => {
            let at = seconds(next(words));
            let error = Some("no such file".to_owned());
            let ended = Exit { code: 127, out_of_memory: false, error, started_at: None, at };
            one.instance.state = InstanceState::Exited(ended);
        }
        "ready" => one.health = Health::Ready,
        "failing" => one.health = Health::Failing { seen: "connection refused".to_owned() },
        "refused" => one.health = starting(Vec::new()),
        "elsewhere" => one.health = starting(vec![next(words).parse().unwrap()]),
        "requests" => one.in_flight = next(words).parse().unwrap(),
        "unrouted" => one.unrouted_since = Some(seconds(next(words))),
        "told" => one.stopping_since = Some(seconds(next(words))),
        "kept" => one.output_kept = true,
        attempt => {
            let number = attempt.strip_prefix('#').unwrap_or_else(|| panic!("no word: {attempt}"));
            one.instance.attempt = number.parse().unwrap();
        }
    }
}

fn starting(elsewhere: Vec<std::net::SocketAddr>) -> Health {
    Health::Starting { seen: Some("connection refused".to_owned()), elsewhere }
}

/// From a text such as `3..8`.
fn exit(text: &str) -> Exit {
    let (from, to) = text.split_once("..").expect("from..to");
    let started_at = Some(seconds(from));
    Exit { code: 0, out_of_memory: false, error: None, started_at, at: seconds(to) }
}

fn incarnation(text: &str) -> Incarnation {
    let (release, restart) = text.split_once('.').expect("v1.0");
    let release: ReleaseVersion = release.parse().unwrap();
    Incarnation { release, restart: restart.parse().unwrap() }
}

fn seconds(text: &str) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(text.parse().unwrap()))
}

fn next<'a>(words: &mut SplitWhitespace<'a>) -> &'a str {
    words.next().expect("one more word")
}
