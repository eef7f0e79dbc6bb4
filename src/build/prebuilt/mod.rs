//! An app by an image that is there already: in this machine's Docker, or in a registry.
//!
//! Our own image is made of it, which differs in its labels only. A release names that one, so what
//! the user does to the name that was deployed takes nothing from a release, and cleaning up takes
//! nothing from the user. Invariant: nothing of the image is run or changed on the way.

mod error;
mod processes;

use std::{io, time::Duration};

use tokio::time::timeout;

pub use error::PrebuiltError;
pub(super) use processes::processes;

use super::{
    BuildError,
    dockerfile::{
        context::{self, DOCKERFILE},
        drive::{Drive, Telling, drive},
        growth::Growth,
        read_text,
        text::label,
    },
    folder::Folder,
    progress::Stage,
    request::{BuildRequest, Settings},
    stack::{TARGET_ARCH, TARGET_OS},
};
use crate::{
    clock,
    engine::{BuildEngine, ImageBuild, ImageFacts, ImageOrigin},
    model::{Artifact, ImageId, ImageReference, Manifest},
};

/// Makes the app's image of that one.
pub(super) async fn build<E: BuildEngine>(
    engine: &E,
    settings: &Settings,
    request: &BuildRequest,
    manifest: &Manifest,
    reference: &ImageReference,
) -> Result<Artifact, BuildError> {
    request.tell(Stage::Prepare).await;
    request.say(format!("-----> Image {reference}")).await;
    let deadline = manifest.build.timeout.unwrap_or(request.limits.timeout);
    let (facts, origin) = find(engine, request, reference, deadline).await?;
    check(reference, &facts)?;
    let procfile = match Folder::open(&request.source) {
        Ok(root) => procfile(&root)?,
        Err(error) => return Err(BuildError::prepare(error)),
    };
    let found = processes(&facts, &procfile, manifest)?;
    for line in &found.said {
        request.say(format!("       {line}")).await;
    }
    request.tell(Stage::Load).await;
    let growth = Growth::new(engine, request, manifest).await?;
    let spec = ImageBuild {
        app: request.app.clone(),
        name: settings.image_name(request),
        dockerfile: DOCKERFILE.to_owned(),
        arguments: [].into(),
        target: None,
        origin,
        memory: request.limits.memory,
        cpu_millis: request.limits.cpu_millis,
        begun: clock::now(),
        pids: request.limits.pids,
        largest_file: growth.largest_file(),
    };
    // By its id: the name may mean something else by now.
    let from = format!("FROM {}\n", facts.id);
    let context = context::alone(label(&from, &engine.labels(&request.app, origin)).text);
    let ours = Drive { request, spec: &spec, deadline, telling: Telling::Nothing, growth: &growth };
    let image = drive(engine, ours, context).await?.image;
    if origin == ImageOrigin::Pulled {
        // Ours holds it from here; the next deploy asks the registry what the name means then.
        engine.untag(reference.as_str()).await?;
    }
    let deploy = manifest.deploy_settings();
    Ok(Artifact { image, size: facts.size, processes: found.processes, deploy })
}

/// What is in Docker, else what the registry has.
async fn find<E: BuildEngine>(
    engine: &E,
    request: &BuildRequest,
    reference: &ImageReference,
    deadline: Duration,
) -> Result<(ImageFacts, ImageOrigin), BuildError> {
    if let Some(facts) = engine.image(reference.as_str()).await? {
        let id = facts.id.get(..MOST_OF_ID).unwrap_or(&facts.id);
        request.say(format!("       found in this server's Docker, {id}")).await;
        return Ok((facts, ImageOrigin::Local));
    }
    request.say("       not in this server's Docker; pulling it".to_owned()).await;
    let pulled = tokio::select! {
        biased;
        () = request.cancel.cancelled() => return Err(BuildError::Cancelled),
        pulled = timeout(deadline, engine.pull(reference)) => {
            pulled.map_err(|_| BuildError::Late { after: deadline })?
        }
    };
    let absent = |source| PrebuiltError::Absent { reference: reference.clone(), source };
    pulled.map_err(absent)?;
    let facts = engine.image(reference.as_str()).await?.ok_or(BuildError::Silent)?;
    let known_by = facts.digests.first().unwrap_or(&facts.id);
    request.say(format!("       pulled {known_by}")).await;
    Ok((facts, ImageOrigin::Pulled))
}

/// Whether it can run here.
pub(super) fn check(reference: &ImageReference, facts: &ImageFacts) -> Result<(), PrebuiltError> {
    let reference = reference.clone();
    let (what, here) =
        (format!("{}/{}", facts.os, facts.architecture), format!("{TARGET_OS}/{TARGET_ARCH}"));
    if what != here {
        return Err(PrebuiltError::Platform { reference, what, here });
    }
    if facts.triggers > 0 {
        return Err(PrebuiltError::Triggers { reference, count: facts.triggers });
    }
    Ok(())
}

/// The lines of the folder's Procfile, if it has one.
pub(super) fn procfile(root: &Folder) -> Result<Vec<(String, String)>, BuildError> {
    let text = match read_text(root, "Procfile") {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(PrebuiltError::Procfile(format!("cannot read Procfile: {error}")).into());
        }
    };
    buildpacks::procfile(&text).map_err(|fault| PrebuiltError::Procfile(fault).into())
}

/// An image that was made a moment ago.
pub(super) fn vanished(image: &ImageId) -> PrebuiltError {
    PrebuiltError::Vanished(image.clone())
}

/// Of `sha256:…`, as much as Docker shows.
const MOST_OF_ID: usize = "sha256:".len() + 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_here_is_refused() {
        let here = ImageFacts {
            os: TARGET_OS.to_owned(),
            architecture: TARGET_ARCH.to_owned(),
            ..ImageFacts::default()
        };
        let check_it = |facts: ImageFacts, expected: &str| {
            let told = match check(&"x:1".parse().unwrap(), &facts) {
                Ok(()) => "fine".to_owned(),
                Err(error) => format!("{error} hint: {}", error.hint()),
            };
            assert!(told.contains(expected), "{told}");
        };
        check_it(here.clone(), "fine");
        let other = ImageFacts { architecture: "s390x".to_owned(), ..here.clone() };
        check_it(other, "the image x:1 is for linux/s390x, and this server is linux/");
        let base = ImageFacts { triggers: 2, ..here };
        check_it(base, "hint: write a Dockerfile that begins with `FROM x:1`");
    }
}
