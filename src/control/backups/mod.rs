//! Backups, apart from the pass of volumes because places may be slow: `plan` says when one is due, `task`
//! is the pass, `work` what goes to the place and comes from there, `relocate` what goes to another machine. The
//! copies that they are sent from, and the exchange of what is in a volume, are the work of [`super::volumes`].

mod plan;
mod relocate;
mod task;
mod work;

pub use task::{Backups, Memory};

#[cfg(test)]
mod tests;
