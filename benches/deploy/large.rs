//! A folder of 500 MB in which one line changes: what an upload costs that is mostly known already.

use std::{fs, thread, time::Duration, time::Instant};

use crate::{
    figures::{self, Figures},
    path,
    server::Server,
};

/// The first upload is cold; later ones change one line. An upload ends when the server has the source;
/// then there is the build, which has a page to make a layer of and lets the rest be.
pub(crate) fn run(server: &Server, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = fastrand::Rng::with_seed(4);
    for number in 0..FILES {
        let mut bytes = vec![0; SIZE];
        dice.fill(&mut bytes);
        let at = folder.path().join(format!("assets/{}", number % 10));
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join(format!("{number}.bin")), bytes).unwrap();
    }
    let (mut cold, mut warm) = (Figures::default(), Figures::default());
    server.api("POST", "/v1/apps", br#"{"name":"bench-large"}"#);
    for round in 0..=rounds {
        fs::write(folder.path().join("index.html"), format!("round {round}")).unwrap();
        let started = Instant::now();
        server.paas(&["deploy", path(folder.path()), "-a", "bench-large", "--detach"]).ok();
        let figures = if round == 0 { &mut cold } else { &mut warm };
        figures.add("upload", started.elapsed());
        while is_building(server) {
            thread::sleep(Duration::from_millis(10));
        }
        figures.add("until it is built", started.elapsed());
    }
    figures::print("500 MB, one line changed", &cold, &warm);
}

fn is_building(server: &Server) -> bool {
    let all = server.api("GET", "/v1/apps/bench-large/builds", b"").json();
    let is_open = |build: &serde_json::Value| build["finished_at"].is_null();
    all.as_array().unwrap().iter().any(is_open)
}

const FILES: usize = 1000;
const SIZE: usize = 500_000;
