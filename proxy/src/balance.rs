//! Which of several upstreams gets the next request: the less busy of two random ones.
//!
//! Two choices are nearly as even as comparing all, and unlike it do not send every worker's next
//! request to the same upstream. Busy means in flight over all workers, not only this one's. The
//! invariant: while there is anybody, somebody is chosen; the unfit rather than nobody.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::field::Extra;
use crate::health::Standing;
use crate::meter::InFlight;
use crate::table::UpstreamId;
use crate::upstream::Peer;

/// Somebody to ask, counted as in flight.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) peer: Rc<Peer>,
    pub(crate) in_flight: InFlight,
    /// Fields for the answer, should it come from there.
    pub(crate) added: Vec<Extra>,
}

impl Chosen {
    fn new(peer: &Rc<Peer>, in_flight: InFlight) -> Self {
        Self { peer: Rc::clone(peer), in_flight, added: Vec::new() }
    }
}

/// Upstreams among which it does not matter who answers.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) peers: Vec<Rc<Peer>>,
    /// How long the share of a new one grows.
    pub(crate) slow_start: Duration,
}

impl Group {
    /// One that is fit and not among `tried`. When more than half are left out, something else
    /// than they is wrong, and none counts as left out.
    pub(crate) fn choose_fit(&self, tried: &[UpstreamId]) -> Option<Chosen> {
        let good = |peer: &Peer| peer.meter.health.is_good() && !tried.contains(&peer.id);
        if let [only] = self.peers.as_slice()
            && good(only)
        {
            return Some(begin(only));
        }
        if let Some((one, other)) = two(self.peers.len()) {
            let (one, other) = (self.peers.get(one)?, self.peers.get(other)?);
            if good(one) && good(other) {
                return Some(begin(self.better(one, other)));
            }
        }
        let now = Instant::now();
        let standing = |peer: &Peer| peer.meter.health.standing(now);
        let out = self.peers.iter().filter(|peer| standing(peer) == Standing::Out).count();
        if out * 2 > self.peers.len() {
            return self.choose_any(tried);
        }
        // Another worker may try out the one we had in mind; by then it counts as out.
        self.peers.iter().find_map(|_| {
            let fit = |peer: &Peer| !tried.contains(&peer.id) && standing(peer) != Standing::Out;
            admit(self.among(fit)?, now)
        })
    }

    /// One that is not among `tried`, whatever its standing.
    pub(crate) fn choose_any(&self, tried: &[UpstreamId]) -> Option<Chosen> {
        self.among(|peer| !tried.contains(&peer.id)).map(begin)
    }

    fn among(&self, fit: impl Fn(&Peer) -> bool) -> Option<&Rc<Peer>> {
        let fit: Vec<&Rc<Peer>> = self.peers.iter().filter(|peer| fit(peer)).collect();
        match two(fit.len()) {
            None => fit.first().copied(),
            Some((one, other)) => Some(self.better(fit.get(one)?, fit.get(other)?)),
        }
    }

    /// The less busy of two. A new one competes with an older one only as often as its age allows,
    /// so that its share grows evenly and its first requests find it warm.
    fn better<'a>(&self, one: &'a Rc<Peer>, other: &'a Rc<Peer>) -> &'a Rc<Peer> {
        if !self.slow_start.is_zero() {
            let now = Instant::now();
            let (ours, theirs) = (self.warmth(one, now), self.warmth(other, now));
            let (older, handicap) =
                if ours < theirs { (other, ours / theirs) } else { (one, theirs / ours) };
            if fastrand::f32() >= handicap {
                return older;
            }
        }
        let busy = |peer: &Peer| peer.meter.in_flight.load(Relaxed);
        if busy(other) < busy(one) { other } else { one }
    }

    /// From nearly 0, just arrived, to 1.
    fn warmth(&self, peer: &Peer, now: Instant) -> f32 {
        let age = peer.meter.joined.map(|joined| now.saturating_duration_since(joined));
        age.map_or(1.0, |age| (age.as_secs_f32() / self.slow_start.as_secs_f32()).clamp(0.001, 1.0))
    }
}

/// Counts a request for one that is fit; `None` if it is on probation and another tries it out.
pub(crate) fn admit(peer: &Rc<Peer>, now: Instant) -> Option<Chosen> {
    match peer.meter.health.standing(now) {
        Standing::Fit => Some(begin(peer)),
        Standing::OnProbation => {
            peer.meter.try_out(now).map(|in_flight| Chosen::new(peer, in_flight))
        }
        Standing::Out => None,
    }
}

fn begin(peer: &Rc<Peer>) -> Chosen {
    Chosen::new(peer, peer.meter.begin())
}

/// Two different random indexes below `count`.
fn two(count: usize) -> Option<(usize, usize)> {
    if count < 2 {
        return None;
    }
    let one = fastrand::usize(..count);
    let other = fastrand::usize(..count - 1);
    Some((one, if other < one { other } else { other + 1 }))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::ledger::Ledger;
    use crate::limits::Limits;
    use crate::meter::Newcomer;
    use crate::table::Upstream;

    /// Upstreams `u0`, `u1`, …, the last `new` of which have just joined.
    fn group(count: usize, new: usize, slow_start: Duration) -> Group {
        let ledger = Ledger::new(watch::Sender::new(()), 1);
        let peer = |number: usize| {
            let newcomer = if number < count - new { Newcomer::First } else { Newcomer::Later };
            let id = UpstreamId::new(format!("u{number}"));
            let meter = ledger.upstream(&id, newcomer);
            let address = "127.0.0.1:1".parse().unwrap();
            Rc::new(Peer::new(&Upstream { id, address, door: None }, meter))
        };
        Group { peers: (0..count).map(peer).collect(), slow_start }
    }

    fn even(count: usize) -> Group {
        group(count, 0, Duration::ZERO)
    }

    fn fall(peer: &Peer, now: Instant) {
        for _ in 0..3 {
            peer.meter.health.failed(&Limits::default(), now);
        }
    }

    #[test]
    fn the_less_busy_of_two_is_chosen() {
        let group = even(2);
        let _busy = group.peers[0].meter.begin();
        for _ in 0..50 {
            assert_eq!(group.choose_fit(&[]).unwrap().peer.id, group.peers[1].id);
        }
    }

    #[test]
    fn load_is_spread_evenly() {
        let group = even(5);
        let chosen: Vec<_> = (0..1000).map(|_| group.choose_fit(&[]).unwrap()).collect();
        for peer in &group.peers {
            let load = peer.meter.in_flight.load(Relaxed);
            assert!((190..=210).contains(&load), "{} has {load} of {}", peer.id, chosen.len());
        }
    }

    #[test]
    fn the_tried_and_the_unfit_are_avoided_unless_there_is_no_other() {
        let group = even(3);
        let tried = [group.peers[0].id.clone()];
        fall(&group.peers[1], Instant::now());
        for _ in 0..50 {
            assert_eq!(group.choose_fit(&tried).unwrap().peer.id, group.peers[2].id);
        }
        let both = [group.peers[0].id.clone(), group.peers[2].id.clone()];
        assert!(group.choose_fit(&both).is_none());
        assert_eq!(group.choose_any(&both).unwrap().peer.id, group.peers[1].id);
        assert!(even(0).choose_fit(&[]).is_none());
    }

    #[test]
    fn when_more_than_half_are_left_out_none_is() {
        let alone = even(1);
        fall(&alone.peers[0], Instant::now());
        assert!(alone.choose_fit(&[]).is_some(), "never the last");
        let group = even(4);
        let now = Instant::now();
        fall(&group.peers[0], now);
        fall(&group.peers[1], now);
        for _ in 0..50 {
            let id = group.choose_fit(&[]).unwrap().peer.id.clone();
            assert!(id == group.peers[2].id || id == group.peers[3].id);
        }
        fall(&group.peers[2], now);
        let chosen: Vec<_> = (0..200).map(|_| group.choose_fit(&[]).unwrap()).collect();
        assert!(group.peers.iter().all(|peer| peer.meter.in_flight.load(Relaxed) > 20));
        drop(chosen);
    }

    #[test]
    fn one_on_probation_gets_one_request_at_a_time() {
        let group = even(2);
        let limits = Limits::default();
        let over = Instant::now().checked_sub(limits.eject * 2).unwrap();
        fall(&group.peers[0], over);
        let chosen: Vec<_> = (0..50).map(|_| group.choose_fit(&[]).unwrap()).collect();
        assert_eq!(group.peers[0].meter.in_flight.load(Relaxed), 1);
        drop(chosen);
        group.peers[0].meter.health.succeeded();
        let _chosen: Vec<_> = (0..50).map(|_| group.choose_fit(&[]).unwrap()).collect();
        assert!(group.peers[0].meter.in_flight.load(Relaxed) > 15);
    }

    #[test]
    fn a_newcomers_share_is_its_age() {
        // It joined just now and will be warm in a day: it gets next to nothing.
        let slow = group(2, 1, Duration::from_hours(24));
        let count = |group: &Group| {
            let second = &group.peers[1].id;
            let picks = (0..2000).filter_map(|_| group.choose_fit(&[]));
            picks.filter(|chosen| chosen.peer.id == *second).count()
        };
        assert!(count(&slow) < 30);
        // Both are new: neither is older.
        let both = count(&group(2, 2, Duration::from_hours(24)));
        assert!((850..1150).contains(&both), "{both}");
        let none = count(&group(2, 1, Duration::ZERO));
        assert!((850..1150).contains(&none), "{none}");
    }

    #[test]
    fn half_way_a_newcomer_gets_half_its_share() {
        let group = group(4, 1, Duration::from_hours(1));
        let joined = group.peers[3].meter.joined.unwrap();
        for (minutes, expected) in [(15.0, 0.25), (30.0, 0.5), (120.0, 1.0)] {
            let at = joined + Duration::from_secs_f32(minutes * 60.0);
            let warmth = group.warmth(&group.peers[3], at);
            assert!((warmth - expected).abs() < 0.001, "{minutes} min: {warmth}");
            assert!((group.warmth(&group.peers[0], at) - 1.0).abs() < f32::EPSILON);
        }
    }
}
