//! How much an upload may be, in every respect in which one can be too much.

use crate::model::ByteSize;

/// The bounds of an upload. The defaults are generous for source code and small for a bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes as sent.
    pub compressed: ByteSize,
    /// Bytes of all files together.
    pub total: ByteSize,
    /// Bytes of one file.
    pub file: ByteSize,
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of one path.
    pub path: usize,
    /// Folders above one entry.
    pub depth: usize,
    /// Unpacked bytes for each byte sent, once more than [`UnpackLimits::RATIO_FREE`] came out.
    pub ratio: u64,
    /// Bytes of one extended header.
    pub extension: u64,
}

impl UnpackLimits {
    /// Unpacked bytes before the ratio is looked at: a short text compresses as well as a bomb.
    pub const RATIO_FREE: u64 = 32 << 20;

    /// The most bytes the archive may have once decompressed, headers and padding included.
    pub(super) fn stream(&self) -> u64 {
        self.total.0.saturating_add(self.entries.saturating_mul(HEADERS))
    }
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self {
            compressed: ByteSize(1 << 30),
            total: ByteSize(2 << 30),
            file: ByteSize(1 << 30),
            entries: 200_000,
            path: 2048,
            depth: 64,
            ratio: 200,
            extension: 64 << 10,
        }
    }
}

/// What one entry may cost besides its contents: its header, an extended one, and padding.
const HEADERS: u64 = 4096;
