//! What the settings and the parts of the control plane say of this machine, put where the API shows it.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    build::Kept,
    config::Config,
    control::firewall::Wanted,
    node::wall::Public,
    server::{EngineStatus, Listening},
};

/// What parts publish of themselves, each for itself.
#[derive(Debug)]
pub(super) struct Parts {
    /// How far the base images are.
    pub(super) stack: watch::Receiver<String>,
    /// What builds keep on the disk.
    pub(super) kept: watch::Receiver<Option<Kept>>,
    /// How the wall between containers and this machine stands.
    pub(super) wall: watch::Receiver<String>,
}

impl Parts {
    /// Shows it where the API shows the engine.
    pub(super) async fn pass_on(
        mut self,
        status: watch::Sender<EngineStatus>,
        stop: CancellationToken,
    ) {
        loop {
            let stack = self.stack.borrow_and_update().clone();
            let firewall = self.wall.borrow_and_update().clone();
            let kept = self.kept.borrow_and_update().as_ref().map(|kept| {
                let apps = kept.apps.iter().map(|kept| kept.size).sum();
                (apps, kept.shared, kept.toolchains)
            });
            status.send_modify(|status| {
                status.stack = stack;
                status.firewall = firewall;
                status.kept = kept;
            });
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.stack.changed() => if changed.is_err() { return },
                changed = self.kept.changed() => if changed.is_err() { return },
                changed = self.wall.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// What the settings say of that wall.
pub(super) fn firewall(config: &Config, Listening { http, https, dns }: Listening) -> Wanted {
    let public = Public { edge: [http, https].concat(), dns };
    let openings = config.firewall_allow.clone();
    if config.firewall { Wanted::Wall { public, openings } } else { Wanted::Nothing }
}
