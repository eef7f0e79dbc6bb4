//! The build container: what it may see of this machine, and what its agent is told. Pure.
//!
//! The app's own folders and the caches can be written; everything that other builds share is
//! read-only. Invariant: no socket of Docker's, no folder of another app, no secret of the
//! platform is ever among the mounts.

use std::path::Path;

use super::{
    request::{BuildRequest, Settings},
    session::SOCKET,
    workspace::Workspace,
};
use crate::{
    engine::{Access, BuilderSpec, Mount},
    model::ByteSize,
};

/// The container of one build.
pub(super) fn container(
    settings: &Settings,
    request: &BuildRequest,
    workspace: &Workspace,
    memory: ByteSize,
    pids: u32,
) -> BuilderSpec {
    let (toolchain_folder, toolchain_socket) = &settings.toolchain_socket;
    let write = |source: &Path, target: &str| mount(source, target, Access::ReadWrite);
    let read = |source: &Path, target: &str| mount(source, target, Access::ReadOnly);
    let mut mounts = vec![
        write(&workspace.source, "/workspace"),
        write(&workspace.layers, "/layers"),
        write(&settings.cache, "/cache"),
        write(&workspace.cache, "/cache/app"),
        read(&settings.cnb, "/cnb"),
        read(&settings.toolchains, "/toolchains"),
        read(&workspace.buildpacks, "/buildpacks"),
        read(&workspace.run, "/run/paas"),
        read(toolchain_folder, "/run/toolchains"),
    ];
    mounts.extend(settings.ca_bundle.as_deref().map(|bundle| read(bundle, CA_BUNDLE)));
    let mut environment = settings.build.environment.clone();
    environment.insert("HOME".to_owned(), "/tmp/home".to_owned());
    // On the tmpfs, so that no secret of the app's configuration reaches the disk.
    environment.insert("CNB_PLATFORM_DIR".to_owned(), "/tmp/platform".to_owned());
    let socket = format!("/run/toolchains/{toolchain_socket}");
    environment.insert(buildpacks::toolchain::SOCKET_VARIABLE.to_owned(), socket);
    BuilderSpec {
        app: request.app.clone(),
        build: request.number,
        image: settings.build.id.clone(),
        command: AGENT.map(str::to_owned).into_iter().chain([agent_socket()]).collect(),
        user: settings.build.user.clone(),
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

fn agent_socket() -> String {
    format!("/run/paas/{SOCKET}")
}

/// The first process of a build container.
const AGENT: [&str; 2] = ["/cnb/lifecycle/paas", "lifecycle-agent"];
/// Where Debian's programs look for certificates; this machine's stand there during a build.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
