//! Pulling an image that a registry has, and noticing soon that none does.

use std::time::Duration;

use bollard::{auth::DockerCredentials, query_parameters::CreateImageOptions};
use futures_util::{StreamExt, TryStreamExt};

use super::Docker;
use crate::engine::{EngineError, RootError};

/// Where an image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulled {
    /// It was here.
    Before,
    /// A registry gave it.
    Now,
}

/// Makes sure that the image is here.
pub(super) async fn ensure(
    docker: &Docker,
    reference: &str,
    first_contact: Duration,
) -> Result<Pulled, RootError> {
    let inspect = docker.api().inspect_image(reference);
    if docker.ask("image inspect", reference, inspect).await.is_ok() {
        return Ok(Pulled::Before);
    }
    pull(docker, reference, first_contact).await?;
    Ok(Pulled::Now)
}

/// Gets an image for an app, and waits as long as `docker pull` would.
pub(super) async fn get(
    docker: &Docker,
    reference: &str,
    known: Option<DockerCredentials>,
) -> Result<(), EngineError> {
    let progress = docker.api().create_image(Some(options(reference)), None, known);
    let done = progress.try_for_each(|_| std::future::ready(Ok(())));
    docker.within(PULL_DEADLINE, "pull", reference, done).await
}

fn options(reference: &str) -> CreateImageOptions {
    let (name, tag) = split(reference);
    CreateImageOptions {
        from_image: Some(name.to_owned()),
        tag: Some(tag.to_owned()),
        ..Default::default()
    }
}

/// Docker sends its first word when a registry has answered; without one it tries for minutes.
async fn pull(docker: &Docker, reference: &str, first_contact: Duration) -> Result<(), RootError> {
    let failed = |source| match source {
        EngineError::Timeout { after, .. } if after == first_contact => {
            RootError::Silent { reference: reference.to_owned(), after }
        }
        EngineError::Unreachable { .. } => RootError::Engine(source),
        source => RootError::Pull { reference: reference.to_owned(), source },
    };
    let mut progress = docker.api().create_image(Some(options(reference)), None, None).boxed();
    let first = async { progress.next().await.transpose() };
    docker.within(first_contact, "pull", reference, first).await.map_err(failed)?;
    let rest = progress.try_for_each(|_| std::future::ready(Ok(())));
    docker.within(PULL_DEADLINE, "pull", reference, rest).await.map_err(failed)
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
