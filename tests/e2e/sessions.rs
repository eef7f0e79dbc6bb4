//! Programs beside an app's own: talked to over the real line, in the real container.

use std::{
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    inside::{Inside, end},
    server::{Server, run, says, until},
    sources,
};

fn exec(server: &Server, arguments: &[&str]) -> Command {
    let mut command = server.command(&[&["exec", "-a", "app"], arguments].concat());
    command.stdin(Stdio::null());
    command
}

/// How many programs of an app's container have `word` among their arguments.
pub(crate) fn programs(server: &Server, word: &str) -> usize {
    let containers = server.containers();
    let listed = containers.iter().map(|container| {
        let path = format!("/v1.41/containers/{}/top", container.id);
        let answer = crate::docker::ask("GET", &path).json();
        let rows = answer["Processes"].as_array().cloned().unwrap_or_default();
        rows.iter().filter(|row| row.to_string().contains(word)).count()
    });
    listed.sum()
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn programs_run_beside_an_app() {
    let mut server = Server::start();
    server.deploy("app", sources::example("static-site").path()).ok();
    let inside = Inside { server: &server, app: "app", instance: "web.1" };
    inside.programs_end_with_their_codes();
    who_is_meant_and_what_is_told(&server);
    inside.bytes_go_both_ways();
    a_slow_reader_holds_the_program_back(&server);
    inside.terminals_are_those_of_whoever_types();
    inside.a_port_is_reached("8080", "/about");
    nobody_is_left_behind(&mut server);
}

fn who_is_meant_and_what_is_told(server: &Server) {
    run(&mut exec(server, &["--", "true"])).ok();
    let told = run(&mut exec(server, &["web.9", "--", "true"])).ended(125);
    says(&told, &["error:", "no instance of app called web.9 runs", "hint:", "web.1"]);
    server.paas(&["exec", "-a", "app"]).ended(2);
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["exec in web.1: sh -c", "exec in web.1 ended with code 7", "session"]);
}

fn a_slow_reader_holds_the_program_back(server: &Server) {
    let before = resident(server.pid());
    let mut child = exec(server, &["--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut some = [0; 4096];
    for _ in 0..40 {
        stdout.read_exact(&mut some).unwrap();
        std::thread::sleep(Duration::from_millis(25));
    }
    let after = resident(server.pid());
    assert!(after < before + (24 << 20), "from {before} to {after} bytes");
    // A signal is not behind what nobody reads, and the program is gone with its client.
    end(&mut child, Signal::TERM);
    until("`yes` is gone", || (programs(server, "yes") == 0).then_some(()));
}

fn nobody_is_left_behind(server: &mut Server) {
    // A client that is killed: SIGHUP, and SIGKILL for who does not listen.
    let stubborn = "trap '' HUP; sleep 7531 & sleep 7531";
    let mut child = exec(server, &["--", "sh", "-c", stubborn]).spawn().unwrap();
    until("it runs", || (programs(server, "7531") >= 2).then_some(()));
    end(&mut child, Signal::KILL);
    until("it is gone", || (programs(server, "7531") == 0).then_some(()));
    let events = || server.paas(&["events", "-a", "app"]).ok();
    until("that is on record", || events().contains("its user was gone").then_some(()));
    // A daemon that is killed: the next one ends what it finds.
    let mut child = exec(server, &["--", "sleep", "7532"]).spawn().unwrap();
    until("it runs", || (programs(server, "7532") == 1).then_some(()));
    server.kill9();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    server.start_again(&[]);
    until("it is gone", || (programs(server, "7532") == 0).then_some(()));
    server.until_runs("app", &["web.1"]);
}
