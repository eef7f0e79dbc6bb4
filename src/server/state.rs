//! What handlers work with: handles to the store, the published observation, logs and uploads.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Semaphore, watch};

use crate::{
    logs::Logs, model::Observation, ops::grant::TokenKey, server::caller::Attempts, store::Store,
};

/// The API's handles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The records.
    pub store: Store,
    /// What runs.
    pub observation: watch::Receiver<Arc<Observation>>,
    /// What was written.
    pub logs: Logs,
    /// Under which tokens are hashed.
    pub token_key: TokenKey,
    /// Wrong tokens.
    pub attempts: Attempts,
    /// The data folder.
    pub data: PathBuf,
    /// Apps are `<app>.<domain>`.
    pub domain: String,
    /// The port in apps' URLs, where it is not 80.
    pub edge_port: u16,
    /// This machine's name.
    pub node: String,
    /// Of the container engine and the base images.
    pub engine: watch::Receiver<EngineStatus>,
    /// Uploads unpacked at the same time; more wait.
    pub unpacking: Arc<Semaphore>,
}

/// How the container engine and the base images are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineStatus {
    /// The engine's version, once it has answered.
    pub version: Option<String>,
    /// How far the base images are: `ready`, or what is being done or went wrong.
    pub stack: String,
}

impl Api {
    /// Where an app answers.
    pub(super) fn url(&self, app: &crate::model::AppName) -> String {
        match self.edge_port {
            80 => format!("http://{app}.{}", self.domain),
            port => format!("http://{app}.{}:{port}", self.domain),
        }
    }
}
