//! One attempt to have a request answered: a connection, an exchange, and what its end means.
//!
//! Whom to ask, and whether to ask another one, is `forward`'s business. The invariant: an attempt
//! says that the request may be sent again only if nothing of it can have had an effect.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::balance::Chosen;
use crate::body::{Body, Extent};
use crate::control::Persistence;
use crate::exchange::{Exchange, Progress, Upload};
use crate::fault::{Answered, Fault};
use crate::field::Extra;
use crate::forward::{After, Turn};
use crate::head::Malformed;
use crate::meter::OpenTunnel;
use crate::outgoing::Outgoing;
use crate::party::Client;
use crate::pump::{Encoding, Pump, put_whole};
use crate::record::Abort;
use crate::refusal::Refusal;
use crate::response::{Kind, Response, Uploading, Withheld};
use crate::rules;
use crate::table::Protocol;
use crate::tunnel;
use crate::upstream::{self, Age, Link, Peer};
use crate::venue::Way;
use crate::wire::Wire;

/// How one attempt ended.
pub(crate) enum Attempt {
    Over(After),
    /// Nothing was sent to this upstream, or nothing that it can have acted on.
    Again(Refusal),
}

impl<C: Client> Turn<'_, C> {
    /// Asks one upstream.
    pub(crate) async fn attempt(&mut self, way: &Way, chosen: Chosen) -> Attempt {
        let Chosen { peer, in_flight: _in_flight, added } = chosen;
        let asked = self.started.elapsed();
        let Some(mut link) = self.link(way, &peer).await else {
            return Attempt::Again(Refusal::Unreachable);
        };
        let ended = self.exchange(way, (&peer, &added, asked), &mut link).await;
        match ended {
            Ended::Answered { client, upstream } => {
                if upstream == Persistence::KeepAlive {
                    peer.put_back(link.wire, &self.worker.shared.limits);
                }
                Attempt::Over(After::Answered(client))
            }
            Ended::Tunnelled(abort) => Attempt::Over(match abort {
                None => After::Answered(Persistence::Close),
                Some(abort) => After::Cut(abort),
            }),
            Ended::Elsewhere(after) => Attempt::Over(after),
            Ended::Faulty(fault) => {
                self.judge(&peer, fault, link.age);
                self.failed(fault, &link)
            }
        }
    }

    /// A connection to an upstream, rested or new; `None` if there is none to be had.
    async fn link(&mut self, way: &Way, peer: &Peer) -> Option<Link> {
        let limits = &self.worker.shared.limits;
        let idle = match way.target.service.protocol {
            _ if self.record.retries > 0 => None,
            Protocol::Http1 => peer.idle_link(self.oldest_link()),
            Protocol::H2c => peer.shared_link(limits),
        };
        let Some(link) = idle else { return self.connect(way, peer).await };
        self.record.upstream = Some(peer.id.clone());
        self.record.connected = Some(self.started.elapsed());
        Some(link)
    }

    /// A new connection to an upstream.
    pub(crate) async fn connect(&mut self, way: &Way, peer: &Peer) -> Option<Link> {
        self.record.upstream = Some(peer.id.clone());
        let protocol = way.target.service.protocol;
        match peer.connect(protocol, &self.worker.shared.limits).await {
            Ok(link) => {
                self.record.connected = Some(self.started.elapsed());
                Some(link)
            }
            Err(error) => {
                tracing::debug!(upstream = %peer.id, %error, "cannot connect");
                if upstream::is_theirs(&error) {
                    self.blame(peer);
                }
                None
            }
        }
    }

    /// Whether a fault says something about the upstream.
    pub(crate) fn judge(&self, peer: &Peer, fault: Fault, age: Age) {
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
        (peer, added, asked): (&Peer, &[Extra], Duration),
        link: &mut Link,
    ) -> Ended {
        let mut leg = match self.begin(way, (peer, added, asked), link) {
            Ok(leg) => leg,
            Err(fault) => return Ended::Faulty(fault),
        };
        let others = rules::may_ask_earlier(way, self.request);
        let withheld = if others { Withheld::Missing } else { Withheld::None };
        let mut kind = self.head(&mut leg, withheld).await;
        if let Ok(Kind::Withheld(_)) = kind {
            // Few requests come here, and all of them would carry the space that this takes.
            if let Some(after) = Box::pin(self.ask_earlier(&peer.id)).await {
                return Ended::Elsewhere(after);
            }
            self.record.upstream = Some(peer.id.clone());
            kind = self.pass_head(&mut leg, Withheld::None).await;
        }
        match kind {
            Ok(kind) => self.finish(leg, kind).await,
            Err(fault) => Ended::Faulty(fault),
        }
    }

    /// Puts the request before an upstream, which was turned to so long after the request had begun.
    pub(crate) fn begin<'l>(
        &self,
        way: &Way,
        (peer, added, asked): (&'l Peer, &'l [Extra], Duration),
        link: &'l mut Link,
    ) -> Result<Leg<'l>, Fault> {
        let (upload, received) =
            self.prepare(way, &mut link.wire).map_err(Fault::ClientMalformed)?;
        if let Some(most) = self.passage.most_body().filter(|most| received > *most) {
            return Err(Fault::ClientTooLarge(most));
        }
        let progress = Progress::with(received);
        Ok(Leg { peer, link, added, asked, upload, progress })
    }

    /// Waits for the head of the answer, and counts it.
    pub(crate) async fn head(
        &mut self,
        leg: &mut Leg<'_>,
        withheld: Withheld,
    ) -> Result<Kind, Fault> {
        let kind = self.pass_head(leg, withheld).await?;
        leg.peer.meter.health.succeeded();
        let first_byte = self.started.elapsed();
        self.record.first_byte = Some(first_byte);
        if let Some(answers) = leg.peer.meter.answers(self.worker.index) {
            let status = match &kind {
                Kind::Final(response) => response.status,
                Kind::Withheld(status) => *status,
                Kind::Switched | Kind::Interim => 101,
            };
            answers.answered(status, first_byte.saturating_sub(leg.asked));
        }
        Ok(kind)
    }

    async fn pass_head(&mut self, leg: &mut Leg<'_>, withheld: Withheld) -> Result<Kind, Fault> {
        let mut exchange = self.exchange_of(leg, withheld);
        let kind = poll_fn(|cx| exchange.poll_head(cx)).await;
        if kind.is_err() {
            self.record.received = leg.progress.received();
        }
        kind
    }

    /// Passes on what follows a head that the client was given.
    pub(crate) async fn finish(&mut self, mut leg: Leg<'_>, kind: Kind) -> Ended {
        match kind {
            Kind::Final(mut response) => {
                self.record.status = Some(response.status);
                let mut download =
                    Pump::new(response.body, response.encoding).through(response.encoder.take());
                let mut exchange = self.exchange_of(&mut leg, Withheld::None);
                let done = poll_fn(|cx| exchange.poll_body(cx, &mut download)).await;
                let ended = match done {
                    Ok(()) => answered(&exchange, &response),
                    Err(fault) => Ended::Faulty(fault),
                };
                self.record.sent = download.moved();
                self.record.received = leg.progress.received();
                ended
            }
            // Neither interim responses nor what nobody withholds come out of `poll_head`.
            Kind::Switched | Kind::Interim | Kind::Withheld(_) => {
                let _tunnel = OpenTunnel::new(&leg.peer.meter);
                self.tunnel(leg.link).await
            }
        }
    }

    fn exchange_of<'t>(
        &'t mut self,
        leg: &'t mut Leg<'_>,
        withheld: Withheld,
    ) -> Exchange<'t, C, Outgoing> {
        Exchange {
            client: &mut *self.client,
            upstream: &mut leg.link.wire,
            alarm: &mut *self.alarm,
            request: self.request,
            added: leg.added,
            passage: &*self.passage,
            withheld,
            worker: self.worker,
            upload: &mut leg.upload,
            progress: &mut leg.progress,
        }
    }

    async fn tunnel(&mut self, link: &mut Link) -> Ended {
        self.record.status = Some(101);
        if !self.client.unread().is_empty() {
            // It was sent before the 101 could have been seen (RFC 9931): whoever did that may
            // have meant it for somebody else.
            return Ended::Faulty(Fault::ClientMalformed(Malformed::Optimistic));
        }
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
        // What is left to write of an interim response goes first; behind the head of another
        // answer a page would be unreadable.
        Attempt::Over(match fault.refusal() {
            Some(refusal) if self.record.status.is_none() => After::Refuse(refusal),
            Some(_) | None => After::Cut(fault.abort()),
        })
    }
}

/// A request before one upstream.
pub(crate) struct Leg<'l> {
    peer: &'l Peer,
    link: &'l mut Link,
    /// Field lines for the answer that are ours.
    added: &'l [Extra],
    /// When that was, since the request began.
    asked: Duration,
    upload: Upload,
    progress: Progress,
}

/// How an exchange ended.
pub(crate) enum Ended {
    Answered {
        client: Persistence,
        upstream: Persistence,
    },
    Tunnelled(Option<Abort>),
    /// This one did not have it. Whoever has did all there was to do for the client.
    Elsewhere(After),
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
