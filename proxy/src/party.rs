//! One end of an exchange, as the code that moves heads and bodies sees it.
//!
//! A client speaks HTTP/1.1 on a [`crate::wire::Wire`] or HTTP/2 on a stream of one; whoever
//! chooses, holds, retries and pumps does not see the difference. It decides nothing. The
//! invariant: what was put waits in order, and nothing of it is sent before `poll_write` or
//! `poll_flush`.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::Body;
use crate::control::Persistence;
use crate::head::Malformed;
use crate::pump::{Encoding, put_end};
use crate::response::Head;
use crate::wire::Wire;

/// Bytes of a body in, bytes of a body out.
pub(crate) trait Party {
    /// What was read and not consumed.
    fn unread(&self) -> &[u8];

    fn consume(&mut self, count: usize);

    /// Whether a read could add anything.
    fn has_room(&self) -> bool;

    /// Reads once. `0` is the end; it must not be called without room.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Ready when nothing follows what was read, if its sender says so outside of the body's bytes;
    /// an error if something does.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The trailer section, with its empty line, of a body that ended because its sender said so
    /// outside of the body's bytes. Empty if there is none.
    fn trailers(&self) -> &[u8];

    /// Where small pieces wait to be sent with what follows.
    fn output(&mut self) -> &mut Vec<u8>;

    /// Sends the output, then as much of `data` as is taken; returns how much of it was.
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>>;

    /// Puts the end of a body behind the output, with these trailers if it can carry them.
    fn put_end(&mut self, encoding: Encoding, trailers: &[u8]) -> Result<(), Malformed>;

    /// Sends all of the output.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more will be sent.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when the other side has left.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Bytes read and written so far, to tell movement from standstill.
    fn moved(&self) -> u64;
}

/// Who asked.
pub(crate) trait Client: Party {
    /// Puts a 1xx other than 101, if the client can understand it.
    fn put_interim(&mut self, head: &Head<'_, '_>) -> Result<(), Malformed>;

    /// Puts the answer that begins a tunnel.
    fn put_switched(&mut self, head: &Head<'_, '_>, protocol: &str) -> Result<(), Malformed>;

    /// Puts the head of the answer, whose body is read as `body`.
    fn put_final(&mut self, head: &Head<'_, '_>, body: Body) -> Result<Told, Malformed>;
}

/// What a client was told of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// How the body is to be written.
    pub(crate) encoding: Encoding,
    /// Whether the connection may be used again.
    pub(crate) persistence: Persistence,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Party for Wire<S> {
    fn unread(&self) -> &[u8] {
        self.input.bytes()
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    fn has_room(&self) -> bool {
        self.input.has_room()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Self::poll_fill(self, cx)
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the next request may follow
    }

    fn trailers(&self) -> &[u8] {
        &[]
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(self, cx, data)
    }

    fn put_end(&mut self, encoding: Encoding, trailers: &[u8]) -> Result<(), Malformed> {
        put_end(encoding, trailers, &mut self.output)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(self, cx)
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Self::poll_gone(self, cx)
    }

    fn moved(&self) -> u64 {
        Self::moved(self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client for Wire<S> {
    fn put_interim(&mut self, head: &Head<'_, '_>) -> Result<(), Malformed> {
        head.put_interim(&mut self.output);
        Ok(())
    }

    fn put_switched(&mut self, head: &Head<'_, '_>, protocol: &str) -> Result<(), Malformed> {
        head.put_switched(protocol, &mut self.output);
        Ok(())
    }

    fn put_final(&mut self, head: &Head<'_, '_>, body: Body) -> Result<Told, Malformed> {
        Ok(head.put_final(body, &mut self.output))
    }
}
