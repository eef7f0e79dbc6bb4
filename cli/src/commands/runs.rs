//! `paas runs`.

use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    ui::{self, Table},
};

/// List what was run with `paas run`, or end one of them
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// End a run: SIGTERM, and SIGKILL ten seconds later
    Stop {
        /// Such as `run.3`
        #[arg(value_name = "RUN")]
        run: String,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Runs {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (client, ui) = (session.client()?, &session.ui);
        if let Some(Action::Stop { run, app }) = self.action {
            let app = session.app(&app)?;
            let plain = run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
            if !plain || run.is_empty() {
                return Err(Failure::usage(format!("`{run}` is not a run"))
                    .hint("write it like `paas runs stop run.3`"));
            }
            let path = route::of(&app, &format!("runs/{run}/stop"));
            let run: api::Run = client.act(Method::POST, &path).await?.read()?;
            ui.talk(&match run.ended_at {
                Some(_) => format!("{} has ended already", run.name),
                None => format!("{} is asked to end", run.name),
            });
            return Ok(());
        }
        let app = session.app(&self.app)?;
        let answer = client.get(&route::of(&app, "runs")).await?;
        if self.format.json {
            return ui.json(&answer.text());
        }
        let mut table = Table::new(["RUN", "RELEASE", "STATE", "CODE", "BY", "AGE", "COMMAND"]);
        for run in answer.read::<Vec<api::Run>>()? {
            let code = run.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            let age = ui::age(&run.at, ui.now);
            let command = run.command.join(" ");
            table.row([run.name, run.release, run.state, code, run.by, age, command]);
            if let Some(reason) = run.reason {
                table.note(&reason);
            }
        }
        ui.table(&table)
    }
}
