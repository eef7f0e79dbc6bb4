//! A tar on its way, piece by piece. Whoever reads it is told if it breaks off, also by whoever just stops writing.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::mpsc;

/// The pieces. What broke off ends with an error.
pub type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// Where somebody writes, who may block. It is whole once he says so.
#[derive(Debug)]
pub struct PieceWriter(mpsc::Sender<Piece>);

#[derive(Debug)]
enum Piece {
    Some(Bytes),
    Broken(io::Error),
    End,
}

/// A way for them.
pub fn pieces() -> (PieceWriter, Pieces) {
    let (to, from) = mpsc::channel(AT_ONCE);
    let pieces = stream::unfold(Some(from), |from: Option<mpsc::Receiver<Piece>>| async move {
        let mut from = from?;
        match from.recv().await {
            Some(Piece::Some(bytes)) => Some((Ok(bytes), Some(from))),
            Some(Piece::Broken(error)) => Some((Err(error), None)),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("whoever wrote it has stopped")), None)),
        }
    });
    (PieceWriter(to), pieces.boxed())
}

impl PieceWriter {
    /// All of it was written.
    pub fn end(self) {
        // Whoever does not read any more has gone before its end.
        self.0.blocking_send(Piece::End).ok();
    }

    /// It goes no further.
    pub fn break_off(self, why: String) {
        self.0.blocking_send(Piece::Broken(io::Error::other(why))).ok();
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.get(..bytes.len().min(LARGEST)).unwrap_or_default();
        let sent = self.0.blocking_send(Piece::Some(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads it any more"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of one piece, in bytes.
const LARGEST: usize = 64 << 10;
/// So many wait to be read.
const AT_ONCE: usize = 8;
