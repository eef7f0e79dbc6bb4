//! One client connection: heads in, answers out, one after the other.
//!
//! It is generic over the stream, so that TLS slots in below it. The invariant: it never begins to
//! read a second request before the first is answered, and whenever it is not certain where the
//! next request begins, it closes.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::futures::OwnedNotified;

use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::body::Extent;
use crate::control::Persistence;
use crate::forward::{After, Turn};
use crate::head::Malformed;
use crate::intake::{self, Next, Stage};
use crate::pages::{Format, Page, Part};
use crate::parting;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::request_id::RequestId;
use crate::rules::Passage;
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
        let persistence = match intake::next(
            &mut client.wire,
            &mut client.alarm,
            client.stop.as_mut(),
            &worker,
            stage,
        )
        .await
        {
            Next::Head(length) => client.answer(length).await,
            Next::Refused(refusal) => {
                let (record, part) = (client.record(), asked(client.wire.input.bytes()));
                client.refuse_head(refusal, part, record).await
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
    /// Serves the request whose head is the first `length` bytes of the input.
    async fn answer(&mut self, length: usize) -> Persistence {
        let started = Instant::now();
        let mut record = self.record();
        self.head.clear();
        let bytes = self.wire.input.bytes().get(..length).unwrap_or_default();
        let limits = &self.worker.shared.limits;
        let read = Request::read(bytes, &self.arrival, record.at, limits, &mut self.head);
        let request = match read {
            Ok(request) => request,
            Err(refusal) => {
                let part = asked(bytes);
                return self.refuse_head(refusal, part, record).await;
            }
        };
        self.wire.input.consume(length);
        if self.worker.log.is_read() {
            record.understood(&request);
        }

        let mut passage = Passage::unknown();
        let (after, rest) = match extent(&request, self.wire.input.bytes()) {
            Err(why) => (After::Refuse(Refusal::Malformed(why)), Rest::Unclear),
            Ok(extent) => {
                let after = self.turn(&request, extent, &mut record, &mut passage, started).await;
                (after, self.rest_after(&request, extent))
            }
        };
        let persistence = self.conclude(after, rest, &request, &passage, &mut record).await;
        if self.worker.log.is_read() {
            record.total = started.elapsed();
            record.request_id = request.id.as_str().into();
            self.worker.log.push(record);
        }
        persistence
    }

    async fn turn(
        &mut self,
        request: &Request,
        extent: Extent,
        record: &mut Record,
        passage: &mut Passage,
        started: Instant,
    ) -> After {
        let mut turn = Turn {
            worker: &self.worker,
            client: &mut self.wire,
            alarm: &mut self.alarm,
            request,
            head: &self.head,
            arrival: &self.arrival,
            extent,
            record,
            started,
            passage,
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
        passage: &Passage,
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
                record.refused(&refusal);
                let persistence = match rest {
                    Rest::NextRequest => self.worker.persistence_after(request),
                    Rest::Unclear => Persistence::Close,
                };
                let id = &request.id;
                let (format, part) = (Format::of(&self.head), request.part());
                let page = Page { refusal: &refusal, passage, id, format, part, at: record.at };
                self.say(&page, persistence).await
            }
        }
    }

    /// Answers what could not be understood, and closes.
    async fn refuse_head(
        &mut self,
        refusal: Refusal,
        part: Part,
        mut record: Record,
    ) -> Persistence {
        self.worker.shared.ledger.malformed.fetch_add(1, Relaxed);
        let id = RequestId::fresh();
        let page = Page {
            refusal: &refusal,
            passage: &Passage::unknown(),
            id: &id,
            format: Format::Text,
            part,
            at: record.at,
        };
        let persistence = self.say(&page, Persistence::Close).await;
        record.refused(&refusal);
        record.request_id = id.as_str().into();
        self.worker.log.push(record);
        persistence
    }

    async fn say(&mut self, page: &Page<'_>, persistence: Persistence) -> Persistence {
        page.put(persistence, &mut self.wire.output);
        let limits = &self.worker.shared.limits;
        let flushed = parting::flush(&mut self.wire, &mut self.alarm, limits).await;
        match (flushed, persistence) {
            (Ok(()), Persistence::KeepAlive) => Persistence::KeepAlive,
            (Ok(()), Persistence::Close) => self.part().await,
            (Err(_), _) => Persistence::Close,
        }
    }

    async fn part(&mut self) -> Persistence {
        parting::part(&mut self.wire, &mut self.alarm, &self.worker.shared.limits).await;
        Persistence::Close
    }

    fn record(&self) -> Record {
        Record::begun((self.worker.shared.clock)(), &self.arrival)
    }
}

/// Which part of an answer a head asks for that is otherwise not understood: to HEAD no body may
/// be sent, whatever else is wrong with it (RFC 9110 section 9.3.2).
fn asked(head: &[u8]) -> Part {
    if head.starts_with(b"HEAD ") { Part::Head } else { Part::Whole }
}

/// What stands in the input after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The next request, or nothing yet.
    NextRequest,
    /// Perhaps the rest of a body, perhaps another protocol.
    Unclear,
}

fn extent(request: &Request, input: &[u8]) -> Result<Extent, Malformed> {
    if request.upgrade.is_some() && !input.is_empty() {
        return Err(Malformed::Optimistic);
    }
    request.body.extent(input)
}
