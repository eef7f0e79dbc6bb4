//! Apps that come and go: afterwards Docker, the data folder and the daemon hold what they held before.
//!
//! `PAAS_CYCLES=100` for as many as it takes to see a small leak; a few are enough for a large one.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    docker,
    server::{Server, until},
    sources,
};

/// So many, unless it is told otherwise.
const CYCLES: u32 = 3;

#[test]
fn apps_that_come_and_go_leave_nothing() {
    let cycles = std::env::var("PAAS_CYCLES").ok().and_then(|count| count.parse().ok());
    let server = Server::start();
    let folder = sources::example("static-site");
    // The first one brings what stays for all: toolchains, connections, the allocator's arenas.
    cycle(&server, folder.path());
    let before = settled(&server, |_| true);
    let (memory, files, bytes) = (process(&server), open_files(&server), bytes_of(server.data()));
    for _ in 0..cycles.unwrap_or(CYCLES) {
        cycle(&server, folder.path());
    }
    settled(&server, |now| *now == before);
    println!("resident KiB {memory} → {}", process(&server));
    println!("open files {files} → {}", open_files(&server));
    println!("bytes in the data folder {bytes} → {}", bytes_of(server.data()));
    // Connections of the moment come and go; a leak of one a cycle shows at a hundred.
    assert!(open_files(&server) <= files + 20, "{files} open files became {}", open_files(&server));
    let grown = process(&server).saturating_sub(memory);
    assert!(grown < MEMORY_GROWTH, "the daemon has {grown} KiB more");
}

fn cycle(server: &Server, folder: &Path) {
    server.deploy("fly", folder).ok();
    assert_eq!(server.get("fly", "/").status, 200);
    server.paas(&["destroy", "-a", "fly", "--confirm", "fly"]).ok();
    assert_eq!(server.get("fly", "/").status, 404);
}

/// What there is, once that holds.
fn settled(server: &Server, holds: impl Fn(&BTreeMap<&str, Vec<String>>) -> bool) -> Left {
    let mut seen = Left::new();
    until("nothing more is there than before", || {
        let now = left(server);
        // What is swept is swept a little later.
        let calm = now == seen && now["containers"].is_empty() && now["images"].is_empty();
        let done = calm && holds(&now);
        seen = now;
        std::thread::sleep(std::time::Duration::from_millis(200));
        done.then(|| seen.clone())
    })
}

type Left = BTreeMap<&'static str, Vec<String>>;

fn left(server: &Server) -> Left {
    let installation = server.installation();
    let mut containers = docker::containers(&installation);
    containers.extend(docker::builders(&installation));
    let names = containers.into_iter().map(|one| one.name).collect();
    let mut files = Vec::new();
    walk(server.data(), server.data(), &mut |path, _| files.push(path));
    files.sort();
    let certificates = server.api("GET", "/v1/certificates", b"").text();
    let apps = server.api("GET", "/v1/apps", b"").text();
    Left::from([
        ("containers", names),
        ("images", of_apps(docker::images(&installation))),
        ("networks", docker::networks(&installation)),
        ("volumes", docker::volumes(&installation)),
        ("files", files),
        ("certificates", vec![certificates]),
        ("apps", vec![apps]),
    ])
}

/// The images of apps, without those that they are built on.
fn of_apps(images: Vec<String>) -> Vec<String> {
    images.into_iter().filter(|name| name.contains("fly")).collect()
}

/// All files with their sizes, but for those of the store, which has its own way of growing.
fn walk(root: &Path, folder: &Path, tell: &mut dyn FnMut(String, u64)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name.starts_with("store") {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => walk(root, &path, tell),
            Ok(metadata) => tell(name, metadata.len()),
            // It is gone by now.
            Err(_) => {}
        }
    }
}

fn bytes_of(data: &Path) -> u64 {
    let mut bytes = 0;
    walk(data, data, &mut |_, size| bytes += size);
    bytes
}

/// What the daemon has in memory, in KiB.
fn process(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// More than that is a leak: in KiB, with room for what a debug build keeps by and by.
const MEMORY_GROWTH: u64 = 60_000;
