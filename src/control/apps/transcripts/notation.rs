//! The notation of situations, line by line:
//!
//! ```text
//! now 60
//! release v1 web=2 worker=1          every process with its scale; web has the port 8080
//! release v2 web=1 /etc/motd=MOTD     and the files of its instances
//! current v1.0
//! assets 60                          that every release so far has some, and for how many seconds
//! image v3 v1                        a release that has the image of another; else each has its own
//! earlier v1.0 50                    what served before, and since when it does not; the newest first
//! recreate web                       a process whose old instances end before the new start
//! scale web=3                        what `paas scale` has said
//! max_fail 1                         what every release says of a rollout
//! rollout starting v1.0 > v2.0 since 50          (from `none` for a first deploy), and then any of:
//!     begun 51                       when its release command was, if it was
//!     post 60                        when the command was begun that runs when it serves
//!     post-ended 61                  the same, if it has ended
//!     trial 55 0/4 1/40              of 300 s: when it was counted, failed/requests of canary and control
//!     promoted                       by somebody who did not want to wait
//!     wave 2                         the present one, from 1
//!     ends web=1,worker=1/web=3      of each wave but the last, the last new index
//!     recreate web                   a process whose old instances end first
//!     stand-in v3.0 web=1            what serves in some slots until another does
//! port api 9000                      where a process listens, in every release so far
//! allow v1 other                     an app that a release lets find its private names
//! disk web data                      a volume of a process, the same
//! place web zone=a disk=ssd          the labels that a process asks for, the same
//! held data                          volumes that nobody may have now
//! away data edge-1                   a volume that another machine has
//! destroyed
//! kept 100                           until when a destroyed one can be brought back
//! a web.1 v1.0 running 10 ready      a container: name, slot, incarnation, and then any of
//! ```
//!
//! `#2` (attempt), `created`, `running SINCE`, `exited CODE FROM..TO`, `oom FROM..TO`, `broken TEXT`,
//! `ready`, `failing`, `hung`, `refused`, `elsewhere ADDRESS`, `requests N`, `unrouted SINCE`,
//! `unchosen SINCE` (it is only asked for files), `told SINCE`, `on NODE`,
//! `at ADDRESS`, `behind ADDRESS:PORT` (a door), `kept`, `tried 0/9`. Durations are the defaults: 60 s grace,
//! 120 s for a deploy, 10 s to watch, 30 s to drain, 30 s to stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::SplitWhitespace,
    time::Duration,
};

use crate::{
    control::apps::state::AppState,
    model::{
        Actor, App, ContainerId, Earlier, Exit, Health, HealthCheck, Incarnation, Instance,
        InstanceState, Observed, Phase, PostDeploy, Process, ProcessName, Release, ReleaseVersion,
        Rollout, RolloutNumber, Sample, Share, Slot, Tally, Timestamp, Trial, Wave,
        build::DeploySettings,
        process::{DEFAULT_PORT, DEFAULT_STOP_TIMEOUT, Limits},
        rollout::StandIn,
        volume::{Away, Mounting},
    },
};

/// What the planner is given.
pub(in crate::control) struct Situation {
    pub(in crate::control) state: AppState,
    pub(in crate::control) seen: Vec<Observed>,
    pub(in crate::control) now: Timestamp,
}

pub(in crate::control) fn read(text: &str) -> Situation {
    let app = App::new("my-app".parse().unwrap(), seconds("0"));
    let held = BTreeSet::new();
    let (releases, away, nowhere) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let state = AppState { app, rollout: None, releases, held, away, scattered: false, nowhere };
    let mut situation = Situation { state, seen: Vec::new(), now: seconds("0") };
    for line in text.trim().lines() {
        let mut words = line.split_whitespace();
        let state = &mut situation.state;
        match words.next().expect("no empty lines") {
            "now" => situation.now = seconds(next(&mut words)),
            "earlier" => {
                let incarnation = incarnation(next(&mut words));
                let since = seconds(next(&mut words));
                state.app.earlier.push(Earlier { incarnation, since });
            }
            "current" => state.app.current = Some(incarnation(next(&mut words))),
            "held" => state.held.extend(words.map(|name| name.parse().unwrap())),
            "away" => {
                let volume = next(&mut words).parse().unwrap();
                state.away.insert(volume, Away::On(next(&mut words).parse().unwrap()));
                state.scattered = true;
            }
            "destroyed" => state.app.destroyed_at = Some(seconds("0")),
            "kept" => state.app.kept_until = Some(seconds(next(&mut words))),
            "scale" => state.app.formation.extend(scales(words)),
            "release" => {
                let release = release(next(&mut words), words);
                state.releases.insert(release.version, release);
            }
            "rollout" => {
                state.rollout = Some(rollout(words));
                state.app.rollout = Some(RolloutNumber(1));
            }
            what @ ("allow" | "assets" | "disk" | "image" | "max_fail" | "place" | "port"
            | "recreate") => {
                amend(&mut state.releases, what, &mut words);
            }
            name => situation.seen.push(observed(name, words)),
        }
    }
    situation
}

/// Says more of releases that there are.
fn amend(
    releases: &mut BTreeMap<ReleaseVersion, Release>,
    what: &str,
    words: &mut SplitWhitespace<'_>,
) {
    match what {
        "assets" => {
            let lasts = Duration::from_secs(next(words).parse().unwrap());
            for release in releases.values_mut() {
                release.deploy.http.assets = vec!["/assets/".parse().unwrap()];
                release.deploy.http.assets_for = Some(lasts);
            }
        }
        "image" => {
            let (to, of) = (version(next(words)), version(next(words)));
            let image = releases[&of].image.clone();
            releases.get_mut(&to).expect("a release before").image = image;
        }
        "disk" | "port" | "place" => {
            let name = next(words);
            for word in words {
                let processes = releases.values_mut().filter_map(|it| it.processes.get_mut(name));
                processes.for_each(|process| amend_process(process, what, word));
            }
        }
        "allow" => {
            let (version, app) = (version(next(words)), next(words));
            let release = releases.get_mut(&version).expect("a release before");
            release.deploy.private.allow.insert(app.parse().unwrap());
        }
        "max_fail" => {
            let most = next(words).parse().unwrap();
            for release in releases.values_mut() {
                release.deploy.takeover.max_fail = most;
            }
        }
        "recreate" => {
            let name: ProcessName = next(words).parse().unwrap();
            for release in releases.values_mut() {
                let of = &mut release.deploy.takeover.of;
                of.insert(name.clone(), crate::model::Strategy::Recreate);
            }
        }
        _ => panic!("nothing is said of releases by {what}"),
    }
}

/// Says more of a process.
fn amend_process(process: &mut Process, what: &str, word: &str) {
    match (what, word.split_once('=')) {
        ("place", Some((key, value))) => {
            process.place.insert(key.parse().unwrap(), value.parse().unwrap());
        }
        ("port", None) => process.port = Some(word.parse().unwrap()),
        ("disk", None) => {
            let mounting = Mounting::at("/data".parse().unwrap());
            process.volumes.insert(word.parse().unwrap(), mounting);
        }
        _ => panic!("no word of a process: {what} {word}"),
    }
}

fn release(version: &str, words: SplitWhitespace<'_>) -> Release {
    let (files, words): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with('/'));
    let file = |word: &str| {
        let (path, name) = word.split_once('=').expect("path=NAME");
        (path.parse().unwrap(), name.parse().unwrap())
    };
    let files = files.into_iter().map(file).collect();
    Release {
        processes: scales(words.into_iter())
            .map(|(name, scale)| (name.clone(), process(name, scale)))
            .collect(),
        deploy: DeploySettings { files, ..DeploySettings::default() },
        at: seconds("0"),
        ..Release::example("my-app".parse().unwrap(), self::version(version))
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
        liveness: crate::model::Liveness::default(),
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        limits: Limits::default(),
        privileges: crate::model::Privileges::Plain,
        volumes: [].into(),
        place: [].into(),
    }
}

fn scales<'a>(words: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (ProcessName, u16)> {
    words.map(|word| {
        let (name, count) = word.split_once('=').expect("process=count");
        (name.parse().unwrap(), count.parse().unwrap())
    })
}

fn rollout(mut words: SplitWhitespace<'_>) -> Rollout {
    let phase = match next(&mut words) {
        "releasing" => Phase::Releasing,
        "starting" => Phase::Starting,
        "trying" => Phase::Trying,
        "shifting" => Phase::Shifting,
        "watching" => Phase::Watching,
        "draining" => Phase::Draining,
        "reverting" => Phase::Reverting {
            reason: "web.1 exited with code 3".to_owned(),
            hint: None,
            last_lines: Vec::new(),
        },
        other => panic!("no phase: {other}"),
    };
    let from = Some(next(&mut words)).filter(|from| *from != "none").map(incarnation);
    assert_eq!(words.next(), Some(">"));
    let to = incarnation(next(&mut words));
    assert_eq!(words.next(), Some("since"));
    let started_at = seconds(next(&mut words));
    let mut rollout = Rollout {
        app: "my-app".parse().unwrap(),
        number: RolloutNumber(1),
        from,
        to,
        phase,
        started_at,
        phase_at: started_at,
        waves: Vec::new(),
        wave: 0,
        command: None,
        post_deploy: None,
        trial: None,
        recreate: BTreeSet::new(),
        stand_ins: Vec::new(),
    };
    while let Some(word) = words.next() {
        match word {
            "post" => {
                let begun = seconds(next(&mut words));
                rollout.post_deploy = Some(PostDeploy { begun, ended: None });
            }
            "post-ended" => {
                let at = seconds(next(&mut words));
                rollout.post_deploy = Some(PostDeploy { begun: at, ended: Some(at) });
            }
            "trial" => rollout.trial = Some(trial(&mut words)),
            "begun" => rollout.command = Some(seconds(next(&mut words))),
            "wave" => rollout.wave = next(&mut words).parse::<u32>().unwrap() - 1,
            "ends" => rollout.waves = next(&mut words).split('/').map(wave).collect(),
            "promoted" => {
                let trial = rollout.trial.as_mut().expect("a trial before");
                trial.promoted_by = Some(Actor::platform());
            }
            "recreate" => rollout.recreate.extend([next(&mut words).parse().unwrap()]),
            "stand-in" => {
                let incarnation = incarnation(next(&mut words));
                rollout.stand_ins.push(StandIn { incarnation, slots: wave(next(&mut words)) });
            }
            other => panic!("no word of a rollout: {other}"),
        }
    }
    rollout
}

/// Of five minutes and a tenth of the requests.
fn trial(words: &mut SplitWhitespace<'_>) -> Trial {
    let at = seconds(next(words));
    let (canary, control) = (sample(next(words)), sample(next(words)));
    let lasts = Duration::from_mins(5);
    Trial {
        share: Share::default(),
        lasts,
        promoted_by: None,
        tally: Tally { at, canary, control },
    }
}

/// From a text such as `3/40`: so many of so many requests failed.
fn sample(text: &str) -> Sample {
    let (errors, answers) = text.split_once('/').expect("failed/requests");
    let (errors, answers) = (errors.parse().unwrap(), answers.parse().unwrap());
    Sample { answers, errors, ..Sample::default() }
}

/// From a text such as `web=1,worker=1`.
fn wave(text: &str) -> Wave {
    Wave(scales(text.replace(',', " ").split_whitespace()).collect())
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
            node: None,
            address: None,
            door: None,
            pid: None,
            state: InstanceState::Created,
        },
        health: Health::UNKNOWN,
        in_flight: 0,
        unrouted_since: None,
        unchosen_since: None,
        stopping_since: None,
        output_kept: false,
        tried: None,
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
        "hung" => one.health = Health::Hung { seen: "no answer".to_owned() },
        "refused" => one.health = starting(Vec::new()),
        "elsewhere" => one.health = starting(vec![next(words).parse().unwrap()]),
        "requests" => one.in_flight = next(words).parse().unwrap(),
        "unrouted" => {
            one.unrouted_since = Some(seconds(next(words)));
            one.unchosen_since = one.unrouted_since;
        }
        "unchosen" => one.unchosen_since = Some(seconds(next(words))),
        "told" => one.stopping_since = Some(seconds(next(words))),
        "kept" => one.output_kept = true,
        "on" => one.instance.node = Some(next(words).parse().unwrap()),
        "at" => one.instance.address = Some(next(words).parse().unwrap()),
        "behind" => one.instance.door = Some(next(words).parse().unwrap()),
        "tried" => one.tried = Some(sample(next(words))),
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

fn version(text: &str) -> ReleaseVersion {
    text.parse().unwrap()
}

fn seconds(text: &str) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(text.parse().unwrap()))
}

fn next<'a>(words: &mut SplitWhitespace<'a>) -> &'a str {
    words.next().expect("one more word")
}
