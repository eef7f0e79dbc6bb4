//! Between the thread that packs and the connection that sends: a queue with a bound, so that
//! neither memory grows nor the disk is read faster than the line takes.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    known::Known,
    list::Source,
    pack::{PackError, Packed, pack},
};
use crate::client::Upload;

/// A source on its way.
pub(crate) struct Parcel {
    /// What the client sends.
    pub(crate) upload: Upload,
    /// The thread that packs it.
    pub(crate) packing: Packing,
}

/// The thread that packs, and how far it is.
#[derive(Debug)]
pub(crate) struct Packing {
    /// Bytes of files read so far.
    pub(crate) read: Arc<AtomicU64>,
    /// Bytes given to the connection so far.
    pub(crate) sent: Arc<AtomicU64>,
    thread: JoinHandle<Result<Packed, PackError>>,
}

/// Begins to pack what `source` lists of `folder`, without what the server is `known` to have.
pub(crate) fn start(folder: PathBuf, source: Arc<Source>, known: Arc<Known>) -> Parcel {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (read, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&read);
    let thread = tokio::task::spawn_blocking(move || {
        let mut out = Chunks { sender: sender.clone(), chunk: Vec::with_capacity(CHUNK) };
        let outcome = pack(&folder, &source, &known, &mut out, &count);
        if outcome.is_err() {
            // Without an error the body would end as if it were whole. A receiver that has gone
            // knows that it is not.
            sender.blocking_send(Err(io::Error::other("the source cannot be packed"))).ok();
        }
        outcome
    });
    let body = Queue { receiver, sent: Arc::clone(&sent) }.boxed_unsync();
    let upload = Upload { body, sent: Arc::clone(&sent) };
    Parcel { upload, packing: Packing { read, sent, thread } }
}

/// What `work` writes, on its way; it runs in a thread of its own.
pub(crate) fn stream(
    work: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
) -> (Upload, Writing) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let sent = Arc::new(AtomicU64::new(0));
    let thread = tokio::task::spawn_blocking(move || {
        let mut out = Chunks { sender: sender.clone(), chunk: Vec::with_capacity(CHUNK) };
        let outcome = work(&mut out).and_then(|()| io::Write::flush(&mut out));
        if outcome.is_err() {
            // As above: it must not look whole.
            sender.blocking_send(Err(io::Error::other("the files cannot be packed"))).ok();
        }
        outcome
    });
    let body = Queue { receiver, sent: Arc::clone(&sent) }.boxed_unsync();
    (Upload { body, sent }, Writing(thread))
}

/// The thread that writes a stream.
#[derive(Debug)]
pub(crate) struct Writing(JoinHandle<io::Result<()>>);

impl Writing {
    /// Why it failed, if it did by itself.
    pub(crate) async fn fault(self) -> Option<io::Error> {
        let fault = self.0.await.ok()?.err()?;
        (fault.kind() != io::ErrorKind::BrokenPipe).then_some(fault)
    }
}

impl Packing {
    /// Whether all of it was given to the connection, or none will be any more.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// What became of it; nothing if it failed.
    pub(crate) async fn packed(self) -> Option<Packed> {
        self.thread.await.ok()?.ok()
    }

    /// Why packing failed, if it did by itself: a reader who went away is another's story.
    pub(crate) async fn fault(self) -> Option<PackError> {
        match self.thread.await {
            Ok(Err(fault)) if !fault.by_reader() => Some(fault),
            _ => None,
        }
    }
}

impl PackError {
    fn by_reader(&self) -> bool {
        match self {
            Self::Entry { source, .. } | Self::End(source) => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            Self::Changed { .. } => false,
        }
    }
}

/// Turns what is written into pieces of the queue.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(chunk.into())).map_err(gone)
    }
}

/// The queue as a body.
struct Queue {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    sent: Arc<AtomicU64>,
}

impl hyper::body::Body for Queue {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = ready!(self.receiver.poll_recv(context));
        if let Some(Ok(chunk)) = &chunk {
            self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

const CHUNK: usize = 64 << 10;
/// Half a megabyte between the two.
const QUEUE: usize = 8;
