//! The wall between containers and the machine that they run on, and the one gate in it: packet filter rules,
//! for what comes from the platform's own bridges and for nothing else. The gate leads what is sent to an
//! address of the pool ([`super::ways`]) to whoever carries it.
//!
//! [`rules`] says, purely, what the rules are; [`found`] reads what is there and says what to change;
//! [`door`] runs the programs that know the kernel, `iptables-save` and `iptables-restore` and their
//! siblings for IPv6, which are there wherever Docker is.
//!
//! Chains have the installation's name. All that is touched of chains that are not ours is one rule in
//! each of three, which leads to ours; where it stands among others is not insisted upon, because two who
//! both want to be the first would never end. A change of one table's rules is one transaction.

mod door;
mod found;
mod rules;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, SocketAddrV4},
    path::Path,
};

use found::{Chains, Found, Table};

use crate::{engine::docker::InstallationId, model::opening::Opening};

pub use door::WallError;

/// What is wanted of a wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces that containers come from; `+` at the end stands for anything that follows.
    pub bridges: Vec<String>,
    /// Where what is sent to the pool is carried from, if it is.
    pub carrier: Option<SocketAddrV4>,
    /// What of the machine containers reach; all of it without that.
    pub reached: Option<Reached>,
}

/// What of a machine containers reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Whom containers were told to ask for names, at port 53.
    pub resolvers: Vec<IpAddr>,
    /// What is there for everybody.
    pub public: Public,
    /// What the machine's administrator opens besides.
    pub openings: Vec<Opening>,
}

/// What a machine has for the whole world, containers included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Public {
    /// Where the edge listens.
    pub edge: Vec<SocketAddr>,
    /// Where the DNS server does.
    pub dns: Vec<SocketAddr>,
}

/// A wall of one installation, and what is known of how it stands.
#[derive(Debug)]
pub struct Wall {
    chains: Chains,
    standing: BTreeMap<(Family, Table), Standing>,
}

/// How rules stood when they had been made.
#[derive(Debug)]
struct Standing {
    /// What was asked for.
    rules: Vec<String>,
    /// The same in the words of the program, which differ between its versions.
    found: Found,
}

/// What had to be done to a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Nothing.
    Stood,
    /// It was made, or made anew because something else is wanted.
    Built,
    /// Somebody had changed it since.
    Repaired,
}

/// One of the two kinds of addresses; each has rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Wall {
    /// The wall of that installation; nothing is known of it yet.
    pub fn of(installation: &InstallationId) -> Self {
        Self { chains: Chains::of(installation), standing: BTreeMap::new() }
    }

    /// Makes it stand as planned. A failure of one part does not keep the others from it.
    pub async fn ensure(&mut self, plan: &Plan) -> Result<Work, WallError> {
        let mut work = Ok(Work::Stood);
        for part in parts() {
            let done = match rules::rules(&self.chains, part, plan) {
                Some(rules) => self.ensure_one(part, rules).await,
                None => self.remove_one(part).await.map(|()| Work::Stood),
            };
            work = work.and_then(|before| done.map(|now| before.max(now)));
        }
        work
    }

    async fn ensure_one(
        &mut self,
        part: (Family, Table),
        rules: Vec<String>,
    ) -> Result<Work, WallError> {
        let found = self.look(part).await?;
        let known = self.standing.get(&part);
        let asked_before = known.is_some_and(|known| known.rules == rules);
        if asked_before && known.is_some_and(|known| known.found == found) {
            return Ok(Work::Stood);
        }
        let script = found.script(&self.chains, &rules);
        door::run(part.0.restore(), RESTORE, &script).await?;
        let found = self.look(part).await?;
        self.standing.insert(part, Standing { rules, found });
        Ok(if asked_before { Work::Repaired } else { Work::Built })
    }

    /// Takes away what is there of it.
    pub async fn remove(&mut self) -> Result<(), WallError> {
        let mut outcome = Ok(());
        for part in parts() {
            let removed = self.remove_one(part).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    async fn remove_one(&mut self, part: (Family, Table)) -> Result<(), WallError> {
        self.standing.remove(&part);
        let found = self.look(part).await?;
        match found.removal(&self.chains) {
            Some(script) => door::run(part.0.restore(), RESTORE, &script).await.map(drop),
            None => Ok(()),
        }
    }

    async fn look(&self, (family, table): (Family, Table)) -> Result<Found, WallError> {
        let saved = door::run(family.save(), &["-t", table.name()], "").await?;
        Ok(Found::read(&self.chains, table, &saved))
    }
}

/// What it is made of. A kernel without IPv6 has no rules for it either; and no address of the pool is one
/// of IPv6.
fn parts() -> impl Iterator<Item = (Family, Table)> {
    let six = Path::new("/proc/net/if_inet6").exists();
    let six = six.then_some((Family::V6, Table::Filter));
    [(Family::V4, Table::Nat), (Family::V4, Table::Filter)].into_iter().chain(six)
}

impl Family {
    fn save(self) -> &'static str {
        match self {
            Self::V4 => "iptables-save",
            Self::V6 => "ip6tables-save",
        }
    }

    fn restore(self) -> &'static str {
        match self {
            Self::V4 => "iptables-restore",
            Self::V6 => "ip6tables-restore",
        }
    }

    fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What is not named stays as it is; others who change rules are waited for, five seconds at most.
const RESTORE: &[&str] = &["--noflush", "-w", "5"];
