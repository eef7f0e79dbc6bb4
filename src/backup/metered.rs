//! What goes by on its way: counted, digested, and stopped when that is asked for.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest as _, Sha256};

use crate::model::ByteSize;

/// Who looks on while bytes go by.
pub struct Watch<'a> {
    /// Told now and then how many went by.
    pub told: &'a mut (dyn FnMut(ByteSize) + Send),
    /// Ends it soon after it becomes true.
    pub stop: &'a AtomicBool,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

/// Counts the bytes of an archive, and tells of them.
pub(super) struct Counted<'a, 'w, T> {
    inner: T,
    watch: &'a mut Watch<'w>,
    pub(super) bytes: u64,
    told: u64,
}

impl<'a, 'w, T> Counted<'a, 'w, T> {
    pub(super) fn new(inner: T, watch: &'a mut Watch<'w>) -> Self {
        Self { inner, watch, bytes: 0, told: 0 }
    }

    pub(super) fn into_inner(self) -> (T, ByteSize) {
        (self.inner, ByteSize(self.bytes))
    }

    fn count(&mut self, more: usize) -> io::Result<()> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was stopped"));
        }
        self.bytes += u64::try_from(more).unwrap_or_default();
        if self.bytes - self.told >= TOLD_EVERY {
            self.told = self.bytes;
            (self.watch.told)(ByteSize(self.bytes));
        }
        Ok(())
    }
}

impl<T: Write> Write for Counted<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Counted<'_, '_, T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.count(read)?;
        Ok(read)
    }
}

/// Digests what is stored.
pub(super) struct Digested<T> {
    inner: T,
    digest: Sha256,
    bytes: u64,
    /// Whether it was the place that failed, and not what came from there.
    broken: Arc<AtomicBool>,
}

impl<T> Digested<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0, broken: Arc::default() }
    }

    /// See the field.
    pub(super) fn broken(&self) -> Arc<AtomicBool> {
        self.broken.clone()
    }

    /// With the bytes that went by, and their digest in hexadecimal digits.
    pub(super) fn into_inner(self) -> (T, ByteSize, String) {
        (self.inner, ByteSize(self.bytes), hex::encode(self.digest.finalize()))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or_default();
    }

    fn noted<R>(&self, result: io::Result<R>) -> io::Result<R> {
        if result.is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<T: Write> Write for Digested<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        let written = self.noted(written)?;
        self.add(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Digested<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes);
        let read = self.noted(read)?;
        self.add(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Between two words about how far it is.
const TOLD_EVERY: u64 = 1 << 20;
