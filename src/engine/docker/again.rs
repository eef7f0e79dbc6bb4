//! Starting a container again that has ended: the same one, with all that it was made with.

use bollard::query_parameters::{InspectContainerOptions, StartContainerOptions};

use super::{Docker, connection::START_DEADLINE, fault, policy, volume};
use crate::{engine::EngineError, model::ContainerId};

impl Docker {
    /// Starts it; one that runs is fine. It is refused while somebody else writes to a volume that it has.
    pub async fn start_again(&self, id: &ContainerId) -> Result<(), EngineError> {
        let inspect = self.api().inspect_container(&id.0, None::<InspectContainerOptions>);
        let found = self.ask("container inspect", &id.0, inspect).await?;
        let name = found.name.unwrap_or_default();
        for mount in found.mounts.unwrap_or_default() {
            if mount.typ.as_deref() == Some("volume") && mount.rw != Some(false) {
                volume::nobody_else_writes(self, &mount.name.unwrap_or_default(), &name).await?;
            }
        }
        let start = self.api().start_container(&id.0, None::<StartContainerOptions>);
        let started = self.within(START_DEADLINE, "container start", &id.0, start).await;
        // 304: it runs.
        fault::accept(started, &[304])
    }

    /// Whether it finds nothing of what it needs unless it is handed that anew.
    pub async fn is_handed(&self, id: &ContainerId) -> Result<bool, EngineError> {
        let inspect = self.api().inspect_container(&id.0, None::<InspectContainerOptions>);
        let found = self.ask("container inspect", &id.0, inspect).await?;
        let mut mounts = found.mounts.unwrap_or_default().into_iter();
        Ok(mounts.any(|mount| mount.destination.as_deref() == Some(policy::SECRETS)))
    }
}
