//! Whole ways: from a folder to a place that is another folder, and back.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
    sync::atomic::AtomicBool,
};

use tar::EntryType::{Block, Char, Link, Symlink};

use super::*;
use crate::backup::{pack, unpack};

static GO_ON: AtomicBool = AtomicBool::new(false);

struct Stage {
    home: tempfile::TempDir,
    depot: Depot,
}

impl Stage {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["place", "from"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        let depot = depot(&home, "ours.key");
        Self { home, depot }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A backup of that hour.
    fn send(&self, hour: u32) -> Backup {
        let shipment = Shipment {
            app: "shop".parse().unwrap(),
            volume: "data".parse().unwrap(),
            at: Timestamp::parse(&format!("2026-11-22T{hour:02}:30:00.5Z")).unwrap(),
            by: "root".parse().unwrap(),
            expected: ByteSize(0),
        };
        let from = self.path("from");
        self.depot.send(&shipment, |out| pack(&from, out), watch(&mut |_| {})).unwrap()
    }

    fn fetch(&self, depot: &Depot, backup: &Backup, into: &str) -> Result<(), BackupError> {
        let into = self.path(into);
        fs::create_dir(&into).unwrap();
        depot.fetch(backup, |tar| unpack(tar, &into, ByteSize(0)), watch(&mut |_| {}))
    }

    fn numbers(&self) -> Vec<u32> {
        let all = self.depot.list(&"shop".parse().unwrap(), &"data".parse().unwrap()).unwrap();
        all.iter().map(|backup| backup.number.0).collect()
    }

    fn prune(&self, keep: u32) -> Vec<BackupNumber> {
        let (app, volume) = ("shop".parse().unwrap(), "data".parse().unwrap());
        self.depot.prune(&app, &volume, BackupsKept(keep)).unwrap()
    }

    fn stored(&self, ending: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(self.path("place/shop/data")).unwrap();
        let paths = all.map(|entry| entry.unwrap().path());
        let mut found: Vec<_> =
            paths.filter(|path| path.display().to_string().ends_with(ending)).collect();
        found.sort();
        found
    }
}

fn depot(home: &tempfile::TempDir, keys: &str) -> Depot {
    let place = BackupPlace::Folder(home.path().join("place"));
    Depot::open(Some(&place), &home.path().join(keys)).unwrap()
}

fn watch(told: &mut (dyn FnMut(ByteSize) + Send)) -> Watch<'_> {
    Watch { told, stop: &GO_ON }
}

/// Something of everything that a volume may hold.
fn furnish(folder: &Path) {
    let long = format!("{}/{}", "long".repeat(30), "name".repeat(30));
    fs::create_dir_all(folder.join(&long)).unwrap();
    fs::write(folder.join(&long).join("file"), "text").unwrap();
    fs::write(folder.join("big"), vec![7_u8; 300_000]).unwrap();
    fs::set_permissions(folder.join("big"), Permissions::from_mode(0o4751)).unwrap();
    std::os::unix::fs::chown(folder.join("big"), Some(1234), Some(100_000)).unwrap();
    fs::hard_link(folder.join("big"), folder.join("same")).unwrap();
    symlink("/etc/passwd", folder.join("link")).unwrap();
    let holes = fs::File::create(folder.join("holes")).unwrap();
    holes.write_all_at(b"end", 100 << 20).unwrap();
    let made = Command::new("mkfifo").arg(folder.join("fifo")).status().unwrap();
    assert!(made.success());
    fs::create_dir(folder.join("sticky")).unwrap();
    fs::set_permissions(folder.join("sticky"), Permissions::from_mode(0o3775)).unwrap();
    let times = fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789));
    for name in ["big", "sticky", "."] {
        fs::File::open(folder.join(name)).unwrap().set_times(times).unwrap();
    }
}

/// All that can be seen of a folder, a line each.
fn seen(folder: &Path, finely: bool) -> String {
    let format = if finely { "%P %y %m %U:%G %s %l %n %T@\\n" } else { "%P %y %m %U:%G %l %n\\n" };
    let mut find = Command::new("find");
    // How large a folder is says more of the past than of what is in it.
    let listed = find
        .arg(folder)
        .args(["(", "-type", "d", "-printf"])
        .arg(format.replace("%s", ""))
        .args([")", "-o", "(", "-printf"])
        .arg(format)
        .arg(")")
        .output()
        .unwrap();
    assert!(listed.status.success());
    let text = String::from_utf8(listed.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn what_comes_back_is_what_was_sent() {
    let stage = Stage::new();
    furnish(&stage.path("from"));
    let backup = stage.send(3);
    assert_eq!((backup.number, stage.numbers()), (BackupNumber(1), vec![1]));
    assert_eq!(stage.send(3), backup, "one of the same moment is the same");
    assert!(backup.stored < ByteSize(10_000), "{backup:?}");
    stage.fetch(&stage.depot, &backup, "to").unwrap();
    assert_eq!(seen(&stage.path("to"), true), seen(&stage.path("from"), true));
    let of = |name: &str| fs::metadata(stage.path("to").join(name)).unwrap();
    assert_eq!(of("same").ino(), of("big").ino());
    assert!(of("holes").blocks() < 1000, "holes stay holes");
    assert_eq!(fs::read(stage.path("to/big")).unwrap(), vec![7_u8; 300_000]);
}

#[test]
fn age_zstd_and_tar_read_it_without_us_and_we_read_what_they_write() {
    let stage = Stage::new();
    furnish(&stage.path("from"));
    let backup = stage.send(3);
    let archive = stage.stored(".age").remove(0);
    fs::create_dir(stage.path("by-hand")).unwrap();
    let sh = |script: &str| {
        let ran = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .env("ARCHIVE", &archive)
            .env("KEY", &backup.key)
            .current_dir(stage.home.path())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    sh("age -d -i ours.key \"$ARCHIVE\" | zstd -d | tar x --numeric-owner -C by-hand");
    assert_eq!(seen(&stage.path("by-hand"), true), seen(&stage.path("from"), true));

    sh("tar c --numeric-owner -C from . | zstd | age -r \"$KEY\" > \"$ARCHIVE\"");
    let bytes = fs::read(&archive).unwrap();
    let stored = ByteSize(u64::try_from(bytes.len()).unwrap());
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let theirs = Backup { stored, sha256, ..backup };
    stage.fetch(&stage.depot, &theirs, "to").unwrap();
    assert_eq!(seen(&stage.path("to"), false), seen(&stage.path("from"), false));
}

#[test]
fn what_is_not_what_was_stored_is_not_restored() {
    let stage = Stage::new();
    furnish(&stage.path("from"));
    let backup = stage.send(3);
    let archive = stage.stored(".age").remove(0);
    let bytes = fs::read(&archive).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for (index, wrong) in [&bytes[..bytes.len() - 1], &bytes[..100], &flipped].iter().enumerate() {
        fs::write(&archive, wrong).unwrap();
        let refused = stage.fetch(&stage.depot, &backup, &format!("damaged{index}"));
        assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{index}: {refused:?}");
    }
    fs::write(&archive, &bytes).unwrap();
    let other = Backup { sha256: "00".to_owned(), ..backup.clone() };
    let refused = stage.fetch(&stage.depot, &other, "other");
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");

    // Another machine with the same place sees it, and reads it once it has the key.
    let theirs = depot(&stage.home, "theirs.key");
    let refused = stage.fetch(&theirs, &backup, "unkeyed");
    assert!(matches!(refused, Err(BackupError::Key { .. })), "{refused:?}");
    assert_eq!(theirs.list_all().unwrap(), std::slice::from_ref(&backup));
    theirs.keys().import(&stage.depot.keys().text().unwrap()).unwrap();
    stage.fetch(&theirs, &backup, "keyed").unwrap();

    fs::remove_file(&archive).unwrap();
    let refused = stage.fetch(&stage.depot, &backup, "missing");
    assert!(matches!(refused, Err(BackupError::Place { .. })), "{refused:?}");
}

#[test]
fn the_newest_stay_and_what_is_cut_counts_for_nothing() {
    let stage = Stage::new();
    for hour in 1..=4 {
        stage.send(hour);
    }
    // As after a daemon that died before it described one, and after one that died while removing.
    fs::remove_file(&stage.stored(".json")[3]).unwrap();
    assert_eq!(stage.numbers(), [3, 2, 1]);
    assert_eq!(stage.prune(5), Vec::<BackupNumber>::new());
    assert_eq!(stage.send(5).number, BackupNumber(5), "a number is not given again");
    assert_eq!(stage.stored(".age").len(), 4, "what was left is gone");
    assert_eq!(stage.prune(2), [BackupNumber(2), BackupNumber(1)]);
    assert_eq!((stage.numbers(), stage.stored("").len()), (vec![5, 3], 4));
    assert_eq!(stage.prune(0), [BackupNumber(3)], "the last good one stays whatever is asked");
}

#[test]
fn a_tar_that_leads_elsewhere_is_refused() {
    let stage = Stage::new();
    fs::write(stage.path("outside"), "ours").unwrap();
    let file = |name: &str| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header
    };
    let kind = |name: &str, kind, aim: &str| {
        let mut header = file(name);
        header.set_entry_type(kind);
        header.set_link_name_literal(aim).unwrap();
        header
    };
    let cases: Vec<Vec<tar::Header>> = vec![
        vec![file("../outside")],
        vec![file("/outside")],
        vec![kind("a", Symlink, ".."), file("a/outside")],
        vec![kind("a", Symlink, ".."), kind("a/b", Symlink, "x")],
        vec![kind("a", Link, "../outside")],
        vec![kind("a", Symlink, ".."), kind("b", Link, "a/outside")],
        vec![kind("a", Char, "")],
        vec![kind("a", Block, "")],
        vec![file("a"), file("a")],
        vec![kind("outside", Symlink, "../outside"), file("outside")],
    ];
    for (index, mut case) in cases.into_iter().enumerate() {
        let mut tar = tar::Builder::new(Vec::new());
        for header in &mut case {
            header.set_cksum();
            tar.append(header, std::io::empty()).unwrap();
        }
        let to = stage.path(&format!("to{index}"));
        fs::create_dir(&to).unwrap();
        let tar = tar.into_inner().unwrap();
        let refused = unpack(&*tar, &to, ByteSize(0));
        assert!(refused.is_err(), "case {index} was unpacked");
        assert_eq!(fs::read_to_string(stage.path("outside")).unwrap(), "ours");
    }
    let nothing = stage.fetch(&stage.depot, &stage.send(3), "plain");
    nothing.unwrap();
    let full = stage.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(stage.path("from/file"), "text").unwrap();
    let take = |tar: &mut dyn Read| unpack(tar, &full, ByteSize(u64::MAX));
    let refused = stage.depot.fetch(&stage.send(4), take, watch(&mut |_| {}));
    assert!(matches!(refused, Err(BackupError::Full { .. })), "{refused:?}");
}
