//! The certificate that a node shows on links: asked for anew every day.
//!
//! Each is good for a month, so a day that fails costs nothing and is only said. No date is compared,
//! and a node that was off for long asks as soon as it is on.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    folders::Folders,
    joined::{Joined, JoinedError},
};
use crate::{
    node::{
        RENEW,
        link::{Identity, IdentityError, Link, PostError},
    },
    pki::{MadeError, NodeRequest},
    telemetry::chain,
};

/// What asks for it.
#[derive(Debug)]
pub(super) struct Reissue {
    pub(super) folders: Folders,
    pub(super) joined: Joined,
    pub(super) link: Link,
    pub(super) show: watch::Sender<Arc<Identity>>,
}

/// Why it stays as it is.
#[derive(Debug, thiserror::Error)]
enum Unchanged {
    #[error(transparent)]
    Asked(PostError),
    #[error("the control refuses: {0}")]
    Refused(String),
    #[error("it cannot be asked for")]
    Request(#[from] MadeError),
    #[error("what was given cannot be used")]
    Useless(#[from] IdentityError),
    #[error(transparent)]
    Folder(#[from] JoinedError),
}

impl Reissue {
    /// Renews it until it is told to stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        loop {
            let renewed = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                renewed = self.renew() => renewed,
            };
            let wait = match renewed {
                Ok(()) => DAILY,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%error, "the certificate for links stays as it is");
                    AFTER_FAULT
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Unchanged> {
        let request = NodeRequest::write(&self.joined.key)?;
        let answer =
            self.link.post(RENEW, request, LARGEST).await.map_err(|error| match error {
                PostError::Refused(why) => Unchanged::Refused(why),
                other => Unchanged::Asked(other),
            })?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let renewed = Joined { chain: text, ..self.joined.clone() };
        let shown = renewed.shown()?;
        renewed.keep_chain(&self.folders)?;
        self.joined = renewed;
        self.show.send_replace(Arc::new(shown));
        tracing::debug!("the certificate for links was renewed");
        Ok(())
    }
}

/// A chain has less, in bytes.
const LARGEST: usize = 64 << 10;
const DAILY: Duration = Duration::from_hours(24);
/// It has been refused, or the control is away.
const AFTER_FAULT: Duration = Duration::from_mins(5);
