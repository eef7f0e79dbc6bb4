//! `paas secrets list`.

use api::Secret;
use clap::Args;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List names, digests and ages; values are never shown
///
/// A digest changes with the value and tells nothing else of it.
#[derive(Debug, Clone, Args)]
pub(super) struct List {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let answer = session.client()?.get(&route::of(&app, "secrets")).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let secrets: Vec<Secret> = answer.read()?;
        if secrets.is_empty() {
            session.ui.talk(&format!("{app} has no secrets. Set one: `paas secrets set NAME`"));
            return Ok(());
        }
        let mut table = Table::new(["NAME", "DIGEST", "AGE"]);
        for secret in secrets {
            let age = ui::age(&secret.set_at, session.ui.now);
            table.row([secret.name, secret.digest, age]);
        }
        session.ui.table(&table)
    }
}
