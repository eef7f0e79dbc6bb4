//! Takes from a program what no run of it reads: the symbols and debugging notes at its end.
//!
//! Not `strip` of binutils, which a server need not have: what the kernel and the loader read lies in
//! segments, and whatever follows the last of them goes, the table of sections with it. Invariant: a
//! file that is no 64-bit ELF program of the usual shape stays as it is.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Shortens the program at `path`, which is followed through no link.
pub(crate) fn strip(path: &Path) -> io::Result<()> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(nofollow).open(path)?;
    let length = file.metadata()?.len();
    let mut head = vec![0; usize::try_from(length.min(HEAD)).unwrap_or_default()];
    file.read_exact_at(&mut head, 0)?;
    let Some(end) = end(&head).filter(|end| *end < length) else { return Ok(()) };
    // Without the table first: cut short in between, the program still runs.
    file.write_all_at(&[0; 8], TABLE_AT)?;
    file.write_all_at(&[0; 4], TABLE_LENGTH_AT)?;
    file.set_len(end)
}

/// Where the last segment ends; `None` if the file is nothing that we know.
fn end(head: &[u8]) -> Option<u64> {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (at, size) = (u64_at(head, 32)?, u64::from(u16_at(head, 54)?));
    let count = u64::from(u16_at(head, 56)?);
    let mut end = at.checked_add(size.checked_mul(count)?)?;
    for index in 0..count {
        let segment = usize::try_from(at.checked_add(index.checked_mul(size)?)?).ok()?;
        let (start, length) =
            (u64_at(head, segment.checked_add(8)?)?, u64_at(head, segment.checked_add(32)?)?);
        end = end.max(start.checked_add(length)?);
    }
    (count > 0).then_some(end)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The header and the list of segments lie within so many bytes of any program.
const HEAD: u64 = 16 << 10;
/// Where the header says at which offset the table of sections is.
const TABLE_AT: u64 = 40;
/// Where it says how many sections there are, and which of them has their names.
const TABLE_LENGTH_AT: u64 = 60;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_program_runs_on_without_its_symbols() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        let itself = std::env::current_exe().unwrap();
        std::fs::copy(&itself, &program).unwrap();
        strip(&program).unwrap();
        let length = |path: &Path| path.metadata().unwrap().len();
        assert!(length(&program) < length(&itself));
        let listed = Command::new(&program).args(["--list", "strip::tests"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("a_program_runs_on_without_its_symbols"), "{listed}");
        let once = std::fs::read(&program).unwrap();
        strip(&program).unwrap();
        assert!(std::fs::read(&program).unwrap() == once, "a second time changes something");
    }

    #[test]
    fn whatever_else_it_is_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let elf = b"\x7fELF\x02\x01";
        let shapes: [&[u8]; 5] =
            [b"", b"#!/bin/sh\n", elf, &[elf, &[0xff; 58][..]].concat(), &[0; 64]];
        for shape in shapes {
            let file = folder.path().join("file");
            std::fs::write(&file, shape).unwrap();
            strip(&file).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), shape);
        }
        std::os::unix::fs::symlink("file", folder.path().join("link")).unwrap();
        assert!(strip(&folder.path().join("link")).is_err());
    }
}
