//! What builds keep on the disk is held within the settings, and given back when the disk is low.

use std::{collections::BTreeSet, time::Instant};

use tokio::task::spawn_blocking;

use super::{Builds, TIDY, TIDY_WHEN_LOW};
use crate::{
    build::{Kept, Surplus, TOOLCHAIN_UNUSED},
    clock,
    engine::BuildEngine,
    model::AppName,
    telemetry::chain,
};

impl<E: BuildEngine> Builds<E> {
    /// Between builds, now and then; nothing runs meanwhile.
    pub(super) async fn tidy_if_due(&mut self) {
        let low = self.folders.missing(self.keep.reserve) > 0;
        let due = if low { TIDY_WHEN_LOW } else { TIDY };
        if self.tidied.is_none_or(|at| at.elapsed() > due) {
            self.tidied = Some(Instant::now());
            self.tidy(&BTreeSet::new()).await;
        }
    }

    /// After a build, of its app alone.
    pub(super) async fn tidy_app(&self, app: &AppName) {
        let (folders, app, limit) = (self.folders.clone(), app.clone(), self.keep.app);
        let tidied = spawn_blocking(move || {
            let kept = folders.kept_of(&app);
            if kept.size <= limit.0 {
                return Ok(());
            }
            tracing::info!(%app, size = kept.size, "an app's builds keep too much; given back");
            folders.give_back(&app)
        });
        if let Ok(Err(error)) = tidied.await {
            tracing::warn!(error = %chain(&error), "what an app's builds keep stays");
        }
    }

    /// Makes room for a build while those of other apps may run; whether there is enough now.
    pub(super) async fn has_room(&self, busy: &BTreeSet<AppName>) -> bool {
        if self.folders.missing(self.keep.reserve) > 0 {
            self.tidy(busy).await;
        }
        self.folders.missing(self.keep.reserve) == 0
    }

    /// Measures what is kept, gives back what is too much, and publishes what is left.
    async fn tidy(&self, busy: &BTreeSet<AppName>) {
        let (folders, limits, busy) = (self.folders.clone(), self.keep, busy.clone());
        let toolchains = self.workshop.toolchains.clone();
        let tidied = spawn_blocking(move || {
            let mut kept = folders.kept()?;
            let surplus = kept.surplus(&limits, &busy, folders.missing(limits.reserve));
            for app in &surplus.apps {
                tracing::info!(%app, "what builds keep of an app is given back");
                folders.give_back(app)?;
            }
            if surplus.shared {
                tracing::info!("what builds of all apps share is given back");
                folders.give_back_shared()?;
            }
            if busy.is_empty() {
                let now = clock::system();
                toolchains.evict(now.checked_sub(TOOLCHAIN_UNUSED), limits.toolchains);
            }
            if surplus != Surplus::default() {
                kept = folders.kept()?;
            }
            kept.toolchains = toolchains.size();
            Ok::<Kept, std::io::Error>(kept)
        });
        match tidied.await {
            Ok(Ok(kept)) => drop(self.kept.send_replace(Some(kept))),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "what builds keep is not tidied");
            }
            Err(_) => {}
        }
    }
}
