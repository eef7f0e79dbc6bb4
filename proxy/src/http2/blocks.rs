//! The header blocks that were read last, kept for the case that `h2` cannot make sense of one.
//!
//! It reads nothing in them itself (`hpack` does). The invariant: what is kept is bounded, and
//! nothing is once `h2` has asked for more.

use super::hpack::{self, Finding, Part};

/// Header blocks, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    bytes: Vec<u8>,
    /// Where each of those that are whole ends.
    ends: Vec<usize>,
    /// Bytes in front of a frame's part of the block.
    skip: usize,
    padding: Padding,
}

/// What is behind a frame's part of the block.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Padding {
    #[default]
    None,
    /// As much as its first byte will say.
    Unread,
    Bytes(usize),
}

/// More is not kept.
const MOST: usize = 16 * 1024;

impl Blocks {
    /// Says that all that is whole was understood.
    pub(crate) fn understood(&mut self) {
        if let Some(end) = self.ends.last() {
            self.bytes.drain(..*end);
            self.ends.clear();
        }
    }

    /// A frame begins whose part of the block is behind so many bytes, and behind one more that
    /// says how much padding there is, if it is padded.
    pub(crate) fn begin_frame(&mut self, priority: usize, padding: usize) {
        self.skip = priority + padding;
        self.padding = if padding == 0 { Padding::None } else { Padding::Unread };
    }

    /// Keeps a part of a frame's payload.
    pub(crate) fn keep(&mut self, piece: &[u8]) {
        if let (Padding::Unread, Some(first)) = (self.padding, piece.first()) {
            self.padding = Padding::Bytes((*first).into());
        }
        let skipped = self.skip.min(piece.len());
        self.skip -= skipped;
        let room = MOST.saturating_sub(self.bytes.len());
        let end = piece.len().min(skipped + room);
        self.bytes.extend_from_slice(piece.get(skipped..end).unwrap_or_default());
    }

    /// A frame ends.
    pub(crate) fn end_frame(&mut self) {
        if let Padding::Bytes(count) = std::mem::take(&mut self.padding) {
            let before = self.ends.last().copied().unwrap_or_default();
            self.bytes.truncate(self.bytes.len().saturating_sub(count).max(before));
        }
    }

    /// A block ends, with its last frame.
    pub(crate) fn end_block(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Whether one of them is no header block, if any of them is wrong at all.
    pub(crate) fn are_unreadable(&self) -> bool {
        let whole = self.ends.iter().map(|end| (*end, Part::Whole));
        let (mut from, mut depends) = (0, false);
        for (end, part) in whole.chain([(self.bytes.len(), Part::Beginning)]) {
            match hpack::look(self.bytes.get(from..end).unwrap_or_default(), part) {
                Finding::Unreadable => return true,
                Finding::BadField => return false,
                Finding::Depends => depends = true,
                Finding::Nothing => {}
            }
            from = end;
        }
        // There is nothing else for which `h2` could not read it.
        depends
    }
}
