//! What `docker push` brings, by the distribution specification of the OCI (1.1): what its names and
//! documents mean, and where the bytes of an app lie until its image is built.
//!
//! It answers no request and deploys nothing: `server` does the one, and has the other done as with every
//! upload. Nothing is given out again. Invariant: what a digest names here has that digest.
//!
//! In reading order: `reference` (tag or digest), `manifest` (what an image consists of), `span` (which
//! piece of a blob), `arriving` (a blob on its way), `shelf` (those that are here).

mod arriving;
mod manifest;
mod reference;
mod shelf;
mod span;

pub use arriving::{Arriving, MAX_BLOB, UploadId};
pub use manifest::{
    Descriptor, Image, MAX_MANIFEST, Manifest, ManifestError, Platform, Variant, media_type,
};
pub use reference::Reference;
pub use shelf::{Shelf, ShelfError, digest};
pub use span::Span;
