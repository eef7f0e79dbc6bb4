//! How many connections there may be: altogether, and from one address, so that nobody takes all places.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Who is here. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    from: IpAddr,
}

impl Places {
    /// A place for somebody, if there is one.
    pub(super) fn take(&self, from: IpAddr) -> Option<Place> {
        let from = neighbourhood(from);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let here = taken.entry(from).or_default();
        if all >= MOST || *here >= FROM_ONE {
            taken.retain(|_, count| *count > 0);
            return None;
        }
        *here += 1;
        Some(Place { places: self.clone(), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.from) {
            *count = count.saturating_sub(1);
        }
        taken.retain(|_, count| *count > 0);
    }
}

/// What one customer of a provider has: an address of IPv4, a /64 of IPv6.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four @ IpAddr::V4(_) => four,
    }
}

/// Connections at the same time.
const MOST: usize = 128;
/// Of one address.
const FROM_ONE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let places = Places::default();
        let take = |from: &str| places.take(from.parse().unwrap());
        let taken: Vec<_> = (0..FROM_ONE).map(|_| take("10.0.0.1").unwrap()).collect();
        assert!(take("10.0.0.1").is_none() && take("::ffff:10.0.0.1").is_none());
        assert!(take("10.0.0.2").is_some());
        drop(taken);
        assert!(places.0.lock().unwrap().is_empty());
        let _six: Vec<_> = (0..FROM_ONE).map(|_| take("2001:db8::1").unwrap()).collect();
        assert!(take("2001:db8::ffff").is_none() && take("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn there_is_an_end_to_them() {
        let places = Places::default();
        let from = |n: usize| IpAddr::from([10, 1, 0, u8::try_from(n).unwrap()]);
        let taken: Vec<_> = (0..MOST).map(|n| places.take(from(n)).unwrap()).collect();
        assert!(places.take(from(200)).is_none());
        assert_eq!(places.0.lock().unwrap().len(), MOST);
        drop(taken);
    }
}
