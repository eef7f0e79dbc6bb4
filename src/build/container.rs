//! The build container: what it may see of this machine, and what its agent is told. Pure.
//!
//! The app's own folders and the caches can be written; everything that other builds share is
//! read-only. A builder of somebody else's keeps its own `/cnb` and sees no cache but the app's.
//! Invariant: no socket of Docker's, no folder of another app, no secret of the
//! platform is ever among the mounts.

use std::path::Path;

use super::{
    base::BaseImage,
    footing::Footing,
    request::{BuildRequest, Settings},
    session::SOCKET,
    variants::Lent,
    workspace::Workspace,
};
use crate::{
    engine::{Access, BuilderSpec, Mount},
    model::ByteSize,
};

/// What a container is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// What all builds have in common.
    pub(super) settings: &'a Settings,
    /// The build.
    pub(super) request: &'a BuildRequest,
    /// The app's folders.
    pub(super) workspace: &'a Workspace,
    /// What it stands on.
    pub(super) footing: &'a Footing,
    /// The build image, which may have packages besides.
    pub(super) image: &'a BaseImage,
    /// What apt is lent of this machine.
    pub(super) lent: Option<&'a Lent>,
}

/// The container of one build.
pub(super) fn container(site: Site<'_>, memory: ByteSize, pids: u32) -> BuilderSpec {
    let Site { settings, request, workspace, footing, image, lent } = site;
    let (toolchain_folder, toolchain_socket) = &settings.toolchain_socket;
    let write = |source: &Path, target: &str| mount(source, target, Access::ReadWrite);
    let read = |source: &Path, target: &str| mount(source, target, Access::ReadOnly);
    let mut mounts = vec![
        write(&workspace.source, "/workspace"),
        write(&workspace.layers, "/layers"),
        read(&settings.toolchains, "/toolchains"),
        read(&workspace.buildpacks, "/buildpacks"),
        read(&workspace.run, "/run/paas"),
        read(toolchain_folder, "/run/toolchains"),
    ];
    let mut environment = image.environment.clone();
    let cnb = match footing.builder {
        None => {
            mounts.push(write(&settings.cache, "/cache"));
            mounts.push(write(&workspace.cache, "/cache/app"));
            "/cnb"
        }
        // What apps share is for builds of the same user on the same system.
        Some(_) => {
            mounts.push(write(&workspace.cache, "/cache"));
            environment.insert(buildpacks::OURS.to_owned(), BESIDE.to_owned());
            BESIDE
        }
    };
    mounts.push(read(&settings.cnb, cnb));
    let lent = lent.into_iter().flat_map(Lent::files);
    mounts.extend(lent.map(|(file, path)| read(file, path)));
    mounts.extend(settings.ca_bundle.as_deref().map(|bundle| read(bundle, CA_BUNDLE)));
    let socket = format!("/run/toolchains/{toolchain_socket}");
    let told = [
        ("HOME", "/tmp/home"),
        ("CNB_APP_DIR", "/workspace"),
        ("CNB_LAYERS_DIR", "/layers"),
        // On the tmpfs, so that no secret of the app's configuration reaches the disk.
        ("CNB_PLATFORM_DIR", "/tmp/platform"),
        (buildpacks::toolchain::SOCKET_VARIABLE, &socket),
    ];
    environment.extend(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let agent = [&format!("{cnb}/{AGENT}"), "lifecycle-agent", &format!("/run/paas/{SOCKET}")];
    BuilderSpec {
        app: request.app.clone(),
        build: request.number,
        image: image.id.clone(),
        command: agent.map(str::to_owned).to_vec(),
        user: footing.owner.to_string(),
        environment,
        mounts,
        memory,
        cpu_millis: request.limits.cpu_millis,
        pids,
    }
}

fn mount(source: &Path, target: &str, access: Access) -> Mount {
    Mount { source: source.to_owned(), target: target.to_owned(), access }
}

/// The first process of a build container, in our tree.
const AGENT: &str = "lifecycle/paas";
/// Where our tree is in a builder of somebody else's, whose own is at `/cnb`.
const BESIDE: &str = "/opt/paas/cnb";
/// Where Debian's programs look for certificates; this machine's stand there during a build.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
