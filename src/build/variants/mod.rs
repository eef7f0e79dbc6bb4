//! Variants: a base image and the Debian packages that an app needs besides, as one more layer.
//!
//! Made once on a server for all apps that need the same, kept as a tar with a record, and loaded
//! into Docker like a base image (`docs/decisions/0020`). Which packages is for the image
//! extensions of a build to say; here they only have names. Invariants: what has its final name is
//! whole; the packages are Debian's, signed; nothing but installed files comes out of the container.
//!
//! In reading order: `ensure` (the story), `recipe` (what runs in the container), `record` (what is
//! remembered), `unneeded` (what may go), `lent` (what apt in builds is lent of this machine), `error`.

mod ensure;
mod error;
mod lent;
mod recipe;
mod record;
mod unneeded;

pub(crate) use ensure::Variants;
pub use error::VariantError;
pub(crate) use lent::Lent;
pub(crate) use record::Key;
pub use unneeded::{InUse, sweep};
