//! The ways from a machine's containers to the instances that private names lead to. Pure.
//!
//! An instance of the machine itself is at its address on its app's bridge, which containers of that app
//! reach by themselves. For all others that may reach it, and if it is on another machine, it has an address
//! out of [`POOL`], at which nobody is: what is sent there is carried ([`super::Carrier`]). Invariant: who may
//! go a way is decided by where a packet comes from, never by what somebody was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
};

use super::rooms::Rooms;
use crate::{
    engine::docker::Subnet,
    model::{AppName, ContainerId, Directory, Listed},
};

/// Where an instance is, as seen from a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On it, at this address.
    Here(Ipv4Addr),
    /// On another, and this is a door to its port.
    Door(SocketAddr),
    /// On another, which is reached over a link.
    Beyond,
}

/// All ways from one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    networks: BTreeMap<Subnet, AppName>,
    /// Which instance an address of the pool stands for.
    rooms: BTreeMap<Ipv4Addr, ContainerId>,
    ends: BTreeMap<ContainerId, Way>,
    /// Whose containers reach the instances of an app, besides its own.
    allowed: BTreeMap<AppName, BTreeSet<AppName>>,
}

/// The way to one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    app: AppName,
    port: Option<u16>,
    place: Place,
    /// The address that stands for it.
    room: Option<Ipv4Addr>,
}

/// A way that somebody may go, to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errand {
    /// Whose container it is that goes.
    pub(super) asker: AppName,
    /// To which instance.
    pub(super) to: ContainerId,
    /// Where to.
    pub(super) road: Road,
}

/// How what is carried gets to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    /// It listens here.
    Straight(SocketAddr),
    /// Through a door.
    Door(SocketAddr),
    /// Over a link.
    Link,
}

impl Ways {
    /// Those to all instances of the directory that have a place, for the containers in these networks.
    /// Whoever had an address keeps it.
    pub fn new(
        directory: &Directory,
        networks: BTreeMap<Subnet, AppName>,
        places: &BTreeMap<ContainerId, Place>,
        rooms: &mut Rooms,
    ) -> Self {
        let listed = |id: &ContainerId| {
            directory.0.values().any(|listing| listing.instances.contains_key(id))
        };
        rooms.keep(listed);
        let mut made = Self { networks, ..Self::default() };
        for (app, listing) in &directory.0 {
            if !listing.allow.is_empty() {
                made.allowed.insert(app.clone(), listing.allow.clone());
            }
            for (id, Listed { port, .. }) in &listing.instances {
                let Some(place) = places.get(id).copied() else { continue };
                let apart = !matches!(place, Place::Here(_)) || !listing.allow.is_empty();
                // Only what listens can be carried to.
                let room = if apart && port.is_some() { rooms.assign(id) } else { None };
                made.rooms.extend(room.map(|room| (room, id.clone())));
                made.ends.insert(id.clone(), Way { app: app.clone(), port: *port, place, room });
            }
        }
        made
    }

    /// Whether anything is to be carried: whether an address stands for somebody.
    pub fn are_carried(&self) -> bool {
        !self.rooms.is_empty()
    }

    /// The apps that have containers here, and an address of each of their networks.
    pub fn askers(&self) -> impl Iterator<Item = (Ipv4Addr, &AppName)> {
        self.networks.iter().map(|(network, app)| (network.parts().0, app))
    }

    /// Where containers of an app here reach an instance, if they do.
    pub fn address(&self, asker: &AppName, id: &ContainerId) -> Option<Ipv4Addr> {
        let way = self.ends.get(id).filter(|way| self.admits(way, asker))?;
        match way.place {
            // Docker lets nobody from one app's bridge to another's.
            Place::Here(address) if way.app == *asker => Some(address),
            Place::Here(_) | Place::Door(_) | Place::Beyond => way.room,
        }
    }

    /// What a container at `from` may have carried that is sent to `to`.
    pub(super) fn errand(&self, from: IpAddr, to: SocketAddrV4) -> Option<Errand> {
        let asker = self.asker(from)?;
        let id = self.rooms.get(to.ip())?;
        let way = self.ends.get(id).filter(|way| way.port == Some(to.port()))?;
        let road = self.road(way, asker)?;
        Some(Errand { asker: asker.clone(), to: id.clone(), road })
    }

    /// The same for a container of an app on another machine, by the word of that machine.
    pub(super) fn road_for(&self, asker: &AppName, to: &ContainerId) -> Option<Road> {
        self.road(self.ends.get(to)?, asker)
    }

    fn road(&self, way: &Way, asker: &AppName) -> Option<Road> {
        let port = way.port.filter(|_| self.admits(way, asker))?;
        Some(match way.place {
            Place::Here(address) => Road::Straight((address, port).into()),
            Place::Door(door) => Road::Door(door),
            Place::Beyond => Road::Link,
        })
    }

    fn admits(&self, way: &Way, asker: &AppName) -> bool {
        way.app == *asker || self.allowed.get(&way.app).is_some_and(|allow| allow.contains(asker))
    }

    /// Whose container has an address.
    fn asker(&self, address: IpAddr) -> Option<&AppName> {
        let IpAddr::V4(address) = address.to_canonical() else { return None };
        let address = Subnet::of(address);
        // They do not overlap: only the last one that does not begin behind it can have it.
        let (network, app) = self.networks.range(..=address).next_back()?;
        network.overlaps(address).then_some(app)
    }
}

/// Addresses that stand for instances, and the bits of them that count. They are set aside for measuring
/// networks (RFC 2544), so no host of the world has one, and no network that an app may want to reach.
pub(super) const POOL: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);

/// All of that pool; none is given out yet.
pub fn rooms() -> Rooms {
    Rooms::new(POOL.0, 1 << (32 - POOL.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Listing;

    fn app(name: &str) -> AppName {
        name.parse().unwrap()
    }

    fn id(name: &str) -> ContainerId {
        ContainerId(name.to_owned())
    }

    /// `shop` has instances here, behind a door, beyond, and one beyond that does not listen.
    fn ways() -> Ways {
        let instance =
            |port| Listed { process: "web".parse().unwrap(), port, named: true, node: None };
        let ports = [("a", Some(80)), ("b", Some(80)), ("c", Some(81)), ("d", None)];
        let instances = ports.map(|(name, port)| (id(name), instance(port))).into();
        let listing = Listing { instances, allow: [app("friend")].into() };
        let directory = Directory([(app("shop"), listing)].into());
        let networks =
            [("10.210.0.64/26", "shop"), ("10.210.1.0/26", "bank"), ("10.210.2.0/26", "friend")];
        let networks = networks.map(|(network, of)| (network.parse().unwrap(), app(of))).into();
        let places = BTreeMap::from([
            (id("a"), Place::Here(Ipv4Addr::new(10, 210, 0, 66))),
            (id("b"), Place::Door(([127, 0, 0, 1], 40001).into())),
            (id("c"), Place::Beyond),
            (id("d"), Place::Beyond),
        ]);
        Ways::new(&directory, networks, &places, &mut rooms())
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: Option<(&str, &str, Road)>) {
        let errand = ways().errand(from.parse().unwrap(), to.parse().unwrap());
        let expected =
            expected.map(|(asker, to, road)| Errand { asker: app(asker), to: id(to), road });
        assert_eq!(errand, expected, "from {from} to {to}");
    }

    #[test]
    fn what_an_apps_own_containers_send_is_carried() {
        let door = Road::Door(([127, 0, 0, 1], 40001).into());
        check("10.210.0.66", "198.18.0.2:80", Some(("shop", "b", door)));
        check("::ffff:10.210.0.127", "198.18.0.3:81", Some(("shop", "c", Road::Link)));
    }

    #[test]
    fn an_app_that_is_allowed_to_reaches_also_what_is_on_its_own_machine() {
        let straight = Road::Straight(([10, 210, 0, 66], 80).into());
        check("10.210.2.2", "198.18.0.1:80", Some(("friend", "a", straight)));
        check("10.210.2.2", "198.18.0.3:81", Some(("friend", "c", Road::Link)));
        check("10.210.2.2", "198.18.0.3:80", None);
    }

    #[test]
    fn what_anybody_else_sends_or_to_another_port_is_not() {
        for (from, to) in [
            ("10.210.1.2", "198.18.0.2:80"),
            ("10.210.0.128", "198.18.0.2:80"),
            ("10.210.0.2", "198.18.0.2:80"),
            ("192.0.2.1", "198.18.0.2:80"),
            ("fd00::1", "198.18.0.2:80"),
            ("10.210.0.66", "198.18.0.2:22"),
            ("10.210.0.66", "198.18.0.4:80"),
            ("10.210.0.66", "10.210.0.66:80"),
        ] {
            check(from, to, None);
        }
    }

    #[test]
    fn containers_are_told_where_they_reach_what_is_theirs() {
        let ways = ways();
        let told = |asker: &str| {
            let told = ["a", "b", "c", "d"].map(|name| ways.address(&app(asker), &id(name)));
            told.map(|address| address.map(|address| address.to_string()).unwrap_or_default())
        };
        assert_eq!(told("shop"), ["10.210.0.66", "198.18.0.2", "198.18.0.3", ""]);
        assert_eq!(told("friend"), ["198.18.0.1", "198.18.0.2", "198.18.0.3", ""]);
        assert_eq!(told("bank"), [""; 4]);
    }

    #[test]
    fn another_machine_is_believed_whose_container_asks_and_not_what_it_may() {
        let ways = ways();
        let straight = Road::Straight(([10, 210, 0, 66], 80).into());
        assert_eq!(ways.road_for(&app("shop"), &id("a")), Some(straight));
        assert_eq!(ways.road_for(&app("friend"), &id("a")), Some(straight));
        assert_eq!(ways.road_for(&app("bank"), &id("a")), None);
        assert_eq!(ways.road_for(&app("shop"), &id("e")), None);
    }
}
