//! `paas run`.

use api::StartRun;
use clap::Args;
use hyper::Method;

use crate::{
    args::AppOption,
    client::route,
    console::{TerminalOption, converse},
    failure::Failure,
    session::Session,
};

/// Run a program once, in a container of its own: `paas run -- rake db:migrate`
///
/// It has the image, the config and the environment of what serves, and the limits of `web`. It has a
/// terminal if this is one; its exit code becomes that of this command, as with `paas exec`. No deploy
/// ends it. When this command ends, so does the program, unless it is detached.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    app: AppOption,
    /// Whose limits and environment it has, instead of those of `web`
    #[arg(short, long, value_name = "PROCESS")]
    process: Option<String>,
    /// The most memory it may use, for example `512m`
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// How long it may take, for example `30m`; a day unless it is detached
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Leave it alone: its output goes to the app's logs
    #[arg(short, long, conflicts_with_all = ["tty", "no_tty"])]
    detach: bool,
    #[command(flatten)]
    terminal: TerminalOption,
    /// Program and arguments; no shell reads them: `-- sh -c '…'` has one
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Run {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let (client, ui) = (session.client()?, &session.ui);
        let mut wanted = StartRun {
            command: self.command,
            process: self.process,
            memory: self.memory,
            timeout: self.timeout,
            terminal: None,
        };
        if self.detach {
            let answer = client.send(Method::POST, &route::of(&app, "runs"), &wanted).await?;
            let run: api::Run = answer.read()?;
            ui.data(&run.name)?;
            let name = run.name;
            ui.hint(&format!(
                "`paas logs -f -p {name} -a {app}` shows its output, `paas runs -a {app}` how it ended"
            ));
            return Ok(());
        }
        let line = client.session(&route::of(&app, "run")).await?;
        wanted.terminal = self.terminal.terminal(&session.environment);
        match converse(line, &wanted, wanted.terminal.as_ref()).await? {
            0 => Ok(()),
            code => Err(Failure::Ended(code)),
        }
    }
}
