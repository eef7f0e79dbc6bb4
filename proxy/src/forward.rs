//! One request, from its head to the last byte of its answer: whom to ask, and what to do when that
//! fails.
//!
//! It does not parse and does not write pages; what happens with one upstream stands in `attempt`.
//! The invariant: an upstream is chosen from the table that is current at that moment and counted as
//! in flight before anything else happens.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::alarm::Alarm;
use crate::arrival::Arrival;
use crate::attempt::Attempt;
use crate::body::Extent;
use crate::control::Persistence;
use crate::figures::Figures;
use crate::hold::{self, Waited};
use crate::meter::{Consequence, ServiceMeter};
use crate::party::Client;
use crate::pool::Search;
use crate::record::{Abort, Record};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::retry::Counted;
use crate::rules::Passage;
use crate::upstream::Peer;
use crate::venue::Way;
use crate::view::Target;
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

impl<C: Client> Turn<'_, C> {
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

    pub(crate) fn figures(&self) -> Option<&Figures> {
        self.meter.as_ref()?.of(self.worker.index)
    }

    /// Finds an upstream and has it answer, as often as it takes and is allowed.
    pub(crate) async fn forward(&mut self, mut way: Rc<Way>) -> After {
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
    pub(crate) fn blame(&self, peer: &Peer) {
        if let Some(answers) = peer.meter.answers(self.worker.index) {
            answers.failed(self.record.status);
        }
        if peer.meter.failed(&self.worker.shared.limits) == Consequence::LeftOut {
            self.figures().inspect(|figures| figures.left_out());
        }
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
}
