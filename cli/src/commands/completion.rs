//! `paas completion`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{args::Cli, failure::Failure, session::Session};

/// Print a script that completes commands and options in your shell
///
/// For bash: `paas completion bash > /etc/bash_completion.d/paas`
#[derive(Debug, Clone, Args)]
pub(crate) struct Completion {
    /// Which shell
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self, session: &Session) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "paas", &mut script);
        session.ui.raw(&script)
    }
}
