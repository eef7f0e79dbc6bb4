//! `paas events`.

use api::Event;
use clap::Args;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// Show what happened to an app, newest first
#[derive(Debug, Clone, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    app: AppOption,
    /// So many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    lines: u32,
    #[command(flatten)]
    format: Format,
}

impl Events {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let limit = ("limit", Some(self.lines.to_string()));
        let path = route::query(route::of(&app, "events"), &[limit]);
        let answer = session.client()?.get(&path).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        session.ui.table(&table(&answer.read::<Vec<Event>>()?, session.ui.now))
    }
}

/// Events, one a line.
pub(crate) fn table(events: &[Event], now: jiff::Timestamp) -> Table {
    let mut table = Table::new(["AGE", "KIND", "BY", "WHAT"]);
    for event in events {
        table.row([
            ui::age(&event.at, now),
            event.kind.clone(),
            event.by.clone(),
            event.text.clone(),
        ]);
    }
    table
}
