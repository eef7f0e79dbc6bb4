//! Carrying out one order, from the preflight to the record of the certificate.
//!
//! It decides nothing that a plan could. It may be cut off at any point: what was asked of the authority
//! is on the disk by then, and [`Step::Continue`](super::plan::Step) goes on from there.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::OnceCell, time::timeout};
use zeroize::Zeroizing;

use super::{
    Settings, backoff,
    board::{Board, Exhibit, Shown},
    counts,
    failure::{Failure, FailureKind},
    preflight, records, way,
    world::World,
};
use crate::{
    acme::{Account, Order, Stage},
    clock,
    model::{AppName, Certificate, CertificateState, DomainName, Issued, Sealed},
    pki::{self, Chain},
    store::{SealingKey, Store, StoreError, View, sealing::certificate_context},
    telemetry,
};

/// What orders are carried out with.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) store: Store,
    pub(super) sealing: SealingKey,
    pub(super) settings: Settings,
    pub(super) world: World,
    pub(super) board: Arc<Board>,
    pub(super) accounts: Mutex<BTreeMap<String, Arc<OnceCell<Account>>>>,
}

/// One order to carry out.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: DomainName,
    /// At which authority a new one is placed; `None` goes on with the one on record.
    pub(super) directory: Option<String>,
    pub(super) app: Option<AppName>,
    /// The zones that are ours.
    pub(super) zones: Vec<String>,
}

/// How far a job went, for the record of its failure.
struct Attempt {
    job: Job,
    directory: Option<String>,
    seen: CertificateState,
}

impl Job {
    /// A failure, and whether the interruption may be its cause.
    fn blamed(&self, failure: Failure) -> Failure {
        if self.directory.is_none() { failure.of_continued() } else { failure }
    }
}

impl Executor {
    /// Carries out an order and records what came of it.
    pub(super) async fn carry_out(&self, job: Job) -> Result<(), StoreError> {
        let key = job.name.as_str().to_owned();
        let Some(certificate) = self.store.snapshot().get::<Certificate>(&key)? else {
            return Ok(());
        };
        let directory = job.directory.clone();
        let mut attempt = Attempt { job, directory, seen: certificate.state.clone() };
        let result = self.attempt(&mut attempt, &certificate).await;
        let (name, app) = (attempt.job.name.clone(), attempt.job.app.clone());
        let (limits, now) = (self.settings.limits, clock::now());
        match result {
            Ok(issued) => {
                tracing::info!(%name, issuer = issued.issuer, "certificate issued");
                let work = move |tx: &mut crate::store::Transaction<'_>| {
                    records::issued(tx, &name, issued, app.as_ref(), &limits, now)
                };
                self.store.transact(work).await
            }
            Err(failure) => {
                tracing::info!(%name, reason = failure.reason, "no certificate yet");
                let directory = attempt.directory;
                if let (FailureKind::Account, Some(directory)) = (failure.kind, &directory) {
                    self.accounts().remove(directory);
                }
                let seen = attempt.seen;
                let work = move |tx: &mut crate::store::Transaction<'_>| {
                    if let Some(directory) = &directory {
                        counts::leave_alone(tx, directory, &failure, now)?;
                    }
                    records::failed(tx, &name, &seen, &failure, app.as_ref(), &limits, now)
                };
                self.store.transact(work).await
            }
        }
    }

    async fn attempt(
        &self,
        attempt: &mut Attempt,
        certificate: &Certificate,
    ) -> Result<Issued, Failure> {
        let name = attempt.job.name.clone();
        let (mut order, key) = match (&attempt.job.directory, &certificate.state) {
            (
                None,
                CertificateState::Ordering { directory, order, key, .. }
                | CertificateState::Renewing { directory, order, key, .. },
            ) => {
                attempt.directory = Some(directory.clone());
                let account = self.account(directory).await?;
                let order = account.order(order).await;
                (order.map_err(|error| Failure::acme(&name, &error))?, self.open(&name, key)?)
            }
            (Some(directory), _) => self.place(attempt, &directory.clone(), certificate).await?,
            (None, _) => {
                return Err(Failure::preflight(
                    "there is no order to go on with",
                    format!("begin again: `paas certs retry {name}`"),
                ));
            }
        };
        let refused = |error| Failure::acme(&name, &error);
        let stage = order.stage().await.map_err(refused);
        let mut stage = stage.map_err(|failure| attempt.job.blamed(failure))?;
        if stage == Stage::Unproved {
            let proved = self.prove(&attempt.job, &mut order).await;
            proved.map_err(|failure| attempt.job.blamed(failure))?;
            stage = Stage::Proved;
        }
        if stage == Stage::Proved {
            let request = pki::request(&name, &key)?;
            order.request(&request).await.map_err(refused)?;
        }
        let chain = order.certificate().await.map_err(refused)?;
        self.issued(&name, chain, &key)
    }

    /// Places a new order, if the name leads here.
    async fn place(
        &self,
        attempt: &mut Attempt,
        directory: &str,
        certificate: &Certificate,
    ) -> Result<(Order, Zeroizing<String>), Failure> {
        let name = attempt.job.name.clone();
        let way = way::choose(self, &name, &attempt.job.zones).await?;
        preflight::check(self, &name, &way).await?;
        let account = self.account(directory).await?;
        let key = pki::private_key()?;
        let sealed = self.sealing.seal(&certificate_context(&name), key.as_bytes());
        let (about, at, limits) = (name.clone(), directory.to_owned(), self.settings.limits);
        self.store
            .transact(move |tx| counts::begin(tx, &about, &at, &limits, clock::now()))
            .await
            .map_err(Failure::from)?;
        let replaced = certificate.issued.as_ref().map(|issued| issued.chain.as_str());
        let order = account.place(&name, replaced).await;
        let order = order.map_err(|error| Failure::acme(&name, &error))?;
        self.ordered(attempt, directory, order.url(), sealed).await?;
        Ok((order, key))
    }

    async fn ordered(
        &self,
        attempt: &mut Attempt,
        directory: &str,
        url: &str,
        key: Sealed,
    ) -> Result<(), Failure> {
        let name = attempt.job.name.clone();
        let placed = (directory.to_owned(), url.to_owned(), key);
        let now = clock::now();
        let state = self.store.transact(move |tx| {
            records::ordered(tx, &name, placed, now)?;
            let found = tx.get::<Certificate>(&name.as_str().to_owned())?;
            Ok::<_, StoreError>(found.map(|found| found.state))
        });
        if let Some(state) = state.await? {
            attempt.seen = state;
        }
        Ok(())
    }

    async fn prove(&self, job: &Job, order: &mut Order) -> Result<(), Failure> {
        let refused = |error| Failure::acme(&job.name, &error);
        let way = way::choose(self, &job.name, &job.zones).await?;
        let proof = order.proof(way.kind()).await.map_err(refused)?;
        let proof = proof.ok_or_else(|| {
            Failure::preflight(
                format!("the authority offers no proof of {} that this server can give", job.name),
                "let the edge listen on port 80: `http` in config.toml",
            )
        })?;
        let shown = way::show(self, &job.name, &way, &proof).await?;
        let verdict = order.prove(way.kind()).await;
        drop(shown);
        verdict.map_err(refused)
    }

    fn issued(&self, name: &DomainName, chain: String, key: &str) -> Result<Issued, Failure> {
        let answer = |reason| Failure::acme(name, &crate::acme::AcmeError::Answer { reason });
        let read = Chain::read(&chain).map_err(|error| answer(error.to_string()))?;
        proxy::Certificate::from_pem(&chain, key)
            .map_err(|error| answer(telemetry::chain(&error)))?;
        if !read.covers(name) {
            return Err(answer(format!("it issued for {}", read.names.join(", "))));
        }
        Ok(Issued {
            key: self.sealing.seal(&certificate_context(name), key.as_bytes()),
            renew_at: Some(backoff::renewal(name, read.not_before, read.not_after)),
            chain,
            names: read.names,
            issuer: read.issuer,
            serial: read.serial,
            not_before: read.not_before,
            not_after: read.not_after,
        })
    }

    /// Shows something, and returns when the edge does.
    pub(super) async fn show(&self, exhibit: Exhibit) -> Shown {
        let shown = self.board.show(exhibit);
        // An edge that hangs is not this room's trouble: then the proof is not found, and that is said.
        timeout(PRESENTED, self.world.presented(shown.generation)).await.ok();
        shown
    }

    /// Returns when the DNS servers of nodes say what this machine's own does.
    pub(super) async fn answered(&self) {
        // Nor is a node that hangs.
        timeout(PRESENTED, self.world.answered()).await.ok();
    }

    /// Where the world finds the edges.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.world.edges.all_at()
    }

    /// The same for people.
    pub(super) fn here(&self) -> String {
        let addresses: Vec<String> = self.addresses().iter().map(IpAddr::to_string).collect();
        if addresses.is_empty() { "this server's address".to_owned() } else { addresses.join(", ") }
    }

    /// Opens a certificate's private key.
    fn open(
        &self,
        name: &DomainName,
        key: &Sealed,
    ) -> Result<Zeroizing<String>, crate::store::SealingError> {
        let bytes = self.sealing.unseal(&certificate_context(name), key)?;
        let text = std::str::from_utf8(&bytes);
        text.map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| crate::store::SealingError::Format)
    }
}

/// For the workers of the edge to take a new set of proofs: they need microseconds.
const PRESENTED: Duration = Duration::from_secs(10);
