//! Source to image: what builds are made from, and how they are run.
//!
//! Nothing here decides what an app should be; `control` asks for a build and `buildpacks` knows
//! the languages. In reading order: `stack` (the root filesystems), `toolchains` (the languages),
//! `web` (the only door to downloads).

pub mod stack;
pub mod toolchains;
mod web;
