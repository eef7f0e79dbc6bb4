//! The Cloud Native Buildpacks contract, restated: real buildpacks in bash, written by each test,
//! run by the real agent, and real processes started by the real launcher.
//!
//! A test is named by its section: `bp` is the Buildpack, `pl` the Platform, `ext` the Image
//! Extension specification.

#![allow(unused_crate_dependencies, reason = "a test uses a part of the crate's libraries")]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may")]

mod build;
mod builder;
mod corners;
mod detect;
mod environment;
mod extension;
mod launch;
mod layers;
mod leniency;
mod plan;
mod project;
mod restore;
mod sbom;
mod site;
mod strangers;
