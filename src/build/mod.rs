//! Source to image.
//!
//! `unpack` takes an upload in; [`Builder`] makes an image of the tree. What an app is made of is
//! decided by `buildpacks` inside a container; here it is given its folders, watched, and what it
//! leaves is put into an image. Nothing here knows of releases or decides when to build.
//! Invariants: whatever comes out of an upload or a build is treated as hostile; a build that fails
//! or dies leaves what the last successful one left usable.
//!
//! In reading order: `ways` (which of them an app takes), `builder` (the story of buildpacks),
//! `dockerfile`, `prebuilt`, `pushed` and `rebase` (the other stories), `unpack` (upload → tree), `fetched` (a source that the server gets by itself), `workspace` (the
//! folders of an app), `declared` (what its files say), `brought` (the buildpacks that it brings),
//! `container`, `session` and `wire` (one build in one container), `resting` (where that waits for
//! the next), `export` (folders → image), `base` (the images below), `footing` (which of
//! them, or a builder of somebody else's), `extended` and `variants`
//! (those with packages), `processes` (what can be run), `folder` (how untrusted trees are touched),
//! `disk` and `kept` (how much of it builds take and keep); then what builds are made from: `stack`
//! (the root filesystems), `toolchains` (the languages), `base_images` (where the stack comes from),
//! `workshop` (all that builds need), `web` (the only door to downloads).

mod base;
pub mod base_images;
mod brought;
mod builder;
mod container;
mod declared;
mod disk;
mod dockerfile;
mod error;
mod export;
mod extended;
pub mod fetched;
mod folder;
mod footing;
mod kept;
mod pages;
mod prebuilt;
mod processes;
mod progress;
mod pushed;
mod rebase;
mod request;
mod resting;
mod secrets;
mod session;
pub mod stack;
mod stopwatch;
pub mod toolchains;
pub mod unpack;
mod uploads;
pub mod variants;
mod ways;
mod web;
mod wire;
pub mod workshop;
mod workspace;

pub use base::{BaseImage, load_base};
pub use brought::{BroughtError, BuildpackageError};
pub use builder::Builder;
pub use dockerfile::DockerfileError;
pub use error::BuildError;
pub use export::{Excess, ExportError};
pub use footing::{FootingError, Which};
pub use kept::{Kept, KeptByApp, KeptLimits, Surplus, TOOLCHAIN_UNUSED};
pub use prebuilt::PrebuiltError;
pub use processes::ProcessesError;
pub use progress::{Progress, Stage};
pub use pushed::{Parts, PushedError};
pub use rebase::RebaseError;
pub use request::{BuildLimits, BuildRequest, Settings};
pub use stopwatch::Stopwatch;
pub use unpack::{Source, UnpackError, UnpackLimits, receive};
pub use uploads::{BuildFolders, Incoming};
pub use variants::VariantError;
pub use ways::{Preface, preface};
