//! Toolchains: Node, Go, uv and the rest, fetched once per host and shared by every build.
//!
//! A build asks for a range over a socket and is given a folder that it may only read. Builds
//! never download toolchains themselves: one fetch serves all, is checked once, and becomes the
//! same bytes (so one image layer) in every app. Not here: how a language is detected or built
//! (`buildpacks`), and the operating system below it (`stack`).
//!
//! Invariants: a folder on the shelf is complete, checked against a published digest and never
//! changed again; a version that is chosen was offered by a site or stands on the shelf.
//!
//! In reading order: `wire` (what is asked and answered), `provide` (the story), `range` and
//! `number` (which version), `sources` and `registries` (where from), `sites` (what each place
//! offers), `unpack` and `layout` (archive to folder), `shelf` (what is kept), `serve` (the
//! socket), `refused` (what is said when there is nothing).

mod layout;
mod number;
mod provide;
mod range;
mod refused;
mod registries;
mod serve;
mod shelf;
mod sites;
mod sources;
mod strip;
mod unpack;
mod wire;

pub use provide::{OpenError, Toolchains};
pub use registries::{Registries, ca_environment};
pub use sources::{Address, Sources};
pub use wire::{ProvideError, Provided, Reply, Request, Scheme, Toolchain};
