//! A small real disk: an ext4 image on a loop device. What its mounted file system has not
//! written to the image is what a power cut takes away, so a copy of the image taken while it is
//! mounted is the disk after one; mounting the copy replays the journal as a restart would.
//! Needs root, `mkfs.ext4`, `mount` and loop devices, and says so where they are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

/// An image and the folder it is mounted on, in a temporary folder of their own.
#[derive(Debug)]
pub(crate) struct Disk {
    home: TempDir,
    /// Where the image is, if not in the same folder.
    behind: Option<PathBuf>,
}

impl Disk {
    /// Makes and mounts an empty disk of this many MiB.
    pub(crate) fn new(mebibytes: u64) -> Self {
        let disk = Self::unmounted();
        disk.make(mebibytes, &[]);
        disk.mount();
        disk
    }

    /// An empty disk that promises more than lies behind it: while something else fills
    /// [`Disk::behind`], writes to it fail as they do on a broken disk. Without a journal, because
    /// a file system that fails to write that stops for good.
    pub(crate) fn thin(mebibytes: u64) -> Self {
        let mut disk = Self::unmounted();
        let behind = disk.home.path().join("behind");
        fs::create_dir(&behind).expect("a mount point can be made");
        let size = format!("size={mebibytes}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&behind));
        disk.behind = Some(behind);
        disk.make(mebibytes, &["-O", "^has_journal"]);
        disk.mount();
        disk
    }

    /// The folder of a thin disk's image.
    pub(crate) fn behind(&self) -> &Path {
        self.behind.as_deref().expect("only thin disks are asked")
    }

    /// The disk as it is after a power cut at this moment, mounted.
    pub(crate) fn cut(&self) -> Self {
        let copy = Self::unmounted();
        fs::copy(self.image(), copy.image()).expect("the image can be copied");
        if self.behind.is_some() {
            // Without a journal to replay it needs a check, as it would get at boot. That it
            // finds something to repair is no failure.
            Command::new("e2fsck").args(["-fy"]).arg(copy.image()).output().expect(NEEDS);
        }
        copy.mount();
        copy
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("mounted")
    }

    fn unmounted() -> Self {
        // In memory where that is possible: copies are many, and the real disk is slow.
        let fast = Path::new("/dev/shm");
        let home = if fast.is_dir() { TempDir::new_in(fast) } else { TempDir::new() };
        let disk = Self { home: home.expect("a temporary folder can be made"), behind: None };
        fs::create_dir(disk.folder()).expect("a mount point can be made");
        disk
    }

    fn image(&self) -> PathBuf {
        self.behind.as_deref().unwrap_or(self.home.path()).join("image")
    }

    fn make(&self, mebibytes: u64, features: &[&str]) {
        let file = fs::File::create(self.image()).expect("the image can be made");
        file.set_len(mebibytes * 1024 * 1024).expect("the image can be sized");
        let mut command = Command::new("mkfs.ext4");
        // No reserved blocks: root, which runs this, would otherwise never see a full disk.
        run(command.args(["-q", "-F", "-m", "0"]).args(features).arg(self.image()));
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.folder()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that fails leaves files open; then the disk goes when they are closed.
        let how: &[&str] = if thread::panicking() { &["--lazy"] } else { &[] };
        for folder in [Some(self.folder()), self.behind.clone()].into_iter().flatten() {
            let unmounted = Command::new("umount").args(how).arg(folder).status();
            let gone = unmounted.is_ok_and(|status| status.success());
            // Otherwise the folder's own drop would delete files on a disk still in use.
            assert!(gone || thread::panicking(), "{self:?} does not unmount");
        }
    }
}

fn run(command: &mut Command) {
    let path = std::env::var("PATH").unwrap_or_default();
    let done = command.env("PATH", format!("{path}:/usr/sbin:/sbin")).output();
    let output = done.expect(NEEDS);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{NEEDS}: {command:?}: {stderr}");
}

const NEEDS: &str = "this test needs root, e2fsprogs, mount and loop devices";
