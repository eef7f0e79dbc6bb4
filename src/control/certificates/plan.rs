//! What to do now, from the records. Pure: no clock, no randomness, no IO; sorted by name and bounded.
//!
//! Invariant: a plan never spends more than a budget has, whatever the clock did and however many names
//! want a certificate at once; what does not fit waits, and the plan says until when.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    control::certificates::{
        budget::{Ledger, Limits},
        issuer,
        wanted::Wanted,
    },
    model::{
        AcmeAccount, AppName, Certificate, CertificateHistory, CertificateSource, CertificateState,
        DomainName, IssuerWord, Timestamp,
    },
};

/// Everything a plan is made of.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    /// The certificates on record, by name.
    pub(super) certificates: &'a [Certificate],
    /// What authorities were asked lately.
    pub(super) histories: &'a [CertificateHistory],
    /// The accounts.
    pub(super) accounts: &'a [AcmeAccount],
    /// What issuers said of users' own certificates, by name.
    pub(super) words: &'a [IssuerWord],
    /// What shall be.
    pub(super) wanted: &'a Wanted,
    /// The authorities' directories, the preferred one first; none means that nobody is asked.
    pub(super) directories: &'a [String],
    /// The budgets.
    pub(super) limits: &'a Limits,
    /// The names whose orders are being worked at, or whose issuers are being asked.
    pub(super) busy: &'a BTreeSet<DomainName>,
    /// How many authorities are being asked about a certificate's renewal.
    pub(super) asking: usize,
    /// When they were asked last.
    pub(super) asked: &'a BTreeMap<DomainName, Timestamp>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A record for a name that has none.
    Want(DomainName),
    /// The record goes; nobody wants it.
    Forget(DomainName),
    /// The history goes; nothing in it counts any more.
    ForgetHistory(DomainName),
    /// People are told that the certificate ends in so many days.
    Alarm {
        /// Whose.
        name: DomainName,
        /// 20, 7 or 1.
        days: u16,
        /// Who is told.
        app: Option<AppName>,
    },
    /// A new order.
    Order {
        /// For which name.
        name: DomainName,
        /// At which authority.
        directory: String,
        /// Who is told.
        app: Option<AppName>,
    },
    /// The order on record is gone on with.
    Continue {
        /// For which name.
        name: DomainName,
        /// Who is told.
        app: Option<AppName>,
    },
    /// The issuer of a user's own certificate is asked whether that stands.
    AskIssuer(DomainName),
    /// The authority is asked when the certificate is to be renewed.
    AskWindow(DomainName),
}

/// What to do now, and when to plan again at the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// In this order.
    pub(super) steps: Vec<Step>,
    /// When something becomes due by itself.
    pub(super) wake: Option<Timestamp>,
}

/// Plans.
pub(super) fn plan(situation: &Situation<'_>, now: Timestamp) -> Plan {
    let mut planner = Planner {
        situation,
        ledger: Ledger::new(situation.limits, situation.histories),
        under_way: situation.busy.len(),
        asking: situation.asking,
        plan: Plan { steps: Vec::new(), wake: None },
        now,
    };
    planner.records();
    for certificate in situation.certificates {
        planner.alarms(certificate);
        planner.issuer(certificate);
        planner.certificate(certificate);
    }
    planner.plan
}

struct Planner<'a> {
    situation: &'a Situation<'a>,
    ledger: Ledger<'a>,
    under_way: usize,
    asking: usize,
    plan: Plan,
    now: Timestamp,
}

impl<'a> Planner<'a> {
    fn records(&mut self) {
        let Situation { certificates, wanted, directories, histories, limits, .. } = self.situation;
        if directories.is_empty() {
            return;
        }
        let known: BTreeSet<&DomainName> = certificates.iter().map(|c| &c.name).collect();
        let missing = wanted.names.keys().filter(|name| !known.contains(name));
        self.plan.steps.extend(missing.cloned().map(Step::Want));
        let acme = certificates.iter().filter(|c| c.source == CertificateSource::Acme);
        let surplus = acme.filter(|c| !wanted.names.contains_key(&c.name));
        self.plan.steps.extend(surplus.map(|c| Step::Forget(c.name.clone())));
        let stale = histories.iter().filter(|history| {
            !known.contains(&history.name)
                && limits.duplicates.recent(&history.issued, self.now).is_empty()
                && limits.names.recent(&[history.since], self.now).is_empty()
        });
        self.plan.steps.extend(stale.map(|history| Step::ForgetHistory(history.name.clone())));
    }

    fn certificate(&mut self, certificate: &'a Certificate) {
        let name = &certificate.name;
        let Some(app) = self.situation.wanted.names.get(name) else { return };
        if certificate.source == CertificateSource::Supplied
            || self.situation.busy.contains(name)
            || self.situation.directories.is_empty()
        {
            return;
        }
        match &certificate.state {
            CertificateState::Ordering { directory, .. }
            | CertificateState::Renewing { directory, .. } => {
                if !self.situation.directories.contains(directory) {
                    self.order(name, app.as_ref());
                } else if self.under_way < self.situation.limits.at_once {
                    self.under_way += 1;
                    let (name, app) = (name.clone(), app.clone());
                    self.plan.steps.push(Step::Continue { name, app });
                }
            }
            CertificateState::Wanted => self.order(name, app.as_ref()),
            CertificateState::Failing { next, .. } => self.due(*next, |planner| {
                planner.order(name, app.as_ref());
            }),
            CertificateState::Issued => self.issued(certificate, app.as_ref()),
        }
    }

    /// What a user brought may have been revoked by its issuer, and only that one knows.
    fn issuer(&mut self, certificate: &Certificate) {
        let name = &certificate.name;
        let over = certificate.issued.as_ref().is_none_or(|issued| issued.not_after <= self.now);
        if certificate.source != CertificateSource::Supplied || over {
            return;
        }
        let known = issuer::of(self.situation.words, certificate);
        if let Some(good) = issuer::word(self.situation.words, certificate, self.now) {
            self.wake(good.until);
        }
        let due = known.map_or(Some(self.now), |word| word.next);
        if let Some(at) = due.filter(|_| !self.situation.busy.contains(name)) {
            self.due(at, |planner| {
                if planner.under_way < planner.situation.limits.at_once {
                    planner.under_way += 1;
                    planner.plan.steps.push(Step::AskIssuer(name.clone()));
                }
            });
        }
    }

    fn issued(&mut self, certificate: &'a Certificate, app: Option<&AppName>) {
        let name = &certificate.name;
        let Some(issued) = &certificate.issued else { return self.order(name, app) };
        if issued.renew_at.is_none_or(|at| at <= self.now) {
            return self.order(name, app);
        }
        let life = issued.not_after.since(issued.not_before);
        let asked = self.situation.asked.get(name);
        // Authorities plan by the day; a certificate of minutes ends before an answer is of use.
        if life > ASK_ABOUT {
            self.due(asked.map_or(self.now, |at| at.plus(ASK)), |planner| planner.ask(name));
        }
        self.due(issued.renew_at.unwrap_or(self.now), |_| {});
    }

    fn ask(&mut self, name: &DomainName) {
        if self.asking < self.situation.limits.at_once {
            self.asking += 1;
            self.plan.steps.push(Step::AskWindow(name.clone()));
        }
    }

    /// An order, if there is room for it.
    fn order(&mut self, name: &'a DomainName, app: Option<&AppName>) {
        if self.under_way >= self.situation.limits.at_once {
            return;
        }
        let directory = self.directory(name);
        let account = self.situation.accounts.iter().find(|a| a.directory == directory);
        if let Some(until) = self.ledger.wait(directory, account, name, self.now) {
            return self.wake(until);
        }
        self.under_way += 1;
        self.ledger.plan(directory, name, self.now);
        let (name, directory) = (name.clone(), directory.to_owned());
        self.plan.steps.push(Step::Order { name, directory, app: app.cloned() });
    }

    /// The preferred authority, or after some failures of its own the next one, round and round.
    fn directory(&self, name: &DomainName) -> &'a str {
        let directories = self.situation.directories;
        let faults = self.ledger.history(name).map_or(0, |history| history.faults);
        let turn = usize::try_from(faults / FAULTS).unwrap_or(0) % directories.len().max(1);
        directories.get(turn).map_or("", String::as_str)
    }

    fn alarms(&mut self, certificate: &Certificate) {
        let Some(issued) = &certificate.issued else { return };
        let life = issued.not_after.since(issued.not_before);
        let mut latest = None;
        for days in ALARMS {
            let before = DAY * u32::from(days);
            // One that lives six days is not about to end when it has begun.
            if life < before * 3 / 2 || certificate.alarms.contains(&days) {
                continue;
            }
            let left = issued.not_after.since(self.now);
            if left <= before {
                latest = Some(days);
            } else {
                self.wake(self.now.plus(left.saturating_sub(before)));
            }
        }
        if let Some(days) = latest {
            let name = certificate.name.clone();
            let app = self.situation.wanted.owner(&name, &issued.names);
            self.plan.steps.push(Step::Alarm { name, days, app });
        }
    }

    fn due(&mut self, at: Timestamp, then: impl FnOnce(&mut Self)) {
        if at <= self.now { then(self) } else { self.wake(at) }
    }

    fn wake(&mut self, at: Timestamp) {
        self.plan.wake = Some(self.plan.wake.map_or(at, |wake| wake.min(at)));
    }
}

/// How many failures of an authority's own make it the next one's turn.
const FAULTS: u32 = 3;
/// Days before the end of a certificate on which people are told.
pub(super) const ALARMS: [u16; 3] = [20, 7, 1];
const DAY: std::time::Duration = std::time::Duration::from_hours(24);
/// Between two questions about renewal.
const ASK: std::time::Duration = DAY;
/// The shortest life that is asked about.
const ASK_ABOUT: std::time::Duration = DAY;
