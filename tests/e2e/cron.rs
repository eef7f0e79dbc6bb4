//! Jobs by the clock: run at once, ended, replaced, told of; and one real minute, at which the daemon
//! dies before and after it has recorded the tick.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    server::{Server, says, until},
    sources,
};

const JOBS: &str = r#"
[cron.minutely]
schedule = "* * * * *"
command = "echo tick"
[cron.broken]
schedule = "30 2 * * *"
timezone = "Europe/Berlin"
command = "echo no such table >&2; exit 3"
[cron.hung]
schedule = "@yearly"
command = "trap 'exit 4' TERM; sleep 99 & wait"
timeout = "1s"
[cron.single]
schedule = "@yearly"
command = "trap 'exit 5' TERM; sleep 99 & wait"
[cron.again]
schedule = "@yearly"
command = ["sh", "-c", "trap 'exit 6' TERM; sleep 99 & wait"]
overlap = "replace"
"#;

fn cron(server: &Server, arguments: &[&str]) -> crate::server::Output {
    server.paas(&[&["cron"], arguments, &["-a", "app"]].concat())
}

fn history(server: &Server, job: &str) -> Vec<Value> {
    let told = cron(server, &["history", job, "-n", "100", "--json"]).json();
    told.as_array().unwrap().clone()
}

/// The newest line of a job's history, once it is in that state.
fn last(server: &Server, job: &str, state: &str) -> Value {
    until(&format!("{job} is {state}"), || {
        history(server, job).first().filter(|line| line["state"] == state).cloned()
    })
}

#[test]
fn jobs_run_by_the_clock_and_each_tick_once() {
    let mut server = Server::start();
    let folder = sources::example("static-site");
    sources::write(folder.path(), "paas.toml", JOBS);
    server.deploy("app", folder.path()).ok();
    cron(&server, &["pause", "minutely"]).ok();
    says(&cron(&server, &[]).ok(), &["30 2 * * *", "02:30 CE", "rests (root)", "sh -c", "JOB"]);
    says(
        &cron(&server, &["run", "nightly"]).ended(1),
        &["no such job", "hint: `paas cron -a app`"],
    );

    // What fails is told of, with what it said last; so is what takes too long.
    let name = cron(&server, &["run", "broken"]).ok();
    let name = name.lines().next().unwrap().to_owned();
    let failed = last(&server, "broken", "failed");
    assert_eq!((&failed["run"], failed["code"].as_u64()), (&name.as_str().into(), Some(3)));
    assert_eq!(failed["last_lines"][0], "no such table");
    says(&cron(&server, &["history"]).ok(), &["failed (3)", "by root", "  no such table"]);
    says(&cron(&server, &["logs", "broken"]).ok(), &["no such table"]);
    cron(&server, &["run", "hung"]).ok();
    let hung = last(&server, "hung", "failed");
    assert_eq!(
        (hung["reason"].as_str(), &hung["code"]),
        (Some("it took longer than 1s"), &4.into())
    );
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["alert", &format!("cron broken: {name} ended with code 3; it said: no such")]);

    // Who may not overlap does not; who replaces begins when the other is over.
    cron(&server, &["run", "single"]).ok();
    says(&cron(&server, &["run", "single"]).ended(1), &["forbids a second", "paas runs stop"]);
    let is = |name: &str, state: &str| {
        let all = server.paas(&["runs", "-a", "app", "--json"]).json();
        all.as_array().unwrap().iter().any(|run| run["name"] == name && run["state"] == state)
    };
    let again = || cron(&server, &["run", "again"]).ok().lines().next().unwrap().to_owned();
    let first = again();
    until("the first runs", || is(&first, "running").then_some(()));
    let second = again();
    until("the second alone runs", || {
        (is(&second, "running") && is(&first, "failed")).then_some(())
    });
    let lines = history(&server, "again");
    assert_eq!(lines[1]["reason"], "root ended it");
    // None of them is an instance of the app.
    assert_eq!(server.get("app", "/").status, 200);

    // A minute comes; the daemon dies before it has recorded the tick, and then after.
    server.terminate();
    server.ended();
    server.start_again(&[("PAAS_FAULT", paas::faults::CRON[0])]);
    server.until_ready();
    cron(&server, &["resume", "minutely"]).ok();
    server.ended();
    server.start_again(&[("PAAS_FAULT", paas::faults::CRON[1])]);
    server.ended();
    server.start_again(&[]);
    server.until_ready();
    last(&server, "minutely", "done");
    let lines = history(&server, "minutely");
    let ran = lines.iter().filter(|line| line["run"].is_string());
    let ticks: Vec<_> = ran.map(|line| line["tick"].as_str().unwrap()).collect();
    assert!(!ticks.is_empty(), "{lines:?}");
    assert_eq!(BTreeSet::from_iter(&ticks).len(), ticks.len(), "{lines:?}");
    cron(&server, &["pause", "minutely"]).ok();
    until("each run has written once", || {
        let ran = history(&server, "minutely");
        let over = ran.iter().all(|line| line["state"] != "running");
        let ran = ran.iter().filter(|line| line["run"].is_string()).count();
        let written = server.paas(&["logs", "-a", "app", "--grep", "tick"]).ok().lines().count();
        (over && ran == written).then_some(())
    });

    let destroy = ["destroy", "-a", "app", "--confirm", "app"];
    server.paas(&["apps", "protect", "app"]).ok();
    says(&server.paas(&destroy).ended(1), &["root has protected it", "paas apps unprotect app"]);
    server.paas(&["apps", "unprotect", "app"]).ok();
    server.paas(&destroy).ok();
    until("nothing is left", || server.containers().is_empty().then_some(()));
}
