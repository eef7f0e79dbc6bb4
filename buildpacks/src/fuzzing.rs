//! Doors for the fuzz targets in `fuzz/`: the text of a file of the contract in, and what was read
//! of it, as text.
//!
//! It exists only with the feature `fuzzing`, checks nothing itself, and is no part of the API.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::spec::{
    BuildPlan, BuildToml, Descriptor, LaunchToml, LayerToml, Metadata, Order, Project, ProjectToml,
    System,
};

/// The files of the contract that somebody else writes.
pub const FILES: [&str; 8] = [
    "layer.toml",
    "launch.toml",
    "build.toml",
    "plan.toml",
    "buildpack.toml",
    "order.toml",
    "system.toml",
    "metadata.toml",
];

/// What one of [`FILES`] holds; `None` where it is refused.
pub fn read(file: &str, text: &str) -> Option<String> {
    match file {
        "layer.toml" => shown::<LayerToml>(text),
        "launch.toml" => shown::<LaunchToml>(text),
        "build.toml" => shown::<BuildToml>(text),
        "plan.toml" => shown::<BuildPlan>(text),
        "buildpack.toml" => shown::<Descriptor>(text),
        "order.toml" => shown::<Order>(text),
        "system.toml" => shown::<System>(text),
        "metadata.toml" => shown::<Metadata>(text),
        _ => None,
    }
}

/// What a `project.toml` asks for; `None` where it is refused.
pub fn project(text: &str) -> Option<String> {
    let file = toml::from_str::<ProjectToml>(text).ok()?;
    Project::of(file).ok().map(|project| format!("{project:?}"))
}

fn shown<T: DeserializeOwned + Debug>(text: &str) -> Option<String> {
    toml::from_str::<T>(text).ok().map(|read| format!("{read:?}"))
}
