//! The entries of a tar archive, one after the other, with extended headers taken in.
//!
//! Our own reader over the library's header type, because a library that resolves extended
//! headers by itself reads them into memory whole, and because two ways of finding where an entry
//! ends are one too many (RUSTSEC-2026-0068). It judges the form of entries, not their names.
//! Invariant: an entry's length is what its ustar header says; a header that says otherwise
//! elsewhere is refused.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::{Rule, UnpackError, UnpackLimits};

/// The archive, as far as it was read.
pub(super) struct Members<R> {
    input: R,
    limits: UnpackLimits,
    /// Bytes of the present entry's contents that were not read yet, and its padding.
    left: u64,
    padding: u64,
    /// Entries that came whole.
    pub(super) entries: u64,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name, as it was written.
    pub(super) path: Vec<u8>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What an entry can be.
#[derive(Debug)]
pub(super) enum Kind {
    /// A file of `size` bytes, which come next.
    File { size: u64, mode: u32 },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link { target: Vec<u8> },
    /// Another name of an earlier file.
    HardLink { target: Vec<u8> },
    /// A file with the content that has the digest which comes next, `size` digits of it.
    Reference { size: u64, mode: u32 },
}

/// What extended headers say of the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(input: R, limits: &UnpackLimits) -> Self {
        Self { input, limits: *limits, left: 0, padding: 0, entries: 0 }
    }

    /// The next entry; what is left of the present one is passed over. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, UnpackError> {
        let mut extended = Extended::default();
        loop {
            let skipped = self.left + self.padding;
            self.skip(skipped)?;
            let Some(header) = self.header()? else { return Ok(None) };
            let name = header.path_bytes().into_owned();
            let damaged = || UnpackError::Damaged { entries: self.entries };
            let size = header.entry_size().map_err(|_| damaged())?;
            let blocks = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(damaged)?;
            self.left = size;
            self.padding = blocks - size;
            match header.entry_type() {
                EntryType::XHeader => self.extension(&name)?.take_pax(&name, &mut extended)?,
                EntryType::XGlobalHeader => self.extension(&name)?.check_global(&name)?,
                EntryType::GNULongName => extended.path = Some(self.extension(&name)?.gnu()),
                EntryType::GNULongLink => extended.link = Some(self.extension(&name)?.gnu()),
                _ => {
                    self.entries += 1;
                    return self.member(&header, extended).map(Some);
                }
            }
        }
    }

    fn member(&mut self, header: &Header, extended: Extended) -> Result<Member, UnpackError> {
        let path = extended.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let refuse = |rule| Err(UnpackError::refused(&path, rule));
        if extended.size.is_some_and(|size| size != self.left) {
            return refuse(Rule::BadExtension);
        }
        let link = || {
            let own = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
            extended.link.clone().or_else(own).unwrap_or_default()
        };
        let kind = match header.entry_type() {
            // Old archives write folders as files whose name ends with a slash.
            EntryType::Regular if path.ends_with(b"/") && self.left == 0 => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => {
                Kind::File { size: self.left, mode: header.mode().unwrap_or(0o644) }
            }
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Link { target: link() },
            EntryType::Link => Kind::HardLink { target: link() },
            kind if kind.as_byte() == REFERENCE => {
                Kind::Reference { size: self.left, mode: header.mode().unwrap_or(0o644) }
            }
            EntryType::GNUSparse => return refuse(Rule::Sparse),
            _ => return refuse(Rule::Kind),
        };
        Ok(Member { path, kind })
    }

    /// Reads one header; two blocks of zeros, or one at least, are the archive's end. An upload
    /// that just stops is not an end.
    fn header(&mut self) -> Result<Option<Header>, UnpackError> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        self.input.read_exact(block).map_err(|e| UnpackError::read(e, self.entries))?;
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let sum = header.as_bytes().iter().enumerate().fold(0_u32, |sum, (at, &byte)| {
            sum + u32::from(if CHECKSUM.contains(&at) { b' ' } else { byte })
        });
        match header.cksum() {
            Ok(written) if written == sum => Ok(Some(header)),
            _ if self.entries == 0 => Err(UnpackError::NotAnArchive),
            _ => Err(UnpackError::Damaged { entries: self.entries }),
        }
    }

    /// Reads the contents of an extended header.
    fn extension(&mut self, name: &[u8]) -> Result<Extension, UnpackError> {
        if self.left > self.limits.extension {
            return Err(UnpackError::refused(name, Rule::LargeExtension));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|e| UnpackError::read(e, self.entries))?;
        Ok(Extension(bytes))
    }

    fn skip(&mut self, count: u64) -> Result<(), UnpackError> {
        let skipped = io::copy(&mut self.input.by_ref().take(count), &mut io::sink())
            .map_err(|error| UnpackError::read(error, self.entries))?;
        if skipped < count {
            return Err(UnpackError::Truncated { entries: self.entries });
        }
        Ok(())
    }

    /// The input, once the last entry was read.
    pub(super) fn into_input(self) -> R {
        self.input
    }
}

/// The present entry's contents; an archive that ends before they do is an error.
impl<R: Read> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let count = self.input.read(into.get_mut(..most).unwrap_or_default())?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The contents of an extended header.
struct Extension(Vec<u8>);

impl Extension {
    /// GNU's long names end with a NUL.
    fn gnu(mut self) -> Vec<u8> {
        if self.0.last() == Some(&0) {
            self.0.pop();
        }
        self.0
    }

    fn take_pax(&self, name: &[u8], into: &mut Extended) -> Result<(), UnpackError> {
        for (key, value) in self.records(name)? {
            match key {
                b"path" => into.path = Some(value.to_vec()),
                b"linkpath" => into.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    let bad = || UnpackError::refused(name, Rule::BadExtension);
                    into.size = Some(size.ok_or_else(bad)?);
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(UnpackError::refused(name, Rule::Sparse));
                }
                // Times, owners and extended attributes mean nothing here.
                _ => {}
            }
        }
        Ok(())
    }

    /// `git archive` writes a comment for all entries; names for all entries make no sense.
    fn check_global(&self, name: &[u8]) -> Result<(), UnpackError> {
        let records = self.records(name)?;
        if records.iter().any(|(key, _)| [&b"path"[..], b"linkpath", b"size"].contains(key)) {
            return Err(UnpackError::refused(name, Rule::BadExtension));
        }
        Ok(())
    }

    /// `length key=value\n`, where the length counts the whole record.
    fn records(&self, name: &[u8]) -> Result<Vec<Pair<'_>>, UnpackError> {
        let mut records = Vec::new();
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let (record, after) =
                split_record(rest).ok_or_else(|| UnpackError::refused(name, Rule::BadExtension))?;
            records.push(record);
            rest = after;
        }
        Ok(records)
    }
}

/// A key with its value.
type Pair<'a> = (&'a [u8], &'a [u8]);

fn split_record(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    Some(((body.get(..equals)?, body.get(equals + 1..)?), bytes.get(length..)?))
}

/// Of the types that POSIX leaves to whoever wants one.
const REFERENCE: u8 = b'R';
const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;
