//! How often one client may ask: a token bucket for each, over all workers.
//!
//! A bucket is kept as the one instant at which it will be full again, so it needs no timer, and a
//! bucket that is full need not be kept at all. Memory is bounded: where there is no more room the
//! fullest buckets go, which are those whose loss gives away the least. The clock is the caller's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::policy::Rate;

/// The buckets of one service.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// When each client's bucket is full; sharded, so that workers seldom wait for each other.
    shards: [Mutex<HashMap<u128, Instant>>; SHARDS],
}

const SHARDS: usize = 16;

/// Clients remembered per shard: 65,536 in all, about 4 MiB in the worst case.
const MOST: usize = 4096;

impl Buckets {
    /// Takes a token, or says how long until there is one.
    pub(crate) fn take(&self, rate: Rate, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let interval = rate.per / rate.requests.max(1);
        let slack = interval.saturating_mul(rate.burst.max(1) - 1);
        let key = key(client);
        let Some(shard) = self.shards.get(shard(key)) else { return Ok(()) };
        // A map of instants is valid whatever a thread that died was doing to it.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = shard.get(&key).map_or(now, |full_at| now.max(*full_at));
        if let Some(wait) = (full_at - now).checked_sub(slack).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        if shard.len() >= MOST && !shard.contains_key(&key) {
            forget_the_fullest(&mut shard);
        }
        // A rate of centuries would overflow; then the bucket never counts, as it never fills.
        if let Some(full_at) = full_at.checked_add(interval) {
            shard.insert(key, full_at);
        }
        Ok(())
    }
}

/// The address as one number; of IPv6 the network that a household gets, since a client can choose
/// among all addresses in it.
fn key(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

fn shard(key: u128) -> usize {
    usize::from(key.to_be_bytes().iter().fold(0, |all, byte| all ^ byte)) % SHARDS
}

/// Makes room by a quarter, so that the look at all of them is seldom.
fn forget_the_fullest(shard: &mut HashMap<u128, Instant>) {
    let mut instants: Vec<Instant> = shard.values().copied().collect();
    let (_, limit, _) = instants.select_nth_unstable(MOST / 4);
    let limit = *limit;
    shard.retain(|_, full_at| *full_at > limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { requests: 2, per: Duration::from_secs(1), burst: 3 };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_empties_at_once_and_fills_evenly() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let wait = |millis| Err(Duration::from_millis(millis));
        let client = ip("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(buckets.take(RATE, client, start), Ok(()));
        }
        assert_eq!(buckets.take(RATE, client, start), wait(500));
        assert_eq!(buckets.take(RATE, client, at(400)), wait(100));
        assert_eq!(buckets.take(RATE, client, at(500)), Ok(()));
        assert_eq!(buckets.take(RATE, client, at(500)), wait(500));
        // After a long pause there are three again, not more.
        let taken = (0..9).filter(|_| buckets.take(RATE, client, at(60_000)).is_ok()).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let rate = Rate { burst: 1, ..RATE };
        let check = |client: &str, expected: bool| {
            assert_eq!(buckets.take(rate, ip(client), now).is_ok(), expected, "{client}");
        };
        check("2001:db8::1", true);
        check("2001:db8::2", false);
        check("2001:db8:0:1::1", true);
        check("192.0.2.1", true);
        check("::ffff:192.0.2.1", false);
        check("192.0.2.2", true);
    }

    #[test]
    fn memory_is_bounded_and_the_emptiest_buckets_stay() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let greedy = ip("192.0.2.1");
        while buckets.take(RATE, greedy, now).is_ok() {}
        for number in 0..200_000_u128 {
            let client = IpAddr::V6((0x2001_0db8 << 96 | number << 64).into());
            buckets.take(RATE, client, now).unwrap();
        }
        let kept: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MOST, "{kept}");
        assert!(buckets.take(RATE, greedy, now).is_err(), "it is not forgiven by forgetting");
    }
}
