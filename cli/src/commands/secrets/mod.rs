//! `paas secrets`: variables whose values go to the server and never come back.

mod list;
mod rotate;
mod set;

use clap::{Args, Subcommand};

use self::{
    list::List,
    rotate::Rotate,
    set::{Import, Set, Unset},
};
use crate::{failure::Failure, session::Session};

/// Set, list and remove an app's secrets: variables whose values nobody is shown again
///
/// They are kept encrypted and given to the app's instances only. A change makes a new release, which
/// `paas rollback` takes back, with the old value. In logs a value is replaced by its name.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    List(List),
    Set(Set),
    Unset(Unset),
    Import(Import),
    Rotate(Rotate),
}

impl Secrets {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => self.list.run(session).await,
            Some(Verb::List(list)) => list.run(session).await,
            Some(Verb::Set(set)) => set.run(session).await,
            Some(Verb::Unset(unset)) => unset.run(session).await,
            Some(Verb::Import(import)) => import.run(session).await,
            Some(Verb::Rotate(rotate)) => rotate.run(session).await,
        }
    }
}
