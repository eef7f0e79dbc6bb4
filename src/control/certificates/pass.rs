//! The task: waits, presents, plans, and has orders carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::sleep,
};

use super::{
    board::Board,
    budget::Limits,
    execute::{Executor, Job},
    issuer,
    plan::{Situation, Step, plan},
    presented, records,
    wanted::{Platform, Wanted},
    world::World,
};
use crate::{
    acme, clock,
    control::task::Task,
    model::{
        AcmeAccount, Certificate, CertificateHistory, CertificateSource, DomainName, IssuerWord,
        Timestamp, zone::Proofs,
    },
    store::{SealingKey, Store, StoreError, View},
    telemetry::chain,
};

/// How certificates are got.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The platform's own domain.
    pub platform: Platform,
    /// The authorities' directories, the preferred one first; none asks nobody.
    pub directories: Vec<String>,
    /// How they are asked.
    pub acme: acme::Settings,
    /// The port on which authorities reach the edge by plain HTTP, if they do: 80 in the world.
    pub http_port: Option<u16>,
    /// The port on which they reach it by TLS: 443 in the world.
    pub tls_port: Option<u16>,
    /// The budgets.
    pub limits: Limits,
}

/// Where it publishes.
#[derive(Debug)]
pub struct Outlets {
    /// For the edge.
    pub certificates: watch::Sender<Arc<proxy::Certificates>>,
    /// For the DNS server: TXT records by name.
    pub texts: watch::Sender<Arc<Proofs>>,
}

/// An order that was carried out, and whether what came of it is on record.
type Ended = Result<(Id, Result<(), StoreError>), JoinError>;

/// The task.
#[derive(Debug)]
pub struct Certificates {
    executor: Arc<Executor>,
    commits: watch::Receiver<u64>,
    /// The orders being carried out, and the questions to issuers. Dropped, they are cut off, which
    /// loses nothing.
    orders: JoinSet<Result<(), StoreError>>,
    /// The questions about renewal that are under way.
    questions: JoinSet<()>,
    busy: BTreeMap<Id, DomainName>,
    /// Names whose records could not be written, and until when they are left alone.
    resting: BTreeMap<DomainName, Timestamp>,
    asked: BTreeMap<DomainName, Timestamp>,
    /// Supplied certificates whose key does not open, said once.
    unusable: BTreeSet<DomainName>,
    wake: Option<Timestamp>,
}

impl Certificates {
    /// Puts it together. It goes on from what is presented already ([`super::on_record`]).
    pub fn new(
        store: Store,
        sealing: SealingKey,
        settings: Settings,
        world: World,
        outlets: Outlets,
    ) -> Self {
        let board = Board::new(outlets.certificates, outlets.texts);
        let commits = store.changes();
        let accounts = Mutex::default();
        Self {
            executor: Arc::new(Executor { store, sealing, settings, world, board, accounts }),
            commits,
            orders: JoinSet::new(),
            questions: JoinSet::new(),
            busy: BTreeMap::new(),
            resting: BTreeMap::new(),
            asked: BTreeMap::new(),
            unusable: BTreeSet::new(),
            wake: None,
        }
    }

    /// Presents every certificate that is issued; those whose key does not open are wanted anew.
    async fn present(
        &mut self,
        certificates: &[Certificate],
        words: &[IssuerWord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (mut new, mut keep, mut lost) = (Vec::new(), BTreeSet::new(), Vec::new());
        for certificate in certificates {
            let Some(issued) = &certificate.issued else { continue };
            let Ok(host) = certificate.name.as_str().parse::<proxy::Pattern>() else { continue };
            let word = issuer::word(words, certificate, now);
            let mark = presented::mark(issued, word);
            if self.executor.board.presents(&host, &mark) {
                keep.insert(host);
                continue;
            }
            match presented::open(&self.executor.sealing, certificate, issued, word) {
                Some(usable) => {
                    self.unusable.remove(&certificate.name);
                    keep.insert(host.clone());
                    new.push((host, mark.into_owned(), usable));
                }
                None if certificate.source == CertificateSource::Acme => lost.push(certificate),
                None => self.unusable(&certificate.name),
            }
        }
        self.executor.board.present(new, &keep);
        for certificate in lost {
            tracing::error!(name = %certificate.name, "its key does not open; another is asked for");
            let name = certificate.name.clone();
            self.executor.store.transact(move |tx| records::reset(tx, &name)).await?;
        }
        Ok(())
    }

    fn unusable(&mut self, name: &DomainName) {
        if self.unusable.insert(name.clone()) {
            tracing::error!(%name, "its key does not open; supply it again: `paas certs add {name}`");
        }
    }

    async fn carry_out(&mut self, step: Step, zones: &[String]) -> Result<(), StoreError> {
        let (store, now) = (self.executor.store.clone(), clock::now());
        match step {
            Step::Want(name) => store.transact(move |tx| records::want(tx, &name)).await,
            Step::Forget(name) => store.transact(move |tx| records::forget(tx, &name)).await,
            Step::ForgetHistory(name) => {
                let key = name.as_str().to_owned();
                store.transact(move |tx| tx.delete::<CertificateHistory>(&key)).await
            }
            Step::Alarm { name, days, app } => {
                let work = move |tx: &mut crate::store::Transaction<'_>| {
                    records::alarm(tx, &name, days, app.as_ref(), now)
                };
                store.transact(work).await
            }
            Step::Order { name, directory, app } => {
                let directory = Some(directory);
                self.start(Job { name, directory, app, zones: zones.to_vec() });
                Ok(())
            }
            Step::Continue { name, app } => {
                self.start(Job { name, directory: None, app, zones: zones.to_vec() });
                Ok(())
            }
            Step::AskIssuer(name) => {
                let (executor, about) = (Arc::clone(&self.executor), name.clone());
                let asking = self.orders.spawn(async move { executor.ask_issuer(&about).await });
                self.busy.insert(asking.id(), name);
                Ok(())
            }
            Step::AskWindow(name) => {
                self.asked.insert(name.clone(), now);
                let executor = Arc::clone(&self.executor);
                self.questions.spawn(async move { executor.ask_window(&name).await });
                Ok(())
            }
        }
    }

    fn start(&mut self, job: Job) {
        let (executor, name) = (Arc::clone(&self.executor), job.name.clone());
        let order = self.orders.spawn(async move { executor.carry_out(job).await });
        self.busy.insert(order.id(), name);
    }

    /// Without a record of what came of it an order would be begun again at once, and again.
    fn ended(&mut self, ended: Ended) {
        let (id, fault) = match ended {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(error))) => (id, Some(chain(&error))),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        if let (Some(name), Some(fault)) = (self.busy.remove(&id), fault) {
            tracing::error!(%name, fault, "what came of it could not be recorded; resting");
            self.resting.insert(name, clock::now().plus(REST));
        }
    }
}

impl Task for Certificates {
    const NAME: &'static str = "certificates";
    type Error = StoreError;

    async fn wait(&mut self) {
        let now = clock::now();
        // The clock may jump, so nothing is waited for longer than a minute at a time.
        let due = self.wake.map_or(LOOK, |wake| wake.since(now)).clamp(SOONEST, LOOK);
        tokio::select! {
            biased;
            changed = self.commits.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            Some(ended) = self.orders.join_next_with_id() => self.ended(ended),
            Some(_) = self.questions.join_next() => {}
            () = sleep(due) => {}
        }
    }

    async fn pass(&mut self) -> Result<(), StoreError> {
        self.commits.mark_unchanged();
        while let Some(ended) = self.orders.try_join_next_with_id() {
            self.ended(ended);
        }
        while self.questions.try_join_next().is_some() {}
        let (snapshot, now) = (self.executor.store.snapshot(), clock::now());
        let certificates = snapshot.scan::<Certificate>(&())?;
        let words = snapshot.scan::<IssuerWord>(&())?;
        self.present(&certificates, &words, now).await?;
        self.resting.retain(|_, until| *until > now);
        let busy = self.busy.values().chain(self.resting.keys()).cloned().collect();
        let settings = &self.executor.settings;
        let wanted = Wanted::of(&snapshot, &settings.platform, now)?;
        let plan = plan(
            &Situation {
                certificates: &certificates,
                histories: &snapshot.scan::<CertificateHistory>(&())?,
                accounts: &snapshot.scan::<AcmeAccount>(&())?,
                words: &words,
                wanted: &wanted,
                directories: &settings.directories,
                limits: &settings.limits,
                busy: &busy,
                asking: self.questions.len(),
                asked: &self.asked,
            },
            now,
        );
        self.wake = plan.wake;
        for step in plan.steps {
            self.carry_out(step, &wanted.zones).await?;
        }
        Ok(())
    }
}

/// At least so often the records are looked at.
const LOOK: Duration = Duration::from_mins(1);
/// After a record that could not be written: the disk is full, most likely.
const REST: Duration = Duration::from_mins(1);
/// Between two passes that nothing but time asks for.
const SOONEST: Duration = Duration::from_millis(100);
