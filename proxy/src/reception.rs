//! A request before anybody is asked to answer it: led to a service, past every rule of it, to a
//! seat among those that the service takes at once.
//!
//! It decides nothing itself (`rules` does) and knows no upstream. The invariant: whatever protocol
//! a request came by, it comes through here.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Instant;

use crate::forward::{After, Turn};
use crate::party::Client;
use crate::record::Abort;
use crate::refusal::Refusal;
use crate::request::Reach;
use crate::rules::queue::{Entry, Seat};
use crate::rules::{self, Asked};
use crate::venue::Way;
use crate::view::Target;

impl<'a, C: Client> Turn<'a, C> {
    /// Admits the request and has it answered.
    pub(crate) async fn route(&mut self) -> After {
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
        let asked = self.asked();
        let presented = self.worker.presented();
        rules::prove(&presented, &asked)?;
        rules::keep_apart(self.arrival.tls.as_deref(), &presented, &asked)?;
        let view = self.worker.view();
        let way = self.passage.enter(&view, &asked);
        let way = self.led(way)?;
        rules::admit(&way.target, &asked, self.started)?;
        Ok(way)
    }

    /// Who answers, by the table that is current now.
    pub(crate) fn find(&mut self) -> Result<Rc<Way>, Refusal> {
        let view = self.worker.view();
        let way = self.passage.find(&view, &self.asked());
        self.led(way)
    }

    /// Notes where the request was led.
    fn led(&mut self, way: Result<Rc<Way>, Refusal>) -> Result<Rc<Way>, Refusal> {
        match &way {
            Ok(way) => {
                self.record.service = Some(way.target.name.clone());
                self.meter = Some(Arc::clone(&way.target.meter));
            }
            Err(Refusal::UnknownHost(_)) => {
                self.worker.shared.ledger.unrouted.fetch_add(1, Relaxed);
            }
            Err(_) => {}
        }
        way
    }

    fn asked(&self) -> Asked<'a> {
        Asked {
            method: &self.request.method,
            host: &self.request.host,
            path: &self.request.path,
            head: self.head,
            body: self.request.body,
            secure: self.request.secure,
            peer: self.arrival.peer.ip(),
            hops: &self.request.hops,
            trusted: &self.worker.shared.trusted,
        }
    }

    /// Takes a seat, or waits for one as long and in such a line as the service holds requests.
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
}
