//! What a run is to the engine; pure.

use crate::{
    engine::{InstanceSpec, RunSpec},
    model::{Release, Run},
};

/// The container of a run; `None` if its release has no such process.
pub fn spec(run: &Run, release: &Release) -> Option<RunSpec> {
    let mut process = release.processes.get(&run.process)?.clone();
    process.entrypoint = process.beside(&run.command);
    // Beside the process that has the disk it would be a second one to write there.
    process.volumes.clear();
    process.limits.memory = run.memory.unwrap_or(process.limits.memory);
    Some(RunSpec {
        instance: InstanceSpec {
            app: run.app.clone(),
            slot: run.number.slot(),
            incarnation: run.incarnation(),
            attempt: 0,
            node: None,
            image: release.image.clone(),
            process,
            environment: release.environment(),
            secrets: release.secrets.clone(),
            files: release.deploy.files.clone(),
            handed: None,
            sent: [].into(),
            disks: Vec::new(),
        },
        console: run.console,
    })
}
