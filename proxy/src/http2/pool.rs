//! The connections of one worker to one upstream that speaks h2c.
//!
//! Streams share them, so there is nothing to take out and put back. The invariant: a connection is
//! closed once nobody may use it for new streams and its last stream has ended.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::Limits;

use super::translator::Translator;

/// Connections by which streams are opened, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    lines: RefCell<Vec<Line>>,
}

#[derive(Debug, Clone)]
struct Line {
    sender: SendRequest<Bytes>,
    /// Set when the connection is gone.
    over: Rc<Cell<bool>>,
    /// Held once here and once by each stream: how many there are is how often it is held.
    streams: Rc<()>,
}

impl Pool {
    /// A stream on a connection that has room, or that may not have a sibling any more.
    pub(crate) fn stream(&self, limits: &Limits) -> Option<Translator> {
        let mut lines = self.lines.borrow_mut();
        lines.retain_mut(Line::is_good);
        let full = lines.len() >= limits.pool;
        let line = lines.iter().find(|line| line.has_room(limits)).or_else(|| {
            // Better to wait for room than to connect without end.
            lines.iter().filter(|_| full).min_by_key(|line| line.streams())
        })?;
        Some(line.stream())
    }

    /// Speaks HTTP/2 on a new connection, and opens a stream on it.
    pub(crate) async fn open(&self, tcp: TcpStream, limits: &Limits) -> io::Result<Translator> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            // Until the upstream has said how many it takes; it may refuse those beyond that.
            .initial_max_send_streams(1)
            .initial_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
            .max_send_buffer_size(limits.buffer);
        let shaken = timeout(limits.connect, builder.handshake::<_, Bytes>(tcp)).await;
        let shaken = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        let (sender, connection) = shaken.map_err(io::Error::other)?;
        let over = Rc::new(Cell::new(false));
        let line = Line { sender, over: Rc::clone(&over), streams: Rc::default() };
        tokio::task::spawn_local(async move {
            // What went wrong is what its streams were told.
            let _ = connection.await;
            over.set(true);
        });
        let translator = line.stream();
        self.lines.borrow_mut().push(line);
        Ok(translator)
    }

    /// Opens no more streams; what is open may end.
    pub(crate) fn retire(&self) {
        self.lines.borrow_mut().clear();
    }

    /// Forgets connections that are gone.
    pub(crate) fn sweep(&self) {
        self.lines.borrow_mut().retain_mut(Line::is_good);
    }
}

impl Line {
    fn stream(&self) -> Translator {
        Translator::new(self.sender.clone(), Rc::clone(&self.streams))
    }

    fn streams(&self) -> usize {
        Rc::strong_count(&self.streams) - 1
    }

    fn is_good(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !self.over.get() && !matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    fn has_room(&self, limits: &Limits) -> bool {
        let streams = usize::try_from(limits.streams).unwrap_or(usize::MAX);
        self.streams() < streams.min(self.sender.current_max_send_streams())
    }
}
