//! The variables that a buildpack's executables see.
//!
//! Invariant: nothing of the build image's environment comes through but the names below; what the
//! user set comes through `/platform/env`, unless the buildpack asks for a clear environment.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::Build;
use super::catalog::Installed;
use crate::environment::{Environment, Unsuffixed, apply_dir, sorted_entries};
use crate::spec::{Api, EXEC_ENV, Kind};

/// What the executable is run for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// `bin/detect`.
    Detect { plan: &'a Path },
    /// `bin/generate` of an extension, which writes into `output`.
    Generate { output: &'a Path, plan: &'a Path },
    /// `bin/build`, with what earlier buildpacks' layers contributed.
    Build { layers: &'a Path, plan: &'a Path, contributed: &'a Environment },
}

/// Names that reach buildpacks from the build image. The two of ours lead our own buildpacks to
/// the daemon's toolchains and to the shared caches.
const INHERITED: [&str; 17] = [
    "CNB_STACK_ID",
    "HOSTNAME",
    "HOME",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "PATH",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "CPATH",
    "PKG_CONFIG_PATH",
    "PAAS_TOOLCHAINS",
    "PAAS_TOOLCHAINS_DIR",
    "PAAS_CACHE",
];

/// Lists of folders: a value of the user goes in front instead of replacing the list.
const FOLDER_LISTS: [&str; 5] =
    ["PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH"];

/// Some buildpacks run `set -u` on this variable, so it is always set.
const DEFAULT_STACK: &str = "io.buildpacks.stacks.trixie";

/// What the build image contributes.
pub(super) fn inherited(base: &Environment) -> Environment {
    let mut env = Environment::default();
    for name in INHERITED {
        if base.holds(name) {
            env.set(name, base.value(name));
        }
    }
    if env.value("CNB_STACK_ID").is_empty() {
        env.set("CNB_STACK_ID", DEFAULT_STACK);
    }
    env
}

/// The whole environment of one executable.
pub(super) fn variables(
    build: &Build<'_>,
    installed: &Installed,
    purpose: Purpose<'_>,
) -> io::Result<Environment> {
    let roots = build.roots;
    let own = &installed.descriptor;
    let mut env = match purpose {
        Purpose::Detect { .. } | Purpose::Generate { .. } => inherited(build.base),
        Purpose::Build { contributed, .. } => contributed.clone(),
    };
    if !own.buildpack.clear_env {
        apply_platform(&mut env, &roots.platform.join("env"))?;
    }
    apply_dir(&mut env, &build.catalog.build_config, Unsuffixed::Default)?;
    let own_dir = match installed.kind {
        Kind::Buildpack => "CNB_BUILDPACK_DIR",
        Kind::Extension => "CNB_EXTENSION_DIR",
    };
    env.set(own_dir, installed.dir.as_os_str());
    if own.api >= Api::V0_8 {
        env.set("CNB_PLATFORM_DIR", roots.platform.as_os_str());
        match purpose {
            Purpose::Detect { plan } => env.set("CNB_BUILD_PLAN_PATH", plan),
            Purpose::Generate { output, plan } => {
                env.set("CNB_OUTPUT_DIR", output);
                env.set("CNB_BP_PLAN_PATH", plan);
            }
            Purpose::Build { layers, plan, .. } => {
                env.set("CNB_LAYERS_DIR", layers);
                env.set("CNB_BP_PLAN_PATH", plan);
            }
        }
    }
    if own.api >= Api::V0_10 {
        let target = &build.target;
        let facts = [
            ("CNB_TARGET_OS", &target.os),
            ("CNB_TARGET_ARCH", &target.arch),
            ("CNB_TARGET_ARCH_VARIANT", &target.arch_variant),
            ("CNB_TARGET_DISTRO_NAME", &target.distro_name),
            ("CNB_TARGET_DISTRO_VERSION", &target.distro_version),
        ];
        for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
            env.set(name, value);
        }
    }
    if own.api >= Api::V0_12 {
        env.set("CNB_EXEC_ENV", EXEC_ENV);
    }
    Ok(env)
}

/// The user's variables: each file of `/platform/env` is one.
fn apply_platform(env: &mut Environment, dir: &Path) -> io::Result<()> {
    for path in sorted_entries(dir)? {
        let Some(name) = path.file_name() else { continue };
        if !path.is_file() {
            continue;
        }
        let value = OsString::from_vec(fs::read(&path)?);
        if FOLDER_LISTS.iter().any(|list| OsStr::new(list) == name) {
            env.prepend(name, &value, OsStr::new(":"));
        } else {
            env.set(name, value);
        }
    }
    Ok(())
}
