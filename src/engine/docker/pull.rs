//! Pulling: an image of a registry, as one tar of its files. The engine keeps nothing of it.

use std::{path::Path, time::Duration};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{CreateContainerOptions, CreateImageOptions},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::{fs::File, io::AsyncWriteExt};

use super::{Docker, fault, image, label, remove_container};
use crate::engine::EngineError;

/// Pulls, exports into `into` and removes what it made, also when it fails half way. A file that
/// was begun is left to the caller, who chose its place.
pub(super) async fn rootfs(
    docker: &Docker,
    reference: &str,
    into: &Path,
    first_contact: Duration,
) -> Result<(), EngineError> {
    let inspect = docker.api().inspect_image(reference);
    let was_there = docker.ask("image inspect", reference, inspect).await.is_ok();
    if !was_there {
        pull(docker, reference, first_contact).await?;
    }
    let exported = export(docker, reference, into).await;
    if !was_there {
        image::remove_name(docker, reference).await?;
    }
    exported
}

/// Docker sends its first word when a registry has answered; without one it tries for minutes.
async fn pull(
    docker: &Docker,
    reference: &str,
    first_contact: Duration,
) -> Result<(), EngineError> {
    let (name, tag) = split(reference);
    let options = CreateImageOptions {
        from_image: Some(name.to_owned()),
        tag: Some(tag.to_owned()),
        ..Default::default()
    };
    let mut progress = docker.api().create_image(Some(options), None, None).boxed();
    let first = async { progress.next().await.transpose() };
    docker.within(first_contact, "pull", reference, first).await?;
    let rest = progress.try_for_each(|_| std::future::ready(Ok(())));
    docker.within(PULL_DEADLINE, "pull", reference, rest).await
}

/// Only a container's files can be had in one piece; this one is never started.
async fn export(docker: &Docker, reference: &str, into: &Path) -> Result<(), EngineError> {
    let name = format!("paas-{}.pull", docker.installation());
    remove_container(docker, &name).await?;
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(reference.to_owned()),
        // An image without a command cannot become a container otherwise.
        entrypoint: Some(vec!["/never-started".to_owned()]),
        labels: Some(label::of_pull(docker.installation())),
        ..Default::default()
    };
    let create = docker.api().create_container(Some(options), body);
    docker.ask("container create", reference, create).await?;
    let written = match tokio::time::timeout(PULL_DEADLINE, write(docker, &name, into)).await {
        Ok(written) => written,
        Err(_) => Err(EngineError::Timeout { operation: "export", after: PULL_DEADLINE }),
    };
    remove_container(docker, &name).await?;
    written
}

async fn write(docker: &Docker, container: &str, into: &Path) -> Result<(), EngineError> {
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

/// Name and tag of a reference. A colon before the last slash belongs to a registry's port; a
/// digest takes the tag's place.
fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// A base image is some hundred megabytes; what takes longer than this is not coming.
const PULL_DEADLINE: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split_where_docker_splits_them() {
        for (reference, name, tag) in [
            ("debian", "debian", "latest"),
            ("debian:13", "debian", "13"),
            ("localhost:5000/x", "localhost:5000/x", "latest"),
            ("localhost:5000/x:1", "localhost:5000/x", "1"),
            ("x@sha256:ab", "x", "sha256:ab"),
        ] {
            assert_eq!(split(reference), (name, tag), "{reference}");
        }
    }
}
