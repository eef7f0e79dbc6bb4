//! Three machines that keep the records: whichever is lost, nothing that was saved is, and another leads.

use std::{process::Command, time::Instant};

use serde_json::Value;

use crate::{
    APP, Stage,
    machine::Machine,
    placement::until_ready,
    server::{Output, Server, run, says, until},
};

/// Somebody who has logged in to the first machine, and knows of no other.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn of(server: &Server, at: &str, token: &str, fingerprint: &str) -> Self {
        let user = Self { home: tempfile::tempdir().unwrap() };
        let at = format!("https://{at}");
        user.run(server, &["login", &at, "--token", token, "--fingerprint", fingerprint]).ok();
        user
    }

    fn command(&self, server: &Server, arguments: &[&str]) -> Command {
        let mut command = server.command(arguments);
        command.env_remove("PAAS_URL").env("XDG_CONFIG_HOME", self.home.path());
        command
    }

    fn run(&self, server: &Server, arguments: &[&str]) -> Output {
        run(&mut self.command(server, arguments))
    }

    /// Runs it again and again until it succeeds.
    #[track_caller]
    fn until_does(&self, server: &Server, arguments: &[&str]) -> Output {
        until(&format!("`paas {}` does it", arguments.join(" ")), || {
            let done = self.run(server, arguments);
            (done.code == 0).then_some(done)
        })
    }

    fn nodes(&self, server: &Server) -> Vec<Value> {
        let shown = self.until_does(server, &["nodes", "--json"]).json();
        shown.as_array().unwrap().clone()
    }

    /// Who leads.
    fn leader(&self, server: &Server) -> String {
        let nodes = self.nodes(server);
        let leads = nodes.iter().find(|one| one["state"] == "control").unwrap();
        leads["name"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn until_is(&self, server: &Server, node: &str, state: &str) {
        until(&format!("{node} is {state}"), || {
            let nodes = self.nodes(server);
            nodes.iter().any(|one| one["name"] == node && one["state"] == state).then_some(())
        });
    }
}

#[test]
fn whichever_of_three_is_lost_another_leads_and_nothing_saved_is_lost() {
    let mut stage = Stage::set();
    let (token, fingerprint) = stage.server.initialise();
    let page = stage.deploy("first");
    let mut one = Machine::join_to_work(&stage.server, "edge-1", stage.bed.plug(1));
    let mut two = Machine::join_to_work(&stage.server, "edge-2", stage.bed.plug(2));
    stage.until_is("edge-1", "up");
    stage.until_is("edge-2", "up");
    let server = &stage.server;
    let user = User::of(server, &format!("{}:8443", stage.bed.address()), &token, &fingerprint);
    odd_numbers_only(server);
    let begun = Instant::now();
    let said = user.run(server, &["nodes", "promote", "edge-1", "edge-2"]).ok();
    says(&said, &["edge-1", "edge-2"]);
    println!("{:?} until three machines kept the records", begun.elapsed());
    let keep = user.nodes(server).iter().filter(|one| one["keeps_records"] == true).count();
    assert_eq!(keep, 3);
    user.run(server, &["nodes", "promote", "edge-1", "edge-2"]).ok();
    until("both nodes can have instances", || {
        let nodes = user.nodes(server);
        let idle = nodes.iter().filter(|one| one["instances"] == 0).count();
        (idle == 2).then_some(())
    });
    user.run(server, &["scale", "web=3", "-a", APP]).ok();
    // What is on one machine only would be lost with it.
    until_ready(server, &["box", "edge-1", "edge-2"]);
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
    }
    user.run(server, &["nodes", "label", "edge-1", "saved=yes"]).ok();

    // Whoever leads dies.
    stage.server.kill9();
    let killed = Instant::now();
    let server = &stage.server;
    let leader = user.leader(server);
    println!("{:?} until {leader} answered after the death of the leader", killed.elapsed());
    assert_ne!(leader, "box");
    let nodes = user.nodes(server);
    let saved = nodes.iter().find(|one| one["name"] == "edge-1").unwrap();
    assert_eq!(saved["labels"]["saved"], "yes");
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
    }
    user.until_does(server, &["nodes", "label", "edge-2", "saved=too"]);
    user.until_is(server, "box", "down");

    // It comes back, and follows.
    stage.server.start_daemon(&[]);
    let server = &stage.server;
    user.until_is(server, "box", "up");
    assert_eq!(user.leader(server), leader);
    says(&server.paas(&["nodes"]).ended(1), &[&leader, "does not lead"]);

    // Whoever leads now is cut off.
    let (cut, whole) = if leader == "edge-1" { (&mut one, &mut two) } else { (&mut two, &mut one) };
    cut.port().cut();
    let parted = Instant::now();
    let next = until("another leads", || {
        let next = user.leader(server);
        (next != leader).then_some(next)
    });
    println!("{:?} until {next} answered after {leader} was cut off", parted.elapsed());
    whole.until_shows(APP, &page);
    user.until_does(server, &["nodes", "label", "box", "saved=too"]);
    cut.port().mend();
    user.until_is(server, &leader, "up");
    cut.until_shows(APP, &page);
    let labels: Vec<_> =
        user.nodes(server).iter().map(|one| one["labels"]["saved"].clone()).collect();
    assert!(labels.iter().all(|saved| saved == "yes" || saved == "too"), "{labels:?}");
}

fn odd_numbers_only(server: &Server) {
    let refused = server.paas(&["nodes", "promote", "edge-1"]).ended(1);
    says(&refused, &["hint: ", "paas nodes promote edge-1 edge-2"]);
    let refused = server.paas(&["nodes", "promote", "nobody"]).ended(1);
    says(&refused, &["nobody", "hint: "]);
}

#[test]
fn a_change_that_is_cut_short_is_gone_on_with_by_the_same_command() {
    let mut stage = Stage::set();
    let page = stage.deploy("first");
    let mut one = Machine::join(&stage.server, "edge-1", stage.bed.plug(1));
    let two = Machine::join(&stage.server, "edge-2", stage.bed.plug(2));
    let all_are_up = |stage: &Stage| ["edge-1", "edge-2"].map(|node| stage.until_is(node, "up"));
    let promote = ["nodes", "promote", "edge-1", "edge-2"];
    let demote = ["nodes", "demote", "edge-1", "edge-2"];
    for point in ["council.founded", "council.charged"] {
        stage.server.terminate();
        stage.server.ended();
        stage.server.start_again(&[("PAAS_FAULT", point)]);
        all_are_up(&stage);
        assert_ne!(stage.server.paas(&promote).code, 0, "{point}");
        assert!(!stage.server.ended().success());
        stage.server.start_again(&[]);
        all_are_up(&stage);
    }
    one.kill9();
    one.start_with(&stage.server, &[("PAAS_FAULT", "council.resigned")]);
    all_are_up(&stage);
    assert!(keeps(&stage.server).len() <= 1, "nobody counts yet whom the leader has only asked");
    stage.server.paas(&promote).ok();
    assert_eq!(keeps(&stage.server), ["box", "edge-1", "edge-2"]);

    says(&stage.server.paas(&demote).ended(1), &["edge-1", "hint: "]);
    one.died();
    assert!(one.has_records());
    one.start(&stage.server);
    all_are_up(&stage);
    stage.server.paas(&demote).ok();
    assert!(keeps(&stage.server).len() <= 1);
    until("nobody has any records left", || {
        (!one.has_records() && !two.has_records()).then_some(())
    });
    all_are_up(&stage);
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
    }

    // A node that dies when it has just accepted is a member all the same when it is back.
    one.kill9();
    one.start_with(&stage.server, &[("PAAS_FAULT", "council.accepted")]);
    all_are_up(&stage);
    says(&stage.server.paas(&promote).ended(1), &["edge-1", "hint: "]);
    one.died();
    one.start(&stage.server);
    all_are_up(&stage);
    stage.server.paas(&promote).ok();
    assert_eq!(keeps(&stage.server), ["box", "edge-1", "edge-2"]);
}

/// Who keeps the records.
fn keeps(server: &Server) -> Vec<String> {
    let nodes = server.paas(&["nodes", "--json"]).json();
    let keep = nodes.as_array().unwrap().iter().filter(|one| one["keeps_records"] == true);
    keep.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}
