//! An app by an image that was pushed. Its blobs are in the source tree; our own image is put together of
//! them, which differs in its labels only, and loaded into Docker under our name.
//!
//! In reading order: `tree` (where the blobs are), `config` (what is ours in it), `inflate` (its layers).
//! Invariant: nothing of the image is run on the way, and what Docker gets is what its digests say.

mod config;
mod error;
mod inflate;
mod tree;

use std::sync::Arc;

pub use error::PushedError;
use inflate::{Bounds, Inflated, inflate};
use tokio::time::timeout;
pub use tree::Parts;
pub(super) use tree::is_image;

use super::{
    BuildError,
    builder::blocking,
    export::{Archive, ExportError, shared_layers},
    prebuilt,
    progress::Stage,
    request::{BuildRequest, Settings},
};
use crate::{
    engine::{BuildEngine, EngineError},
    model::{Artifact, ImageId, Manifest},
};

/// Makes the app's image of it.
pub(super) async fn build<E: BuildEngine>(
    engine: &E,
    settings: &Settings,
    request: &BuildRequest,
    manifest: &Manifest,
) -> Result<Artifact, BuildError> {
    request.tell(Stage::Prepare).await;
    let (image, config) = opened(request)?;
    let short: String = image.parts.config.as_str().chars().take(MOST_OF_ID).collect();
    request.say(format!("-----> Image {short}, which was pushed")).await;
    let named = request.app.as_str().parse().expect("an app's name is an image's, too");
    prebuilt::check(&named, &config.facts)?;
    let deadline = manifest.build.timeout.unwrap_or(request.limits.timeout);
    let loading = load(engine, settings, request, (Arc::new(image), config));
    let id = tokio::select! {
        biased;
        // What Docker has taken of it by then has no name in our records and is swept.
        () = request.cancel.cancelled() => return Err(BuildError::Cancelled),
        loaded = timeout(deadline, loading) => {
            loaded.map_err(|_| BuildError::Late { after: deadline })??
        }
    };
    let facts = engine.image(id.as_str()).await?.ok_or_else(|| prebuilt::vanished(&id))?;
    let found = prebuilt::processes(&facts, &[], manifest)?;
    for line in &found.said {
        request.say(format!("       {line}")).await;
    }
    let (processes, deploy) = (found.processes, manifest.deploy_settings());
    Ok(Artifact { image: id, size: facts.size, processes, deploy })
}

/// The image in its tree, and its configuration as ours.
fn opened(request: &BuildRequest) -> Result<(tree::Image, config::Config), PushedError> {
    let image = tree::Image::open(&request.source).map_err(PushedError::Read)?;
    let config = config::ours(&image.config().map_err(PushedError::Read)?, &request.app)?;
    let (found, said) = (image.parts.layers.len(), config.layers.len());
    if found != said {
        return Err(PushedError::Layers { found, said });
    }
    Ok((image, config))
}

/// Brings it into Docker; what that has of an earlier image of the app is not sent, unless it turns out to
/// miss it.
async fn load<E: BuildEngine>(
    engine: &E,
    settings: &Settings,
    request: &BuildRequest,
    (image, config): (Arc<tree::Image>, config::Config),
) -> Result<ImageId, BuildError> {
    let own = engine.images().await?.into_iter();
    let donors: Vec<_> = own.filter(|it| it.app.as_ref() == Some(&request.app)).collect();
    let donors = donors.into_iter().map(|image| image.id).collect();
    let known = shared_layers(engine, &config.layers, &donors).await;
    let stop = request.cancel.child_token();
    let _ends_with_us = stop.clone().drop_guard();
    let bounds = Bounds {
        spool: settings.apps.clone(),
        limit: request.limits.disk,
        reserve: request.limits.reserve,
        stop,
    };
    let inflated = async |known: usize| -> Result<Inflated, BuildError> {
        let (image, layers) = (Arc::clone(&image), config.layers.clone());
        let bounds = bounds.clone();
        blocking(move || inflate(&image, &layers, known, &bounds)).await
    };
    let Inflated { layers, blobs } = inflated(known).await?;
    request.tell(Stage::Load).await;
    let archive = Archive::new(config.text, layers, settings.image_name(request));
    if let Some(id) = archive.adopt(engine).await? {
        return Ok(id);
    }
    match archive.load(engine, blobs).await {
        Err(ExportError::Engine(EngineError::Refused { message, .. })) if known > 0 => {
            tracing::info!(%message, "docker misses a layer; sending all");
            let blobs = inflated(0).await?.blobs;
            Ok(archive.load(engine, blobs).await?)
        }
        loaded => Ok(loaded?),
    }
}

/// Of `sha256:…`, as much as Docker shows.
const MOST_OF_ID: usize = "sha256:".len() + 12;

#[cfg(test)]
mod tests;
