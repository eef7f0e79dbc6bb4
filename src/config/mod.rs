//! How the daemon is set up: defaults, then what the machines of an installation share, then a file, then the
//! environment, then flags; or every fault at once, each with where it stands.
//!
//! [`Config`] is complete and valid. Nothing else in the house reads the environment.

mod acme;
mod backups;
mod builds;
mod cluster;
mod parse;
mod reader;
mod settings;
mod shared;

pub use builds::BuildSettings;
pub use cluster::ClusterSettings;
pub use parse::resolve;
pub use reader::ConfigFault;
pub use settings::{
    AccessLogFormat, AcmeSettings, ApiAddress, ChosenBy, Config, Given, SshSettings,
};
pub use shared::shared;
