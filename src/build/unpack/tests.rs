//! Hostile and damaged uploads, one case for each rule; and that honest ones come out as they were.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::{
    forge::{Forge, gzip},
    *,
};
use crate::model::ByteSize;

fn limits() -> UnpackLimits {
    UnpackLimits {
        entries: 20,
        file: ByteSize(10_000),
        total: ByteSize(15_000),
        ..Default::default()
    }
}

/// Unpacks; on refusal, nothing may be left, neither in the tree's place nor beside it.
fn attempt(upload: &[u8], limits: &UnpackLimits) -> Result<Source, String> {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("canary"), "alive").unwrap();
    let into = home.path().join("tree");
    let unpacked = unpack(upload, &into, limits);
    assert_eq!(fs::read_to_string(home.path().join("canary")).unwrap(), "alive");
    let left = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(left, if unpacked.is_ok() { 2 } else { 1 });
    unpacked.map_err(|error| {
        assert!(error.hint().is_some());
        error.to_string()
    })
}

#[test]
fn hostile_entries_are_refused_by_name_and_rule() {
    let new = Forge::default;
    let kind = |kind, name: &[u8]| new().entry(kind, name, b"", b"");
    let cases = [
        (new().file("/etc/passwd", b""), "`/etc/passwd` has an absolute path"),
        (new().file("../canary", b"x"), "`../canary` has `..` in its path"),
        (new().file("a/../../canary", b"x"), "`a/../../canary` has `..` in its path"),
        (new().pax("path", b"a\0b").file("x", b""), "`a\\0b` has a NUL byte in its name"),
        (new().pax("path", &[b'a'; 3000]).file("x", b""), "has a path that is too long"),
        (new().pax("path", "d/".repeat(70).as_bytes()).file("x", b""), "is nested too deeply"),
        (new().file("a/.wh.b", b""), "has a name that would hide files of the image"),
        (kind(EntryType::Char, b"null"), "`null` is a device, a pipe or of an unknown kind"),
        (kind(EntryType::Block, b"sda"), "`sda` is a device, a pipe or of an unknown kind"),
        (kind(EntryType::Fifo, b"pipe"), "`pipe` is a device, a pipe or of an unknown kind"),
        (kind(EntryType::new(b'z'), b"odd"), "`odd` is a device, a pipe or of an unknown kind"),
        (kind(EntryType::GNUSparse, b"holes"), "`holes` is a sparse file"),
        (new().pax("GNU.sparse.major", b"1").file("x", b""), "is a sparse file"),
        (
            new().entry(EntryType::Link, b"hard", b"../canary", b""),
            "`hard` is a hard link to something that is not a file of the upload",
        ),
        (
            new().entry(EntryType::Link, b"hard", b"/etc/passwd", b""),
            "`hard` is a hard link to something that is not a file of the upload",
        ),
        (
            new().link("l", "..").entry(EntryType::Link, b"hard", b"l/canary", b""),
            "`hard` is a hard link to something that is not a file of the upload",
        ),
        (new().link("l", "..").file("l/canary", b"x"), "`l/canary` leads through something"),
        (new().link("l", "/etc").file("l/d/x", b"x"), "`l/d/x` leads through something"),
        (new().file("f", b"").file("f/x", b""), "`f/x` leads through something"),
        (new().file("f", b"").file("f", b"x"), "`f` occurs twice"),
        (new().link("f", "x").file("./f", b"x"), "`./f` occurs twice"),
        (new().entry(EntryType::Directory, b"d/", b"", b"").file("d", b""), "`d` occurs twice"),
        (new().file("big", &[7; 10_001]), "`big` is larger than one file may be"),
        (
            new().pax("comment", &vec![b'x'; 70_000]).file("x", b""),
            "has an extended header that is too large",
        ),
        (
            new().pax("size", b"100").file("x", b"abc"),
            "`x` has an extended header that contradicts it",
        ),
        (
            new().entry(EntryType::XHeader, b"p", b"", b"99 path=x\n"),
            "`p` has an extended header that contradicts it",
        ),
        (
            new().entry(EntryType::XGlobalHeader, b"g", b"", b"9 path=x\n").file("y", b""),
            "`g` has an extended header that contradicts it",
        ),
    ];
    check(cases);
}

#[test]
fn too_much_of_anything_is_refused() {
    let new = Forge::default;
    check([
        (
            (0..21).fold(new(), |forge, n| forge.file(&format!("{n}"), b"")),
            "it has more than 20 entries",
        ),
        (new().file("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v", b""), "more than 20 entries"),
        (
            new().file("a", &[7; 9000]).file("b", &[7; 9000]),
            "its files are larger than 14.6 KiB together",
        ),
        (
            new().file("a", &[7; 9000]).entry(EntryType::Link, b"b", b"a", b""),
            "its files are larger than 14.6 KiB together",
        ),
    ]);
}

fn check<const N: usize>(cases: [(Forge, &str); N]) {
    for (forge, expected) in cases {
        for upload in [forge.clone().end(), forge.gzip()] {
            let error = attempt(&upload, &limits()).expect_err(expected);
            assert!(error.contains(expected), "{error}\ndoes not say: {expected}");
        }
    }
}

#[test]
fn an_upload_cut_anywhere_or_changed_is_noticed() {
    let forge = Forge::default().file("a", &[1; 700]).file("b", b"text").link("c", "b");
    let archive = forge.clone().end();
    // A whole archive ends with a block of zeros; the second one is a courtesy.
    for length in (0..archive.len() - 512).step_by(37) {
        assert!(attempt(&archive[..length], &limits()).is_err(), "{length}");
    }
    let whole = attempt(&archive, &limits());
    let packed = forge.gzip();
    for length in (0..packed.len()).step_by(3) {
        assert!(attempt(&packed[..length], &limits()).is_err(), "{length}");
    }
    for at in (10..packed.len()).step_by(3) {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        // A changed bit may choose another of two equal ways to write the same bytes.
        let unpacked = attempt(&damaged, &limits());
        assert!(unpacked.is_err() || unpacked == whole, "{at}");
    }
    let trailing = [packed.as_slice(), b"more"].concat();
    assert!(attempt(&trailing, &limits()).unwrap_err().contains("damaged"));
    assert_eq!(
        attempt(&[b'x'; 600], &limits()).unwrap_err(),
        "the upload is not a tar archive, plain or gzip"
    );
}

#[test]
fn bombs_are_stopped_early() {
    let zeros = vec![0; 40 << 20];
    let roomy = UnpackLimits { file: ByteSize(1 << 30), ..Default::default() };
    let bomb = Forge::default().file("zeros", &zeros).gzip();
    let error = attempt(&bomb, &roomy).unwrap_err();
    assert!(error.contains("200 times its size"), "{error}");
    let small = UnpackLimits { compressed: ByteSize(1000), ..Default::default() };
    let error = attempt(&Forge::default().file("a", &[0; 5000]).end(), &small).unwrap_err();
    assert!(error.contains("it is larger than 1000 B"), "{error}");
    // A header that promises what does not follow.
    let promise = Forge::default().sized(EntryType::Regular, b"x", b"", b"", 1 << 29);
    assert!(attempt(&promise.0, &roomy).unwrap_err().contains("ended before"));
    // And one that promises more than there can be.
    let boast = Forge::default().sized(EntryType::Regular, b"x", b"", b"", u64::MAX);
    assert!(attempt(&boast.0, &roomy).unwrap_err().contains("damaged"));
}

/// A file system of one mebibyte; needs root, as Docker does.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let at = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "tmpfs"]).arg(at.path());
        assert!(mount.status().unwrap().success());
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_on_it() {
    let disk = SmallDisk::new();
    let into = disk.0.path().join("tree");
    let noise: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let bytes = Forge::default().file("a", &noise).end();
    let files = (0..200).fold(Forge::default(), |forge, n| forge.file(&format!("{n}"), b"")).end();
    for upload in [bytes, files] {
        let error = unpack(upload.as_slice(), &into, &UnpackLimits::default()).unwrap_err();
        assert!(matches!(error, UnpackError::DiskFull), "{error:?}");
        assert_eq!(fs::read_dir(disk.0.path()).unwrap().count(), 0);
    }
    let fits = Forge::default().file("a", b"text").end();
    unpack(fits.as_slice(), &into, &UnpackLimits::default()).unwrap();
}

#[test]
fn what_comes_out_is_the_apps_and_plain() {
    let home = tempfile::tempdir().unwrap();
    let into = home.path().join("tree");
    let upload = Forge::default()
        .file("dir/run", b"#!/bin/sh")
        .entry(EntryType::Link, b"dir/again", b"dir/run", b"")
        .link("out", "/etc/passwd")
        .pax("SCHILY.xattr.security.capability", b"all")
        .entry(EntryType::Regular, b"\xff\xfe", b"", b"raw name")
        .gzip();
    let source = unpack(upload.as_slice(), &into, &UnpackLimits::default()).unwrap();
    assert_eq!((source.files, source.bytes), (3, ByteSize(26)));
    let run = fs::metadata(into.join("dir/run")).unwrap();
    assert_eq!((run.mode() & 0o7777, run.nlink()), (0o755, 1));
    assert_eq!(fs::read(into.join("dir/again")).unwrap(), b"#!/bin/sh");
    assert_eq!(fs::read_link(into.join("out")).unwrap(), Path::new("/etc/passwd"));
    assert!(into.join(OsStr::from_bytes(b"\xff\xfe")).exists());
    if rustix::process::geteuid().is_root() {
        for path in ["", "dir", "dir/run", "out"] {
            let stat = fs::symlink_metadata(into.join(path)).unwrap();
            assert_eq!((stat.uid(), stat.gid()), (1000, 1000), "{path}");
        }
    }
}

#[test]
fn the_digest_is_of_names_modes_and_contents_only() {
    let digest = |forge: Forge| attempt(&forge.end(), &limits()).unwrap().digest;
    let new = Forge::default;
    let plain = digest(new().file("a/x", b"1").file("b", b"2"));
    let folder = |forge: Forge| forge.entry(EntryType::Directory, b"./a/", b"", b"");
    assert_eq!(plain, digest(folder(new()).file("./b", b"2").file("./a/x", b"1")));
    assert_eq!(plain, digest(folder(new().file("a/x", b"1")).file("b", b"2")));
    for other in [
        new().file("a/x", b"1").file("b", b"3"),
        new().file("a/y", b"1").file("b", b"2"),
        new().file("a/x", b"1").link("b", "2"),
        new().file("a/x", b"1"),
        new().file("a/x", b"1").file("b", b"2").entry(EntryType::Directory, b"c", b"", b""),
    ] {
        assert_ne!(plain, digest(other));
    }
}

#[tokio::test]
async fn a_sender_that_goes_away_is_not_the_end() {
    let home = tempfile::tempdir().unwrap();
    let upload = Forge::default().file("a", &[1; 5000]).gzip();
    let pieces = |bytes: &[u8]| -> Vec<std::io::Result<bytes::Bytes>> {
        bytes.chunks(100).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect()
    };
    let whole = futures_util::stream::iter(pieces(&upload));
    let into = home.path().join("whole");
    receive(whole, into.clone(), None, UnpackLimits::default()).await.unwrap();
    assert_eq!(fs::read(into.join("a")).unwrap(), [1; 5000]);
    let mut broken = pieces(&upload[..upload.len() / 2]);
    broken.push(Err(std::io::ErrorKind::ConnectionReset.into()));
    let into = home.path().join("broken");
    let error =
        receive(futures_util::stream::iter(broken), into.clone(), None, UnpackLimits::default());
    assert_eq!(error.await.unwrap_err().to_string(), "the upload broke off");
    assert!(!into.exists());
}

/// A tree as proptest makes it: path → contents and executable, or link.
#[derive(Debug, Clone)]
enum Made {
    File(Vec<u8>),
    Link(String),
}

fn trees() -> impl Strategy<Value = BTreeMap<String, Made>> {
    let name = "[a-c]{1,2}(/[d-f \u{e9}]{1,60}){0,3}";
    let made = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Made::File),
        1 => "[a-z./]{1,150}".prop_map(Made::Link),
    ];
    proptest::collection::btree_map(name, made, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_survives_the_way(tree in trees()) {
        // A file cannot be a folder too.
        let is_above = |path: &str| tree.keys().any(|other| other.starts_with(&format!("{path}/")));
        let tree: BTreeMap<_, _> =
            tree.iter().filter(|(path, _)| !is_above(path)).collect();
        let mut builder = tar::Builder::new(Vec::new());
        for (path, made) in &tree {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            match made {
                Made::File(contents) => {
                    header.set_size(contents.len() as u64);
                    builder.append_data(&mut header, path, contents.as_slice()).unwrap();
                }
                Made::Link(target) => {
                    header.set_size(0);
                    header.set_entry_type(EntryType::Symlink);
                    builder.append_link(&mut header, path, target).unwrap();
                }
            }
        }
        let archive = builder.into_inner().unwrap();
        let home = tempfile::tempdir().unwrap();
        let limits = UnpackLimits::default();
        let plain = unpack(archive.as_slice(), &home.path().join("plain"), &limits).unwrap();
        let packed = gzip(&archive);
        let packed = unpack(packed.as_slice(), &home.path().join("packed"), &limits).unwrap();
        prop_assert_eq!(plain, packed);
        for (path, made) in tree {
            let path = home.path().join("plain").join(path);
            match made {
                Made::File(contents) => prop_assert_eq!(&fs::read(path).unwrap(), contents),
                Made::Link(target) => {
                    prop_assert_eq!(fs::read_link(path).unwrap(), Path::new(target));
                }
            }
        }
    }
}
