//! The upload as a stream of archive bytes: gzip taken off, every bound on amounts kept.
//!
//! It knows nothing of tar. Invariant: it never reads more than was allowed, neither before nor
//! after decompression, and an upload is whole only if [`Inflow::finish`] says so.

use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use flate2::bufread::GzDecoder;

use super::{Excess, UnpackLimits};

/// The archive's bytes.
pub(super) struct Inflow<R: Read> {
    input: Input<BufReader<Metered<R>>>,
    received: Rc<Cell<u64>>,
    produced: u64,
    limits: UnpackLimits,
}

enum Input<R: BufRead> {
    Plain(R),
    Gzip(Box<GzDecoder<R>>),
}

impl<R: Read> Inflow<R> {
    /// Looks at the first bytes to see what the upload is.
    pub(super) fn open(body: R, limits: &UnpackLimits) -> io::Result<Self> {
        let received = Rc::new(Cell::new(0));
        let metered = Metered { body, received: Rc::clone(&received), limits: *limits };
        let mut body = BufReader::with_capacity(BUFFER, metered);
        let input = if body.fill_buf()?.starts_with(&GZIP) {
            Input::Gzip(Box::new(GzDecoder::new(body)))
        } else {
            Input::Plain(body)
        };
        Ok(Self { input, received, produced: 0, limits: *limits })
    }

    /// After the archive's end: only zeros may follow, then the upload's end, which is where gzip
    /// keeps its checksum.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let mut rest = [0; 4096];
        let mut padding = 0;
        loop {
            let count = self.read(&mut rest)?;
            padding += count;
            match rest.get(..count) {
                Some([]) | None => break,
                Some(bytes) if bytes.iter().all(|&b| b == 0) && padding <= MAX_PADDING => {}
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        match self.input {
            Input::Plain(_) => Ok(()),
            Input::Gzip(mut gzip) => match gzip.get_mut().fill_buf()? {
                [] => Ok(()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            },
        }
    }
}

impl<R: Read> Read for Inflow<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.input {
            Input::Plain(input) => input.read(into)?,
            Input::Gzip(input) => input.read(into)?,
        };
        self.produced += count as u64;
        if self.produced > self.limits.stream() {
            return Err(io::Error::other(Excess::Total(self.limits.total)));
        }
        let fair = self.received.get().saturating_mul(self.limits.ratio);
        if self.produced > UnpackLimits::RATIO_FREE.max(fair) {
            return Err(io::Error::other(Excess::Ratio(self.limits.ratio)));
        }
        Ok(count)
    }
}

/// Counts what comes in and stops it at the bound.
struct Metered<R> {
    body: R,
    received: Rc<Cell<u64>>,
    limits: UnpackLimits,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(into)?;
        self.received.set(self.received.get() + count as u64);
        if self.received.get() > self.limits.compressed.0 {
            return Err(io::Error::other(Excess::Compressed(self.limits.compressed)));
        }
        Ok(count)
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 64 << 10;
/// GNU tar pads to 10 KiB; more than this is not padding.
const MAX_PADDING: usize = 1 << 20;
