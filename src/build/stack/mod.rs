//! The stack: the Debian root filesystems that builds and apps run in.
//!
//! Two of them: `run`, which every app image begins with, and `build`, which has compilers too.
//! They are made once per host and kept; where a registry answers, the engine pulls a base and
//! hands the tars in ([`Origin::Tars`]). Not here: loading them into Docker, and languages
//! (`toolchains`).
//!
//! Invariants: what [`Stack::present`] returns is whole and was hashed when it was made; nothing
//! of this machine (its mirror, its name server, its proxy) stays inside; packages are only taken
//! with a valid signature of Debian's archive.
//!
//! In reading order: `ensure` (the story), `recipe` (what is in them), `apt` and `release` (where
//! Debian is), `make` (mmdebstrap), `rootfs` (reading a tar), `manifest` (what is remembered), `error`.

mod apt;
mod ensure;
mod error;
mod make;
mod manifest;
mod recipe;
mod release;
mod rootfs;

pub(crate) use apt::container_sources;
pub use ensure::{Origin, Progress, Stack, StackSet, host_can_make};
pub use error::StackError;
pub use make::host_options;
pub(crate) use recipe::KEPT_SOURCES;
pub use recipe::{Flavour, container_script, packages};
pub use rootfs::Rootfs;

/// The operating system of every image.
pub const TARGET_OS: &str = "linux";
/// The processor of every image, in OCI's words.
pub const TARGET_ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// The distribution, in the words of Cloud Native Buildpacks.
pub const DISTRO_NAME: &str = "debian";
/// Its version.
pub const DISTRO_VERSION: &str = "13";
/// Its name in package archives.
pub const SUITE: &str = "trixie";
/// The identity that older buildpacks ask for.
pub const STACK_ID: &str = "io.buildpacks.stacks.trixie";
/// User and group of every build and every app; its home is [`HOME`].
pub const USER_ID: u32 = 1000;
/// The user's home.
pub const HOME: &str = "/home/app";

/// The environment that both images carry, as buildpacks require it.
pub const CNB_ENVIRONMENT: [(&str, &str); 3] =
    [("CNB_USER_ID", "1000"), ("CNB_GROUP_ID", "1000"), ("CNB_STACK_ID", STACK_ID)];
