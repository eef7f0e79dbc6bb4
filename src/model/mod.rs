//! The nouns: plain data with invariants, and the glossary of the house.
//!
//! Nothing here is async, does IO, reads a clock or knows a library of the outside. A value of
//! one of these types is valid: names and keys are parsed once, at the edge.
//!
//! - **App**: the only mutable intent. Everything else is a consequence of it.
//! - **Process**: one line of what an app runs (web, worker): command, port, health, limits.
//! - **Build**: source → image. It ends as an artifact or as a reason.
//! - **Release**: immutable: image, config, processes and why it was made. A rollback is a new one.
//! - **Rollout**: the way from the release that serves to the one that shall.
//! - **Incarnation**: a release together with the count of restarts asked for; what instances are of.
//! - **Slot**: process and index; at most one instance owns a slot of an incarnation.
//! - **Instance**: a container as it was observed. It is never stored.
//! - **Domain**: a name of the user's own, or one path of it, and the app that answers there.
//! - **Certificate**: what the edge proves a domain with: wanted, ordered, issued, renewed.
//! - **Zone**: a domain whose DNS this server answers for; **DNS record**: what a user adds to it.
//! - **Event**: what happened and why, for people. Control never reads it.

pub mod app;
pub mod build;
mod buildpack;
pub mod certificate;
pub mod domain;
pub mod event;
pub mod http;
pub mod instance;
pub mod manifest;
pub mod name;
pub mod observation;
pub mod process;
mod reference;
pub mod registrar;
pub mod release;
pub mod rollout;
pub mod size;
pub mod time;
pub mod token;
pub mod zone;

pub use app::App;
pub use build::{Artifact, Build, BuildNumber, BuildStatus};
pub use buildpack::{BuildpackChoice, InvalidBuildpack};
pub use certificate::{
    AcmeAccount, Certificate, CertificateHistory, CertificateSource, CertificateState, Issued,
    IssuerWord, Sealed, Vouched,
};
pub use domain::{Domain, DomainCheck, DomainName, PathPrefix, Pointing};
pub use event::{Event, EventKind};
pub use http::{Cidr, HttpProtocol, HttpSettings, Maintenance, PasswordGate, RateLimit};
pub use instance::{ContainerId, Exit, Instance, InstanceState, Slot};
pub use manifest::Manifest;
pub use name::{Actor, AppName, EnvKey, ImageId, InvalidName, ProcessName, SourceDigest};
pub use observation::{Health, Observation, Observed};
pub use process::{HealthCheck, Privileges, Process};
pub use reference::{ImageReference, InvalidReference};
pub use registrar::{Advice, Reachable, Setting};
pub use release::{Cause, Config, Release, ReleaseVersion};
pub use rollout::{Incarnation, Phase, Rollout, RolloutNumber};
pub use size::ByteSize;
pub use time::Timestamp;
pub use token::{Role, Token, TokenId};
pub use zone::{DnsData, DnsRecord, InvalidRecord, RecordName, Zone};
