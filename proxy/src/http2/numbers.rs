//! The numbers that a client gave to its streams (RFC 9113 section 5.1.1), and what each of them is.
//!
//! Frames are the `guard`'s business. The invariant: what is remembered is bounded; a number that was
//! forgotten is one that ended.

/// What became of the numbers so far.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// The highest stream that was opened.
    last: u32,
    /// Streams that were opened and not ended by the client, in order.
    open: Vec<u32>,
    /// Numbers below `last` that were never used: from, and up to but without.
    gaps: Vec<(u32, u32)>,
}

/// What a stream is to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Idle,
    Open,
    Ended,
    /// Never used, and now too low to be.
    PassedOver,
}

impl Numbers {
    /// What a stream is to its client now.
    pub(crate) fn state(&self, stream: u32) -> Stream {
        if stream > self.last || stream.is_multiple_of(2) {
            Stream::Idle
        } else if self.open.iter().rev().any(|open| *open == stream) {
            Stream::Open
        } else if self.gaps.iter().any(|(from, to)| (*from..*to).contains(&stream)) {
            Stream::PassedOver
        } else {
            Stream::Ended
        }
    }

    /// It was opened.
    pub(crate) fn opened(&mut self, stream: u32) {
        if stream > self.last + 2 {
            if self.gaps.len() == MOST_GAPS {
                self.gaps.remove(0);
            }
            self.gaps.push((self.last + 1, stream));
        }
        self.last = stream;
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(stream);
    }

    /// The client has sent all that it will send of it.
    pub(crate) fn ended(&mut self, stream: u32) {
        if let Some(at) = self.open.iter().rposition(|open| *open == stream) {
            self.open.remove(at);
        }
    }
}

/// Requests without an end that are remembered: more than can be open at once, and those that were
/// answered before their end.
const MOST_OPEN: usize = 1024;
/// The same of numbers that were passed over.
const MOST_GAPS: usize = 64;
