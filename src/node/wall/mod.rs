//! The wall between containers and the machine that they run on: packet filter rules, for what
//! comes from the platform's own bridges and for nothing else.
//!
//! [`rules`] says, purely, what the rules are; [`found`] reads what is there and says what to change;
//! [`door`] runs the programs that know the kernel, `iptables-save` and `iptables-restore` and their
//! siblings for IPv6, which are there wherever Docker is.
//!
//! Chains have the installation's name. All that is touched of chains that are not ours is one rule in
//! each of two, which leads to ours; where it stands among others is not insisted upon, because two who
//! both want to be the first would never end. A change of one family's rules is one transaction.

mod door;
mod found;
mod rules;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use found::{Chains, Found};

use crate::{engine::docker::InstallationId, model::opening::Opening};

pub use door::WallError;

/// What is wanted of a wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces that containers come from; `+` at the end stands for anything that follows.
    pub bridges: Vec<String>,
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
    standing: BTreeMap<Family, Standing>,
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

    /// Makes it stand as planned. One family's failure does not keep the other from it.
    pub async fn ensure(&mut self, plan: &Plan) -> Result<Work, WallError> {
        let mut work = Ok(Work::Stood);
        for family in families() {
            let done = self.ensure_one(family, plan).await;
            work = work.and_then(|before| done.map(|now| before.max(now)));
        }
        work
    }

    async fn ensure_one(&mut self, family: Family, plan: &Plan) -> Result<Work, WallError> {
        let rules = rules::rules(&self.chains, family, plan);
        let found = self.look(family).await?;
        let known = self.standing.get(&family);
        let asked_before = known.is_some_and(|known| known.rules == rules);
        if asked_before && known.is_some_and(|known| known.found == found) {
            return Ok(Work::Stood);
        }
        let script = found.script(&self.chains, &rules);
        door::run(family.restore(), RESTORE, &script).await?;
        let found = self.look(family).await?;
        self.standing.insert(family, Standing { rules, found });
        Ok(if asked_before { Work::Repaired } else { Work::Built })
    }

    /// Takes away what is there of it.
    pub async fn remove(&mut self) -> Result<(), WallError> {
        self.standing.clear();
        let mut outcome = Ok(());
        for family in families() {
            let removed = self.remove_one(family).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    async fn remove_one(&self, family: Family) -> Result<(), WallError> {
        let found = self.look(family).await?;
        match found.removal(&self.chains) {
            Some(script) => door::run(family.restore(), RESTORE, &script).await.map(drop),
            None => Ok(()),
        }
    }

    async fn look(&self, family: Family) -> Result<Found, WallError> {
        let saved = door::run(family.save(), SAVE, "").await?;
        Ok(Found::read(&self.chains, &saved))
    }
}

/// The kinds of addresses that this machine has. A kernel without IPv6 has no rules for it either.
fn families() -> impl Iterator<Item = Family> {
    let six = Path::new("/proc/net/if_inet6").exists();
    std::iter::once(Family::V4).chain(six.then_some(Family::V6))
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

/// The one table with rules about what is let through.
const SAVE: &[&str] = &["-t", "filter"];
/// What is not named stays as it is; others who change rules are waited for, five seconds at most.
const RESTORE: &[&str] = &["--noflush", "-w", "5"];
