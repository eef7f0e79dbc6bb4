//! How many connections each client address has, so that one cannot take all places.
//!
//! Shared by all workers and looked at when a connection comes and goes, not for requests. The
//! invariant: it holds no more entries than there are connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections by client.
#[derive(Debug, Default)]
pub(crate) struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// A counted connection; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Seat {
    crowd: Arc<Crowd>,
    client: IpAddr,
}

impl Crowd {
    /// Counts a connection, unless its client has `most` already.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Seat> {
        let client = household(address);
        let mut clients = self.lock();
        let count = clients.entry(client).or_default();
        if *count >= most {
            if *count == 0 {
                clients.remove(&client);
            }
            return None;
        }
        *count += 1;
        Some(Seat { crowd: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Counts are right whatever a thread that died was doing: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut clients = self.crowd.lock();
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

/// Whoever has one IPv6 address has the 2⁶⁴ around it.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_counts_as_one() {
        let crowd = Arc::new(Crowd::default());
        let enter = |address: &str| crowd.enter(address.parse().unwrap(), 2);
        let (one, two) = (enter("2001:db8::1"), enter("2001:db8::2:3"));
        assert!(one.is_some() && two.is_some());
        assert!(enter("2001:db8::4").is_none());
        assert!(enter("2001:db8:0:1::4").is_some());
        drop(one);
        assert!(enter("2001:db8::4").is_some());
        drop(two);
        assert!(crowd.lock().is_empty(), "who left is forgotten");
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        let crowd = Arc::new(Crowd::default());
        let _seat = crowd.enter("192.0.2.1".parse().unwrap(), 1).unwrap();
        assert!(crowd.enter("::ffff:192.0.2.1".parse().unwrap(), 1).is_none());
        assert!(crowd.enter("192.0.2.2".parse().unwrap(), 1).is_some());
        assert!(crowd.enter("192.0.2.3".parse().unwrap(), 0).is_none());
        assert_eq!(crowd.lock().len(), 1);
    }
}
