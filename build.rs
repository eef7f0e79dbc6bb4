//! Makes the launcher, a small static program that this binary carries within itself and puts into
//! every image. Decision 0025 says why by a cargo of its own.

use std::{env, path::PathBuf, process::Command};

fn main() {
    for path in ["build.rs", "Cargo.toml", "Cargo.lock", "buildpacks/launcher"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let given = |name: &str| env::var_os(name).expect("cargo sets it for every build script");
    // Lints look at no bytes, and would make it once more.
    let wrapper = env::var("RUSTC_WORKSPACE_WRAPPER").unwrap_or_default();
    if wrapper.ends_with("clippy-driver") {
        println!("cargo::rustc-env=PAAS_LAUNCHER=/dev/null");
        return;
    }
    let target = given("TARGET").into_string().expect("the names of targets are plain text");
    // Another folder than the one in use, whose lock is held until this program has ended.
    let folder = PathBuf::from(given("OUT_DIR")).join("launcher");
    let mut cargo = Command::new(given("CARGO"));
    cargo.args(["build", "--locked", "--package", "launcher", "--bin", "launcher"]);
    cargo.args(["--profile", PROFILE, "--target", &target, "--target-dir"]).arg(&folder);
    // Neither clippy nor the flags for this binary are meant for that one.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("RUSTFLAGS");
    // It runs in images that have another C library, or none.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    let status = cargo.status().expect("cargo, which runs this, can be run");
    assert!(status.success(), "the launcher could not be built; see above");
    let program = folder.join(target).join(PROFILE).join("launcher");
    println!("cargo::rustc-env=PAAS_LAUNCHER={}", program.display());
}

/// In the workspace's `Cargo.toml`.
const PROFILE: &str = "launcher";
