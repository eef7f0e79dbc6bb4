//! Why an upload was not unpacked, in words for the person who sent it.

use std::io;

use crate::model::ByteSize;

/// Why an upload was not unpacked. Nothing of it is left on the disk.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It refers to contents that are not there any more.
    #[error("it names {files} files of an earlier upload that the server does not have any more")]
    Lacking {
        /// How many.
        files: u64,
    },
    /// It is something else.
    #[error("the upload is not a tar archive, plain or gzip")]
    NotAnArchive,
    /// It stops in the middle.
    #[error("the upload ended before its archive did, after {entries} entries")]
    Truncated {
        /// How many entries were whole.
        entries: u64,
    },
    /// It was changed on its way.
    #[error("the upload is damaged after {entries} entries")]
    Damaged {
        /// How many entries were whole.
        entries: u64,
    },
    /// An entry breaks a rule.
    #[error("the upload is refused: its entry `{entry}` {rule}")]
    Refused {
        /// Its name, escaped and shortened.
        entry: String,
        /// The rule.
        rule: Rule,
    },
    /// It is too much.
    #[error("the upload is refused: {0}")]
    TooMuch(#[from] Excess),
    /// The sender went away.
    #[error("the upload broke off")]
    Body(#[source] io::Error),
    /// There is no room.
    #[error("there is no space left on the server's disk to unpack the upload")]
    DiskFull,
    /// The disk did not do its part.
    #[error("cannot write `{entry}` of the upload to the server's disk")]
    Write {
        /// Its name, escaped and shortened.
        entry: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

/// The rules that a single entry can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// `/etc/passwd`.
    #[error("has an absolute path")]
    Absolute,
    /// `a/../../b`.
    #[error("has `..` in its path")]
    Climbs,
    /// A NUL byte in a name or target.
    #[error("has a NUL byte in its name")]
    Nul,
    /// No name at all.
    #[error("has no name")]
    Nameless,
    /// See [`super::UnpackLimits::path`].
    #[error("has a path that is too long")]
    LongPath,
    /// See [`super::UnpackLimits::depth`].
    #[error("is nested too deeply")]
    Deep,
    /// See [`super::UnpackLimits::file`].
    #[error("is larger than one file may be")]
    LargeFile,
    /// See [`super::UnpackLimits::extension`].
    #[error("has an extended header that is too large")]
    LargeExtension,
    /// An extended header that does not parse, or that says something else than the header.
    #[error("has an extended header that contradicts it")]
    BadExtension,
    /// `.wh.something` would delete files of the image's lower layers.
    #[error("has a name that would hide files of the image (`.wh.*`)")]
    Whiteout,
    /// A device, a FIFO or something unknown.
    #[error("is a device, a pipe or of an unknown kind")]
    Kind,
    /// A sparse file: a few bytes that unpack to terabytes.
    #[error("is a sparse file")]
    Sparse,
    /// Its way leads through something that is no folder, for instance a link.
    #[error("leads through something that is not a folder")]
    ThroughLink,
    /// A second entry of the same name.
    #[error("occurs twice")]
    Twice,
    /// A hard link to something that is not an earlier file of the archive.
    #[error("is a hard link to something that is not a file of the upload")]
    BadHardLink,
}

/// What there can be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// See [`super::UnpackLimits::compressed`].
    #[error("it is larger than {0}")]
    Compressed(ByteSize),
    /// See [`super::UnpackLimits::total`].
    #[error("its files are larger than {0} together")]
    Total(ByteSize),
    /// See [`super::UnpackLimits::entries`].
    #[error("it has more than {0} entries")]
    Entries(u64),
    /// See [`super::UnpackLimits::ratio`].
    #[error("it unpacks to more than {0} times its size, which looks like a bomb")]
    Ratio(u64),
}

impl UnpackError {
    /// Whether the server has no room for it.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull)
    }

    /// Whether it is over a limit.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooMuch(_) | Self::Refused { rule: Rule::LargeFile, .. })
    }

    /// What the sender can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAnArchive => Some("send the folder with `paas deploy`"),
            Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::Body(_)
            | Self::Lacking { .. } => Some("try again with `paas deploy`"),
            Self::Refused { rule: Rule::Sparse, .. } => Some("make the archive without --sparse"),
            Self::Refused { .. } => Some("rename it, or list it in .paasignore to leave it out"),
            Self::TooMuch(_) => Some("list what the app does not need in .paasignore"),
            Self::DiskFull => Some("see what takes the space with `df -h` on the server"),
            Self::Write { .. } => Some("see the server's log"),
        }
    }
}

impl UnpackError {
    /// A refusal of `entry`, whose name may be anything and is therefore shown escaped.
    pub(super) fn refused(entry: &[u8], rule: Rule) -> Self {
        Self::Refused { entry: shown(entry), rule }
    }

    /// A failure to write `entry`.
    pub(in crate::build) fn write(entry: &[u8], source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write { entry: shown(entry), source },
        }
    }

    /// A failure to read the upload after `entries` whole entries. Bounds that a reader found
    /// broken travel inside the [`io::Error`].
    pub(super) fn read(error: io::Error, entries: u64) -> Self {
        let excess = error.get_ref().and_then(|inner| inner.downcast_ref::<Excess>());
        match (excess, error.kind()) {
            (Some(&excess), _) => Self::TooMuch(excess),
            (None, io::ErrorKind::UnexpectedEof) => Self::Truncated { entries },
            (None, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::Damaged { entries }
            }
            (None, _) => Self::Body(error),
        }
    }
}

fn shown(entry: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(entry).escape_debug().take(120).collect();
    if text.chars().count() == 120 { format!("{text}…") } else { text }
}
