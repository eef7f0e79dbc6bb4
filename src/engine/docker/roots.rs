//! Root filesystems of a pulled image: a container each, in which a script runs as root, exported
//! as a tar. The engine keeps nothing of it: neither containers nor the image, whatever fails.
//!
//! A daemon that dies meanwhile leaves containers; the next call, which finds them by their names,
//! removes them.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, future::join_all};
use tokio::{fs::File, io::AsyncWriteExt, time::timeout};

use super::{
    Docker, builder, fault, image, label,
    network::{self, Network},
    policy,
    pull::{self, Pulled},
    remove_container,
    start::{Plan, create, run},
};
use crate::{
    engine::{EngineError, Root, RootError},
    model::{ContainerId, ImageId},
};

/// Pulls once, then makes all of them at the same time.
pub(super) async fn make(
    docker: &Docker,
    reference: &str,
    roots: &[Root],
    first_contact: Duration,
) -> Result<(), RootError> {
    for root in roots {
        remove_container(docker, &label::root_name(docker.installation(), root.name)).await?;
    }
    let pulled = pull::ensure(docker, reference, first_contact).await?;
    // Each runs to its end even if another fails, so that nothing is left running.
    let made = join_all(roots.iter().map(|root| one(docker, reference, root))).await;
    let removed = match pulled {
        Pulled::Before => Ok(()),
        Pulled::Now => image::remove_name(docker, reference, image::Below::Goes).await,
    };
    made.into_iter().collect::<Result<(), RootError>>()?;
    Ok(removed?)
}

/// Runs the script in an image that is there; what it writes into the folder stays.
pub(super) async fn change(docker: &Docker, image: &ImageId, root: &Root) -> Result<(), RootError> {
    let installation = docker.installation();
    let plan = Plan {
        name: label::root_name(installation, root.name),
        network: Network::of_builds(installation),
        body: policy::changed_root(docker.settings(), image.as_str(), root),
    };
    remove_container(docker, &plan.name).await?;
    network::ensure(docker, &plan.network).await?;
    let id = create(docker, &plan).await?;
    let changed = work(docker, image.as_str(), root, &plan, &id).await;
    remove_container(docker, &id.0).await?;
    changed
}

async fn one(docker: &Docker, reference: &str, root: &Root) -> Result<(), RootError> {
    let installation = docker.installation();
    let plan = Plan {
        name: label::root_name(installation, root.name),
        network: Network::of_builds(installation),
        body: policy::root(docker.settings(), reference, root),
    };
    network::ensure(docker, &plan.network).await?;
    let id = create(docker, &plan).await?;
    let made = cook(docker, reference, root, &plan, &id).await;
    remove_container(docker, &id.0).await?;
    made
}

/// Runs the script to its end and takes the files.
async fn cook(
    docker: &Docker,
    reference: &str,
    root: &Root,
    plan: &Plan,
    id: &ContainerId,
) -> Result<(), RootError> {
    work(docker, reference, root, plan, id).await?;
    match timeout(EXPORT_DEADLINE, export(docker, &id.0, &root.into)).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(EngineError::Timeout { operation: "export", after: EXPORT_DEADLINE }.into()),
    }
}

/// Runs the script to its end.
async fn work(
    docker: &Docker,
    reference: &str,
    root: &Root,
    plan: &Plan,
    id: &ContainerId,
) -> Result<(), RootError> {
    run(docker, plan, id).await?;
    let Ok(exit) = timeout(SCRIPT_DEADLINE, builder::wait(docker, id)).await else {
        let (name, reference) = (root.name, reference.to_owned());
        return Err(RootError::TooLong { name, reference, after: SCRIPT_DEADLINE });
    };
    let exit = exit?;
    if exit.code != 0 || exit.error.is_some() {
        let written = builder::output(docker, id).await?;
        return Err(RootError::Script {
            name: root.name,
            reference: reference.to_owned(),
            exit,
            last: end_of(&written),
        });
    }
    Ok(())
}

async fn export(docker: &Docker, container: &str, into: &Path) -> Result<(), EngineError> {
    let place = into.display().to_string();
    let local = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => EngineError::DiskFull { operation: "export" },
        _ => fault::refuse("export", &place, error.to_string()),
    };
    let mut file = File::create(into).await.map_err(local)?;
    let mut pieces = docker.api().export_container(container).boxed();
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece.map_err(|error| docker.explain(error, "export", container))?;
        file.write_all(&piece).await.map_err(local)?;
    }
    file.flush().await.map_err(local)?;
    file.sync_all().await.map_err(local)
}

/// The last lines of what a script wrote, in one.
fn end_of(written: &str) -> String {
    let lines: Vec<&str> = written.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(KEPT)..).unwrap_or_default().join(" | ")
}

/// The most a script may take: a slow mirror and a slow disk, and still something is wrong.
const SCRIPT_DEADLINE: Duration = Duration::from_mins(15);
/// Some hundred megabytes from one place of a disk to another.
const EXPORT_DEADLINE: Duration = Duration::from_mins(10);
/// Lines of a script that failed.
const KEPT: usize = 5;
