//! How many answers a network is given over UDP, where anybody can ask in anybody's name.
//!
//! A bucket of tokens for each /24 (IPv4) or /56 (IPv6), in a table of fixed size under a secret
//! hash. Networks that meet in a place share it, which costs them a second way over TCP and nothing
//! else: the memory is bounded whatever comes.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Instant,
};

/// The buckets of one thread.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    began: Instant,
    secret: RandomState,
    buckets: Vec<Bucket>,
    over: u32,
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Answer,
    /// Its asker is told to come back over TCP, with a packet no longer than its own.
    Slip,
    /// It is not answered.
    Drop,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    owner: u64,
    /// Answers that are left.
    left: u32,
    /// When that was true, in milliseconds since the beginning.
    at: u64,
}

impl Rate {
    pub(super) fn new(per_second: NonZeroU32, now: Instant) -> Self {
        let empty = Bucket { owner: 0, left: 0, at: 0 };
        Self {
            per_second: per_second.get(),
            began: now,
            secret: RandomState::new(),
            buckets: vec![empty; BUCKETS],
            over: 0,
        }
    }

    /// Takes one answer from the asker's network.
    pub(super) fn judge(&mut self, asker: IpAddr, now: Instant) -> Verdict {
        let owner = self.secret.hash_one(network(asker));
        let at = u64::try_from(now.saturating_duration_since(self.began).as_millis());
        let at = at.unwrap_or(u64::MAX);
        let place = usize::try_from(owner % BUCKETS as u64).unwrap_or(0);
        let Some(bucket) = self.buckets.get_mut(place) else { return Verdict::Answer };
        let most = self.per_second.saturating_mul(BURST);
        let idle = at.saturating_sub(bucket.at);
        if bucket.owner != owner && (bucket.at == 0 || idle > IDLE) {
            *bucket = Bucket { owner, left: most, at };
        }
        let earned = idle.saturating_mul(self.per_second.into()) / 1000;
        if earned > 0 {
            bucket.left =
                bucket.left.saturating_add(u32::try_from(earned).unwrap_or(most)).min(most);
            bucket.at = at;
        }
        if let Some(left) = bucket.left.checked_sub(1) {
            bucket.left = left;
            return Verdict::Answer;
        }
        self.over = self.over.wrapping_add(1);
        if self.over.is_multiple_of(SLIP) { Verdict::Slip } else { Verdict::Drop }
    }
}

/// Whoever has one address of it has the others too.
fn network(asker: IpAddr) -> u64 {
    match asker.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits() >> 8) | 1 << 63,
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 72).unwrap_or(0),
    }
}

/// 24 bytes each: 400 KiB a thread.
const BUCKETS: usize = 16_384;
/// Seconds' worth of answers that may be asked for at once.
const BURST: u32 = 2;
/// After so many milliseconds without a question a place is given to whoever comes.
const IDLE: u64 = 2000;
/// One in so many questions that are too many is told to come over TCP.
const SLIP: u32 = 2;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate() -> (Rate, Instant) {
        let now = Instant::now();
        (Rate::new(NonZeroU32::new(10).unwrap(), now), now + Duration::from_secs(5))
    }

    fn answered(rate: &mut Rate, asker: &str, now: Instant) -> usize {
        let asker = asker.parse().unwrap();
        (0..100).filter(|_| rate.judge(asker, now) == Verdict::Answer).count()
    }

    #[test]
    fn a_network_has_its_burst_and_then_its_rate() {
        let (mut rate, now) = rate();
        assert_eq!(answered(&mut rate, "192.0.2.1", now), 20);
        assert_eq!(answered(&mut rate, "192.0.2.250", now), 0, "the same /24");
        assert_eq!(answered(&mut rate, "192.0.3.1", now), 20, "another");
        assert_eq!(answered(&mut rate, "192.0.2.1", now + Duration::from_secs(1)), 10);
        assert_eq!(answered(&mut rate, "192.0.2.1", now + Duration::from_mins(1)), 20);
        assert_eq!(answered(&mut rate, "2001:db8:0:100::1", now), 20);
        assert_eq!(answered(&mut rate, "2001:db8:0:1ff::1", now), 0, "the same /56");
    }

    #[test]
    fn half_of_what_is_too_much_may_come_over_tcp() {
        let (mut rate, now) = rate();
        answered(&mut rate, "192.0.2.1", now);
        let asker = "192.0.2.1".parse().unwrap();
        let slips = (0..100).filter(|_| rate.judge(asker, now) == Verdict::Slip).count();
        assert_eq!(slips, 50);
    }
}
