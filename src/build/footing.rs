//! What a build stands on: our base images, or a builder image of somebody else's and the image that
//! it makes apps for.
//!
//! A builder brings buildpacks and says who they run as; its own lifecycle is never run, ours is
//! mounted into it. It is taken as it is in this machine's Docker, and pulled only if it is not there.
//! Invariant: nothing of an image is believed but what Docker says of it; what is in its files is
//! for the agent to read, inside.

use std::{collections::BTreeMap, fmt, future::Future, time::Duration};

use buildpacks::Target;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    base::{BaseImage, Maker},
    error::BuildError,
    folder::Owner,
    request::{BuildRequest, Settings},
    stack::{TARGET_ARCH, TARGET_OS},
    workspace::Known,
};
use crate::{
    engine::{BuildEngine, EngineError, ImageFacts},
    model::ImageReference,
};

/// What a build stands on.
#[derive(Debug, Clone)]
pub(super) struct Footing {
    /// What it is built in.
    pub(super) build: BaseImage,
    /// What the app is to run on; `None` if only the builder's own files name it.
    run: Option<BaseImage>,
    /// Whom the build runs as, and whose its files are.
    pub(super) owner: Owner,
    /// What is built for.
    pub(super) target: Target,
    /// The builder, if it is not ours.
    pub(super) builder: Option<ImageReference>,
    /// The longest that a pull may take.
    patience: Duration,
}

/// Which image of a builder is spoken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one to build in.
    Builder,
    /// The one that apps of this builder run on.
    Run(ImageReference),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builder => f.write_str("the builder image"),
            Self::Run(builder) => write!(f, "the run image of the builder {builder},"),
        }
    }
}

/// Why there is no such footing.
#[derive(Debug, thiserror::Error)]
pub enum FootingError {
    /// It is neither here nor to be had.
    #[error("{which} {image} is not in this server's Docker, and cannot be pulled")]
    Absent {
        /// Which of the two.
        which: Which,
        /// Its name.
        image: ImageReference,
        /// What Docker said.
        #[source]
        source: EngineError,
    },
    /// It is for other machines.
    #[error("{which} {image} is for {what}, and this server is {TARGET_OS}/{TARGET_ARCH}")]
    Platform {
        /// Which of the two.
        which: Which,
        /// Its name.
        image: ImageReference,
        /// Its system and architecture.
        what: String,
    },
    /// Its builds would be root's.
    #[error("the builder image {0} builds as root, which no build here may be")]
    Root(ImageReference),
    /// Nothing says what its apps run on.
    #[error(
        "the builder image {0} does not say what its apps run on: it has neither the label {LABEL} nor /cnb/run.toml"
    )]
    NoRunImage(ImageReference),
}

impl FootingError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent { image, .. } => format!(
                "make this work on the server: `docker pull {image}`; an image that only your \
                 machine has gets there by `docker save {image} | ssh SERVER docker load`"
            ),
            Self::Platform { .. } => {
                format!("use a builder that is made for {TARGET_OS}/{TARGET_ARCH}")
            }
            Self::Root(_) => "set CNB_USER_ID and CNB_GROUP_ID of the image, as `pack builder \
                              create` does: ENV CNB_USER_ID=1000 CNB_GROUP_ID=1000"
                .to_owned(),
            Self::NoRunImage(_) => "make it with `pack builder create`, or write into \
                                    /cnb/run.toml: [[images]] image = \"NAME\""
                .to_owned(),
        }
    }
}

impl Footing {
    /// Our own base images.
    pub(super) fn ours(settings: &Settings) -> Self {
        Self {
            build: settings.build.clone(),
            run: Some(settings.run.clone()),
            owner: Owner::APP,
            target: settings.target.clone(),
            builder: None,
            patience: Duration::ZERO,
        }
    }

    /// A builder image, and what it is known to make apps for.
    pub(super) async fn find<E: BuildEngine>(
        engine: &E,
        request: &BuildRequest,
        builder: &ImageReference,
        patience: Duration,
    ) -> Result<Self, BuildError> {
        request.say(format!("-----> Builder {builder}")).await;
        let facts = get(engine, request, &Which::Builder, builder, patience).await?;
        let owner = owner(&facts).ok_or_else(|| FootingError::Root(builder.clone()))?;
        let target = target(&facts.labels);
        let build = base(builder, &facts, owner)?;
        let names = named(&facts.labels);
        let builder = Some(builder.clone());
        let mut own = Self { build, run: None, owner, target, builder, patience };
        if !names.is_empty() {
            let run = own.run_image(engine, request, &names).await?;
            let of_run = self::target(&run.labels);
            if !of_run.distro_name.is_empty() {
                own.target = of_run;
            }
            own.run = Some(run);
        }
        Ok(own)
    }

    /// What the app is to run on: what is known already, else the first of these names that is here
    /// or can be had.
    pub(super) async fn run_image<E: BuildEngine>(
        &self,
        engine: &E,
        request: &BuildRequest,
        names: &[String],
    ) -> Result<BaseImage, BuildError> {
        let builder = match (&self.run, &self.builder) {
            (Some(run), _) => return Ok(run.clone()),
            (None, Some(builder)) => builder,
            (None, None) => return Err(BuildError::Gibberish),
        };
        let names = names.iter().filter_map(|name| name.parse().ok());
        let names: Vec<ImageReference> = names.take(MOST_MIRRORS).collect();
        let which = Which::Run(builder.clone());
        for name in &names {
            if let Some(facts) = engine.image(name.as_str()).await? {
                check(&which, name, &facts)?;
                request
                    .say(format!("       apps run on {name}, which is in this server's Docker"))
                    .await;
                return base(name, &facts, self.owner);
            }
        }
        let mut first = None;
        for name in &names {
            match get(engine, request, &which, name, self.patience).await {
                Ok(facts) => return base(name, &facts, self.owner),
                Err(error @ BuildError::Footing(FootingError::Absent { .. })) => {
                    first.get_or_insert(error);
                }
                Err(other) => return Err(other),
            }
        }
        Err(first.unwrap_or_else(|| FootingError::NoRunImage(builder.clone()).into()))
    }

    /// Whatever makes layers and caches of another build useless: nothing of ours.
    pub(super) fn mark(&self) -> String {
        if self.builder.is_none() {
            return String::new();
        }
        let Target { os, arch, distro_name, distro_version, .. } = &self.target;
        let stack = self.build.environment.get(STACK).map_or("", String::as_str);
        format!("{} {os}/{arch} {distro_name} {distro_version} {stack}", self.owner)
    }
}

/// The present run image under the name that an image was made for, if that is not one of ours.
pub(super) async fn run_image_called<E: BuildEngine>(
    engine: &E,
    name: &str,
) -> Result<Option<BaseImage>, BuildError> {
    let Ok(name) = name.parse::<ImageReference>() else { return Ok(None) };
    let facts = engine.image(name.as_str()).await?;
    facts.map(|facts| base(&name, &facts, Owner::APP)).transpose()
}

/// An image out of Docker; what is not there is pulled.
async fn get<E: BuildEngine>(
    engine: &E,
    request: &BuildRequest,
    which: &Which,
    image: &ImageReference,
    patience: Duration,
) -> Result<ImageFacts, BuildError> {
    if let Some(facts) = engine.image(image.as_str()).await? {
        request.say(format!("       found in this server's Docker, {}", shortened(&facts))).await;
        check(which, image, &facts)?;
        return Ok(facts);
    }
    request.say(format!("       {image} is not in this server's Docker; pulling it")).await;
    let pulled = within(request, patience, engine.pull(image)).await?;
    let absent =
        |source| FootingError::Absent { which: which.clone(), image: image.clone(), source };
    pulled.map_err(absent)?;
    let facts = engine.image(image.as_str()).await?.ok_or(BuildError::Silent)?;
    check(which, image, &facts)?;
    Ok(facts)
}

async fn within<T>(
    request: &BuildRequest,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Result<T, BuildError> {
    tokio::select! {
        biased;
        () = request.cancel.cancelled() => Err(BuildError::Cancelled),
        done = timeout(patience, work) => done.map_err(|_| BuildError::Late { after: patience }),
    }
}

fn shortened(facts: &ImageFacts) -> &str {
    facts.id.get(..MOST_OF_ID).unwrap_or(&facts.id)
}

fn check(which: &Which, image: &ImageReference, facts: &ImageFacts) -> Result<(), FootingError> {
    let what = format!("{}/{}", facts.os, facts.architecture);
    if what == format!("{TARGET_OS}/{TARGET_ARCH}") {
        return Ok(());
    }
    Err(FootingError::Platform { which: which.clone(), image: image.clone(), what })
}

/// As a base image, whose layers only Docker has. One that names no user, or root, runs as whoever
/// built.
fn base(name: &ImageReference, facts: &ImageFacts, owner: Owner) -> Result<BaseImage, BuildError> {
    let id = facts.id.parse().map_err(|_| BuildError::Silent)?;
    let mut environment = facts.environment.clone();
    if let (None, Some(stack)) = (environment.get(STACK), facts.labels.get(STACK_LABEL)) {
        environment.insert(STACK.to_owned(), stack.clone());
    }
    let is_root = facts.user.is_empty()
        || facts.user.split(':').next().is_some_and(|user| user == "root" || user == "0");
    let known = |diff_id: &String| Known { diff_id: diff_id.clone(), size: 0 };
    Ok(BaseImage {
        id,
        reference: name.to_string(),
        architecture: facts.architecture.clone(),
        user: if is_root { owner.to_string() } else { facts.user.clone() },
        environment,
        labels: facts.labels.clone(),
        maker: Maker::Another,
        layers: facts.layers.iter().map(known).collect(),
        tars: Vec::new(),
        packages: [].into(),
    })
}

/// Whom a builder builds as: what it says, else its own user; `None` for root.
fn owner(facts: &ImageFacts) -> Option<Owner> {
    let said = |name: &str| facts.environment.get(name)?.trim().parse().ok();
    let (user, group) = facts.user.split_once(':').unwrap_or((&facts.user, ""));
    let user: u32 = said("CNB_USER_ID").or_else(|| user.parse().ok()).unwrap_or(Owner::APP.user);
    let group = said("CNB_GROUP_ID").or_else(|| group.parse().ok()).unwrap_or(user);
    (user != 0).then_some(Owner { user, group })
}

fn target(labels: &BTreeMap<String, String>) -> Target {
    let label = |name: &str| labels.get(&format!("io.buildpacks.base.distro.{name}")).cloned();
    Target {
        os: TARGET_OS.to_owned(),
        arch: TARGET_ARCH.to_owned(),
        arch_variant: String::new(),
        distro_name: label("name").unwrap_or_default(),
        distro_version: label("version").unwrap_or_default(),
    }
}

/// The run image that a builder's label names, with its mirrors.
fn named(labels: &BTreeMap<String, String>) -> Vec<String> {
    let text = labels.get(LABEL).map_or("", String::as_str);
    let metadata: Metadata = serde_json::from_str(text).unwrap_or_default();
    let first = metadata.images.into_iter().next().unwrap_or(metadata.stack.run_image);
    let all = std::iter::once(first.image).chain(first.mirrors);
    all.filter(|name| !name.is_empty()).collect()
}

/// The label, as far as it matters.
#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    stack: Stack,
    #[serde(default)]
    images: Vec<RunImage>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    #[serde(default)]
    run_image: RunImage,
}

#[derive(Default, Deserialize)]
struct RunImage {
    #[serde(default)]
    image: String,
    #[serde(default)]
    mirrors: Vec<String>,
}

/// What says what a builder makes apps for.
const LABEL: &str = "io.buildpacks.builder.metadata";
const STACK_LABEL: &str = "io.buildpacks.stack.id";
const STACK: &str = "CNB_STACK_ID";
/// One is enough, and each may be waited for.
const MOST_MIRRORS: usize = 5;
/// Of `sha256:…`, as much as Docker shows.
const MOST_OF_ID: usize = "sha256:".len() + 12;
