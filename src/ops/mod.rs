//! What a user may do: one verb a file. A verb checks, changes records and writes an event, all in
//! one transaction; what follows from it is control's work.
//!
//! Absent on purpose: any container, any waiting, any knowledge of HTTP. A verb that refuses has
//! changed nothing.

pub mod cancel;
pub mod certificate;
pub mod configure;
pub mod create;
pub mod destroy;
pub mod domain;
pub mod grant;

pub mod maintenance;
mod queue;
pub mod rebase;
pub mod record;
pub mod refusal;
pub mod restart;
pub mod rollback;
pub mod scale;
pub mod upload;
pub mod zone;

pub use refusal::{Refusal, RefusalKind};
