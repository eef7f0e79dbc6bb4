//! The vault: opens secrets for those who need the values, and for nobody else: an instance that is about
//! to start, a build that asks for some, and the masks of the logs.
//!
//! It decides nothing and remembers nothing that is not in the store. Whoever starts something in an
//! app's name, be it an instance or a command, gets its environment and its mounts from [`Vault::equip`].

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    clock,
    engine::InstanceSpec,
    logs::{Logs, Mask},
    model::{AppName, Instance, OpenSecrets, Secret, Secrets, Timestamp},
    node::{Handout, HandoutError, Reader},
    store::{SealingKey, Store, StoreError, View, secrets, secrets::OpenSecretsError},
    telemetry::chain,
};

/// Opens secrets. Clones share it.
#[derive(Debug, Clone)]
pub struct Vault {
    store: Store,
    sealing: SealingKey,
    handout: Handout,
    logs: Logs,
    masked: Arc<Mutex<Masked>>,
}

/// What the masks were made of.
#[derive(Debug, Default)]
struct Masked {
    /// The commit that was looked at last.
    commit: Option<u64>,
    /// By app: which versions.
    versions: BTreeMap<AppName, Vec<(String, u32)>>,
}

/// Why an instance does not get its secrets.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// They do not open.
    #[error(transparent)]
    Open(#[from] OpenSecretsError),
    /// They cannot be handed over.
    #[error("secrets cannot be handed to {place}")]
    Handout {
        /// To which instance.
        place: String,
        /// Why.
        #[source]
        source: HandoutError,
    },
}

impl Vault {
    /// Opens with `sealing` what `store` has.
    pub fn new(store: Store, sealing: SealingKey, handout: Handout, logs: Logs) -> Self {
        Self { store, sealing, handout, logs, masked: Arc::default() }
    }

    /// What new secrets are sealed with.
    pub fn sealing(&self) -> SealingKey {
        self.sealing.clone()
    }

    /// The spec, with its secrets and files where it will find them, or with what its node is to put there.
    pub fn equip(&self, mut spec: InstanceSpec) -> Result<InstanceSpec, VaultError> {
        let values = self.open(&spec.app, &spec.secrets)?;
        if spec.node.is_some() {
            spec.sent = values;
            return Ok(spec);
        }
        let handed = self.handout.give(&spec, &values);
        spec.handed =
            handed.map_err(|source| VaultError::Handout { place: spec.place(), source })?;
        Ok(spec)
    }

    /// These secrets' values.
    pub fn open(&self, app: &AppName, secrets: &Secrets) -> Result<OpenSecrets, OpenSecretsError> {
        secrets::open(&self.store.snapshot(), &self.sealing, app, secrets)
    }

    /// Takes away what these instances have read, and what is for none of them.
    pub fn tidy(&self, instances: &[Instance], now: Timestamp) {
        self.handout.tidy_after(instances, now, clock::system());
    }

    /// Takes away what these runs have read. What is for none of them may be for an instance.
    pub fn tidy_runs(&self, runs: &[Instance], now: Timestamp) {
        let reader = |place: &str| Reader::of(runs, place).or(Some(Reader::Waits));
        self.handout.tidy(reader, now, clock::system());
    }

    /// Has the logs hide all values that are on record. To be called before anything is read that an
    /// instance or a build wrote.
    pub fn mask(&self) -> Result<(), StoreError> {
        let mut masked = self.masked.lock().unwrap_or_else(PoisonError::into_inner);
        let commit = *self.store.changes().borrow();
        if masked.commit == Some(commit) {
            return Ok(());
        }
        let mut by_app: BTreeMap<AppName, Vec<Secret>> = BTreeMap::new();
        for secret in self.store.snapshot().scan::<Secret>(&())? {
            by_app.entry(secret.app.clone()).or_default().push(secret);
        }
        let versions: BTreeMap<AppName, Vec<(String, u32)>> = by_app
            .iter()
            .map(|(app, all)| {
                (app.clone(), all.iter().map(|it| (it.name.to_string(), it.version.0)).collect())
            })
            .collect();
        for app in masked.versions.keys().filter(|app| !by_app.contains_key(*app)) {
            self.logs.mask(app, Mask::default());
        }
        for (app, all) in by_app {
            if masked.versions.get(&app) != versions.get(&app) {
                self.logs.mask(&app, self.mask_of(&all));
            }
        }
        *masked = Masked { commit: Some(commit), versions };
        Ok(())
    }

    fn mask_of(&self, all: &[Secret]) -> Mask {
        let mut opened = Vec::new();
        for secret in all {
            match secrets::unseal(&self.sealing, secret) {
                Ok(value) => opened.push((&secret.name, value)),
                Err(error) => {
                    let (app, name) = (&secret.app, &secret.name);
                    tracing::error!(%app, %name, error = %chain(&error), "a secret does not open");
                }
            }
        }
        Mask::of(opened.iter().map(|(name, value)| (*name, value)))
    }
}
