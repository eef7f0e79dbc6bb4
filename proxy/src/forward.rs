//! One request, from its head to the last byte of its answer: whom to ask, and what to do when that
//! fails.
//!
//! It does not parse and does not write pages. The invariants: an upstream is chosen from the table
//! that is current at that moment and counted as in flight before anything else happens; a request
//! is sent again only if nothing of it can have had an effect.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::access_log::{Abort, Record};
use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::balance::Chosen;
use crate::body::{Body, Extent};
use crate::control::Persistence;
use crate::exchange::{Exchange, Progress, Upload};
use crate::fault::{Answered, Fault};
use crate::field::Extra;
use crate::figures::Figures;
use crate::head::Malformed;
use crate::hold::{self, Waited};
use crate::meter::{Consequence, OpenTunnel, ServiceMeter};
use crate::party::Client;
use crate::pool::Search;
use crate::pump::{Encoding, Pump, put_whole};
use crate::refusal::Refusal;
use crate::request::{Reach, Request};
use crate::response::{Kind, Response, Uploading};
use crate::retry::Counted;
use crate::rules::queue::{Entry, Seat};
use crate::rules::{self, Asked, Passage};
use crate::table::Protocol;
use crate::tunnel;
use crate::upstream::{self, Age, Link, Peer};
use crate::venue::Way;
use crate::view::Target;
use crate::wire::Wire;
use crate::worker::Worker;

/// What is left to do for the client when a request is over.
#[derive(Debug)]
pub(crate) enum After {
    /// The answer is across.
    Answered(Persistence),
    /// Answer with a page; nothing was sent yet.
    Refuse(Refusal),
    /// The answer is incomplete or pointless: close without another word.
    Cut(Abort),
}

/// One request and all that serves it.
#[derive(Debug)]
pub(crate) struct Turn<'a, C> {
    pub(crate) worker: &'a Worker,
    pub(crate) client: &'a mut C,
    pub(crate) alarm: &'a mut Alarm,
    pub(crate) request: &'a Request,
    /// The head for the upstream.
    pub(crate) head: &'a [u8],
    pub(crate) arrival: &'a Arrival,
    pub(crate) extent: Extent,
    pub(crate) record: &'a mut Record,
    pub(crate) started: Instant,
    /// The site and the service it was led to last.
    pub(crate) passage: &'a mut Passage,
    /// The figures of that service.
    pub(crate) meter: Option<Arc<ServiceMeter>>,
}

/// How one attempt ended.
enum Attempt {
    Over(After),
    /// Nothing was sent to this upstream, or nothing that it can have acted on.
    Again(Refusal),
}

impl<'a, C: Client> Turn<'a, C> {
    /// Serves the request. The body, if it was here as a whole, is still in the client's input.
    pub(crate) async fn serve(&mut self) -> After {
        let after = self.route().await;
        if self.worker.log.is_read() {
            self.record.described(self.request, self.head, &self.worker.shared.trusted);
        }
        let status = match &after {
            After::Answered(_) | After::Cut(_) => self.record.status,
            After::Refuse(refusal) => Some(refusal.status()),
        };
        if let Some(figures) = self.figures() {
            figures.finished(status, self.started.elapsed(), self.record);
        }
        after
    }

    fn figures(&self) -> Option<&Figures> {
        self.meter.as_ref()?.of(self.worker.index)
    }

    async fn route(&mut self) -> After {
        if self.request.reach == Reach::Edge {
            let trace = &*self.request.method == "TRACE";
            return After::Refuse(if trace { Refusal::Trace } else { Refusal::Here });
        }
        match self.admit() {
            Ok(way) => match self.seat(&way.target).await {
                Ok(_seat) => self.forward(way).await,
                Err(after) => after,
            },
            Err(refusal) => After::Refuse(refusal),
        }
    }

    /// Meets every rule that does not depend on an upstream.
    fn admit(&mut self) -> Result<Rc<Way>, Refusal> {
        rules::prove(&self.worker.presented(), &self.asked())?;
        let view = self.worker.view();
        let asked = self.asked();
        self.passage.enter(&view, &asked).inspect_err(|refusal| self.count_unrouted(refusal))?;
        let way = self.find()?;
        rules::admit(&way.target, &asked, self.started)?;
        Ok(way)
    }

    /// Who answers, by the table that is current now.
    fn find(&mut self) -> Result<Rc<Way>, Refusal> {
        let view = self.worker.view();
        let asked = self.asked();
        let way = self.passage.find(&view, &asked);
        let way = way.inspect_err(|refusal| self.count_unrouted(refusal))?;
        self.record.service = Some(way.target.name.clone());
        self.meter = Some(Arc::clone(&way.target.meter));
        Ok(way)
    }

    fn asked(&self) -> Asked<'a> {
        Asked {
            method: &self.request.method,
            host: &self.request.host,
            path: &self.request.path,
            head: self.head,
            body: self.request.body,
            arrival: self.arrival,
            trusted: &self.worker.shared.trusted,
        }
    }

    fn count_unrouted(&self, refusal: &Refusal) {
        if matches!(refusal, Refusal::UnknownHost(_)) {
            self.worker.shared.ledger.unrouted.fetch_add(1, Relaxed);
        }
    }

    async fn forward(&mut self, mut way: Rc<Way>) -> After {
        let mut budget = self.worker.shared.budget.begin();
        let mut search = Search::default();
        loop {
            let target = &way.target;
            let _underway = target.meter.begin();
            let secure = self.request.secure;
            let chosen = target.pool.choose(&mut search, &target.meter, self.head, secure);
            match chosen {
                None => {
                    if let Some(after) = self.hold(target).await {
                        return after;
                    }
                }
                Some(chosen) => {
                    let peer = Rc::clone(&chosen.peer);
                    let refusal = match self.attempt(&way, chosen).await {
                        Attempt::Over(after) => return after,
                        Attempt::Again(refusal) => refusal,
                    };
                    search.failed(&peer.id);
                    if !self.may_try_again(&refusal, &search, &mut budget) {
                        return After::Refuse(refusal);
                    }
                }
            }
            way = match self.find() {
                Ok(way) => way,
                Err(refusal) => return After::Refuse(refusal),
            };
        }
    }

    /// Whether there is somebody left to ask, and the request may be sent again.
    fn may_try_again(&mut self, refusal: &Refusal, search: &Search, budget: &mut Counted) -> bool {
        let Ok(way) = self.find() else { return false };
        let target = &way.target;
        // Connecting again to whom we just could not reach only takes longer to say so. (With no
        // peers left, the request is held.)
        if target.pool.is_exhausted(search) && matches!(refusal, Refusal::Unreachable) {
            return false;
        }
        if search.attempts() >= self.worker.shared.limits.attempts || !budget.may_retry() {
            return false;
        }
        self.record.retries += 1;
        if let Some(figures) = self.figures() {
            figures.sent_again();
        }
        true
    }

    /// Counts a failure against an upstream.
    fn blame(&self, peer: &Peer) {
        if peer.meter.failed(&self.worker.shared.limits) == Consequence::LeftOut {
            self.figures().inspect(|figures| figures.left_out());
        }
    }

    /// Takes a seat among the requests that the service takes at once, or waits for one.
    async fn seat(&mut self, target: &Target) -> Result<Option<Seat>, After> {
        let Some(most) = target.service.policy.most_in_flight else { return Ok(None) };
        let hold = target.service.hold;
        let mut ticket = match target.meter.queue.enter(most, hold.most) {
            Entry::Seated(seat) => return Ok(Some(seat)),
            Entry::Waiting(ticket) => ticket,
        };
        let Some(_held) = target.meter.hold(hold.most) else {
            return Err(After::Refuse(Refusal::Crowded));
        };
        self.alarm.set(hold.deadline);
        let began = Instant::now();
        let seat = poll_fn(|cx| {
            if let Poll::Ready(Ok(seat)) = Pin::new(&mut ticket).poll(cx) {
                return Poll::Ready(Ok(Some(seat)));
            }
            if self.client.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(After::Cut(Abort::ClientGone)));
            }
            self.alarm.poll(cx).map(|()| Err(After::Refuse(Refusal::Crowded)))
        })
        .await;
        self.record.held += began.elapsed();
        seat
    }

    /// Waits for an upstream to appear; `None` is to look again.
    async fn hold(&mut self, target: &Target) -> Option<After> {
        let began = Instant::now();
        let waited = self.record.held;
        let ended = hold::wait(self.client, self.alarm, self.worker, target, waited).await;
        self.record.held += began.elapsed();
        match ended {
            Waited::Changed => None,
            Waited::InVain => Some(After::Refuse(Refusal::Absent(Arc::clone(&target.service)))),
            Waited::ClientGone => Some(After::Cut(Abort::ClientGone)),
        }
    }

    async fn attempt(&mut self, way: &Way, chosen: Chosen) -> Attempt {
        let limits = &self.worker.shared.limits;
        let Chosen { peer, in_flight: _in_flight, added } = chosen;
        self.record.upstream = Some(peer.id.clone());
        let protocol = way.target.service.protocol;
        let idle = match protocol {
            _ if self.record.retries > 0 => None,
            Protocol::Http1 => peer.idle_link(self.oldest_link()),
            Protocol::H2c => peer.shared_link(limits),
        };
        let mut link = match idle {
            Some(link) => link,
            None => match peer.connect(protocol, limits).await {
                Ok(link) => link,
                Err(error) => {
                    tracing::debug!(upstream = %peer.id, %error, "cannot connect");
                    if upstream::is_theirs(&error) {
                        self.blame(&peer);
                    }
                    return Attempt::Again(Refusal::Unreachable);
                }
            },
        };
        self.record.connected = Some(self.started.elapsed());
        let ended = self.exchange(way, &peer, &mut link, &added).await;
        match ended {
            Ended::Answered { client, upstream } => {
                if upstream == Persistence::KeepAlive {
                    peer.put_back(link.wire, limits);
                }
                Attempt::Over(After::Answered(client))
            }
            Ended::Tunnelled(abort) => Attempt::Over(match abort {
                None => After::Answered(Persistence::Close),
                Some(abort) => After::Cut(abort),
            }),
            Ended::Faulty(fault) => {
                self.judge(&peer, fault, link.age);
                self.failed(fault, &link)
            }
        }
    }

    /// Whether a fault says something about the upstream.
    fn judge(&self, peer: &Peer, fault: Fault, age: Age) {
        match fault {
            // It closed what had rested: its right, and no sign that it is unwell.
            Fault::Closed(Answered::Nothing) if age == Age::Reused => {}
            // A stream may be silent for as long as its app likes.
            Fault::UpstreamSlow if self.record.status.is_some() => {}
            fault if fault.is_the_upstreams() => self.blame(peer),
            _ => {}
        }
    }

    /// A connection that rested long is likelier to be closed just as we use it. A request that
    /// could then not be sent again does not take that risk.
    fn oldest_link(&self) -> Duration {
        let limits = &self.worker.shared.limits;
        if self.is_repeatable() { limits.pool_idle } else { limits.pool_fresh }
    }

    fn is_repeatable(&self) -> bool {
        self.request.is_idempotent() && matches!(self.extent, Extent::Whole(_))
    }

    async fn exchange(
        &mut self,
        way: &Way,
        peer: &Peer,
        link: &mut Link,
        added: &[Extra],
    ) -> Ended {
        let (upload, received) = match self.prepare(way, &mut link.wire) {
            Ok(upload) => upload,
            Err(why) => return Ended::Faulty(Fault::ClientMalformed(why)),
        };
        if let Some(most) = self.passage.most_body().filter(|most| received > *most) {
            return Ended::Faulty(Fault::ClientTooLarge(most));
        }
        let mut exchange = Exchange {
            client: &mut *self.client,
            upstream: &mut link.wire,
            alarm: &mut *self.alarm,
            request: self.request,
            added,
            passage: &*self.passage,
            worker: self.worker,
            upload,
            progress: Progress::with(received),
        };
        exchange.alarm.set(exchange.patience());
        let kind = match poll_fn(|cx| exchange.poll_head(cx)).await {
            Ok(kind) => kind,
            Err(fault) => {
                self.record.received = exchange.received();
                return Ended::Faulty(fault);
            }
        };
        peer.meter.health.succeeded();
        self.record.first_byte = Some(self.started.elapsed());
        match kind {
            Kind::Final(response) => {
                self.record.status = Some(response.status);
                let mut download = Pump::new(response.body, response.encoding);
                let done = poll_fn(|cx| exchange.poll_body(cx, &mut download)).await;
                self.record.sent = download.moved();
                self.record.received = exchange.received();
                match done {
                    Ok(()) => answered(&exchange, &response),
                    Err(fault) => Ended::Faulty(fault),
                }
            }
            // Interim responses never come out of `poll_head`.
            Kind::Switched | Kind::Interim => {
                let _tunnel = OpenTunnel::new(&peer.meter);
                self.tunnel(link).await
            }
        }
    }

    async fn tunnel(&mut self, link: &mut Link) -> Ended {
        if !self.client.unread().is_empty() {
            // It was sent before the 101 could have been seen (RFC 9931): whoever did that may
            // have meant it for somebody else.
            return Ended::Faulty(Fault::ClientMalformed(Malformed::Optimistic));
        }
        self.record.status = Some(101);
        let idle = self.worker.shared.limits.tunnel_idle;
        let passed = tunnel::join(self.client, &mut link.wire, self.alarm, idle).await;
        self.record.received = passed.up;
        self.record.sent = passed.down;
        Ended::Tunnelled(passed.abort)
    }

    /// Writes the head, and the body if it is here as a whole, to the upstream's output.
    fn prepare(
        &self,
        way: &Way,
        upstream: &mut Wire<impl Sized>,
    ) -> Result<(Upload, u64), Malformed> {
        rules::put_head(way, self.head, &mut upstream.output);
        let encoding = match self.request.body {
            Body::Sized(_) => Encoding::Plain,
            // Over HTTP/2 a body of unknown length ends with its stream.
            Body::Chunked(_) | Body::UntilClose => Encoding::Chunked,
        };
        match self.extent {
            Extent::Whole(_) => {
                let input = self.client.unread();
                let moved = put_whole(self.request.body, encoding, input, &mut upstream.output)?;
                Ok((Upload::Flushing, moved))
            }
            Extent::Partial => Ok((Upload::Streaming(Pump::new(self.request.body, encoding)), 0)),
        }
    }

    /// What a fault means for the client: another attempt, a page, or the end.
    fn failed(&mut self, fault: Fault, link: &Link) -> Attempt {
        let unanswered = fault == Fault::Closed(Answered::Nothing);
        let likely_stale = link.age == Age::Reused && self.is_repeatable();
        let refused = link.was_refused() && matches!(self.extent, Extent::Whole(_));
        if unanswered && (likely_stale || refused) {
            return Attempt::Again(Refusal::UpstreamClosed);
        }
        // An interim response may be half written; a page behind it would be unreadable.
        let committed = self.record.status.is_some() || self.client.is_committed();
        Attempt::Over(match fault.refusal() {
            Some(refusal) if !committed => After::Refuse(refusal),
            Some(_) | None => After::Cut(fault.abort()),
        })
    }
}

/// How an exchange ended.
enum Ended {
    Answered { client: Persistence, upstream: Persistence },
    Tunnelled(Option<Abort>),
    Faulty(Fault),
}

fn answered<C, U>(exchange: &Exchange<'_, C, U>, response: &Response) -> Ended
where
    C: Client,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let client = match exchange.uploading() {
        Uploading::Done => response.client,
        Uploading::Underway => Persistence::Close,
    };
    Ended::Answered { client, upstream: exchange.upstream_after(response) }
}
