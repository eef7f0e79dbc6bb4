//! Which variants may go: those that no app's last build used, no kept image stands on, and no
//! build asked for lately.
//!
//! Invariant: an image that a container uses stays; Docker says so, and then the folder stays too.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::record::Record;
use crate::{
    build::workspace::Previous,
    engine::{BuildEngine, EngineError, OwnImage},
    telemetry::chain,
};

/// What says which variants are needed.
#[derive(Debug, Clone, Copy)]
pub struct InUse<'a> {
    /// The folder with one folder per app.
    pub apps: &'a Path,
    /// The images that this installation made.
    pub images: &'a [OwnImage],
    /// Now.
    pub now: SystemTime,
}

/// Removes the variants in `folder` that are not needed; says how many.
pub async fn sweep<E: BuildEngine>(
    engine: &E,
    folder: &Path,
    used: InUse<'_>,
) -> Result<usize, EngineError> {
    let kept = variants(folder);
    if kept.is_empty() {
        return Ok(0);
    }
    let built_with = last_builds(used.apps);
    let mut layers = BTreeSet::new();
    for image in used.images.iter().filter(|image| image.app.is_some()) {
        layers.extend(engine.image_layers(&image.id).await?.unwrap_or_default());
    }
    let mut removed = 0;
    for key in kept {
        let place = folder.join(&key);
        let carried = Record::load(&place).is_some_and(|layer| layers.contains(&layer.diff_id));
        if built_with.contains(&key) || carried || is_recent(&place, used.now) {
            continue;
        }
        match remove(engine, &place, &key, used.images).await {
            Ok(()) => removed += 1,
            Err(error) => tracing::debug!(key, error = %chain(&*error), "an extended image stays"),
        }
    }
    Ok(removed)
}

async fn remove<E: BuildEngine>(
    engine: &E,
    place: &Path,
    key: &str,
    images: &[OwnImage],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let named = |image: &&OwnImage| {
        image.tags.iter().any(|tag| tag.rsplit_once('-').is_some_and(|(_, name)| name == key))
    };
    for image in images.iter().filter(|image| image.app.is_none()).filter(named) {
        engine.remove_image(&image.id).await?;
    }
    fs::remove_dir_all(place)?;
    tracing::info!(key, "removed an extended image");
    Ok(())
}

/// The keys of all variants that are whole; an unfinished one goes when the next is made.
fn variants(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// What the last builds of all apps stood on.
fn last_builds(apps: &Path) -> BTreeSet<String> {
    let apps = fs::read_dir(apps).into_iter().flatten().flatten();
    apps.flat_map(|app| Previous::of_app(&app.path()).variants).collect()
}

fn is_recent(place: &Path, now: SystemTime) -> bool {
    let used: io::Result<SystemTime> = fs::metadata(place).and_then(|meta| meta.modified());
    used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age < RECENT))
}

/// A build that is under way may stand on it, and has no image yet.
const RECENT: Duration = Duration::from_hours(24);
