//! The fresh tree that an upload becomes, written through open folders only, and its digest.
//!
//! Invariant: nothing is ever replaced, and no link that the archive made is ever followed.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    Excess, Rule, UnpackError, UnpackLimits,
    donor::{Donor, Hash, Held, Index},
    members::Kind,
    path,
};
use crate::{
    build::folder::{Executable, Folder},
    model::{ByteSize, SourceDigest},
};

/// What is written so far.
pub(super) struct Tree {
    root: Folder,
    limits: UnpackLimits,
    /// The folder of the last entry, because the next one is most often in it too.
    last: Option<(Vec<u8>, Folder)>,
    nodes: BTreeMap<Vec<u8>, Node>,
    bytes: u64,
    files: u64,
    /// What the archive may refer to.
    donor: Reference,
    /// Files that it refers to and that are not there.
    lacking: u64,
}

/// Whether an archive may refer to files that it does not bring.
enum Reference {
    /// It must bring everything.
    Refused,
    /// It may, and this is what there is, if there is anything.
    To(Option<Donor>),
}

/// What stands at a path, as far as the digest is concerned.
enum Node {
    Folder,
    File { executable: Executable, hash: Hash, size: u64 },
    Link { target: Vec<u8> },
}

/// A tree that was unpacked whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Over names, kinds, contents; the same for the same files wherever they come from.
    pub digest: SourceDigest,
    /// Of all files together.
    pub bytes: ByteSize,
    /// How many files.
    pub files: u64,
    /// Which contents they have.
    pub(crate) index: Index,
}

impl Tree {
    /// Into an empty folder that exists.
    pub(super) fn new(root: &Path, limits: &UnpackLimits) -> io::Result<Self> {
        let (root, nodes, donor) = (Folder::open(root)?, BTreeMap::new(), Reference::Refused);
        Ok(Self { root, limits: *limits, last: None, nodes, bytes: 0, files: 0, donor, lacking: 0 })
    }

    /// Lets the archive name contents that are there already.
    pub(super) fn may_refer_to(&mut self, donor: Option<Donor>) {
        self.donor = Reference::To(donor);
    }

    /// Writes one entry, whose contents, if it has any, are what `contents` reads.
    pub(super) fn put(
        &mut self,
        name: &[u8],
        kind: &Kind,
        contents: &mut impl Read,
        entries: u64,
    ) -> Result<(), UnpackError> {
        let refuse = |rule| UnpackError::refused(name, rule);
        let Some(parts) = path::accept(name, &self.limits).map_err(refuse)? else {
            return Ok(());
        };
        let path = parts.join(&b'/');
        let Some((last, above)) = parts.split_last() else { return Ok(()) };
        let (last, above) = (OsStr::from_bytes(last), above.join(&b'/'));
        let known = self.nodes.get(&path);
        match (kind, known) {
            (Kind::Folder, Some(Node::Folder)) => return Ok(()),
            (_, Some(_)) => return Err(refuse(Rule::Twice)),
            (_, None) => {}
        }
        if matches!(kind, Kind::Folder) {
            return self.enter(&path, name);
        }
        self.enter(&above, name)?;
        let node = match kind {
            Kind::Folder => Node::Folder,
            Kind::File { size, mode } => {
                let wanted = File { size: *size, executable: Executable::from_mode(*mode) };
                self.file(last, wanted, contents, name, entries)?
            }
            Kind::Link { target } => {
                let bad = target.is_empty() || target.contains(&0);
                if bad || target.len() > self.limits.path {
                    return Err(refuse(if bad { Rule::Nul } else { Rule::LongPath }));
                }
                let made = self.folder().create_link(last, target);
                made.map_err(|source| UnpackError::write(name, source))?;
                Node::Link { target: target.clone() }
            }
            Kind::HardLink { target } => self.copy(last, target, name, entries)?,
            Kind::Reference { size, mode } => {
                if *size != DIGITS as u64 || matches!(self.donor, Reference::Refused) {
                    return Err(refuse(Rule::Kind));
                }
                let mut hash = Hash::default();
                let mut digits = [0; DIGITS];
                contents.read_exact(&mut digits).map_err(|e| UnpackError::read(e, entries))?;
                hex::decode_to_slice(digits, &mut hash).map_err(|_| refuse(Rule::Kind))?;
                let wanted = Wanted { hash, executable: Executable::from_mode(*mode) };
                self.refer(last, wanted, name, entries)?
            }
        };
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Makes the folder at `path`, with all above it, the present one.
    fn enter(&mut self, path: &[u8], entry: &[u8]) -> Result<(), UnpackError> {
        if self.last.as_ref().is_some_and(|(last, _)| last == path) {
            return Ok(());
        }
        if path.is_empty() {
            self.last = None;
            return Ok(());
        }
        let mut at: Option<Folder> = None;
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(end, _)| end);
        let mut start = 0;
        for end in ends.chain([path.len()]) {
            let prefix = path.get(..end).unwrap_or_default();
            let name = OsStr::from_bytes(path.get(start..end).unwrap_or_default());
            let parent = at.as_ref().unwrap_or(&self.root);
            let next = match self.nodes.get(prefix) {
                Some(Node::Folder) => parent.folder(name),
                Some(_) => return Err(UnpackError::refused(entry, Rule::ThroughLink)),
                None => {
                    if self.nodes.len() as u64 >= self.limits.entries {
                        return Err(Excess::Entries(self.limits.entries).into());
                    }
                    self.nodes.insert(prefix.to_vec(), Node::Folder);
                    parent.create_folder(name)
                }
            };
            at = Some(next.map_err(|source| UnpackError::write(entry, source))?);
            start = end + 1;
        }
        self.last = at.map(|folder| (path.to_vec(), folder));
        Ok(())
    }

    fn folder(&self) -> &Folder {
        self.last.as_ref().map_or(&self.root, |(_, folder)| folder)
    }

    fn file(
        &mut self,
        name: &OsStr,
        wanted: File,
        contents: &mut impl Read,
        entry: &[u8],
        entries: u64,
    ) -> Result<Node, UnpackError> {
        self.account(wanted.size, entry)?;
        let mut file = self
            .folder()
            .create_file(name, wanted.executable)
            .map_err(|source| UnpackError::write(entry, source))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut left = wanted.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let room = buffer.get_mut(..most).unwrap_or_default();
            let count = contents.read(room).map_err(|e| UnpackError::read(e, entries))?;
            let read = room.get(..count).unwrap_or_default();
            if read.is_empty() {
                return Err(UnpackError::Truncated { entries });
            }
            hash.update(read);
            io::Write::write_all(&mut file, read).map_err(|e| UnpackError::write(entry, e))?;
            left -= count as u64;
        }
        let hash = hash.finalize().into();
        Ok(Node::File { executable: wanted.executable, hash, size: wanted.size })
    }

    /// Another name of a file of the last upload, or a copy where only one of them is a program.
    /// What is not there is counted, and the upload goes on, so that its own faults are found.
    fn refer(
        &mut self,
        name: &OsStr,
        wanted: Wanted,
        entry: &[u8],
        entries: u64,
    ) -> Result<Node, UnpackError> {
        let Wanted { hash, executable } = wanted;
        let Reference::To(Some(donor)) = std::mem::replace(&mut self.donor, Reference::To(None))
        else {
            self.lacking += 1;
            return Ok(Node::File { executable, hash, size: 0 });
        };
        let node = match donor.find(&hash) {
            Some(held) => self.take(&donor, held, (name, wanted), (entry, entries)),
            None => Ok(None),
        };
        self.donor = Reference::To(Some(donor));
        Ok(node?.unwrap_or_else(|| {
            self.lacking += 1;
            Node::File { executable, hash, size: 0 }
        }))
    }

    fn take(
        &mut self,
        donor: &Donor,
        held: &Held,
        (name, wanted): (&OsStr, Wanted),
        (entry, entries): (&[u8], u64),
    ) -> Result<Option<Node>, UnpackError> {
        let Wanted { hash, executable } = wanted;
        // Of empty files there may be more than a disk takes names for one.
        if held.executable == executable && held.size > 0 {
            self.account(held.size, entry)?;
            // A tree that is swept meanwhile, or a disk that takes no more names for one file.
            let linked = donor.link(held, self.folder(), name).is_ok();
            return Ok(linked.then_some(Node::File { executable, hash, size: held.size }));
        }
        let Ok(mut file) = donor.file(held) else { return Ok(None) };
        let copy = File { size: held.size, executable };
        let node = self.file(name, copy, &mut file, entry, entries)?;
        Ok(Some(node).filter(|node| matches!(node, Node::File { hash: read, .. } if *read == hash)))
    }

    /// A hard link becomes a copy, so that changing one name never changes another.
    fn copy(
        &mut self,
        name: &OsStr,
        target: &[u8],
        entry: &[u8],
        entries: u64,
    ) -> Result<Node, UnpackError> {
        let bad = || UnpackError::refused(entry, Rule::BadHardLink);
        let parts = path::accept(target, &self.limits).ok().flatten().ok_or_else(bad)?;
        let path = parts.join(&b'/');
        let Some(&Node::File { executable, .. }) = self.nodes.get(&path) else {
            return Err(bad());
        };
        let (last, above) = parts.split_last().ok_or_else(bad)?;
        let above = above.join(&b'/');
        let opened = if above.is_empty() {
            self.root.file(OsStr::from_bytes(last))
        } else {
            let below = self.root.below(Path::new(OsStr::from_bytes(&above)));
            below.and_then(|folder| folder.file(OsStr::from_bytes(last)))
        };
        let (mut file, stat) = opened.map_err(|source| UnpackError::write(entry, source))?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.file(name, File { size, executable }, &mut file, entry, entries)
    }

    fn account(&mut self, size: u64, entry: &[u8]) -> Result<(), UnpackError> {
        if size > self.limits.file.0 {
            return Err(UnpackError::refused(entry, Rule::LargeFile));
        }
        self.bytes = self.bytes.saturating_add(size);
        self.files += 1;
        if self.bytes > self.limits.total.0 {
            return Err(Excess::Total(self.limits.total).into());
        }
        Ok(())
    }

    /// The digest over everything, in order. Each field is preceded by its length, so that no two
    /// trees write the same bytes.
    pub(super) fn finish(self) -> Result<Source, UnpackError> {
        if self.lacking > 0 {
            return Err(UnpackError::Lacking { files: self.lacking });
        }
        let mut index = Index::default();
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        for (path, node) in &self.nodes {
            field(path);
            match node {
                Node::Folder => field(b"folder"),
                Node::File { executable, hash, size } => {
                    field(if *executable == Executable::Yes { b"program" } else { b"file" });
                    field(hash);
                    index.add(hash, *size, *executable, path);
                }
                Node::Link { target } => {
                    field(b"link");
                    field(target);
                }
            }
        }
        let digest = format!("sha256:{}", hex::encode(hash.finalize()));
        let digest = digest.parse().expect("64 hexadecimal digits are a digest");
        Ok(Source { digest, bytes: ByteSize(self.bytes), files: self.files, index })
    }
}

/// A file to be written.
#[derive(Clone, Copy)]
struct File {
    size: u64,
    executable: Executable,
}

/// A file that is referred to.
#[derive(Clone, Copy)]
struct Wanted {
    hash: Hash,
    executable: Executable,
}

/// Of a sha256.
const DIGITS: usize = 64;
