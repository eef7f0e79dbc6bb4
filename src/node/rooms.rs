//! Addresses that stand for instances: each has one of its own out of a pool, for as long as it is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use crate::model::ContainerId;

/// Who has which address.
#[derive(Debug)]
pub struct Rooms {
    first: Ipv4Addr,
    count: u32,
    last: u32,
    taken: BTreeMap<ContainerId, Ipv4Addr>,
}

impl Rooms {
    /// So many, from the first on; nobody has one yet.
    pub(super) fn new(first: Ipv4Addr, count: u32) -> Self {
        Self { first, count, last: 0, taken: BTreeMap::new() }
    }

    /// The address of an instance. One that was given back is given out again as late as can be, since
    /// somebody may remember whose it was. `None` if all are taken.
    pub(super) fn assign(&mut self, id: &ContainerId) -> Option<Ipv4Addr> {
        if let Some(address) = self.taken.get(id) {
            return Some(*address);
        }
        let taken: BTreeSet<Ipv4Addr> = self.taken.values().copied().collect();
        let mut after = (1..self.count).map(|step| (self.last + step) % self.count);
        let number = after.find(|number| !taken.contains(&self.address(*number)))?;
        self.last = number;
        self.taken.insert(id.clone(), self.address(number));
        Some(self.address(number))
    }

    /// These are all that there are.
    pub(super) fn keep(&mut self, there: impl Fn(&ContainerId) -> bool) {
        self.taken.retain(|id, _| there(id));
    }

    fn address(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() + number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_and_is_given_out_again_as_late_as_can_be() {
        let mut rooms = Rooms::new(Ipv4Addr::new(192, 0, 2, 0), 4);
        let id = |name: &str| ContainerId(name.to_owned());
        let mut last = |name: &str| rooms.assign(&id(name)).map(|address| address.octets()[3]);
        assert_eq!([last("a"), last("b"), last("a")], [Some(1), Some(2), Some(1)]);
        rooms.keep(|one| *one != id("a"));
        let mut last = |name: &str| rooms.assign(&id(name)).map(|address| address.octets()[3]);
        assert_eq!([last("c"), last("d"), last("e")], [Some(3), Some(0), Some(1)]);
        assert_eq!(last("f"), None);
    }
}
