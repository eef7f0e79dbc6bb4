//! An app by its Dockerfile: Docker builds it, under the same limits, into the same log.
//!
//! In reading order: `text` (labels and arguments), `ignore` (`.dockerignore`), `context` (what the
//! Dockerfile sees), `drive` (a build, watched), `growth` (what it takes of the disk), `error`. Invariant: every image and container that a
//! build makes on its way carries this installation's labels and the app's; nothing else is removed.

pub(super) mod context;
pub(super) mod drive;
mod error;
pub(super) mod growth;
mod ignore;
pub(super) mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    path::Path,
};

pub use error::DockerfileError;
use ignore::Ignore;

use super::{
    BuildError,
    folder::Folder,
    prebuilt,
    progress::Stage,
    request::{BuildRequest, Settings},
};
use crate::{
    clock,
    engine::{BuildEngine, ImageBuild, ImageOrigin},
    model::{AppName, Artifact, ByteSize, Manifest},
    telemetry::chain,
};

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// The Dockerfile's path in the app's folder.
    pub(super) path: String,
    /// Who said so, for the log.
    pub(super) why: &'static str,
}

/// Builds the app's image.
pub(super) async fn build<E: BuildEngine>(
    engine: &E,
    settings: &Settings,
    request: &BuildRequest,
    manifest: &Manifest,
    recipe: &Recipe,
) -> Result<Artifact, BuildError> {
    request.tell(Stage::Prepare).await;
    let root = Folder::open(&request.source).map_err(BuildError::prepare)?;
    let read = |source| DockerfileError::Read { path: recipe.path.clone(), source };
    let dockerfile = read_text(&root, &recipe.path).map_err(read)?;
    let ignore = ignore(&root, &recipe.path)?;
    request.say(format!("-----> Building with {}", recipe.path)).await;
    request.say(format!("       {}", recipe.why)).await;
    let labelled = text::label(&dockerfile, &engine.labels(&request.app, ImageOrigin::Dockerfile));
    let context = context::of_folder(request.source.clone(), ignore, labelled.text.clone());
    let growth = growth::Growth::new(engine, request, manifest).await?;
    let asked = manifest.build.memory.unwrap_or(request.limits.memory);
    let spec = ImageBuild {
        app: request.app.clone(),
        name: settings.image_name(request),
        dockerfile: context::DOCKERFILE.to_owned(),
        arguments: arguments(&dockerfile, settings, manifest),
        target: manifest.build.target.clone(),
        origin: ImageOrigin::Dockerfile,
        memory: asked.min(request.limits.most_memory),
        cpu_millis: request.limits.cpu_millis,
        begun: clock::now(),
        pids: manifest.build.pids.unwrap_or(request.limits.pids),
        largest_file: growth.largest_file(),
    };
    request.tell(Stage::Build).await;
    let deadline = manifest.build.timeout.unwrap_or(request.limits.timeout);
    let telling = drive::Telling::Steps;
    let drive = drive::Drive { request, spec: &spec, deadline, telling, growth: &growth };
    let driven = drive::drive(engine, drive, context).await;
    let driven = driven.map_err(|error| in_the_users_lines(error, &labelled))?;
    let facts =
        engine.image(driven.image.as_str()).await?.ok_or(prebuilt::vanished(&driven.image))?;
    let procfile = prebuilt::procfile(&root)?;
    let found = prebuilt::processes(&facts, &procfile, manifest)?;
    for line in &found.said {
        request.say(format!("       {line}")).await;
    }
    tidy(engine, &request.app, &driven.mentioned).await;
    let (image, deploy) = (driven.image, manifest.deploy_settings());
    Ok(Artifact { image, size: facts.size, processes: found.processes, deploy })
}

/// The manifest's arguments, and what this machine's registries and proxies are, if that is asked
/// for: Docker takes the proxies without being asked.
fn arguments(
    dockerfile: &str,
    settings: &Settings,
    manifest: &Manifest,
) -> BTreeMap<String, String> {
    let declared = text::arguments(dockerfile);
    let asked = |name: &str| declared.contains(name) || name.to_lowercase().ends_with("_proxy");
    let host = settings.environment.iter().filter(|(name, _)| asked(name));
    let host = host.map(|(name, value)| (name.clone(), value.clone()));
    let own = manifest.build.args.iter();
    host.chain(own.map(|(name, value)| (name.as_str().to_owned(), value.clone()))).collect()
}

/// The Dockerfile's own ignore file, or the folder's.
fn ignore(root: &Folder, dockerfile: &str) -> Result<Ignore, DockerfileError> {
    for path in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
        match read_text(root, &path) {
            Ok(text) => return Ok(Ignore::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(DockerfileError::Read { path, source }),
        }
    }
    Ok(Ignore::default())
}

/// A text file of the app's folder; links are not followed.
pub(super) fn read_text(root: &Folder, path: &str) -> io::Result<String> {
    let path = Path::new(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let (file, _) = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => root.below(parent)?.file(name)?,
        None => root.file(name)?,
    };
    let mut text = String::new();
    if file.take(MAX_TEXT.0 + 1).read_to_string(&mut text)? as u64 > MAX_TEXT.0 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// Docker counts the lines of our copy.
fn in_the_users_lines(error: BuildError, labelled: &text::Labelled) -> BuildError {
    let BuildError::Dockerfile(DockerfileError::Wrong { message }) = error else { return error };
    let words = message.split(' ').scan(false, |after_line, word| {
        let digits = word.trim_end_matches(':');
        let number = digits.parse::<usize>().ok().filter(|_| *after_line);
        *after_line = word == "line";
        let own = number.map(|number| word.replace(digits, &labelled.original(number).to_string()));
        Some(own.unwrap_or_else(|| word.to_owned()))
    });
    let message = words.collect::<Vec<_>>().join(" ");
    DockerfileError::Wrong { message }.into()
}

/// Removes the stages of earlier builds that this one did not use. What cannot be removed, because
/// something is built upon it, goes with a later build.
async fn tidy<E: BuildEngine>(engine: &E, app: &AppName, used: &BTreeSet<String>) {
    let stages = match engine.stages(app).await {
        Ok(stages) => stages,
        Err(error) => {
            tracing::debug!(error = %chain(&error), "the stages of earlier builds stay");
            return;
        }
    };
    for stage in stages {
        let digest = stage.as_str().trim_start_matches("sha256:");
        if used.iter().any(|short| digest.starts_with(short.as_str())) {
            continue;
        }
        if let Err(error) = engine.remove_image(&stage).await {
            tracing::debug!(image = %stage, error = %chain(&error), "a stage stays");
        }
    }
}

/// What people write by hand is far smaller.
const MAX_TEXT: ByteSize = ByteSize(1 << 20);
