//! How long a deploy takes, phase by phase: `make bench-deploy`.
//!
//! A real server, the real Docker, an example of each kind. A round changes one line, runs `paas deploy`,
//! and asks the edge until the new text answers; all times count from the start of the command, so that
//! the client's own start-up is in them. `PAAS_BENCH_ROUNDS` sets how many rounds (20), `PAAS_BENCH_APPS`
//! which examples, with blanks between them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    reason = "a program for people at a terminal, which uses a part of what tests use"
)]

mod beside;
#[path = "../../tests/e2e/docker.rs"]
mod docker;
mod figures;
#[path = "../../tests/e2e/http.rs"]
mod http;
#[path = "../../tests/e2e/kept.rs"]
mod kept;
mod large;
#[path = "../../tests/acme/ports.rs"]
mod ports;
#[path = "../../tests/e2e/repository.rs"]
mod repository;
mod round;
#[path = "../../tests/e2e/server.rs"]
mod server;
#[path = "../../tests/e2e/sources.rs"]
mod sources;
mod weight;

use std::path::Path;

use figures::Figures;
use round::App;
use server::Server;

fn main() {
    let rounds: usize =
        std::env::var("PAAS_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let chosen = std::env::var("PAAS_BENCH_APPS").unwrap_or_else(|_| EXAMPLES.join(" "));
    let server = Server::start();
    for example in chosen.split_whitespace() {
        let mut app = App::new(example);
        let (mut cold, mut warm) = (Figures::default(), Figures::default());
        app.round(&server, &mut cold);
        for _ in 0..rounds {
            app.round(&server, &mut warm);
        }
        for _ in 0..rounds.min(10) {
            warm.time("no change", || app.deploy(&server));
        }
        if rounds > 1 {
            warm.time("rollback", || app.rollback(&server));
        }
        figures::print(example, &cold, &warm);
        let (image, bytes) = app.image(&server);
        let (whole, layers) = (bytes >> 20, weight::compressed(&image));
        let packed = layers.iter().sum::<u64>() >> 20;
        println!("  beyond the base image {whole} MiB, compressed {packed} MiB");
        println!("  its layers, compressed, in KiB: {}\n", kib(&layers));
    }
    large::run(&server, rounds.min(5));
    let memory = server.info().unwrap()["memory"].as_u64().unwrap() >> 10;
    println!("resident memory of the daemon {memory:>6} KiB\n");
    drop(server);
    beside::run(rounds);
}

fn kib(layers: &[u64]) -> String {
    layers.iter().map(|bytes| (bytes >> 10).to_string()).collect::<Vec<_>>().join(" ")
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

const EXAMPLES: [&str; 5] = ["node-express", "python-flask", "go-http", "rust-http", "static-site"];
