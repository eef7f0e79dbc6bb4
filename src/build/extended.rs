//! The images of one build: the base images, with the packages that it turns out to need.
//!
//! A build begins in the image of last time. If its extensions ask for other packages, it goes on in
//! another container, of another image, with what was detected. Invariant: that happens at most
//! once in a build.

use std::collections::BTreeSet;

use buildpacks::{
    agent::{Built, Detection, Wants},
    packages::{MAX_PACKAGES, Package, PackageSets},
};

use super::{
    base::BaseImage,
    error::BuildError,
    footing::Footing,
    request::BuildRequest,
    stack::Flavour,
    variants::{Key, Variants},
    workspace::Previous,
};
use crate::engine::BuildEngine;

/// What a build left, and the images that it stands on.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) built: Built,
    /// What the app is to run on.
    pub(super) run: BaseImage,
    /// What it was built in.
    pub(super) build: BaseImage,
    /// The keys of both, as far as they have packages.
    keys: BTreeSet<String>,
}

impl Finished {
    /// Adds to what is remembered of a build what the next one begins with.
    pub(super) fn remember(&self, previous: &mut Previous) {
        previous.packages.clone_from(&self.build.packages);
        previous.variants.clone_from(&self.keys);
    }
}

/// Where a build gets its images from.
#[derive(Debug)]
pub(super) struct Images<'a, E> {
    pub(super) engine: &'a E,
    pub(super) variants: &'a Variants,
    pub(super) footing: &'a Footing,
    pub(super) request: &'a BuildRequest,
}

impl<E: BuildEngine> Images<'_, E> {
    /// The build image of last time; the base image if that is gone.
    pub(super) async fn last(&self, previous: &Previous) -> Result<BaseImage, BuildError> {
        let base = &self.footing.build;
        let (engine, packages) = (self.engine, &previous.packages);
        let last = self.variants.present(engine, (Flavour::Build, base), packages).await?;
        Ok(last.unwrap_or_else(|| base.clone()))
    }

    /// The build image to go on in. The image to run on is made at the same time.
    pub(super) async fn next(&self, wants: Wants) -> Result<(BaseImage, Detection), BuildError> {
        let PackageSets { run, build } = &wants.packages;
        if run.len().max(build.len()) > MAX_PACKAGES {
            return Err(BuildError::Gibberish);
        }
        let images = async {
            let base = self.footing.run_image(self.engine, self.request, &wants.run_images).await?;
            let run = self.ensure((Flavour::Run, &base), run);
            let (run, build) = tokio::join!(run, self.build(build));
            run.and(build)
        };
        Ok((images.await?, wants.detection))
    }

    /// What was built in `image`, with the image to run on.
    pub(super) async fn finish(
        &self,
        built: Built,
        image: BaseImage,
    ) -> Result<Finished, BuildError> {
        let base = self.footing.run_image(self.engine, self.request, &built.run_images).await?;
        let run = self.ensure((Flavour::Run, &base), &built.packages).await?;
        let bases = [(&base, &run), (&self.footing.build, &image)];
        let keys = bases.map(|(base, image)| Key::of(base, &image.packages).to_string());
        Ok(Finished { built, run, build: image, keys: keys.into() })
    }

    async fn build(&self, packages: &BTreeSet<Package>) -> Result<BaseImage, BuildError> {
        self.ensure((Flavour::Build, &self.footing.build), packages).await
    }

    async fn ensure(
        &self,
        (flavour, base): (Flavour, &BaseImage),
        packages: &BTreeSet<Package>,
    ) -> Result<BaseImage, BuildError> {
        let there = self.variants.present(self.engine, (flavour, base), packages).await?;
        if let Some(image) = there {
            return Ok(image);
        }
        let names: Vec<_> = packages.iter().map(Package::as_str).collect();
        let line = format!(
            "-----> Installing Debian packages into the {flavour} image, once on this server: {}",
            names.join(", ")
        );
        self.request.say(line).await;
        tokio::select! {
            biased;
            () = self.request.cancel.cancelled() => Err(BuildError::Cancelled),
            made = self.variants.ensure(self.engine, (flavour, base), packages) => Ok(made?),
        }
    }
}
