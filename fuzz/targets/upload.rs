//! Uploads: whatever an archive says, it stays in its folder and within its limits, and is unpacked
//! whole or not at all.
//!
//! Sums of headers are mended first, as no fuzzer guesses them. Only the reader is built, not the
//! daemon around it.

#![no_main]

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use libfuzzer_sys::fuzz_target;
use model::ByteSize;
use unpack::{UnpackLimits, unpack};

#[allow(dead_code, unused_imports, reason = "only sizes are of use here")]
#[path = "../../src/model/mod.rs"]
mod model;

#[allow(dead_code, reason = "the daemon does more with folders")]
#[path = "../../src/build/folder.rs"]
mod folder;

#[allow(dead_code, unused_imports, reason = "the daemon receives uploads over the network")]
#[path = "../../src/build/unpack/mod.rs"]
mod unpack;

/// As the daemon's own tree has it.
mod build {
    pub(crate) use crate::folder;
}

fuzz_target!(|bytes: &[u8]| {
    let mut archive = bytes.to_vec();
    mend(&mut archive);
    let home = tempfile::tempdir_in(memory()).unwrap();
    let canary = home.path().join("canary");
    fs::write(&canary, "alive").unwrap();
    let digests = ["tree", "again"].map(|name| {
        let into = home.path().join(name);
        let unpacked = unpack(archive.as_slice(), &into, &LIMITS);
        assert_eq!(unpacked.is_ok(), into.exists(), "whole or not at all");
        let source = unpacked.ok()?;
        let mut seen = Seen::default();
        look(&into, &mut seen);
        assert_eq!((seen.bytes, seen.files), (source.bytes.0, source.files));
        assert!(seen.bytes <= LIMITS.total.0);
        Some(source.digest)
    });
    assert_eq!(digests[0], digests[1]);
    assert_eq!(fs::read_to_string(canary).unwrap(), "alive");
    let left = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(left, if digests[0].is_some() { 3 } else { 1 }, "nothing beside the tree");
});

#[derive(Default)]
struct Seen {
    bytes: u64,
    files: u64,
}

fn look(folder: &Path, seen: &mut Seen) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stat = fs::symlink_metadata(&path).unwrap();
        assert!(!path.file_name().unwrap().as_encoded_bytes().starts_with(b".wh."));
        if stat.is_symlink() {
            continue;
        }
        assert_eq!(stat.mode() & 0o7000, 0, "{}", path.display());
        if stat.is_dir() {
            look(&path, seen);
        } else {
            assert!(stat.is_file() && stat.nlink() == 1, "{}", path.display());
            assert!(stat.len() <= LIMITS.file.0);
            seen.bytes += stat.len();
            seen.files += 1;
        }
    }
}

/// Gives every header that the archive would have the sum that it should have.
fn mend(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + 512) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        if sum == 8 * u32::from(b' ') {
            header[148..156].fill(0);
        } else {
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let size = std::str::from_utf8(&header[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap_or_default();
        at = at.saturating_add(512).saturating_add(size.min(1 << 20).next_multiple_of(512));
    }
}

/// A disk in memory, where there is one.
fn memory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}

const LIMITS: UnpackLimits = UnpackLimits {
    compressed: ByteSize(1 << 16),
    total: ByteSize(8192),
    file: ByteSize(4096),
    entries: 64,
    path: 300,
    depth: 8,
    ratio: 200,
    extension: 1024,
};
