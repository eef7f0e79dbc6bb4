//! `paas exec`.

use api::session::Exec as Wanted;
use clap::Args;

use crate::{
    args::AppOption,
    client::route,
    console::{TerminalOption, converse},
    failure::Failure,
    session::Session,
};

/// Run a program inside a running instance: `paas exec -- ls`, `paas exec worker.1 -- sh`
///
/// It has the environment that the instance's process has, and a terminal if this is one. Its exit code
/// becomes that of this command: 127 for a program that is not there, 126 for one that cannot be
/// executed, 128 and the signal's number for one that a signal ended; 125 is a failure of paas itself.
/// When this command ends, so does the program.
#[derive(Debug, Clone, Args)]
pub(crate) struct Exec {
    /// An instance such as `web.1`, or a process such as `worker`; otherwise the first `web`
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    terminal: TerminalOption,
    /// Program and arguments; no shell reads them: `-- sh -c '…'` has one
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Exec {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let line = session.client()?.session(&route::of(&app, "exec")).await?;
        let terminal = self.terminal.terminal(&session.environment);
        let wanted =
            Wanted { instance: self.instance, command: self.command, terminal: terminal.clone() };
        match converse(line, &wanted, terminal.as_ref()).await? {
            0 => Ok(()),
            code => Err(Failure::Ended(code)),
        }
    }
}
