//! Programs of an app's image that run once, and files on their way in and out.

use std::{
    io::{Read, Write},
    process::Stdio,
};

use rustix::process::Signal;

use crate::{
    inside::{Inside, end},
    server::{Server, says, until},
    sessions::programs,
    sources,
};

fn listed(server: &Server) -> serde_json::Value {
    server.paas(&["runs", "-a", "app", "--json"]).json()
}

/// A run, once it has ended.
fn ended(server: &Server, name: &str) -> Option<serde_json::Value> {
    let all = listed(server);
    let run = all.as_array().unwrap().iter().find(|run| run["name"] == name).cloned();
    run.filter(|run| run["ended_at"].is_string())
}

#[test]
fn programs_run_once_in_containers_of_their_own() {
    let mut server = Server::start();
    let run = |server: &Server, arguments: &[&str]| {
        server.paas(&[&["run", "-a", "app"], arguments].concat())
    };
    server.api("POST", "/v1/apps", br#"{"name":"app"}"#);
    says(&run(&server, &["--", "true"]).ended(125), &["app has no release yet", "paas deploy"]);
    server.deploy("app", sources::example("static-site").path()).ok();

    // Talked to: its bytes, its code, its name.
    let script = "cat; echo $PORT $PAAS_PROCESS; echo err >&2; exit 7";
    let mut command = server.command(&["run", "-a", "app", "--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in\n").unwrap();
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!(output, "in\n8080 run.1\n");
    assert_eq!(child.wait().unwrap().code(), Some(7));
    says(&run(&server, &["--", "no-such-program"]).ended(127), &["no-such-program"]);
    let told = run(&server, &["--memory", "1m", "--", "true"]).ended(125);
    says(&told, &["too little", "--memory 16m"]);
    says(&run(&server, &["-p", "worker", "--", "true"]).ended(125), &["--process web"]);

    // Left alone: over a deploy and a death of the daemon, exactly once.
    let script = "echo begins; trap 'echo asked; exit 3' TERM; while :; do sleep 0.2; done";
    let name = run(&server, &["-d", "--", "sh", "-c", script]).ok();
    let name = name.lines().next().unwrap().to_owned();
    assert_eq!(name, "run.3");
    let logs = |server: &Server| server.paas(&["logs", "-a", "app", "-p", "run.3"]).ok();
    until("its output is kept", || logs(&server).contains("begins").then_some(()));
    says(&server.paas(&["ps", "-a", "app"]).ok(), &["web.1", "run.3", "running"]);
    let changed = sources::example("static-site");
    sources::write(changed.path(), "public/about.html", "changed");
    server.deploy("app", changed.path()).ok();
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    until("it is known again", || {
        server.paas(&["ps", "-a", "app"]).ok().contains("run.3").then_some(())
    });
    server.paas(&["runs", "stop", "run.3", "-a", "app"]).ok();
    let stopped = until("it has ended", || ended(&server, "run.3"));
    assert_eq!((stopped["code"].as_u64(), stopped["detached"].as_bool()), (Some(3), Some(true)));
    assert_eq!(until("that too", || ended(&server, "run.1"))["code"], 7);
    until("its container is gone", || {
        server.containers().iter().all(|one| !one.name.contains(".run.")).then_some(())
    });
    assert_eq!(logs(&server).matches("begins").count(), 1);
    says(&logs(&server), &["asked"]);
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["run.1 of v1: sh -c", "run.1 ended with code 7", "run.3 ended with code 3"]);

    // A daemon that dies at any step of one runs it once.
    for (index, point) in paas::faults::RUNS.iter().enumerate() {
        server.terminate();
        server.ended();
        server.start_again(&[("PAAS_FAULT", point)]);
        server.until_ready();
        // The daemon may die before it answers.
        run(&server, &["-d", "--", "echo", "only-once"]);
        server.ended();
        server.start_again(&[]);
        let name = listed(&server)[0]["name"].as_str().unwrap().to_owned();
        until("it has ended well", || ended(&server, &name).filter(|run| run["code"] == 0));
        until(&format!("it wrote once, {point}"), || {
            let count = server.paas(&["logs", "-a", "app", "--grep", "only-once"]).ok();
            (count.lines().count() == index + 1).then_some(())
        });
    }

    Inside { server: &server, app: "app", instance: "web.1" }.copies_go_both_ways();
    let copy = |from: &str, to: &str| server.paas(&["cp", from, to, "-a", "app"]);
    copy(":/tmp/folder", "first").ok();
    assert!(server.home().join("first/deep/noise").exists());
    says(&copy("a", "b").ended(2), &["neither is in an instance"]);

    // Whoever talks to one and goes ends it; so does whoever destroys its app.
    let mut child = server.command(&["run", "-a", "app", "--", "sleep", "7533"]).spawn().unwrap();
    until("it runs", || (programs(&server, "7533") > 0).then_some(()));
    end(&mut child, Signal::KILL);
    until("it is gone", || (programs(&server, "7533") == 0).then_some(()));
    run(&server, &["-d", "--", "sleep", "7534"]).ok();
    until("it runs", || (programs(&server, "7534") > 0).then_some(()));
    server.paas(&["destroy", "-a", "app", "--confirm", "app"]).ok();
    until("nothing is left", || server.containers().is_empty().then_some(()));
}
