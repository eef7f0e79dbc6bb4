//! The stack: made for real from this host's Debian mirror once, and its rules with small tars.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "e2e/kept.rs"]
#[expect(dead_code, reason = "of what is kept, this test needs only the lock")]
mod kept;

use paas::build::stack::{Origin, Progress, Stack, StackError};
use std::io::Read;
use std::path::{Path, PathBuf};

fn small_tar(path: &Path, package: &str) -> PathBuf {
    let mut tar = tar::Builder::new(std::fs::File::create(path).unwrap());
    let status = format!("Package: {package}\nVersion: 1.0\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(status.len() as u64);
    tar.append_data(&mut header, "var/lib/dpkg/status", status.as_bytes()).unwrap();
    tar.finish().unwrap();
    path.to_owned()
}

fn tars(dir: &Path) -> Origin {
    let run = small_tar(&dir.join("a.tar"), "bash");
    let build = small_tar(&dir.join("b.tar"), "gcc");
    Origin::Tars { run, build, how: "by a test".into() }
}

#[tokio::test]
async fn a_stack_is_kept_and_found_again() {
    let (given, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stack = Stack::at(dir.path());
    assert_eq!(stack.present(), None);
    let made = stack.ensure(tars(given.path()), &|_| ()).await.unwrap();
    assert_eq!(made.build.packages["gcc"], "1.0");
    assert_eq!((made.distro_name, made.distro_version), ("debian", "13"));
    assert_eq!(Stack::at(dir.path()).present(), Some(made.clone()));
    // Present already, so this origin is not even looked at.
    let again = Origin::Host { apt: "/nowhere".into() };
    assert_eq!(stack.ensure(again, &|_| ()).await.unwrap(), made);
}

#[tokio::test]
async fn what_a_crash_leaves_does_not_count() {
    let (given, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(dir.path().join(".unfinished-temp")).unwrap();
    std::fs::write(dir.path().join("run-0123.tar"), "old").unwrap();
    std::fs::write(dir.path().join("manifest.json"), "{\"version\":1").unwrap();
    let stack = Stack::at(dir.path());
    assert_eq!(stack.present(), None);
    let made = stack.ensure(tars(given.path()), &|_| ()).await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    std::fs::write(&made.run.tar, "cut").unwrap();
    assert_eq!(stack.present(), None, "a tar of another size is not the one that was made");
}

#[tokio::test]
async fn a_dead_mirror_says_what_to_do() {
    let (apt, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let origin = Origin::Host { apt: apt.path().to_owned() };
    let line = "deb http://127.0.0.1:9/debian trixie main\n";
    std::fs::write(apt.path().join("sources.list"), line).unwrap();
    let error = Stack::at(dir.path()).ensure(origin, &|_| ()).await.unwrap_err();
    assert!(matches!(error, StackError::Mirror { .. }), "{error}");
    assert!(error.hint().contains("apt-get update"));
}

/// Whether any process works for this folder.
fn busy(dir: &Path) -> bool {
    let wanted = dir.to_str().unwrap().as_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.flat_map(|process| std::fs::read(process.path().join("cmdline")));
    lines.into_iter().any(|line| line.windows(wanted.len()).any(|part| part == wanted))
}

#[tokio::test]
async fn a_run_that_is_cut_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let (stack, begun) = (Stack::at(dir.path()), tokio::sync::Notify::new());
    // No mirror here, so Debian's own are used, as on Ubuntu.
    let origin = Origin::Host { apt: dir.path().join("none") };
    let told = |progress| {
        if matches!(progress, Progress::Step { .. }) {
            begun.notify_one();
        }
    };
    tokio::select! {
        made = stack.ensure(origin, &told) => panic!("ended before its first step: {made:?}"),
        () = begun.notified() => assert!(busy(dir.path())),
    }
    while busy(dir.path()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(stack.present(), None);
}

/// Makes the real stack, in a folder that outlives the test: only the first run takes a minute,
/// and the end-to-end tests use the same folder.
#[tokio::test]
async fn the_real_stack_is_debian_13_and_knows_nothing_of_this_host() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stack");
    let _turn = kept::turn();
    let origin = Origin::Host { apt: "/etc/apt".into() };
    let set = Stack::at(&dir).ensure(origin, &|progress| eprintln(&progress)).await.unwrap();
    assert!(set.run.packages["python3"].starts_with("3.13"));
    assert!(set.build.packages.contains_key("gcc"));
    assert!(set.run.size < 160_000_000, "{}", set.run.size);
    let mirror = set.made_how.rsplit(' ').next().unwrap();
    let mut found = std::collections::BTreeSet::new();
    let mut tar = tar::Archive::new(std::fs::File::open(&set.run.tar).unwrap());
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        if path.starts_with("etc/apt/") || path == "etc/resolv.conf" || path == "etc/hostname" {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap_or_default();
            assert!(!text.contains(mirror), "{path}");
            assert!(path.starts_with("etc/apt/") || text.is_empty(), "{path}");
        }
        if path == "home/app/" {
            assert_eq!(entry.header().uid().unwrap(), 1000);
        }
        found.insert(path);
    }
    for expected in
        ["home/app/", "usr/bin/python3.13", "usr/bin/bash", "etc/ssl/certs/ca-certificates.crt"]
    {
        assert!(found.contains(expected), "{expected}");
    }
    assert!(!found.iter().any(|path| path.starts_with("var/lib/apt/lists/d")), "apt lists");
}

#[allow(clippy::print_stderr, reason = "a minute of silence looks like a hang")]
fn eprintln(progress: &Progress) {
    eprintln!("{progress:?}");
}
