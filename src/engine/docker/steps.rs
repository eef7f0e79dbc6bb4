//! The containers of a Dockerfile's steps, while they run: how many processes they may have, and how
//! much they have written.
//!
//! The classic builder takes limits of memory and processors and none of processes, so that one is put
//! on each container as soon as Docker says that it is there. What was started before is kept, and
//! nothing more is: a flood of processes ends within milliseconds. The labels by which containers are
//! found are ours even if the Dockerfile writes others (`build/dockerfile/text.rs`).

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use bollard::{
    models::{ContainerSummary, ContainerUpdateBody},
    query_parameters::{EventsOptions, InspectContainerOptions, ListContainersOptions},
};
use futures_util::StreamExt;

use super::{Docker, fault, label, remove_container, traces};
use crate::{
    engine::{EngineError, ImageBuild},
    model::{AppName, ByteSize},
};

/// Holds every step of the build to its processes and threads, until it is dropped.
pub(super) async fn hold(docker: &Docker, spec: &ImageBuild) {
    let seconds = spec.begun.as_millis() / 1000;
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        // Before it starts, if we are quick; and when it surely runs.
        ("event".to_owned(), ["create", "start"].map(str::to_owned).to_vec()),
        ("label".to_owned(), labels(docker, &spec.app)),
    ]);
    loop {
        let options = EventsOptions {
            // Docker tells again what was before we asked.
            since: Some(seconds.to_string()),
            until: None,
            filters: Some(filters.clone()),
        };
        let mut events = docker.api().events(Some(options)).boxed();
        while let Some(Ok(event)) = events.next().await {
            if let Some(id) = event.actor.and_then(|actor| actor.id) {
                limit(docker, &id, spec.pids).await;
            }
        }
        tokio::time::sleep(LOST_PAUSE).await;
    }
}

async fn limit(docker: &Docker, id: &str, pids: u32) {
    let body = ContainerUpdateBody { pids_limit: Some(i64::from(pids)), ..Default::default() };
    let updated = docker.ask("container update", id, docker.api().update_container(id, body)).await;
    // It is gone already, or going; or it has ended in this moment, for which Docker has no status.
    let Err(error) = fault::accept(updated, &[404, 409]) else { return };
    if !error.to_string().contains("not running") {
        tracing::warn!(container = id, %error, "a build step has no limit of processes");
    }
}

/// What the app's steps that are there now have written to their own layers.
pub(super) async fn written(docker: &Docker, app: &AppName) -> Result<ByteSize, EngineError> {
    let steps = list(docker, app, Sizes::Asked).await?;
    let sizes = steps.into_iter().filter_map(|step| u64::try_from(step.size_rw?).ok());
    Ok(ByteSize(sizes.sum()))
}

/// Ends and removes all of them, with what they wrote.
pub(super) async fn remove(docker: &Docker, app: &AppName) -> Result<(), EngineError> {
    for step in list(docker, app, Sizes::Left).await? {
        let Some(id) = step.id else { continue };
        let inspect = docker.api().inspect_container(&id, None::<InspectContainerOptions>);
        let upper = inspect.await.ok().and_then(|inspected| traces::upper(&inspected));
        remove_container(docker, &id).await?;
        let Some(upper) = upper else { continue };
        // A layer that Docker is making of it would be made to its end, whoever asks for another.
        let emptied = tokio::task::spawn_blocking(move || empty(&upper)).await;
        if let Ok(Err(error)) = emptied {
            tracing::debug!(container = id, %error, "a step's files stay until Docker goes on");
        }
    }
    Ok(())
}

/// Empties the files of a removed container of ours, if Docker keeps them still. Nothing runs in
/// there any more that could put a link into the way.
fn empty(upper: &Path) -> io::Result<()> {
    let mut folders = vec![upper.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                match File::options().write(true).truncate(true).open(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Whether Docker is to measure what containers wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    Asked,
    Left,
}

async fn list(
    docker: &Docker,
    app: &AppName,
    sizes: Sizes,
) -> Result<Vec<ContainerSummary>, EngineError> {
    let options = ListContainersOptions {
        all: true,
        size: sizes == Sizes::Asked,
        filters: Some(HashMap::from([("label".to_owned(), labels(docker, app))])),
        ..Default::default()
    };
    let listed = docker.api().list_containers(Some(options));
    let deadline = match sizes {
        Sizes::Asked => MEASURE_DEADLINE,
        Sizes::Left => LIST_DEADLINE,
    };
    docker.within(deadline, "container ls", app.as_str(), listed).await
}

fn labels(docker: &Docker, app: &AppName) -> Vec<String> {
    let own = label::of_stage(docker.installation(), app);
    own.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// Docker looks at every file that a step wrote.
const MEASURE_DEADLINE: Duration = Duration::from_mins(1);
const LIST_DEADLINE: Duration = Duration::from_secs(10);
/// Before a lost connection is made again.
const LOST_PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_wrote_is_emptied_and_nothing_that_it_points_to() {
        let home = tempfile::tempdir().unwrap();
        let (upper, outside) = (home.path().join("diff"), home.path().join("outside"));
        fs::create_dir_all(upper.join("deep/er")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        fs::write(upper.join("deep/er/file"), "full").unwrap();
        std::os::unix::fs::symlink(&outside, upper.join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.join("kept"), upper.join("deep/link")).unwrap();
        empty(&upper).unwrap();
        assert_eq!(fs::metadata(upper.join("deep/er/file")).unwrap().len(), 0);
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
        empty(&home.path().join("gone")).unwrap();
    }
}
