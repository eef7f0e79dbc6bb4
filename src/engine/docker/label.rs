//! Names and labels: what a container of ours is, written on it and read back from it.
//!
//! Labels are the only memory of the engine's side: after a crash they tell everything that the
//! store must be compared with. A name is fixed by what a thing is, so that making it twice finds it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::InstallationId;
use crate::{
    engine::{BuilderSpec, ImageOrigin, ImageRole, InstanceSpec},
    model::{AppName, BuildNumber, ImageId, Incarnation, ReleaseVersion, Slot, VolumeName},
};

pub(super) const INSTALLATION: &str = "paas.installation";
pub(super) const ROLE: &str = "paas.role";
pub(super) const APP: &str = "paas.app";
pub(super) const SPEC: &str = "paas.spec";
/// What was asked for. Docker's own answer is another digest where containerd keeps the images.
const IMAGE: &str = "paas.image";
/// What an image that Docker built was made from.
const ORIGIN: &str = "paas.origin";
const PROCESS: &str = "paas.process";
const INDEX: &str = "paas.index";
const RELEASE: &str = "paas.release";
const RESTART: &str = "paas.restart";
const ATTEMPT: &str = "paas.attempt";
const BUILD: &str = "paas.build";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It runs an app.
    Instance,
    /// It runs a program of an app, once.
    Run,
    /// It runs a build.
    Builder,
    /// A root filesystem is made in it.
    Root,
    /// It runs a step of a Dockerfile; also the stage that it is a step of.
    Step,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Run => "run",
            Self::Builder => "builder",
            Self::Root => "root",
            Self::Step => "step",
        }
    }
}

/// Which instance a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) app: AppName,
    pub(super) slot: Slot,
    pub(super) incarnation: Incarnation,
    pub(super) attempt: u32,
    pub(super) image: ImageId,
}

pub(super) fn instance_name(installation: &InstallationId, spec: &InstanceSpec) -> String {
    format!("paas-{installation}.{}", spec.place())
}

pub(super) fn builder_name(installation: &InstallationId, spec: &BuilderSpec) -> String {
    format!("paas-{installation}.build.{}.{}", spec.app, spec.build)
}

pub(super) fn root_name(installation: &InstallationId, name: &str) -> String {
    format!("paas-{installation}.root.{name}")
}

pub(super) fn app_network(installation: &InstallationId, app: &AppName) -> String {
    format!("paas-{installation}-{app}")
}

/// The app whose network is called so, if it is one's.
pub(super) fn app_of_network(installation: &InstallationId, name: &str) -> Option<AppName> {
    name.strip_prefix("paas-")?.strip_prefix(installation.as_str())?.strip_prefix('-')?.parse().ok()
}

/// What Docker calls a volume of an app.
pub(super) fn volume_name(
    installation: &InstallationId,
    app: &AppName,
    volume: &VolumeName,
) -> String {
    format!("paas-{installation}.volume.{app}.{volume}")
}

/// Two hyphens cannot come from an app: no app's network is called so.
pub(super) fn build_network(installation: &InstallationId) -> String {
    format!("paas-{installation}--build")
}

/// The bridge whose address on this machine containers ask for names; none is ever on it.
pub(super) fn names_network(installation: &InstallationId) -> String {
    format!("paas-{installation}--names")
}

pub(super) fn of_instance(
    installation: &InstallationId,
    spec: &InstanceSpec,
) -> HashMap<String, String> {
    labels(&[
        (INSTALLATION, installation),
        (ROLE, &Role::Instance.word()),
        (APP, &spec.app),
        (PROCESS, &spec.slot.process),
        (INDEX, &spec.slot.index),
        (RELEASE, &spec.incarnation.release.0),
        (RESTART, &spec.incarnation.restart),
        (ATTEMPT, &spec.attempt),
        (IMAGE, &spec.image),
        (SPEC, &digest(spec)),
    ])
}

/// On the container of a run, besides what an instance's has.
pub(super) fn of_run() -> HashMap<String, String> {
    labels(&[(ROLE, &Role::Run.word())])
}

pub(super) fn of_builder(
    installation: &InstallationId,
    spec: &BuilderSpec,
) -> HashMap<String, String> {
    labels(&[
        (INSTALLATION, installation),
        (ROLE, &Role::Builder.word()),
        (APP, &spec.app),
        (BUILD, &spec.build),
    ])
}

pub(super) fn of_network(installation: &InstallationId) -> HashMap<String, String> {
    labels(&[(INSTALLATION, installation)])
}

pub(super) fn of_volume(installation: &InstallationId, app: &AppName) -> HashMap<String, String> {
    labels(&[(INSTALLATION, installation), (APP, app)])
}

pub(super) fn of_root(installation: &InstallationId) -> HashMap<String, String> {
    labels(&[(INSTALLATION, installation), (ROLE, &Role::Root.word())])
}

/// On every stage of a Dockerfile, and so on the containers of its steps.
pub(super) fn of_stage(installation: &InstallationId, app: &AppName) -> HashMap<String, String> {
    labels(&[(INSTALLATION, installation), (ROLE, &Role::Step.word()), (APP, app)])
}

/// On what comes out of a Dockerfile, besides what its stages have: a container that somebody makes
/// of it by hand is no step.
pub(super) fn of_last_stage() -> HashMap<String, String> {
    labels(&[(ROLE, &"image"), (ORIGIN, &DOCKERFILE)])
}

/// On what is made of another image.
pub(super) fn of_image(
    installation: &InstallationId,
    app: &AppName,
    origin: ImageOrigin,
) -> HashMap<String, String> {
    let origin = match origin {
        ImageOrigin::Dockerfile => DOCKERFILE,
        ImageOrigin::Local => LOCAL,
        ImageOrigin::Pulled => "pulled",
    };
    labels(&[(INSTALLATION, installation), (ROLE, &"image"), (APP, app), (ORIGIN, &origin)])
}

/// Whether an image of ours was made from one of the user's, which is to stay as it is.
pub(super) fn is_upon_the_users(labels: &HashMap<String, String>) -> bool {
    labels.get(ORIGIN).is_some_and(|origin| origin == LOCAL)
}

/// What an image of ours is, by its labels.
pub(super) fn role(labels: &HashMap<String, String>) -> ImageRole {
    let is = |key, word| labels.get(key).is_some_and(|value| value == word);
    match () {
        () if is(ROLE, Role::Step.word()) => ImageRole::Stage,
        () if is(ORIGIN, DOCKERFILE) => ImageRole::OfDockerfile,
        () => ImageRole::Whole,
    }
}

/// The engine's filter for containers of ours in that role.
pub(super) fn filter(installation: &InstallationId, role: Role) -> HashMap<String, Vec<String>> {
    let labels = vec![selector(installation), format!("{ROLE}={}", role.word())];
    HashMap::from([("label".to_owned(), labels)])
}

/// The engine's filter for whatever is ours.
pub(super) fn selector(installation: &InstallationId) -> String {
    format!("{INSTALLATION}={installation}")
}

/// Which instance the labels speak of; `None` if they were not written by this file.
pub(super) fn identity(labels: &HashMap<String, String>) -> Option<Identity> {
    let number = |key| labels.get(key)?.parse::<u32>().ok();
    Some(Identity {
        app: labels.get(APP)?.parse().ok()?,
        slot: Slot {
            process: labels.get(PROCESS)?.parse().ok()?,
            index: labels.get(INDEX)?.parse().ok()?,
        },
        incarnation: Incarnation {
            release: ReleaseVersion(number(RELEASE)?),
            restart: number(RESTART)?,
        },
        attempt: number(ATTEMPT)?,
        image: labels.get(IMAGE)?.parse().ok()?,
    })
}

/// Whose build the labels speak of.
pub(super) fn build(labels: &HashMap<String, String>) -> Option<(AppName, BuildNumber)> {
    let number = labels.get(BUILD)?.parse().ok()?;
    Some((labels.get(APP)?.parse().ok()?, BuildNumber(number)))
}

/// Whether the labels are those of this installation.
pub(super) fn is_ours(
    installation: &InstallationId,
    labels: Option<&HashMap<String, String>>,
) -> bool {
    labels.and_then(|labels| labels.get(INSTALLATION)).is_some_and(|id| id == installation.as_str())
}

/// The sha256 of all that decides how an instance runs. Each part is preceded by its length, so that
/// no two different specs can look the same.
pub(super) fn digest(spec: &InstanceSpec) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    };
    add(spec.image.as_str());
    spec.process.entrypoint.iter().for_each(|argument| add(argument));
    add("environment");
    for (key, value) in &spec.environment {
        add(key.as_str());
        add(value);
    }
    for (name, version) in &spec.secrets {
        add(&format!("secret {name} {}", version.0));
    }
    let limits = &spec.process.limits;
    add(&format!(
        "{:?} {} {:?} {}",
        spec.process.port, limits.memory.0, limits.cpu_millis, limits.pids
    ));
    if !spec.process.privileges.are_plain() {
        add("privileges");
    }
    for (name, mounting) in &spec.process.volumes {
        add(&format!("volume {name} {}", mounting.path));
    }
    hex::encode(hash.finalize())
}

const DOCKERFILE: &str = "dockerfile";
const LOCAL: &str = "local";

fn labels(pairs: &[(&str, &dyn std::fmt::Display)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::policy::tests::spec;

    #[test]
    fn what_is_written_on_a_container_is_read_back() {
        let (installation, spec) = ("k3f9".parse().unwrap(), spec());
        let labels = of_instance(&installation, &spec);
        let identity = identity(&labels).unwrap();
        assert_eq!(identity.app, spec.app);
        assert_eq!(identity.slot, spec.slot);
        assert_eq!(identity.incarnation, spec.incarnation);
        assert_eq!((identity.attempt, identity.image), (spec.attempt, spec.image.clone()));
        assert!(is_ours(&installation, Some(&labels)));
        assert!(!is_ours(&"other".parse().unwrap(), Some(&labels)));
        assert_eq!(instance_name(&installation, &spec), "paas-k3f9.shop.web.1.v12.0.3");
    }

    #[test]
    fn a_network_tells_whose_it_is() {
        let installation = "k3f9".parse().unwrap();
        let app: AppName = "shop-2".parse().unwrap();
        let own = app_network(&installation, &app);
        assert_eq!(app_of_network(&installation, &own), Some(app.clone()));
        let others = [build_network(&installation), names_network(&installation)];
        let others = others.into_iter().chain([app_network(&"k3f90".parse().unwrap(), &app)]);
        for name in others.chain(["bridge".to_owned()]) {
            assert_eq!(app_of_network(&installation, &name), None, "{name}");
        }
    }

    #[test]
    fn foreign_labels_are_nobody() {
        assert_eq!(identity(&HashMap::new()), None);
        assert_eq!(identity(&HashMap::from([(APP.to_owned(), "Not An App".to_owned())])), None);
    }

    #[test]
    fn the_digest_changes_with_what_runs_and_with_nothing_else() {
        let (one, mut other) = (spec(), spec());
        other.attempt += 1;
        assert_eq!(digest(&one), digest(&other), "the attempt is in the name");
        other.environment.insert("NEW".parse().unwrap(), String::new());
        assert_ne!(digest(&one), digest(&other));
        let mut kept = spec();
        kept.secrets.insert("TOKEN".parse().unwrap(), crate::model::SecretVersion(1));
        assert_ne!(digest(&one), digest(&kept), "another version is another instance");
        let mut moved = spec();
        moved.process.entrypoint = vec!["/bin/ser".to_owned(), "ver".to_owned()];
        assert_ne!(digest(&one), digest(&moved));
    }
}
