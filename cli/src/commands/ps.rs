//! `paas ps`.

use api::Instance;
use clap::Args;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// Show an app's instances
#[derive(Debug, Clone, Args)]
pub(crate) struct Ps {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Ps {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let answer = session.client()?.get(&route::of(&app, "instances")).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let instances: Vec<Instance> = answer.read()?;
        if instances.is_empty() {
            session.ui.talk(&format!("{app} has no instances."));
            session.ui.talk(&format!("See why: `paas describe -a {app}`"));
            return Ok(());
        }
        session.ui.table(&table(&instances, session.ui.now))
    }
}

/// Instances, one a line, with what is to be said of them.
pub(crate) fn table(instances: &[Instance], now: jiff::Timestamp) -> Table {
    let headings = ["PROCESS", "NODE", "RELEASE", "STATE", "HEALTH", "CPU", "MEM", "AGE"];
    let mut table = Table::new(headings);
    for instance in instances {
        table.row([
            instance.name.clone(),
            instance.node.clone(),
            instance.release.clone(),
            instance.state.clone(),
            instance.health.clone(),
            instance.cpu_millis.map(ui::cores).unwrap_or_default(),
            instance.memory.map(ui::bytes).unwrap_or_default(),
            instance.started_at.as_deref().map(|at| ui::age(at, now)).unwrap_or_default(),
        ]);
        if let Some(detail) = &instance.detail {
            table.note(detail);
        }
    }
    table
}
