//! What a program on the server writes, passed on to stdout and stderr byte by byte.
//!
//! It is written in a thread of its own, so that a reader who is slow holds back the program and not
//! this command, which may still be told to end.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;

/// Both of them, in the order of what comes.
#[derive(Debug)]
pub(crate) struct Pipe {
    pieces: mpsc::Sender<Piece>,
    written: oneshot::Receiver<io::Result<()>>,
}

#[derive(Debug)]
enum Piece {
    Out(Bytes),
    Err(Bytes),
}

impl Pipe {
    pub(crate) fn open() -> Self {
        let (pieces, mut queue) = mpsc::channel(WAITING);
        let (done, written) = oneshot::channel();
        std::thread::spawn(move || {
            let mut write = || -> io::Result<()> {
                while let Some(piece) = queue.blocking_recv() {
                    match piece {
                        Piece::Out(bytes) => put(io::stdout().lock(), &bytes)?,
                        Piece::Err(bytes) => put(io::stderr().lock(), &bytes)?,
                    }
                }
                Ok(())
            };
            // Nobody waits any more where the command ended early.
            done.send(write()).ok();
        });
        Self { pieces, written }
    }

    /// Passes on what was written to standard output.
    pub(crate) async fn out(&self, bytes: Bytes) -> Result<(), Failure> {
        self.pieces.send(Piece::Out(bytes)).await.map_err(|_| Failure::Unread)
    }

    /// Passes on what was written to standard error.
    pub(crate) async fn err(&self, bytes: Bytes) -> Result<(), Failure> {
        self.pieces.send(Piece::Err(bytes)).await.map_err(|_| Failure::Unread)
    }

    /// Waits until all of it is written.
    pub(crate) async fn drain(self) -> Result<(), Failure> {
        drop(self.pieces);
        match self.written.await {
            Ok(Err(error)) => Err(super::unread(error)),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

fn put(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// Pieces that wait for a slow reader, of at most 32 KiB each.
const WAITING: usize = 8;
