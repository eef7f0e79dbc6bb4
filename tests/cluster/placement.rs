//! Instances on several machines, each with a Docker of its own.

use std::{
    collections::BTreeSet,
    io::Read,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    APP, Stage,
    inside::{Inside, end},
    machine::Machine,
    peers::visitors_come_through_whoever_is_cut_off,
    server::{Server, run, says, until},
    sources,
};

const BOTH: [&str; 4] = ["box", "box", "edge-1", "edge-1"];

/// Where the instances of the app are that are ready, by the name of the machine.
fn ready(server: &Server) -> Vec<String> {
    let shown = server.paas(&["ps", "-a", APP, "--json"]).json();
    let ready = shown
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| (&one["health"], &one["state"]) == (&"ready".into(), &"running".into()));
    let mut nodes: Vec<_> = ready.map(|one| one["node"].as_str().unwrap().to_owned()).collect();
    nodes.sort();
    nodes
}

#[track_caller]
pub(crate) fn until_ready(server: &Server, expected: &[&str]) {
    let what = format!("instances are ready on {expected:?}");
    until(&what, || (ready(server) == expected).then_some(()));
}

#[test]
fn an_app_runs_on_all_machines_and_runs_on_when_one_is_lost() {
    let mut stage = Stage::set();
    let server = &stage.server;
    server.deploy(APP, sources::server("first").path()).ok();
    server.paas(&["secrets", "set", "API_KEY=a secret", "-a", APP]).ok();
    let mut one = Machine::join_to_work(server, "edge-1", stage.bed.plug(1));
    one.until_shows(APP, "first\n");
    until("edge-1 can have instances", || {
        let nodes = server.paas(&["nodes", "--json"]).json();
        nodes.as_array().unwrap().iter().any(|one| one["instances"] == 0).then_some(())
    });
    server.paas(&["scale", "web=4", "-a", APP]).ok();
    until_ready(server, &BOTH);
    all_are_alike(server);
    nine_are_spread(server);
    whoever_is_on_another_machine_is_reached(server, &one);
    nobody_notices_a_deploy(server);
    one.until_shows(APP, "second\n");

    nobody_fails_when_a_machine_is_lost(server, &one);
    // What it still has is too much when it is back.
    one.port().mend();
    until("edge-1 has nothing left", || (one.containers() == 0).then_some(()));
    until_ready(server, &["box"; 4]);
    one.until_shows(APP, "second\n");
    nobody_fails_when_a_machine_is_lost_in_a_deploy(server, &one);
    one.port().mend();
    until("edge-1 has nothing left again", || (one.containers() == 0).then_some(()));
    nobody_notices_a_rebalance(server);
    nobody_notices_a_drain(server, &one);

    who_has_instances_is_not_removed(server);

    // A control that begins anew does not start again what runs elsewhere.
    let before = one.containers();
    visitors_come_through_whoever_is_cut_off(&mut stage, &mut one);
    stage.server.start_again(&[]);
    until_ready(&stage.server, &BOTH);
    assert_eq!(one.containers(), before);
    a_node_that_begins_anew_ends_what_nobody_talks_to(&stage.server, &mut one);
    instances_are_where_the_labels_are(&stage.server);
    stage.server.paas(&["destroy", "--confirm", APP]).ok();
    until("nothing is left on edge-1", || (one.containers() == 0).then_some(()));
}

/// Each has its share of the requests, its secrets and its place in the logs, wherever it is.
fn all_are_alike(server: &Server) {
    let names: BTreeSet<String> = (0..64).map(|_| server.page(APP, "/env/PAAS_PROCESS")).collect();
    assert_eq!(names.len(), 4, "each has its share: {names:?}");
    for _ in 0..16 {
        assert_eq!(server.page(APP, "/env/API_KEY"), "a secret");
    }
    until("what instances of both machines wrote is kept", || {
        // Which one is asked, is chance.
        server.page(APP, "/log/told");
        let lines = server.paas(&["logs", "-a", APP, "-n", "200"]).ok();
        let told =
            |name: &str| lines.lines().any(|line| line.contains(name) && line.contains("told"));
        (1..=4).all(|index| told(&format!("web.{index}"))).then_some(())
    });
}

fn nine_are_spread(server: &Server) {
    let begun = Instant::now();
    server.paas(&["scale", "web=9", "-a", APP]).ok();
    until("nine are ready, as evenly as can be", || {
        let ready = ready(server);
        let here = ready.iter().filter(|node| *node == "box").count();
        (ready.len() == 9 && (4..=5).contains(&here)).then_some(())
    });
    println!("{:?} from four instances on two machines to nine", begun.elapsed());
    server.paas(&["scale", "web=4", "-a", APP]).ok();
    until_ready(server, &BOTH);
}

/// An instance of another machine.
fn there(server: &Server) -> String {
    let all = server.ps(APP);
    let there = all.iter().find(|one| one["node"] == "edge-1" && one["state"] == "running");
    there.unwrap()["name"].as_str().unwrap().to_owned()
}

fn whoever_is_on_another_machine_is_reached(server: &Server, machine: &Machine) {
    let inside = Inside { server, app: APP, instance: &there(server) };
    inside.programs_end_with_their_codes();
    assert_eq!(run(&mut inside.exec(&["--", "printenv", "API_KEY"])).ok(), "a secret\n");
    inside.bytes_go_both_ways();
    inside.terminals_are_those_of_whoever_types();
    inside.a_port_is_reached("8080", "/");
    inside.copies_go_both_ways();
    // Nobody reads what it writes, and it is gone with whoever talked to it.
    let mut child = inside.exec(&["--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 4096]).unwrap();
    end(&mut child, Signal::TERM);
    until("`yes` is gone", || (machine.programs("yes") == 0).then_some(()));
}

fn nobody_notices_a_deploy(server: &Server) {
    let asked = visited(server, || {
        server.deploy(APP, sources::server("second").path()).ok();
        until_ready(server, &BOTH);
    });
    println!("{asked} requests during a deploy to two machines, none failed");
}

/// A machine that is back gets its share again, and then nothing more moves.
fn nobody_notices_a_rebalance(server: &Server) {
    let rebalance = |option: &str| server.paas(&["nodes", "rebalance", option]).ok();
    until("something would move", || {
        rebalance("--dry-run").contains("box 4 -> 2, edge-1 0 -> 2").then_some(())
    });
    says(&server.paas(&["nodes"]).ok(), &["1 app is spread unevenly"]);
    let asked = visited(server, || {
        says(&rebalance("--yes"), &["1 app to restart"]);
        until_ready(server, &BOTH);
        until("it is over", || rebalance("--dry-run").contains("Nothing moves").then_some(()));
    });
    println!("{asked} requests while a machine that was back got its share, none failed");
    says(&rebalance("--yes"), &["Nothing moves"]);
    until_ready(server, &BOTH);
}

fn nobody_notices_a_drain(server: &Server, machine: &Machine) {
    let asked = visited(server, || {
        let told = server.paas(&["nodes", "drain", "edge-1"]).ok();
        says(&told, &["Nothing new is started on edge-1; site move"]);
        until("edge-1 is empty", || (machine.containers() == 0).then_some(()));
        until_ready(server, &["box"; 4]);
    });
    println!("{asked} requests while a machine was drained, none failed");
    says(&server.paas(&["nodes"]).ok(), &["drained"]);
    server.paas(&["nodes", "undrain", "edge-1"]).ok();
    server.paas(&["restart", "-a", APP]).ok();
    until_ready(server, &BOTH);
}

fn who_has_instances_is_not_removed(server: &Server) {
    let kept = server.paas(&["nodes", "remove", "edge-1", "--confirm", "edge-1"]).ended(1);
    says(&kept, &["it is up, and 2 instances", "paas nodes drain edge-1"]);
}

/// Labels are asked for, of the control's machine as well, and who finds no machine says so.
fn instances_are_where_the_labels_are(server: &Server) {
    let folder = sources::server("second");
    let place = |label: &str| {
        let text = format!("[process.web]\nscale = 2\n[process.web.place]\n{label}\n");
        sources::write(folder.path(), "paas.toml", &text);
        server.deploy(APP, folder.path())
    };
    server.paas(&["nodes", "label", "box", "disk=hdd"]).ok();
    server.paas(&["nodes", "label", "edge-1", "disk=ssd"]).ok();
    server.paas(&["scale", "web=2", "-a", APP]).ok();
    place("disk = \"ssd\"").ok();
    until_ready(server, &["edge-1"; 2]);
    place("disk = \"hdd\"").ok();
    until_ready(server, &["box"; 2]);
    let told = place("node = \"edge-9\"").ended(1);
    says(&told, &["no machine for web.1: no machine has node=edge-9", "paas nodes"]);
    until_ready(server, &["box"; 2]);
    // What serves stays where it is when labels change; who is wanted anew is not.
    server.paas(&["nodes", "label", "box", "disk-"]).ok();
    server.paas(&["scale", "web=3", "-a", APP]).ok();
    until("web.3 has no machine", || {
        let shown = server.paas(&["ps", "-a", APP]).ok();
        (shown.contains("pending") && shown.contains("no machine has disk=hdd")).then_some(())
    });
    server.paas(&["nodes", "label", "edge-1", "disk=hdd"]).ok();
    until_ready(server, &["box", "box", "edge-1"]);
}

/// Has somebody visit the app while something is done, and fails unless each request is answered; how many
/// there were.
fn visited(server: &Server, done: impl FnOnce()) -> u32 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Relaxed) {
                assert_eq!(server.get(APP, "/").status, 200, "after {asked} requests");
                asked += 1;
            }
            asked
        });
        done();
        over.store(true, Relaxed);
        visitor.join().unwrap()
    })
}

fn nobody_fails_when_a_machine_is_lost(server: &Server, machine: &Machine) {
    let inside = Inside { server, app: APP, instance: &there(server) };
    let talked_to = inside.exec(&["--", "sleep", "7541"]).stderr(Stdio::piped()).spawn().unwrap();
    until("it runs", || (machine.programs("7541") > 0).then_some(()));
    let cut = Instant::now();
    machine.port().cut();
    let (mut asked, mut failed, mut longest) = (0, 0, Duration::ZERO);
    until("all are elsewhere", || {
        let begun = Instant::now();
        asked += 1;
        failed += u32::from(server.get(APP, "/").status != 200);
        longest = longest.max(begun.elapsed());
        (ready(server) == ["box"; 4]).then_some(())
    });
    assert_eq!(failed, 0, "of {asked} requests while a machine was lost");
    println!(
        "{:?} after a machine was cut off all instances were elsewhere; of {asked} requests none failed, the \
         longest took {longest:?}",
        cut.elapsed()
    );
    let told = talked_to.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(125));
    let told = String::from_utf8(told.stderr).unwrap();
    says(&told, &["the program is lost: node edge-1 is not reached", "hint:", "paas nodes"]);
    until("it is ended there", || (machine.programs("7541") == 0).then_some(()));
}

/// Lost is the one that the first of the new is on. The deploy goes on without it, or is undone; either way one
/// release serves at last, and it is the one that was told.
fn nobody_fails_when_a_machine_is_lost_in_a_deploy(server: &Server, machine: &Machine) {
    let folder = sources::server("third");
    let before = server.ps(APP)[0]["release"].clone();
    let is_new_there =
        |one: &serde_json::Value| one["node"] == "edge-1" && one["release"] != before;
    let asked = visited(server, || {
        let told = std::thread::scope(|scope| {
            let deploy = scope.spawn(|| server.deploy(APP, folder.path()));
            until("one of the new is there", || {
                server.ps(APP).iter().any(is_new_there).then_some(())
            });
            machine.port().cut();
            deploy.join().unwrap()
        });
        println!("a machine was lost in the middle of a deploy, which ended with {}", told.code);
        let page = if told.code == 0 { "third\n" } else { "second\n" };
        until("one release serves", || {
            (0..16).all(|_| server.page(APP, "/") == page).then_some(())
        });
        until_ready(server, &["box"; 4]);
    });
    println!("{asked} requests while a machine was lost in the middle of a deploy, none failed");
}

fn a_node_that_begins_anew_ends_what_nobody_talks_to(server: &Server, machine: &mut Machine) {
    let inside = Inside { server, app: APP, instance: &there(server) };
    let mut talked_to = inside.exec(&["--", "sleep", "7542"]).spawn().unwrap();
    until("it runs", || (machine.programs("7542") > 0).then_some(()));
    machine.kill9();
    assert_eq!(talked_to.wait().unwrap().code(), Some(125));
    machine.start(server);
    until("it is ended", || (machine.programs("7542") == 0).then_some(()));
}
