//! The bytes of volumes: where they lie on this machine, and how much there is of them.
//!
//! It knows folders and no records, containers or users. Invariants: nothing here follows a link that
//! an app made; what is removed is first moved out of the way whole, so that a volume is there or is
//! not, whenever the daemon dies.

mod copy;
mod folders;
mod kept;
mod measure;

pub use copy::CopyError;
pub use folders::{FolderError, VolumeFolders};
pub use kept::Copied;
pub use measure::measure;
