//! How often authorities may be asked. Pure, and counted by records that outlive the daemon, since
//! authorities count too, and lock out for a week whoever asks too often.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{AcmeAccount, CertificateHistory, DomainName, Timestamp};

/// At most so many in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub most: usize,
    /// In which time.
    pub per: Duration,
}

/// The budgets, and how many orders may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Orders under way at the same time.
    pub at_once: usize,
    /// Orders of one account.
    pub orders: Rate,
    /// New names below one registered domain.
    pub names: Rate,
    /// Certificates of the same name.
    pub duplicates: Rate,
    /// Refused proofs of one name.
    pub refusals: Rate,
}

impl Default for Limits {
    /// Let's Encrypt's, less a little for what is asked by hand from the same address.
    fn default() -> Self {
        let week = Duration::from_hours(7 * 24);
        Self {
            at_once: 5,
            orders: Rate { most: 280, per: Duration::from_hours(3) },
            names: Rate { most: 48, per: week },
            duplicates: Rate { most: 4, per: week },
            refusals: Rate { most: 4, per: Duration::from_hours(1) },
        }
    }
}

impl Rate {
    /// When there is room for one more: `None` is now.
    pub(super) fn room(self, times: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
        let mut counted: Vec<Timestamp> =
            times.iter().copied().filter(|time| time.plus(self.per) > now).collect();
        if counted.len() < self.most {
            return None;
        }
        counted.sort_unstable();
        // As many of the oldest must leave the time as are one too many.
        let leaves = counted.get(counted.len() - self.most.max(1));
        Some(leaves.map_or(now.plus(self.per), |time| time.plus(self.per)))
    }

    /// The times that still count, to be stored.
    pub(super) fn recent(self, times: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
        times.iter().copied().filter(|time| time.plus(self.per) > now).collect()
    }
}

/// What is counted, and grows while a plan is made.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    limits: &'a Limits,
    histories: BTreeMap<&'a DomainName, &'a CertificateHistory>,
    /// When the names below each registered domain were first asked for.
    families: BTreeMap<&'a str, Vec<Timestamp>>,
    /// Orders that the present plan places, by directory.
    planned: BTreeMap<&'a str, Vec<Timestamp>>,
}

impl<'a> Ledger<'a> {
    /// Before anything is planned.
    pub(super) fn new(limits: &'a Limits, histories: &'a [CertificateHistory]) -> Self {
        let mut families: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
        for history in histories {
            families.entry(registered(&history.name)).or_default().push(history.since);
        }
        let histories = histories.iter().map(|history| (&history.name, history)).collect();
        Self { limits, histories, families, planned: BTreeMap::new() }
    }

    /// What was asked for this name lately.
    pub(super) fn history(&self, name: &DomainName) -> Option<&'a CertificateHistory> {
        self.histories.get(name).copied()
    }

    /// Until when an order for `name` at the account's authority must wait: `None` is not at all.
    pub(super) fn wait(
        &self,
        directory: &str,
        account: Option<&AcmeAccount>,
        name: &DomainName,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let limits = self.limits;
        let mut orders = self.planned.get(directory).cloned().unwrap_or_default();
        orders.extend(account.iter().flat_map(|account| &account.orders));
        let patience = account.and_then(|account| account.not_before).filter(|at| *at > now);
        let own = match self.history(name) {
            Some(history) => limits
                .duplicates
                .room(&history.issued, now)
                .max(limits.refusals.room(&history.refused, now)),
            // Only new names count against the registered domain; authorities exempt renewals.
            None => self
                .families
                .get(registered(name))
                .and_then(|family| limits.names.room(family, now)),
        };
        patience.max(limits.orders.room(&orders, now)).max(own)
    }

    /// Counts an order that is planned.
    pub(super) fn plan(&mut self, directory: &'a str, name: &'a DomainName, now: Timestamp) {
        self.planned.entry(directory).or_default().push(now);
        if !self.histories.contains_key(name) {
            self.families.entry(registered(name)).or_default().push(now);
        }
    }
}

/// The domain that somebody registered, by which authorities count: the last two labels, or three
/// below a country's second level. A guess without the list of all public suffixes; where it is wrong
/// the authority says so, and is obeyed.
fn registered(name: &DomainName) -> &str {
    let base = name.base();
    let dots: Vec<usize> = base.rmatch_indices('.').map(|(at, _)| at).collect();
    let from = |dot: Option<&usize>| dot.map_or(base, |at| base.get(at + 1..).unwrap_or(base));
    let two = from(dots.get(1));
    let country = two
        .split_once('.')
        .is_some_and(|(second, top)| top.len() == 2 && SECOND_LEVELS.contains(&second));
    if country { from(dots.get(2)) } else { two }
}

const SECOND_LEVELS: [&str; 12] =
    ["ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "ne", "net", "or", "org"];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn there_is_room_when_the_oldest_leave() {
        let rate = Rate { most: 2, per: Duration::from_secs(10) };
        assert_eq!(rate.room(&[], at(0)), None);
        assert_eq!(rate.room(&[at(1), at(3)], at(4)), Some(at(11)));
        assert_eq!(rate.room(&[at(3), at(1), at(2)], at(4)), Some(at(12)));
        assert_eq!(rate.room(&[at(1), at(3)], at(11)), None);
    }

    #[test]
    fn a_registered_domain_is_what_somebody_pays_for() {
        for (name, expected) in [
            ("example.com", "example.com"),
            ("*.a.b.example.com", "example.com"),
            ("www.example.co.uk", "example.co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("a.bbc.uk", "bbc.uk"),
        ] {
            assert_eq!(registered(&name.parse().unwrap()), expected, "{name}");
        }
    }
}
