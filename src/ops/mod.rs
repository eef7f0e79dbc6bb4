//! What a user may do: one verb a file. A verb checks, changes records and writes an event, all in
//! one transaction; what follows from it is control's work. ([`rotate`] takes several.)
//!
//! Absent on purpose: any container, any waiting, any knowledge of HTTP. A verb that refuses has
//! changed nothing.

pub mod abort;
pub mod backup;
pub mod branch;
pub mod cancel;
pub mod certificate;
pub mod configure;
pub mod create;
pub mod cron;
pub mod destroy;
pub mod domain;
pub mod exec;
pub mod grant;
pub mod keys;
pub mod maintenance;
pub mod node;
pub mod pending;
pub mod pin;
pub mod plan;
pub mod promote;
pub mod protect;
mod queue;
pub mod rebase;
pub mod record;
pub mod refusal;
pub mod restart;
pub mod rollback;
pub mod rotate;
pub mod run;
pub mod scale;
pub mod secrets;
pub mod snapshot;
pub mod upload;
pub mod volume;
pub mod why;
pub mod zone;

pub use refusal::{Refusal, RefusalKind};
