//! Uploads that name files of the upload before: the same tree comes out, or nothing.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

use sha2::{Digest, Sha256};
use tar::EntryType;

use super::{forge::Forge, *};

const TREE: &str = "sha256-one";
const LONG: &[u8] = &[b'x'; 5000];

/// An app's uploads, with one in it: `a`, `bin/run`, `empty`, `far/b`.
struct Uploads {
    home: tempfile::TempDir,
    first: Source,
}

fn digits(content: &[u8]) -> Vec<u8> {
    hex::encode(Sha256::digest(content)).into_bytes()
}

impl Forge {
    fn reference(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::new(b'R'), name.as_bytes(), b"", &digits(content)).plain()
    }

    /// The forge makes everything a program.
    fn plain(mut self) -> Self {
        let at = self.0.len() - 1024;
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&self.0[at..at + 512]);
        header.set_mode(0o644);
        header.set_cksum();
        self.0[at..at + 512].copy_from_slice(header.as_bytes());
        self
    }
}

impl Uploads {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let archive = Forge::default()
            .file("a", b"first")
            .plain()
            .file("bin/run", b"run")
            .entry(EntryType::Regular, b"empty", b"", b"")
            .file("far/b", LONG)
            .end();
        let tree = home.path().join(TREE);
        let first = unpack(archive.as_slice(), &tree, &UnpackLimits::default()).unwrap();
        first.index.keep(home.path(), TREE).unwrap();
        Self { home, first }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn amend(&self, archive: Forge) -> Result<Source, UnpackError> {
        let (into, archive) = (self.path("new"), archive.end());
        let limits = UnpackLimits::default();
        let outcome = unpack_onto(archive.as_slice(), &into, Some(self.home.path()), &limits);
        assert_eq!(into.exists(), outcome.is_ok(), "it is there whole or not at all");
        outcome
    }

    /// Refers to `a` alone, of which something was changed behind our back.
    #[track_caller]
    fn lacks(&self) {
        let outcome = self.amend(Forge::default().reference("a", b"first"));
        assert!(matches!(outcome, Err(UnpackError::Lacking { files: 1 })), "{outcome:?}");
    }
}

#[test]
fn what_is_named_and_what_is_sent_become_the_same_tree() {
    let uploads = Uploads::new();
    let named = Forge::default()
        .reference("a", b"first")
        .entry(EntryType::new(b'R'), b"bin/run", b"", &digits(b"run"))
        .entry(EntryType::new(b'R'), b"empty", b"", &digits(b""))
        .file("far/b", b"changed")
        .entry(EntryType::new(b'R'), b"moved/b", b"", &digits(LONG))
        .reference("plain", b"run");
    let amended = uploads.amend(named).unwrap();
    let whole = Forge::default()
        .file("a", b"first")
        .plain()
        .file("bin/run", b"run")
        .entry(EntryType::Regular, b"empty", b"", b"")
        .file("far/b", b"changed")
        .file("moved/b", LONG)
        .file("plain", b"run")
        .plain()
        .end();
    let whole = unpack(whole.as_slice(), &uploads.path("whole"), &UnpackLimits::default()).unwrap();
    assert_eq!(amended, whole, "digest, bytes, files and the list of contents");

    let read = |name: &str| fs::read(uploads.path("new").join(name)).unwrap();
    assert_eq!(read("a"), b"first");
    assert_eq!(read("far/b"), b"changed");
    assert_eq!(read("moved/b"), LONG);
    let stat = |tree: &str, name: &str| uploads.path(tree).join(name).metadata().unwrap();
    assert_eq!(stat("new", "moved/b").ino(), stat(TREE, "far/b").ino(), "nothing was copied");
    assert_ne!(stat("new", "plain").ino(), stat(TREE, "bin/run").ino(), "another mode");
    assert_eq!(stat("new", "plain").permissions().mode() & 0o777, 0o644);
    assert_eq!(stat(TREE, "bin/run").permissions().mode() & 0o777, 0o755);

    // The earlier tree may go; the later one keeps what it has.
    discard(&uploads.path(TREE));
    assert_eq!(read("moved/b"), LONG);
}

#[test]
fn what_is_not_there_is_counted_and_nothing_stays() {
    let uploads = Uploads::new();
    let some = Forge::default().reference("a", b"first").reference("b", b"?").reference("c", b"!");
    let outcome = uploads.amend(some);
    assert!(matches!(outcome, Err(UnpackError::Lacking { files: 2 })), "{outcome:?}");

    fs::write(uploads.path(TREE).join("a"), "shorter or longer").unwrap();
    uploads.lacks();
    fs::remove_file(uploads.path(TREE).join("a")).unwrap();
    uploads.lacks();
    std::os::unix::fs::symlink("bin/run", uploads.path(TREE).join("a")).unwrap();
    uploads.lacks();
}

#[test]
fn a_list_that_does_not_count_is_no_list() {
    let uploads = Uploads::new();
    let index = uploads.path(INDEX);
    let list = fs::read(&index).unwrap();
    let head = list.iter().position(|byte| *byte == 0).unwrap();
    let boot = String::from_utf8(list[..head].to_vec()).unwrap();
    let boot = boot.split_once(' ').unwrap().0.to_owned();
    let rest = &list[head..];
    for head in ["another-boot sha256-one".to_owned(), format!("{boot} ../x"), String::new()] {
        fs::write(&index, [head.as_bytes(), rest].concat()).unwrap();
        uploads.lacks();
    }
    // Nor does a list lead out of the tree.
    fs::write(uploads.path("outside"), "first").unwrap();
    let out = [digits(b"first").as_slice(), b" 5 file ../outside\0"].concat();
    fs::write(&index, [format!("{boot} {TREE}\0").as_bytes(), &out].concat()).unwrap();
    uploads.lacks();
    fs::remove_file(&index).unwrap();
    uploads.lacks();
}

#[test]
fn a_reference_is_judged_like_a_file() {
    let uploads = Uploads::new();
    let kind = "is a device, a pipe or of an unknown kind";
    let reference = |name: &str, digits: &[u8]| {
        Forge::default().entry(EntryType::new(b'R'), name.as_bytes(), b"", digits)
    };
    let cases = [
        (Forge::default().reference("../canary", b"first"), "`..` in its path"),
        (Forge::default().reference("/a", b"first"), "absolute path"),
        (Forge::default().reference(".wh.a", b"first"), "would hide files"),
        (Forge::default().reference("a", b"first").reference("a", b"first"), "occurs twice"),
        (Forge::default().link("d", "/etc").reference("d/a", b"first"), "not a folder"),
        (reference("a", &digits(b"first")[1..]), kind),
        (reference("a", &[b'g'; 64]), kind),
        (reference("a", b""), kind),
    ];
    for (archive, expected) in cases {
        let error = uploads.amend(archive).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} is not {expected}");
    }
    let limits = UnpackLimits { total: crate::model::ByteSize(5001), ..UnpackLimits::default() };
    let archive = Forge::default().reference("a", b"first").reference("b", LONG).end();
    let much =
        unpack_onto(archive.as_slice(), &uploads.path("new"), Some(uploads.home.path()), &limits);
    assert!(much.unwrap_err().is_too_large());
    // Elsewhere nothing may be referred to.
    let archive = Forge::default().reference("a", b"first").end();
    let error = unpack(archive.as_slice(), &uploads.path("new"), &UnpackLimits::default());
    assert!(error.unwrap_err().to_string().contains(kind));
    assert_eq!(uploads.first.files, 4);
}
