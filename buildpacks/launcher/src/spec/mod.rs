//! What of the Cloud Native Buildpacks contract the launcher reads: `metadata.toml` and the versions
//! in it. The rest of the contract is for builds, and stands in the crate `buildpacks`.

mod api;
mod metadata;
mod read;

pub use api::{Api, NotAnApi};
pub use metadata::{Metadata, MetadataBuildpack, MetadataProcess};
pub use read::{ReadError, read_small, read_toml, read_toml_or_default};
