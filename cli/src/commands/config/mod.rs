//! `paas config`: an app's environment variables, byte for byte.

mod change;
mod show;

use clap::{Args, Subcommand};

use self::{
    change::{Import, Set, Unset},
    show::{Get, List},
};
use crate::{failure::Failure, session::Session};

/// Show and change an app's config: the environment variables it runs with
///
/// Values are kept byte for byte. A change makes a new release, which `paas rollback` takes back.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    List(List),
    Get(Get),
    Set(Set),
    Unset(Unset),
    Import(Import),
}

impl Config {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => self.list.run(session).await,
            Some(Verb::List(list)) => list.run(session).await,
            Some(Verb::Get(get)) => get.run(session).await,
            Some(Verb::Set(set)) => set.run(session).await,
            Some(Verb::Unset(unset)) => unset.run(session).await,
            Some(Verb::Import(import)) => import.run(session).await,
        }
    }
}
