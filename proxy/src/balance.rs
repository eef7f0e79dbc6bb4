//! Which upstream gets the next request: the less busy of two random ones.
//!
//! Two choices are nearly as even as comparing all, and unlike it do not send every worker's next
//! request to the same upstream. Busy means in flight over all workers, not only this one's.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use crate::table::UpstreamId;
use crate::upstream::Peer;

/// Picks an upstream: not one of `tried` and not one that is left out, if there is another.
pub(crate) fn choose<'a>(peers: &'a [Rc<Peer>], tried: &[UpstreamId]) -> Option<&'a Rc<Peer>> {
    let untried = |peer: &Peer| !tried.contains(&peer.id);
    let fit = |peer: &Peer| untried(peer) && !peer.meter.is_out();
    if let Some((one, other)) = two(peers.len()) {
        let (one, other) = (peers.get(one)?, peers.get(other)?);
        match (fit(one), fit(other)) {
            (true, true) => return Some(less_busy(one, other)),
            (true, false) if peers.len() == 2 => return Some(one),
            (false, true) if peers.len() == 2 => return Some(other),
            _ => {}
        }
    }
    // Something is wrong with some of them: look at all, and at the unfit rather than at nobody.
    among(peers, fit).or_else(|| among(peers, untried)).or_else(|| among(peers, |_| true))
}

fn among(peers: &[Rc<Peer>], fit: impl Fn(&Peer) -> bool) -> Option<&Rc<Peer>> {
    let fit: Vec<&Rc<Peer>> = peers.iter().filter(|peer| fit(peer)).collect();
    match two(fit.len()) {
        None => fit.first().copied(),
        Some((one, other)) => Some(less_busy(fit.get(one)?, fit.get(other)?)),
    }
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

fn less_busy<'a>(one: &'a Rc<Peer>, other: &'a Rc<Peer>) -> &'a Rc<Peer> {
    let busy = |peer: &Peer| peer.meter.in_flight.load(Relaxed);
    if busy(other) < busy(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::limits::Limits;
    use crate::meter::Ledger;

    fn peers(count: usize) -> Vec<Rc<Peer>> {
        let ledger = Ledger::new(watch::Sender::new(()));
        (0..count)
            .map(|number| {
                let id = UpstreamId::new(format!("u{number}"));
                let meter = ledger.upstream(&id);
                Rc::new(Peer::new(id, "127.0.0.1:1".parse().unwrap(), meter))
            })
            .collect()
    }

    #[test]
    fn the_less_busy_of_two_is_chosen() {
        let peers = peers(2);
        let _busy = peers[0].meter.begin();
        for _ in 0..50 {
            assert_eq!(choose(&peers, &[]).unwrap().id, peers[1].id);
        }
    }

    #[test]
    fn load_is_spread_evenly() {
        let peers = peers(5);
        let guards: Vec<_> =
            (0..1000).map(|_| choose(&peers, &[]).unwrap().meter.begin()).collect();
        for peer in &peers {
            let load = peer.meter.in_flight.load(Relaxed);
            assert!((190..=210).contains(&load), "{} has {load} of {}", peer.id, guards.len());
        }
    }

    #[test]
    fn the_tried_and_the_unreachable_are_avoided_unless_there_is_no_other() {
        let peers = peers(3);
        let tried = [peers[0].id.clone()];
        for _ in 0..3 {
            peers[1].meter.failed_to_connect(&Limits::default());
        }
        for _ in 0..50 {
            assert_eq!(choose(&peers, &tried).unwrap().id, peers[2].id);
        }
        let one = &peers[1..2];
        assert_eq!(choose(one, &[]).unwrap().id, peers[1].id, "never the last");
        assert!(choose(&[], &[]).is_none());
    }
}
