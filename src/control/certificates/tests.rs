//! The planner, by tables that read like a diary.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    budget::Limits,
    plan::{Situation, Step, plan},
    wanted::Wanted,
};
use crate::model::{
    AcmeAccount, Certificate, CertificateHistory, CertificateSource, CertificateState, DomainName,
    Issued, IssuerWord, Sealed, Timestamp, Vouched,
};

/// A situation that can be changed and planned again.
struct Case {
    certificates: Vec<Certificate>,
    histories: Vec<CertificateHistory>,
    accounts: Vec<AcmeAccount>,
    words: Vec<IssuerWord>,
    wanted: Wanted,
    directories: Vec<String>,
    limits: Limits,
    busy: BTreeSet<DomainName>,
    asked: BTreeMap<DomainName, Timestamp>,
}

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

fn day(days: i64) -> Timestamp {
    Timestamp::from_millis(days * 86_400_000)
}

fn certificate(text: &str, state: CertificateState) -> Certificate {
    let source = CertificateSource::Acme;
    Certificate { name: name(text), source, state, issued: None, alarms: Vec::new() }
}

/// Good for ninety days from day 0, to be renewed at day 60.
fn issued(text: &str) -> Certificate {
    let issued = Issued {
        chain: String::new(),
        key: Sealed(String::new()),
        names: vec![text.to_owned()],
        issuer: String::new(),
        serial: "1".to_owned(),
        not_before: day(0),
        not_after: day(90),
        renew_at: Some(day(60)),
    };
    Certificate { issued: Some(issued), ..certificate(text, CertificateState::Issued) }
}

fn failing(text: &str, next: Timestamp) -> Certificate {
    let state = CertificateState::Failing { attempts: 1, reason: String::new(), hint: None, next };
    certificate(text, state)
}

fn history(text: &str, since: Timestamp) -> CertificateHistory {
    let (issued, refused) = (Vec::new(), Vec::new());
    CertificateHistory { name: name(text), since, issued, refused, attempts: 0, faults: 0 }
}

/// What the issuer of `a.example` said.
fn word(good: Option<Vouched>, next: Option<Timestamp>) -> IssuerWord {
    IssuerWord { name: name("a.example"), serial: "1".to_owned(), good, attempts: 0, next }
}

impl Case {
    fn of(certificates: Vec<Certificate>) -> Self {
        let names = certificates.iter().map(|c| (c.name.clone(), None)).collect();
        Self {
            certificates,
            histories: Vec::new(),
            accounts: Vec::new(),
            words: Vec::new(),
            wanted: Wanted { names, ..Wanted::default() },
            directories: vec!["first".to_owned(), "second".to_owned()],
            limits: Limits::default(),
            busy: BTreeSet::new(),
            asked: BTreeMap::new(),
        }
    }

    fn account(mut self, orders: Vec<Timestamp>, not_before: Option<Timestamp>) -> Self {
        let (directory, credentials) = ("first".to_owned(), Sealed(String::new()));
        let created_at = day(0);
        self.accounts.push(AcmeAccount { directory, credentials, created_at, orders, not_before });
        self
    }

    /// The steps in short, and the time of the next plan.
    fn plan(&self, now: Timestamp) -> (Vec<String>, Option<Timestamp>) {
        let plan = plan(
            &Situation {
                certificates: &self.certificates,
                histories: &self.histories,
                accounts: &self.accounts,
                words: &self.words,
                wanted: &self.wanted,
                directories: &self.directories,
                limits: &self.limits,
                busy: &self.busy,
                asking: 0,
                asked: &self.asked,
            },
            now,
        );
        (plan.steps.iter().map(short).collect(), plan.wake)
    }

    #[track_caller]
    fn check(&self, now: Timestamp, steps: &[&str], wake: Option<Timestamp>) {
        let (found, next) = self.plan(now);
        assert_eq!(
            (found.iter().map(String::as_str).collect::<Vec<_>>(), next),
            (steps.to_vec(), wake)
        );
    }
}

fn short(step: &Step) -> String {
    match step {
        Step::Want(name) => format!("want {name}"),
        Step::Forget(name) => format!("forget {name}"),
        Step::ForgetHistory(name) => format!("forget the history of {name}"),
        Step::Alarm { name, days, .. } => format!("alarm {name} {days}"),
        Step::Order { name, directory, .. } => format!("order {name} at {directory}"),
        Step::Continue { name, .. } => format!("continue {name}"),
        Step::AskIssuer(name) => format!("ask the issuer of {name}"),
        Step::AskWindow(name) => format!("ask about {name}"),
    }
}

#[test]
fn records_follow_what_is_wanted() {
    let mut case = Case::of(vec![certificate("old.example", CertificateState::Wanted)]);
    case.wanted.names = [(name("new.example"), None)].into();
    case.check(day(1), &["want new.example", "forget old.example"], None);
    case.directories.clear();
    case.check(day(1), &[], None);
}

#[test]
fn a_user_who_brings_a_certificate_is_left_alone() {
    let mut own = issued("a.example");
    own.source = CertificateSource::Supplied;
    let mut case = Case::of(vec![own]);
    // Its issuer cannot be asked, or is when its time comes: see below.
    case.words = vec![word(None, None)];
    case.check(day(65), &[], Some(day(70)));
    case.wanted.names.clear();
    case.check(day(65), &[], Some(day(70)));
}

#[test]
fn what_is_wanted_is_ordered_and_what_was_ordered_is_continued() {
    let ordering = |directory: &str| CertificateState::Ordering {
        directory: directory.to_owned(),
        order: "url".to_owned(),
        key: Sealed(String::new()),
        since: day(0),
    };
    let case = Case::of(vec![
        certificate("a.example", CertificateState::Wanted),
        certificate("b.example", ordering("first")),
        certificate("c.example", ordering("one that is no longer in the settings")),
    ]);
    case.check(
        day(1),
        &["order a.example at first", "continue b.example", "order c.example at first"],
        None,
    );
    let case = Case { busy: case.wanted.names.keys().cloned().collect(), ..case };
    case.check(day(1), &[], None);
}

#[test]
fn a_failure_waits_for_its_time() {
    let case = Case::of(vec![failing("a.example", day(2))]);
    case.check(day(1), &[], Some(day(2)));
    case.check(day(2), &["order a.example at first"], None);
}

#[test]
fn renewal_comes_at_its_time_and_authorities_are_asked_daily() {
    let mut case = Case::of(vec![issued("a.example")]);
    case.check(day(1), &["ask about a.example"], Some(day(60)));
    case.asked.insert(name("a.example"), day(1));
    case.check(day(1), &[], Some(day(2)));
    case.check(day(60), &["order a.example at first"], Some(day(70)));
}

#[test]
fn the_end_is_announced_once_and_only_the_nearest() {
    let alarmed = |alarms: &[u16]| {
        let certificate = Certificate { alarms: alarms.to_vec(), ..issued("a.example") };
        let mut case = Case::of(vec![certificate]);
        case.busy.insert(name("a.example"));
        case
    };
    alarmed(&[]).check(day(69), &[], Some(day(70)));
    alarmed(&[]).check(day(70), &["alarm a.example 20"], Some(day(83)));
    alarmed(&[20]).check(day(71), &[], Some(day(83)));
    alarmed(&[]).check(day(95), &["alarm a.example 1"], None);
    alarmed(&[20, 7, 1]).check(day(95), &[], None);
}

#[test]
fn a_short_life_rings_no_long_bell() {
    let mut short = issued("a.example");
    if let Some(issued) = &mut short.issued {
        (issued.not_after, issued.renew_at) = (day(6), Some(day(4)));
    }
    let mut case = Case::of(vec![short]);
    case.busy.insert(name("a.example"));
    case.check(day(1), &[], Some(day(5)));
    case.check(day(5), &["alarm a.example 1"], None);
}

#[test]
fn many_names_go_a_few_at_a_time() {
    let names: Vec<String> = (0..200).map(|n| format!("x{n:03}.d{n:03}.example")).collect();
    let wanted = names.iter().map(|name| certificate(name, CertificateState::Wanted)).collect();
    let mut case = Case::of(wanted);
    assert_eq!(case.plan(day(1)).0.len(), 5);
    case.busy = [name("x000.d000.example"), name("x001.d001.example")].into();
    assert_eq!(case.plan(day(1)).0.len(), 3);
}

#[test]
fn a_clock_that_jumps_orders_no_more_than_its_budget() {
    let all: Vec<Certificate> = (0..400).map(|n| issued(&format!("d{n:03}.example"))).collect();
    let mut case = Case::of(all).account(vec![day(200); 278], None);
    case.limits.at_once = 1000;
    let (steps, wake) = case.plan(day(200));
    let orders = steps.iter().filter(|step| step.starts_with("order")).count();
    assert_eq!((orders, wake), (2, Some(day(200).plus(Duration::from_hours(3)))));
}

#[test]
fn one_registered_domain_has_a_budget_of_its_own() {
    let wanted = |text: &str| certificate(text, CertificateState::Wanted);
    let mut case = Case::of(vec![wanted("new.big.example"), wanted("other.example")]);
    case.histories = (0..48).map(|n| history(&format!("h{n}.big.example"), day(3))).collect();
    case.check(day(5), &["order other.example at first"], Some(day(10)));
    // A name that was asked for before is a renewal, which authorities do not count.
    case.histories.push(history("new.big.example", day(1)));
    case.check(day(5), &["order new.big.example at first", "order other.example at first"], None);
}

#[test]
fn refused_proofs_and_duplicates_are_not_repeated_without_end() {
    let mut case = Case::of(vec![certificate("a.example", CertificateState::Wanted)]);
    let mut history = history("a.example", day(1));
    history.refused = vec![day(1); 4];
    case.histories = vec![history.clone()];
    case.check(day(1), &[], Some(day(1).plus(Duration::from_hours(1))));
    history.refused.clear();
    history.issued = vec![day(1), day(2), day(2), day(2)];
    case.histories = vec![history];
    case.check(day(3), &[], Some(day(8)));
}

#[test]
fn patience_is_obeyed_and_faults_lead_to_the_next_authority() {
    let wanted = || vec![certificate("a.example", CertificateState::Wanted)];
    let mut case = Case::of(wanted()).account(Vec::new(), Some(day(4)));
    case.check(day(3), &[], Some(day(4)));
    let faults = |faults| vec![CertificateHistory { faults, ..history("a.example", day(0)) }];
    case.histories = faults(3);
    case.check(day(3), &["order a.example at second"], None);
    case.histories = faults(6);
    case.check(day(4), &["order a.example at first"], None);
}

#[test]
fn a_history_goes_when_nothing_in_it_counts() {
    let mut case = Case::of(Vec::new());
    case.histories = vec![history("gone.example", day(1))];
    case.check(day(7), &[], None);
    case.check(day(9), &["forget the history of gone.example"], None);
}

#[test]
fn issuers_are_asked_about_what_users_bring_and_in_time() {
    let own = || Certificate { source: CertificateSource::Supplied, ..issued("a.example") };
    let mut case = Case::of(vec![own()]);
    case.directories.clear();
    case.check(day(1), &["ask the issuer of a.example"], Some(day(70)));
    let good = Vouched { response: String::new(), from: day(1), until: day(9) };
    let vouched = word(Some(good), Some(day(5)));
    case.words = vec![vouched.clone()];
    case.check(day(1), &[], Some(day(5)));
    case.check(day(5), &["ask the issuer of a.example"], Some(day(9)));
    case.busy.insert(name("a.example"));
    case.check(day(5), &[], Some(day(9)));
    case.busy.clear();
    // It names nobody; it is another one; it has ended.
    case.words = vec![IssuerWord { good: None, next: None, ..vouched.clone() }];
    case.check(day(5), &[], Some(day(70)));
    case.words = vec![IssuerWord { serial: "2".to_owned(), ..vouched }];
    case.check(day(5), &["ask the issuer of a.example"], Some(day(70)));
    case.check(day(90), &["alarm a.example 1"], None);
    case.words.clear();
    case.certificates = vec![issued("a.example")];
    case.check(day(1), &[], Some(day(70)));
}
