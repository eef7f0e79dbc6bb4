//! How long a deploy takes, phase by phase: `make bench-deploy`.
//!
//! A real server, the real Docker, node-express. A round changes one line, runs `paas deploy`, and asks
//! the edge until the new text answers; all times count from the start of the command, so that
//! the client's own start-up is in them. `PAAS_BENCH_ROUNDS` sets how many rounds (20).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    reason = "a program for people at a terminal, which uses a part of what tests use"
)]

#[path = "../../tests/e2e/docker.rs"]
mod docker;
#[path = "../../tests/e2e/http.rs"]
mod http;
#[path = "../../tests/e2e/kept.rs"]
mod kept;
#[path = "../../tests/e2e/server.rs"]
mod server;
#[path = "../../tests/e2e/sources.rs"]
mod sources;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use server::Server;

const APP: &str = "bench-express";

fn main() {
    let rounds: usize =
        std::env::var("PAAS_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let server = Server::start();
    let source = sources::example("node-express");
    let mut figures = Figures::default();

    let cold = round(&server, source.path(), "cold", &mut Figures::default());
    println!("cold, base images present     {:>6} ms", cold.as_millis());
    for number in 1..=rounds {
        round(&server, source.path(), &format!("round {number}"), &mut figures);
    }
    for _ in 0..rounds.min(5) {
        figures.time("no change", || server.paas(&["deploy", path(source.path()), "-a", APP]).ok());
        figures.time("paas ps", || server.paas(&["ps", "-a", APP]).ok());
    }
    rollback(&server, rounds, &mut figures);
    println!("{:<29} {:>6} {:>9}   ms, of {rounds} rounds", "", "p50", "p95");
    for (name, times) in &mut figures.0 {
        times.sort_unstable();
        println!("{name:<29} {:>6} {:>9}", percentile(times, 50), percentile(times, 95));
    }
    let memory = server.info().unwrap()["memory"].as_u64().unwrap() >> 10;
    println!("resident memory of the daemon {memory:>6} KiB");
}

/// Changes the text, deploys it and waits until it answers; says how long that took.
fn round(server: &Server, source: &Path, text: &str, figures: &mut Figures) -> Duration {
    edit(source, text);
    server.api("POST", "/v1/apps", format!(r#"{{"name":"{APP}"}}"#).as_bytes());
    let started = Instant::now();
    let mut command = server.command(&["deploy", path(source), "-a", APP]);
    let deploy = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_says(server, text);
    let answered = started.elapsed();
    let output = deploy.wait_with_output().unwrap();
    figures.add("until the new text answers", answered);
    figures.add("until the command returns", started.elapsed());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for (phase, took) in phases(&said) {
        figures.add(&format!("  phase {phase}"), took);
    }
    answered
}

fn rollback(server: &Server, rounds: usize, figures: &mut Figures) {
    if rounds < 2 {
        return;
    }
    let started = Instant::now();
    server.paas(&["rollback", "-a", APP]).ok();
    until_says(server, &format!("round {}", rounds - 1));
    figures.add("rollback to the old text", started.elapsed());
}

/// The one line of the example that says what it answers.
fn edit(source: &Path, text: &str) {
    let file = source.join("server.js");
    let script = fs::read_to_string(&file).unwrap();
    let greeting = script.lines().find(|line| line.starts_with("const greeting")).unwrap();
    fs::write(file, script.replace(greeting, &format!("const greeting = '{text}';"))).unwrap();
}

fn until_says(server: &Server, text: &str) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(120) {
        let answer = server.try_get(APP, "/");
        if answer.is_ok_and(|answer| answer.status == 200 && answer.text().trim() == text) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{text} never answered");
}

/// Reads the command's own last account: `build 1.2 s, start 0.5 s, …`.
fn phases(said: &str) -> Vec<(String, Duration)> {
    let account = said.lines().rev().find(|line| line.contains("in all")).unwrap_or_default();
    account
        .split(',')
        .filter_map(|part| {
            let (name, seconds) = part.trim().strip_suffix(" s")?.rsplit_once(' ')?;
            Some((name.to_owned(), Duration::from_secs_f64(seconds.parse().ok()?)))
        })
        .collect()
}

/// Times by what was timed, in milliseconds.
#[derive(Default)]
struct Figures(BTreeMap<String, Vec<u128>>);

impl Figures {
    fn add(&mut self, name: &str, took: Duration) {
        self.0.entry(name.to_owned()).or_default().push(took.as_millis());
    }

    fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) {
        let started = Instant::now();
        work();
        self.add(name, started.elapsed());
    }
}

/// By nearest rank.
fn percentile(sorted: &[u128], percent: usize) -> u128 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
