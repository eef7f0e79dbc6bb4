//! One client connection: heads in, answers out, one after the other.
//!
//! It is generic over the stream, so that TLS slots in below it. The invariant: it never begins to
//! read a second request before the first is answered, and whenever it is not certain where the
//! next request begins, it closes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::OwnedNotified;

use crate::access_log::Record;
use crate::alarm::Alarm;
use crate::body::Extent;
use crate::control::Persistence;
use crate::forward::{After, Turn};
use crate::head::{self, Found, Malformed};
use crate::limits::Limits;
use crate::pages::{Format, Page, Part};
use crate::refusal::Refusal;
use crate::request::{Arrival, Request};
use crate::request_id::RequestId;
use crate::wire::Wire;
use crate::worker::Worker;

/// A client connection between and during requests.
#[derive(Debug)]
struct Client<S> {
    wire: Wire<S>,
    alarm: Alarm,
    arrival: Arrival,
    worker: Rc<Worker>,
    /// Ready when the edge stops; one for the connection's life, as it is polled on every rest.
    stop: Pin<Box<OwnedNotified>>,
    /// The head for the upstream; kept for its memory.
    head: Vec<u8>,
}

/// What the wait for a request ended with.
enum Next {
    Head(usize),
    Refused(Refusal),
    Closed,
}

/// Where the connection stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent yet: the client opened it in order to speak.
    Opened,
    /// Kept alive after an answer.
    Kept,
}

/// What the alarm is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Unset,
    Head,
    Idle,
    Last,
}

/// Serves a client until it is done, misbehaves, is idle for too long, or the edge stops.
pub(crate) async fn serve<S>(stream: S, arrival: Arrival, worker: Rc<Worker>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &worker.shared.limits;
    let mut client = Client {
        wire: Wire::new(stream, limits.buffer.max(limits.head)),
        alarm: Alarm::new(limits.head_time),
        arrival,
        worker: Rc::clone(&worker),
        stop: Box::pin(worker.stop_notice()),
        head: Vec::new(),
    };
    let mut stage = Stage::Opened;
    loop {
        let persistence = match client.next(stage).await {
            Next::Head(length) => client.answer(length).await,
            Next::Refused(refusal) => {
                let record = client.record();
                client.refuse_head(refusal, record).await
            }
            Next::Closed => return,
        };
        if persistence == Persistence::Close {
            return;
        }
        stage = Stage::Kept;
        client.wire.rest();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Waits for a whole head.
    async fn next(&mut self, stage: Stage) -> Next {
        let Self { wire, alarm, worker, stop, .. } = self;
        let limits = &worker.shared.limits;
        let (mut seen, mut begun) = (0, false);
        // A new connection's alarm was set when it was accepted.
        let mut patience = if stage == Stage::Opened { Patience::Head } else { Patience::Unset };
        poll_fn(|cx| {
            loop {
                // A line end too many after a body is an old client's habit (RFC 9112 section 2.2).
                if !begun && wire.input.bytes().starts_with(b"\r\n") {
                    wire.input.consume(2);
                }
                let bytes = wire.input.bytes();
                begun = begun || !matches!(bytes, [] | [b'\r']);
                if begun {
                    match look(bytes, seen, limits) {
                        Ok(Found::Whole(length)) => return Poll::Ready(Next::Head(length)),
                        Ok(Found::Partial { seen: next }) => seen = next,
                        Err(refusal) => return Poll::Ready(Next::Refused(refusal)),
                    }
                }
                match wire.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Closed),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => break,
                }
            }
            let stopping = worker.is_stopping() || stop.as_mut().poll(cx).is_ready();
            let wanted = match stage {
                Stage::Kept if !begun && stopping => return Poll::Ready(Next::Closed),
                Stage::Kept if !begun => Patience::Idle,
                // It was opened in order to send something, which may be on its way.
                Stage::Opened if !begun && stopping => Patience::Last,
                Stage::Kept | Stage::Opened => Patience::Head,
            };
            if patience != wanted {
                alarm.set(match wanted {
                    Patience::Unset | Patience::Head => limits.head_time,
                    Patience::Idle => limits.idle,
                    Patience::Last => limits.linger,
                });
                patience = wanted;
            }
            ready!(alarm.poll(cx));
            Poll::Ready(if begun { Next::Refused(Refusal::HeadTimeout) } else { Next::Closed })
        })
        .await
    }

    /// Serves the request whose head is the first `length` bytes of the input.
    async fn answer(&mut self, length: usize) -> Persistence {
        let started = Instant::now();
        let mut record = self.record();
        self.head.clear();
        let bytes = self.wire.input.bytes().get(..length).unwrap_or_default();
        let limits = &self.worker.shared.limits;
        let read = Request::read(bytes, &self.arrival, record.at, limits, &mut self.head);
        self.wire.input.consume(length);
        let request = match read {
            Ok(request) => request,
            Err(refusal) => return self.refuse_head(refusal, record).await,
        };
        record.method.clone_from(&request.method);
        record.path.clone_from(&request.path);
        record.host = request.host.as_str().into();

        let (after, rest) = match extent(&request, self.wire.input.bytes()) {
            Err(why) => (After::Refuse(Refusal::Malformed(why)), Rest::Unclear),
            Ok(extent) => {
                let after = self.turn(&request, extent, &mut record, started).await;
                (after, self.rest_after(&request, extent))
            }
        };
        let persistence = self.conclude(after, rest, &request, &mut record).await;
        record.total = started.elapsed();
        record.request_id = request.id.into_text();
        self.worker.log.push(record);
        persistence
    }

    async fn turn(
        &mut self,
        request: &Request,
        extent: Extent,
        record: &mut Record,
        started: Instant,
    ) -> After {
        let mut turn = Turn {
            worker: &self.worker,
            client: &mut self.wire,
            alarm: &mut self.alarm,
            request,
            head: &self.head,
            extent,
            record,
            started,
            meter: None,
        };
        turn.serve().await
    }

    /// Drops a body that was kept to be sent again, and says whether a request may follow it.
    fn rest_after(&mut self, request: &Request, extent: Extent) -> Rest {
        match extent {
            Extent::Partial => Rest::Unclear,
            Extent::Whole(raw) => {
                self.wire.input.consume(raw);
                // What came behind a request to switch protocols was meant for the other one.
                let misleading = request.upgrade.is_some() && !self.wire.input.is_empty();
                if misleading { Rest::Unclear } else { Rest::NextRequest }
            }
        }
    }

    /// Says what is left to say and decides whether another request may follow.
    async fn conclude(
        &mut self,
        after: After,
        rest: Rest,
        request: &Request,
        record: &mut Record,
    ) -> Persistence {
        match after {
            // After a body that was streamed, the exchange knows whether it was read to its end.
            After::Answered(Persistence::KeepAlive)
                if rest == Rest::NextRequest || request.upgrade.is_none() =>
            {
                Persistence::KeepAlive
            }
            After::Answered(_) => self.part().await,
            After::Cut(abort) => {
                record.abort = Some(abort);
                Persistence::Close
            }
            After::Refuse(refusal) => {
                record.status = Some(refusal.status());
                record.refusal = Some(refusal.words().title.into_boxed_str());
                let persistence = match rest {
                    Rest::NextRequest => self.worker.persistence_after(request),
                    Rest::Unclear => Persistence::Close,
                };
                let id = &request.id;
                let (format, part) = (request.format, request.part());
                let page = Page { refusal: &refusal, id, format, part, at: record.at };
                self.say(&page, persistence).await
            }
        }
    }

    /// Answers what could not be understood, and closes.
    async fn refuse_head(&mut self, refusal: Refusal, mut record: Record) -> Persistence {
        self.worker.shared.ledger.malformed.fetch_add(1, Relaxed);
        let id = RequestId::fresh();
        let page = Page {
            refusal: &refusal,
            id: &id,
            format: Format::Text,
            part: Part::Whole,
            at: record.at,
        };
        let persistence = self.say(&page, Persistence::Close).await;
        record.status = Some(refusal.status());
        record.refusal = Some(refusal.words().title.into_boxed_str());
        record.request_id = id.into_text();
        self.worker.log.push(record);
        persistence
    }

    async fn say(&mut self, page: &Page<'_>, persistence: Persistence) -> Persistence {
        page.put(persistence, &mut self.wire.output);
        match (self.flush().await, persistence) {
            (Ok(()), Persistence::KeepAlive) => Persistence::KeepAlive,
            (Ok(()), Persistence::Close) => self.part().await,
            (Err(_), _) => Persistence::Close,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Self { wire, alarm, worker, .. } = self;
        alarm.set(worker.shared.limits.write_stall);
        poll_fn(|cx| match wire.poll_flush(cx) {
            Poll::Pending => alarm.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            written @ Poll::Ready(_) => written,
        })
        .await
    }

    /// Says that no more will be said, then reads on for a moment: closing with bytes unread would
    /// reset the connection, and the client might lose the answer it has not read yet.
    async fn part(&mut self) -> Persistence {
        let Self { wire, alarm, worker, .. } = self;
        let limits = &worker.shared.limits;
        alarm.set(limits.linger);
        let mut left = limits.linger_bytes;
        poll_fn(|cx| {
            let mut closed = wire.poll_shutdown(cx).is_ready();
            while left > 0 {
                let here = wire.input.bytes().len();
                wire.input.consume(here);
                left = left.saturating_sub(here);
                match wire.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return alarm.poll(cx),
                }
            }
            closed |= alarm.poll(cx).is_ready();
            if closed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Persistence::Close
    }

    fn record(&self) -> Record {
        Record {
            at: (self.worker.shared.clock)(),
            client: self.arrival.peer,
            method: Box::default(),
            host: Box::default(),
            path: Box::default(),
            request_id: Box::default(),
            service: None,
            upstream: None,
            status: None,
            received: 0,
            sent: 0,
            held: Duration::ZERO,
            connected: None,
            first_byte: None,
            total: Duration::ZERO,
            retries: 0,
            refusal: None,
            abort: None,
        }
    }
}

/// What stands in the input after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The next request, or nothing yet.
    NextRequest,
    /// Perhaps the rest of a body, perhaps another protocol.
    Unclear,
}

/// Looks for the end of a head, refusing what can be refused before it is whole.
fn look(bytes: &[u8], seen: usize, limits: &Limits) -> Result<Found, Refusal> {
    // A TLS greeting on a plain port would otherwise wait for a line end that never comes.
    if !bytes.first().is_some_and(u8::is_ascii_graphic) {
        return Err(Refusal::Malformed(Malformed::FirstLine));
    }
    let found = head::find(bytes, seen).map_err(Refusal::Malformed)?;
    let length = match found {
        Found::Whole(length) => length,
        Found::Partial { .. } => bytes.len(),
    };
    let line = memchr::memchr(b'\r', bytes.get(..limits.request_line).unwrap_or(bytes));
    if length > limits.request_line && line.is_none() {
        return Err(Refusal::TargetTooLong);
    }
    let full = matches!(found, Found::Partial { .. }) && length >= limits.head;
    if full || length > limits.head { Err(Refusal::HeadTooLong) } else { Ok(found) }
}

fn extent(request: &Request, input: &[u8]) -> Result<Extent, Malformed> {
    if request.upgrade.is_some() && !input.is_empty() {
        return Err(Malformed::Optimistic);
    }
    request.body.extent(input)
}
