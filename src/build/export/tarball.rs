//! Writes a tar archive in which equal files give equal bytes.
//!
//! The rules are those of the buildpacks' reference exporter: times are 1980, owners are numbers,
//! links stay links, hard links are files of their own, extended attributes do not exist. Long and
//! unusual names go into a PAX header. Invariant: nothing of this machine or this moment gets in.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use crate::build::folder::Owner;

/// An archive that is being written.
pub(in crate::build) struct Tarball<W: Write> {
    out: W,
}

/// Owner and permissions of an entry.
#[derive(Debug, Clone, Copy)]
pub(in crate::build) struct Attributes {
    /// Whose it is.
    pub(in crate::build) owner: Owner,
    /// Permission bits.
    pub(in crate::build) mode: u32,
}

impl Attributes {
    /// The platform's own folders and programs.
    pub(in crate::build) const ROOT: Self = Self { owner: Owner::ROOT, mode: 0o755 };
}

impl<W: Write> Tarball<W> {
    pub(in crate::build) fn new(out: W) -> Self {
        Self { out }
    }

    /// A folder; `path` has no leading slash here and below, as tar wants it.
    pub(in crate::build) fn folder(
        &mut self,
        path: &[u8],
        attributes: Attributes,
    ) -> io::Result<()> {
        let path = [path, b"/"].concat();
        self.entry(EntryType::Directory, &path, b"", attributes, 0)
    }

    /// A symbolic link.
    pub(in crate::build) fn link(
        &mut self,
        path: &[u8],
        target: &[u8],
        owner: Owner,
    ) -> io::Result<()> {
        self.entry(EntryType::Symlink, path, target, Attributes { owner, mode: 0o777 }, 0)
    }

    /// A file of exactly `size` bytes; a reader that has fewer is an error
    /// ([`io::ErrorKind::UnexpectedEof`]).
    pub(in crate::build) fn file(
        &mut self,
        path: &[u8],
        attributes: Attributes,
        size: u64,
        contents: impl Read,
    ) -> io::Result<()> {
        self.entry(EntryType::Regular, path, b"", attributes, size)?;
        if io::copy(&mut contents.take(size), &mut self.out)? != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pad(size)
    }

    /// The end of the archive.
    pub(in crate::build) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: &[u8],
        attributes: Attributes,
        size: u64,
    ) -> io::Result<()> {
        let mut records = Vec::new();
        if !fits(path) {
            record(&mut records, "path", path);
        }
        if !fits(target) {
            record(&mut records, "linkpath", target);
        }
        if size > MAX_USTAR_SIZE {
            record(&mut records, "size", size.to_string().as_bytes());
        }
        if !records.is_empty() {
            if std::str::from_utf8(path).is_err() || std::str::from_utf8(target).is_err() {
                let mut binary = Vec::new();
                record(&mut binary, "hdrcharset", b"BINARY");
                records.splice(0..0, binary);
            }
            let length = records.len() as u64;
            let plain = Attributes { owner: Owner::ROOT, mode: 0o644 };
            self.header(EntryType::XHeader, b"PaxHeaders/entry", b"", plain, length)?;
            self.out.write_all(&records)?;
            self.pad(length)?;
        }
        self.header(kind, path, target, attributes, size)
    }

    fn header(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: &[u8],
        attributes: Attributes,
        size: u64,
    ) -> io::Result<()> {
        let mut header = Header::new_ustar();
        let fields = header.as_ustar_mut().ok_or(io::ErrorKind::InvalidData)?;
        // What does not fit stands whole in the PAX header before.
        copy(&mut fields.name, path);
        copy(&mut fields.linkname, target);
        header.set_entry_type(kind);
        header.set_mode(attributes.mode);
        header.set_uid(attributes.owner.user.into());
        header.set_gid(attributes.owner.group.into());
        header.set_mtime(EPOCH);
        header.set_size(size.min(MAX_USTAR_SIZE));
        header.set_cksum();
        self.out.write_all(header.as_bytes())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = usize::try_from(size.next_multiple_of(BLOCK as u64) - size);
        let padding = padding.unwrap_or_default();
        self.out.write_all([0; BLOCK].get(..padding).unwrap_or_default())
    }
}

/// Whether a name can stand in the plain header, where only short ASCII means the same to all.
fn fits(name: &[u8]) -> bool {
    name.len() <= USTAR_NAME && name.is_ascii()
}

fn copy(field: &mut [u8], value: &[u8]) {
    for (to, from) in field.iter_mut().zip(value) {
        *to = *from;
    }
}

/// Appends `length key=value\n`, where the length counts itself.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// 1980-01-01T00:00:01Z: the time of every file, as the reference has it.
const EPOCH: u64 = 315_532_801;
const BLOCK: usize = 512;
const USTAR_NAME: usize = 100;
const MAX_USTAR_SIZE: u64 = 0o77_777_777_777;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for length in [1, 88, 89, 90, 91, 985, 986, 987, 988] {
            let mut records = Vec::new();
            record(&mut records, "path", &vec![b'x'; length]);
            let text = String::from_utf8(records).unwrap();
            let written: usize = text.split_once(' ').unwrap().0.parse().unwrap();
            assert_eq!(written, text.len(), "{length}");
        }
    }

    #[test]
    fn names_survive_whatever_they_are() {
        let long = [b"deep/".repeat(60), b"end".to_vec()].concat();
        let names: [&[u8]; 4] = [b"plain", "höß".as_bytes(), b"\xff\xfe raw", &long];
        let mut tarball = Tarball::new(Vec::new());
        for name in names {
            let attributes = Attributes { owner: Owner::APP, mode: 0o644 };
            tarball.file(name, attributes, 3, &b"abc"[..]).unwrap();
            tarball.link(&[name, b"-link"].concat(), name, Owner::APP).unwrap();
        }
        let bytes = tarball.finish().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let read: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), EPOCH);
                (
                    entry.path_bytes().into_owned(),
                    entry.link_name_bytes().map(std::borrow::Cow::into_owned),
                )
            })
            .collect();
        for name in names {
            assert!(read.contains(&(name.to_vec(), None)), "{}", name.escape_ascii());
            let link = ([name, b"-link"].concat(), Some(name.to_vec()));
            assert!(read.contains(&link), "{}", name.escape_ascii());
        }
    }
}
