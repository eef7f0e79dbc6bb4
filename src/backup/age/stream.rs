//! The body: chunks of 64 KiB, each sealed under its number and under whether it is the last one. So none can
//! be left out, put elsewhere or taken for the end.

use std::io::{self, BufRead, BufReader, Read, Write};

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

/// Encrypts what is written to it. Without [`Sealer::finish`] nobody can read it.
pub(in crate::backup) struct Sealer<W> {
    out: W,
    key: LessSafeKey,
    number: u64,
    chunk: Vec<u8>,
}

/// Decrypts what is read from it.
pub(in crate::backup) struct Opener<R> {
    from: BufReader<R>,
    key: LessSafeKey,
    number: u64,
    /// What was decrypted, and how much of it was read.
    chunk: Vec<u8>,
    read: usize,
    /// Whether it was the last one.
    last: bool,
}

impl<W: Write> Sealer<W> {
    pub(super) fn new(out: W, key: LessSafeKey) -> Self {
        Self { out, key, number: 0, chunk: Vec::with_capacity(CHUNK + TAG) }
    }

    /// Writes the end, and gives back what was written to.
    pub(in crate::backup) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last);
        let sealed = self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| super::unlikely())?;
        self.out.write_all(&self.chunk)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only now it is known that it is not the last one.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.get(..CHUNK - self.chunk.len()).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<R: Read> Opener<R> {
    pub(super) fn new(from: BufReader<R>, key: LessSafeKey) -> Self {
        Self { from, key, number: 0, chunk: Vec::new(), read: 0, last: false }
    }

    fn open(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.read = 0;
        let most = u64::try_from(CHUNK + TAG).unwrap_or(u64::MAX);
        Read::take(&mut self.from, most).read_to_end(&mut self.chunk)?;
        self.last = self.from.fill_buf()?.is_empty();
        let nonce = nonce(self.number, self.last);
        let opened = self.key.open_in_place(nonce, Aad::empty(), &mut self.chunk);
        let length = opened.map_err(|_| invalid("it was cut or changed"))?.len();
        if length == 0 && self.number > 0 {
            return Err(invalid("it ends with nothing"));
        }
        self.chunk.truncate(length);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() {
            if self.last {
                return Ok(0);
            }
            self.open()?;
        }
        let mut left = self.chunk.get(self.read..).unwrap_or_default();
        let read = left.read(bytes)?;
        self.read += read;
        Ok(read)
    }
}

/// The number in eleven bytes, and one that says whether it is the last chunk.
fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let (counter, flag) = bytes.split_at_mut(NONCE_LEN - 1);
    let place = counter.len() - size_of::<u64>();
    counter.split_at_mut(place).1.copy_from_slice(&number.to_be_bytes());
    flag.fill(u8::from(last));
    Nonce::assume_unique_for_key(bytes)
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

const CHUNK: usize = 64 << 10;
/// What the cipher adds to each.
const TAG: usize = 16;
