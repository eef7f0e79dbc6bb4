//! Images of ours: loaded, named, listed, removed. Which of them are still needed is not known here.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bollard::{
    models::BuildInfo,
    query_parameters::{
        ImportImageOptions, ListContainersOptions, ListImagesOptions, RemoveImageOptions,
        TagImageOptions,
    },
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};

use super::{Docker, fault, label};
use crate::{
    engine::{EngineError, OwnImage, image_name::is_named_by},
    model::{AppName, ImageId},
};

/// The uncompressed digests of its layers, lowest first; `None` if it is not there.
pub(super) async fn layers(
    docker: &Docker,
    id: &ImageId,
) -> Result<Option<Vec<String>>, EngineError> {
    let inspect = docker.api().inspect_image(id.as_str());
    match docker.ask("image inspect", id.as_str(), inspect).await {
        Ok(image) => Ok(Some(image.root_fs.and_then(|root| root.layers).unwrap_or_default())),
        Err(error) if fault::status(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Feeds a tar to `docker load`. Docker answers 200 at once and reports what goes wrong inside the
/// answer; bollard turns that into an error of the stream.
pub(super) async fn load(docker: &Docker, tar: Tar) -> Result<(), EngineError> {
    let (tar, broke) = watched(tar);
    let options = ImportImageOptions { quiet: true, ..Default::default() };
    let answers = docker.api().import_image_stream(options, tar, None);
    let loaded = docker.within(LOAD_DEADLINE, "load", "an image", answers.try_collect()).await;
    if let Some(error) = broke.get() {
        return Err(fault::refusal("load", "an image", 0, format!("its source broke: {error}")));
    }
    let all: Vec<BuildInfo> = loaded?;
    match all.into_iter().find_map(|answer| answer.error_detail) {
        Some(detail) => {
            let message = detail.message.unwrap_or_else(|| "no reason given".to_owned());
            Err(fault::refusal("load", "an image", 0, message))
        }
        None => Ok(()),
    }
}

/// Remembers what the source of an upload broke with. The connection breaks with it, and by its own
/// error nobody could tell that from a Docker that went away.
pub fn watched(tar: Tar) -> (Tar, Arc<OnceLock<String>>) {
    let broke = Arc::new(OnceLock::new());
    let note = broke.clone();
    let tar = tar.inspect_err(move |error| drop(note.set(error.to_string())));
    (tar.boxed(), broke)
}

/// A tar, as it comes.
pub type Tar = BoxStream<'static, std::io::Result<Bytes>>;

/// Names an image.
pub(super) async fn tag(docker: &Docker, id: &ImageId, name: &str) -> Result<(), EngineError> {
    let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
    let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
    docker.ask("tag", id.as_str(), docker.api().tag_image(id.as_str(), Some(options))).await
}

/// All images with our name or label.
pub(super) async fn list(docker: &Docker) -> Result<Vec<OwnImage>, EngineError> {
    let options: Option<ListImagesOptions> = None;
    let images = docker.ask("image ls", "images", docker.api().list_images(options)).await?;
    let own = images.into_iter().filter_map(|image| {
        Some(OwnImage {
            id: image.id.parse().ok()?,
            tags: Names::of(docker, image.repo_tags).own(docker, Some(&image.labels))?,
            app: image.labels.get(label::APP).and_then(|app| app.parse().ok()),
            role: label::role(&image.labels),
        })
    });
    Ok(own.collect())
}

/// The names of an image.
struct Names {
    ours: Vec<String>,
    others: usize,
}

impl Names {
    fn of(docker: &Docker, names: Vec<String>) -> Self {
        // Docker writes `<none>:<none>` for an image without a name.
        let names = names.into_iter().filter(|name| !name.contains("<none>"));
        let is_ours = |name: &String| is_named_by(docker.installation().as_str(), name);
        let (ours, others): (Vec<_>, Vec<_>) = names.partition(is_ours);
        Self { ours, others: others.len() }
    }

    /// Our names, if the image is ours: named by us, or labelled and named by nobody.
    fn own(self, docker: &Docker, labels: Option<&HashMap<String, String>>) -> Option<Vec<String>> {
        let is_labelled = || self.others == 0 && label::is_ours(docker.installation(), labels);
        (!self.ours.is_empty() || is_labelled()).then_some(self.ours)
    }
}

/// Takes our names away and with the last name the image. Looking for containers first keeps it
/// whole: otherwise it would have lost some names by the time Docker refuses the last one.
pub(super) async fn remove(docker: &Docker, id: &ImageId) -> Result<(), EngineError> {
    let inspect = docker.api().inspect_image(id.as_str());
    let image = match docker.ask("image inspect", id.as_str(), inspect).await {
        Ok(image) => image,
        Err(error) if fault::status(&error) == Some(404) => return Ok(()),
        Err(error) => return Err(error),
    };
    let labels = image.config.and_then(|config| config.labels);
    let prune = match &labels {
        Some(labels) if label::is_upon_the_users(labels) => Below::Stays,
        _ => Below::Goes,
    };
    let names = Names::of(docker, image.repo_tags.unwrap_or_default());
    let is_shared = names.others > 0;
    let Some(own) = names.own(docker, labels.as_ref()) else {
        let message = "it was not made by this installation".to_owned();
        return Err(fault::refuse("image rm", id.as_str(), message));
    };
    if !is_shared {
        check_unused(docker, id).await?;
    }
    let last = (!is_shared).then_some(id.as_str());
    for name in own.iter().map(String::as_str).chain(last) {
        remove_name(docker, name, prune).await?;
    }
    Ok(())
}

/// Fails if a container, running or not, was made of the image.
async fn check_unused(docker: &Docker, id: &ImageId) -> Result<(), EngineError> {
    let options = ListContainersOptions {
        all: true,
        filters: Some(HashMap::from([("ancestor".to_owned(), vec![id.to_string()])])),
        ..Default::default()
    };
    let users = docker.api().list_containers(Some(options));
    let users = docker.ask("container ls", id.as_str(), users).await?;
    if let Some(user) = users.first() {
        let name = user.names.iter().flatten().next().cloned().unwrap_or_default();
        let message = format!("container {} uses it", name.trim_start_matches('/'));
        return Err(fault::refuse("image rm", id.as_str(), message));
    }
    Ok(())
}

/// What becomes of the unnamed images that one was built upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// They were made on the way to it.
    Goes,
    /// They are the user's.
    Stays,
}

/// Removes all images of an app. One that something still uses stays for the sweep, so that it does
/// not keep the app from going.
pub(super) async fn forget(docker: &Docker, app: &AppName) -> Result<(), EngineError> {
    for image in list(docker).await?.into_iter().filter(|image| image.app.as_ref() == Some(app)) {
        let removed = remove(docker, &image.id).await;
        // Zero is a refusal of our own: a container uses it.
        fault::accept(removed, &[0, 409])?;
    }
    Ok(())
}

/// Removes a name, or with the last name, or by its id, the image.
pub(super) async fn remove_name(
    docker: &Docker,
    name: &str,
    below: Below,
) -> Result<(), EngineError> {
    let noprune = below == Below::Stays;
    let options = RemoveImageOptions { force: false, noprune, ..Default::default() };
    let removed = docker
        .within(LOAD_DEADLINE, "image rm", name, async {
            docker.api().remove_image(name, Some(options), None).await.map(drop)
        })
        .await;
    fault::accept(removed, &[404])
}

/// Docker unpacks what it reads: a gigabyte of small files takes minutes on a slow disk. A load that
/// takes longer hangs.
const LOAD_DEADLINE: Duration = Duration::from_mins(15);
