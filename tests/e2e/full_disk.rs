//! A full disk: said clearly, nothing lost, and over when there is room again.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    kept,
    server::{Server, Setup, says, until},
    sources,
};

/// A small disk of its own, in memory; needs root, as the daemon does.
struct Disk {
    home: tempfile::TempDir,
}

impl Disk {
    fn new(size: &str) -> Self {
        let disk = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir(disk.folder()).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "none"]);
        assert!(mount.arg(disk.folder()).status().unwrap().success(), "mount needs root");
        disk
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// What is large and never written again lies elsewhere, mounted where the daemon looks.
    fn borrow_supplies(&self, data: &Path) {
        kept::lend(self.home.path());
        for name in SUPPLIES {
            fs::create_dir(data.join(name)).unwrap();
            let mut mount = Command::new("mount");
            mount.arg("--bind").arg(self.home.path().join(name)).arg(data.join(name));
            assert!(mount.status().unwrap().success(), "mount needs root");
        }
    }

    /// Fills it but for so many bytes.
    fn fill(&self, leave: u64) -> PathBuf {
        let path = self.folder().join("ballast");
        let file = File::create(&path).unwrap();
        let flags = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&file, flags, 0, self.free().saturating_sub(leave)).unwrap();
        path
    }

    fn free(&self) -> u64 {
        let room = rustix::fs::statvfs(self.folder()).unwrap();
        room.f_bavail * room.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for name in SUPPLIES {
            let mounted = self.folder().join("data").join(name);
            Command::new("umount").arg("--lazy").arg(mounted).status().ok();
        }
        Command::new("umount").arg("--lazy").arg(self.folder()).status().ok();
    }
}

const SUPPLIES: [&str; 2] = ["stack", "toolchains"];

#[test]
fn a_full_disk_is_said_costs_nothing_and_is_forgotten() {
    let disk = Disk::new("800m");
    let data = disk.folder().join("data");
    fs::create_dir(&data).unwrap();
    disk.borrow_supplies(&data);
    let server = Server::starting(Setup { data: Some(data.clone()), ..Setup::default() });
    server.until_ready();
    server.deploy("app", sources::server("well").path()).ok();
    let before = (server.containers(), listing(&data.join("apps")));

    // An upload that does not fit.
    let ballast = disk.fill(8 << 20);
    let big = sources::server("big");
    let noise: Vec<u8> = (0..24_u64 << 20).map(|n| n.wrapping_mul(n).to_le_bytes()[1]).collect();
    fs::write(big.path().join("noise.bin"), noise).unwrap();
    let told = server.deploy("app", big.path()).ended(1);
    says(&told, &["error:", "no space left on the server's disk", "hint:", "df -h"]);
    until("nothing of it is left", || (listing(&data.join("apps")) == before.1).then_some(()));
    assert_eq!(server.containers(), before.0);
    assert_eq!(server.page("app", "/"), "well\n");

    // A build that writes until there is no room left for others.
    fs::remove_file(&ballast).unwrap();
    let free = disk.free();
    let greedy = sources::server("greedy");
    let package = r#"{"name":"app","version":"1.0.0","private":true,"scripts":{"start":"exec node app.js","build":"cat /dev/zero > zeros"}}"#;
    sources::write(greedy.path(), "package.json", package);
    let told = server.deploy("app", greedy.path()).ended(1);
    says(&told, &["no space left on the server's disk to build", "hint:", "v1 serves on"]);
    assert!(disk.free() + (32 << 20) > free, "what it wrote is gone again");
    assert_eq!(server.containers(), before.0);

    // Too little room to begin with.
    let ballast = disk.fill(16 << 20);
    let told = server.deploy("app", sources::server("small").path()).ended(1);
    says(&told, &["are free on the server's disk", "hint:", "paas status", "v1 serves on"]);
    assert_eq!(server.page("app", "/"), "well\n");

    // No room for a single byte: reads go on, writes are refused in words.
    fs::remove_file(&ballast).unwrap();
    let ballast = disk.fill(0);
    let mut refused = None;
    for number in 0..40 {
        let body = format!(r#"{{"name":"app-{number}"}}"#);
        let answer = server.api("POST", "/v1/apps", body.as_bytes());
        if answer.status != 200 && answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    if let Some(answer) = refused {
        assert_eq!(answer.status, 507, "{}", answer.text());
        says(&answer.text(), &["disk", "hint"]);
    }
    says(&server.paas(&["ps", "-a", "app"]).ok(), &["web.1"]);
    assert_eq!(server.page("app", "/"), "well\n");

    // Room again, and nobody restarts anything.
    fs::remove_file(&ballast).unwrap();
    until("changes are taken again", || {
        (server.paas(&["config", "set", "BACK=yes", "-a", "app"]).code == 0).then_some(())
    });
    assert_eq!(server.page("app", "/env/BACK"), "yes");
    server.deploy("app", sources::server("again").path()).ok();
    assert_eq!(server.page("app", "/"), "again\n");
}

/// The files and folders of uploads below `folder`, without what builds keep for the next one.
fn listing(folder: &Path) -> Vec<String> {
    let found = Command::new("find").arg(folder).args(["-maxdepth", "4"]).output().unwrap();
    let mut lines: Vec<String> =
        String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
