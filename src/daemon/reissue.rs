//! The certificate that a node shows on links: asked for anew when a third of its time is over, and every day at the
//! latest.
//!
//! So a try that fails costs nothing and is only said. A node that was off for long asks as soon as it is on. How long
//! one lasts only the certificate says: whoever leads may sign for another time than the one before.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    folders::Folders,
    joined::{Joined, JoinedError},
};
use crate::{
    clock,
    node::{
        RENEW,
        link::{Identity, IdentityError, Link, PostError},
    },
    pki::{Chain, MadeError, NodeRequest},
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
            let third = renewed_after(self.lasts());
            let wait = match renewed {
                Ok(()) => third,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%error, "the certificate for links stays as it is");
                    (third / TRIES).min(AFTER_FAULT)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(wait.max(SHORTEST)) => {}
            }
        }
    }

    /// How long the certificate that it has is good still.
    fn lasts(&self) -> Duration {
        let chain = Chain::read(&self.joined.chain);
        chain.map_or(Duration::ZERO, |chain| chain.not_after.since(clock::now()))
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
        tracing::info!("this machine shows a new certificate on links");
        Ok(())
    }
}

/// When one that lasts so long is replaced: that leaves two thirds for tries that fail.
pub(super) fn renewed_after(lasts: Duration) -> Duration {
    DAILY.min(lasts / 3)
}

/// A chain has less, in bytes.
const LARGEST: usize = 64 << 10;
const DAILY: Duration = Duration::from_hours(24);
/// It has been refused, or the control is away.
const AFTER_FAULT: Duration = Duration::from_mins(5);
/// So often at least within the next third.
const TRIES: u32 = 4;
/// Between two tries, also if none is good any more.
const SHORTEST: Duration = Duration::from_secs(5);
