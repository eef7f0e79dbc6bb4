//! Whom the requests of one service may go to: the many, a canary beside them, and the one that a
//! client is bound to.
//!
//! Which of several equal ones is `balance`'s business. The invariants: a request draws lots between
//! canary and others at most once, however often it is sent; and a canary stands in for the others,
//! or they for it, only where there is nobody left to ask.

use std::rc::Rc;
use std::time::Instant;

use crate::arrival::Secure;
use crate::balance::{self, Chosen, Group};
use crate::meter::ServiceMeter;
use crate::sticky::{Binding, Bond};
use crate::table::{Service, ServiceName, Upstream, UpstreamId};
use crate::upstream::Peer;

/// The two kinds of upstreams of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Main,
    Canary,
}

/// The upstreams of one service as one worker sees them.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    main: Group,
    canary: Group,
    /// Who is asked for what those do not have, in this order.
    earlier: Vec<Rc<Peer>>,
    permille: u16,
    binding: Option<Binding>,
}

/// What is remembered of one request while somebody is looked for.
#[derive(Debug, Default)]
pub(crate) struct Search {
    tried: Vec<UpstreamId>,
    side: Option<Side>,
}

impl Search {
    /// Remembers that this one did not answer.
    pub(crate) fn failed(&mut self, upstream: &UpstreamId) {
        self.tried.push(upstream.clone());
    }

    /// How many were asked in vain.
    pub(crate) fn attempts(&self) -> u32 {
        u32::try_from(self.tried.len()).unwrap_or(u32::MAX)
    }
}

impl Pool {
    /// The pool of `service`, with a peer for each of its upstreams.
    pub(crate) fn new(
        name: &ServiceName,
        service: &Service,
        mut peer: impl FnMut(&Upstream) -> Rc<Peer>,
    ) -> Self {
        let slow_start = service.policy.slow_start;
        let earlier = service.earlier.iter().flat_map(|earlier| &earlier.upstreams);
        let earlier = earlier.map(&mut peer).collect();
        let mut group = |upstreams: &[Upstream]| Group {
            peers: upstreams.iter().map(&mut peer).collect(),
            slow_start,
        };
        let canary = service.canary.as_ref();
        let mut pool = Self {
            main: group(&service.upstreams),
            canary: group(canary.map_or(&[], |canary| &canary.upstreams)),
            earlier,
            permille: canary.map_or(0, |canary| canary.permille.min(1000)),
            binding: service.policy.sticky.as_ref().and_then(|sticky| Binding::new(sticky, name)),
        };
        if let Some(binding) = &mut pool.binding {
            pool.main.peers.iter().for_each(|peer| binding.know(&peer.id, Side::Main));
            pool.canary.peers.iter().for_each(|peer| binding.know(&peer.id, Side::Canary));
        }
        pool
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.main.peers.is_empty() && self.canary.peers.is_empty()
    }

    /// Whether there is nobody whom this request has not asked.
    pub(crate) fn is_exhausted(&self, search: &Search) -> bool {
        !self.is_empty() && self.peers().all(|peer| search.tried.contains(&peer.id))
    }

    fn peers(&self) -> impl Iterator<Item = &Rc<Peer>> {
        self.main.peers.iter().chain(&self.canary.peers)
    }

    /// Somebody to ask; `None` if there is nobody at all. `head` is the request's, for its cookies.
    /// A client that is not bound yet to whom it gets is told so in the answer.
    pub(crate) fn choose(
        &self,
        search: &mut Search,
        meter: &ServiceMeter,
        head: &[u8],
        secure: Secure,
    ) -> Option<Chosen> {
        let Some(binding) = &self.binding else { return self.unbound(search, meter) };
        match binding.read(head) {
            Bond::To(id) => {
                if let Some(chosen) = self.bound(&id, search) {
                    return Some(chosen);
                }
                let canary = self.canary.peers.iter().any(|peer| peer.id == id);
                search.side = Some(if canary { Side::Canary } else { Side::Main });
            }
            Bond::Side(side) => search.side = Some(side),
            Bond::None => {}
        }
        let mut chosen = self.unbound(search, meter)?;
        binding.put_set_cookie(&chosen.peer.id, secure, &mut chosen.added);
        Some(chosen)
    }

    /// The next to ask for what is not found, of those that this request has not asked.
    pub(crate) fn choose_earlier(&self, tried: &[UpstreamId]) -> Option<Chosen> {
        let now = Instant::now();
        let mut left = self.earlier.iter().filter(|peer| !tried.contains(&peer.id));
        left.find_map(|peer| balance::admit(peer, now))
    }

    /// The cookie that binds clients, which no upstream shall see.
    pub(crate) fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    fn bound(&self, id: &UpstreamId, search: &Search) -> Option<Chosen> {
        let peer = self.peers().find(|peer| peer.id == *id && !search.tried.contains(id))?;
        balance::admit(peer, Instant::now())
    }

    fn unbound(&self, search: &mut Search, meter: &ServiceMeter) -> Option<Chosen> {
        let (main, canary, tried) = (&self.main, &self.canary, &search.tried);
        let side = match (main.peers.is_empty(), canary.peers.is_empty()) {
            (_, true) => Side::Main,
            (true, false) => Side::Canary,
            (false, false) => *search.side.get_or_insert_with(|| {
                if meter.draw(self.permille) { Side::Canary } else { Side::Main }
            }),
        };
        let chosen = match side {
            // A canary that fails must not be missed: the others take its part.
            Side::Canary => canary.choose_fit(tried).or_else(|| main.choose_fit(tried)),
            // It is not sized for more than its share.
            Side::Main => main.choose_fit(tried),
        };
        chosen
            .or_else(|| main.choose_any(tried))
            .or_else(|| canary.choose_any(tried))
            .or_else(|| main.choose_any(&[]))
            .or_else(|| canary.choose_any(&[]))
    }
}
