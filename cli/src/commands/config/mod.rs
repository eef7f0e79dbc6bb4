//! `paas config`: an app's environment variables, byte for byte.

mod change;
mod show;
mod staged;

use clap::{Args, Subcommand};

pub(super) use self::change::{Stage, content, imported, names, report};
use self::{
    change::{Import, Set, Unset},
    show::{Get, List},
    staged::{Apply, Discard},
};
use super::plan::Validate;
use crate::{client::route, failure::Failure, session::Session};

/// Show and change an app's config: the environment variables it runs with
///
/// Values are kept byte for byte. A change makes a new release, which `paas rollback` takes back; with
/// `--stage` it waits for the next one. What nobody may see again is a secret: `paas secrets`.
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
    Apply(Apply),
    Discard(Discard),
    Validate(Validate),
    Schema(Schema),
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
            Some(Verb::Apply(apply)) => apply.run(session).await,
            Some(Verb::Discard(discard)) => discard.run(session).await,
            Some(Verb::Validate(validate)) => validate.run(session).await,
            Some(Verb::Schema(schema)) => schema.run(session).await,
        }
    }
}

/// Print the JSON Schema of paas.toml, for an editor
///
/// With `#:schema paas.schema.json` in its first line many editors complete and check by it.
#[derive(Debug, Clone, Args)]
struct Schema {}

impl Schema {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        session.ui.raw(session.client()?.get(route::SCHEMA).await?.text().as_bytes())
    }
}
