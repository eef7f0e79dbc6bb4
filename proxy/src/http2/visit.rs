//! One request in a stream, from its head to the end of its answer.
//!
//! The counterpart of `crate::connection` for a connection that goes on whatever becomes of a
//! request. What is malformed resets its stream (RFC 9113 section 8.1.1); what is only refused is
//! answered with the same pages as over HTTP/1.1.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use h2::Reason;

use crate::alarm::Alarm;
use crate::body::Extent;
use crate::forward::{After, Turn};
use crate::limits::Limits;
use crate::pages::{Format, Page, Part};
use crate::parting;
use crate::record::{Abort, Record};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::request_id::RequestId;
use crate::rules::Passage;

use super::request::{self, Ending};
use super::session::{Accepted, Ended, Session};
use super::stream::{Asked, Stream};

/// What one request needs and the next can use again.
#[derive(Debug)]
pub(crate) struct Kit {
    alarm: Alarm,
    /// The head for the upstream.
    head: Vec<u8>,
}

impl Kit {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { alarm: Alarm::new(limits.head_time), head: Vec::new() }
    }
}

/// Serves one stream.
pub(crate) async fn serve(accepted: Accepted, session: &Session, kit: &mut Kit) -> Ended {
    kit.head.clear();
    Visit { session, kit }.serve(accepted).await
}

struct Visit<'a> {
    session: &'a Session,
    kit: &'a mut Kit,
}

impl Visit<'_> {
    async fn serve(&mut self, accepted: Accepted) -> Ended {
        let started = Instant::now();
        let worker = &self.session.worker;
        let arrival = &self.session.arrival;
        let mut record = Record::begun((worker.shared.clock)(), arrival);
        let Accepted { request, answer } = accepted;
        let (parts, incoming) = request.into_parts();
        let ending = Ending::of(&incoming);
        let mut stream = Stream::new(incoming, answer);
        let limits = &worker.shared.limits;
        let read = request::read(&parts, ending, arrival, record.at, limits, &mut self.kit.head);
        drop(parts);
        let request = match read {
            Ok(request) => request,
            Err(refusal) => {
                self.refuse_head(&refusal, &mut stream, record).await;
                return Ended::Properly;
            }
        };
        if worker.log.is_read() {
            record.understood(&request);
        }
        if request.upgrade.is_some() {
            stream.asks(Asked::Tunnel);
        }
        // Bodies are not waited for: one that is not here yet is streamed.
        let whole = ending == Ending::WithHead || request.upgrade.is_some();
        let mut passage = Passage::unknown();
        let mut turn = Turn {
            worker,
            client: &mut stream,
            alarm: &mut self.kit.alarm,
            request: &request,
            head: &self.kit.head,
            arrival,
            extent: if whole { Extent::Whole(0) } else { Extent::Partial },
            record: &mut record,
            started,
            passage: &mut passage,
            meter: None,
        };
        let after = turn.serve().await;
        let how = self.conclude(after, &request, &passage, &mut stream, &mut record).await;
        if worker.log.is_read() {
            record.total = started.elapsed();
            record.request_id = request.id.as_str().into();
            worker.log.push(record);
        }
        how
    }

    async fn conclude(
        &mut self,
        after: After,
        request: &Request,
        passage: &Passage,
        stream: &mut Stream,
        record: &mut Record,
    ) -> Ended {
        match after {
            After::Answered(_) => {}
            After::Cut(abort) => {
                record.abort = Some(abort);
                stream.reset(reason(abort));
                if abort == Abort::ClientGone {
                    return Ended::Abandoned;
                }
            }
            After::Refuse(Refusal::Malformed(_)) => {
                record.abort = Some(Abort::ClientMalformed);
                stream.reset(Reason::PROTOCOL_ERROR);
            }
            After::Refuse(refusal) => {
                record.refused(&refusal);
                let format = Format::of(&self.kit.head);
                let (id, part) = (&request.id, request.part());
                let page = Page { refusal: &refusal, passage, id, format, part, at: record.at };
                self.say(&page, stream).await;
            }
        }
        Ended::Properly
    }

    /// Refuses what was not understood.
    async fn refuse_head(&mut self, refusal: &Refusal, stream: &mut Stream, mut record: Record) {
        let worker = &self.session.worker;
        worker.shared.ledger.malformed.fetch_add(1, Relaxed);
        let id = RequestId::fresh();
        if matches!(refusal, Refusal::Malformed(_)) {
            record.abort = Some(Abort::ClientMalformed);
            stream.reset(Reason::PROTOCOL_ERROR);
        } else {
            let (format, part) = (Format::Text, Part::Whole);
            let passage = &Passage::unknown();
            let page = Page { refusal, passage, id: &id, format, part, at: record.at };
            self.say(&page, stream).await;
        }
        record.refused(refusal);
        record.request_id = id.as_str().into();
        worker.log.push(record);
    }

    async fn say(&mut self, page: &Page<'_>, stream: &mut Stream) {
        let limits = &self.session.worker.shared.limits;
        let said = stream.put_answer(&page.answer()).is_ok()
            && parting::flush(stream, &mut self.kit.alarm, limits).await.is_ok();
        if !said {
            stream.reset(Reason::CANCEL);
        }
    }
}

/// What a client is told of an answer that will not be whole.
fn reason(abort: Abort) -> Reason {
    match abort {
        Abort::ClientGone | Abort::ClientStalled | Abort::TunnelIdle => Reason::CANCEL,
        Abort::ClientMalformed => Reason::PROTOCOL_ERROR,
        Abort::UpstreamClosed | Abort::UpstreamMalformed | Abort::UpstreamStalled => {
            Reason::INTERNAL_ERROR
        }
    }
}
