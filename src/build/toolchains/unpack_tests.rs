//! Hostile and ordinary archives against `unpack`.

use super::*;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

/// One raw tar entry; the `tar` builder would refuse to write the hostile ones.
struct Entry<'a> {
    path: &'a str,
    kind: tar::EntryType,
    link: &'a str,
    mode: u32,
    body: &'a [u8],
}

fn file<'a>(path: &'a str, body: &'a [u8]) -> Entry<'a> {
    Entry { path, kind: tar::EntryType::Regular, link: "", mode: 0o644, body }
}

fn link<'a>(path: &'a str, to: &'a str) -> Entry<'a> {
    Entry { path, kind: tar::EntryType::Symlink, link: to, mode: 0o777, body: b"" }
}

fn packed(entries: &[Entry<'_>]) -> File {
    let mut gz =
        flate2::write::GzEncoder::new(tempfile::tempfile().unwrap(), flate2::Compression::fast());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let raw = header.as_old_mut();
        raw.name[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        raw.linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_size(entry.body.len() as u64);
        header.set_cksum();
        gz.write_all(header.as_bytes()).unwrap();
        gz.write_all(entry.body).unwrap();
        gz.write_all(&vec![0; (512 - entry.body.len() % 512) % 512]).unwrap();
    }
    gz.write_all(&[0; 1024]).unwrap();
    let mut file = gz.finish().unwrap();
    io::Seek::rewind(&mut file).unwrap();
    file
}

fn check(entries: &[Entry<'_>]) -> (tempfile::TempDir, Result<(), UnpackError>) {
    let dir = tempfile::tempdir().unwrap();
    let result = unpack(packed(entries), Format::TarGz, &Layout::Python, dir.path());
    (dir, result)
}

#[test]
fn an_ordinary_archive_keeps_links_and_modes() {
    let run = Entry { mode: 0o755, ..file("python/lib/run", b"#!") };
    let (dir, result) = check(&[
        file("python/bin/python3.12", b"elf"),
        link("python/bin/python3", "python3.12"),
        run,
    ]);
    result.unwrap();
    assert_eq!(fs::read(dir.path().join("bin/python3")).unwrap(), b"elf");
    let mode =
        |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("lib/run"), 0o755);
    assert_eq!(mode("bin/python3.12"), 0o755);
}

#[test]
fn hostile_archives_are_refused() {
    let device = Entry { kind: tar::EntryType::Char, ..file("python/null", b"") };
    let fifo = Entry { kind: tar::EntryType::Fifo, ..file("python/pipe", b"") };
    let hard = Entry { kind: tar::EntryType::Link, link: "/etc/shadow", ..file("python/x", b"") };
    let cases: Vec<Vec<Entry<'_>>> = vec![
        vec![file("python/../../escape", b"x")],
        vec![file("python//etc/x/../../../y", b"x")],
        vec![link("python/etc", "/etc")],
        vec![link("python/up", "../outside")],
        vec![link("python/a", "b"), file("python/a/file", b"x")],
        vec![link("python/a", "b"), link("python/a/c", "d")],
        vec![file("python/twice", b"1"), file("python/twice", b"2")],
        vec![link("python/twice", "x"), file("python/twice", b"2")],
        vec![device],
        vec![fifo],
        vec![hard],
    ];
    for entries in cases {
        let (dir, result) = check(&entries);
        assert!(result.is_err(), "{}", entries[0].path);
        assert!(!dir.path().parent().unwrap().join("escape").exists());
    }
}

#[test]
fn a_truncated_archive_is_refused() {
    let mut whole = Vec::new();
    packed(&[file("python/bin/python3", &[7; 4000])]).read_to_end(&mut whole).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&whole[..whole.len() / 2]).unwrap();
    io::Seek::rewind(&mut file).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(unpack(file, Format::TarGz, &Layout::Python, dir.path()).is_err());
}
