//! From an asynchronous body to the blocking reader that unpacks it.
//!
//! Invariant: at most [`PENDING`] pieces wait in between, so a fast sender waits for the disk; a
//! sender that goes away is an error and never the end of the archive.

use std::{io, path::PathBuf};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, pin_mut};
use tokio::sync::mpsc;

use super::{Source, UnpackError, UnpackLimits, unpack_onto};

/// Unpacks what `body` brings into the new folder `into`; it may refer to the last upload in the
/// folder `uploads`. On any error, and if this future is dropped, nothing of it is left.
pub async fn receive(
    body: impl Stream<Item = io::Result<Bytes>> + Send,
    into: PathBuf,
    uploads: Option<PathBuf>,
    limits: UnpackLimits,
) -> Result<Source, UnpackError> {
    let (sender, pieces) = mpsc::channel(PENDING);
    let pipe = Pipe { pieces, piece: Bytes::new(), ended: false };
    let unpacking =
        tokio::task::spawn_blocking(move || unpack_onto(pipe, &into, uploads.as_deref(), &limits));
    pin_mut!(body);
    while let Some(piece) = body.next().await {
        let failed = piece.is_err();
        // The other end hangs up when it has seen enough; its own error says why.
        if sender.send(piece.map(Piece::Bytes)).await.is_err() || failed {
            break;
        }
    }
    let _ = sender.send(Ok(Piece::End)).await;
    drop(sender);
    match unpacking.await {
        Ok(result) => result,
        Err(error) => Err(UnpackError::Body(io::Error::other(error))),
    }
}

enum Piece {
    Bytes(Bytes),
    End,
}

struct Pipe {
    pieces: mpsc::Receiver<io::Result<Piece>>,
    piece: Bytes,
    ended: bool,
}

impl io::Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(Piece::Bytes(piece))) => self.piece = piece,
                Some(Ok(Piece::End)) => self.ended = true,
                Some(Err(error)) => return Err(error),
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let count = self.piece.len().min(into.len());
        self.piece.copy_to_slice(into.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Pieces of a body are some 16 KiB each.
const PENDING: usize = 32;
