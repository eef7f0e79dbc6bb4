//! The command line: arguments in, the API's answers out, an exit code at the end.
//!
//! It is a client of the HTTP API and nothing more: it never touches the daemon's data, and what
//! it can do, a script can do with `curl`. Only `ui` prints; stdout is data, stderr is talk.
//!
//! Reading order: [`args`] what may be asked for · [`commands`] one file each · [`target`] which
//! server and which app · [`client`] the line to it · [`console`] talking to a program on the server
//! · [`source`] what is uploaded · [`files`] what is copied · [`dotenv`]
//! config as text · [`span`] times as text · [`join`] the daemon's one request · [`remote`] git's way to the server · [`ui`] all that is printed · [`failure`] why
//! not, and the exit code.

mod args;
mod client;
mod colon;
mod commands;
mod console;
mod dotenv;
mod environment;
mod failure;
mod files;
mod join;
mod remote;
mod session;
mod source;
mod span;
mod target;
mod ui;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, panic::UnwindSafe, process::ExitCode};

pub use commands::{init::InitArgs, node::JoinArgs, server::ServerArgs};
pub use join::{Control, NotJoined, ask_to_join};
pub use ui::Narration;

use crate::{
    args::{Command, Shared},
    commands::node::{Node, Verb},
    environment::Environment,
    failure::{BUG, Failure, USAGE},
    session::Session,
    ui::Ui,
};

/// What was asked for, and by that who carries it out.
#[derive(Debug)]
pub enum Invocation {
    /// Prepare a server: the daemon's.
    Init(InitArgs),
    /// Make this machine a node: the daemon's.
    Join(JoinArgs),
    /// Run the daemon.
    Server(Box<ServerArgs>),
    /// Everything else: [`run`].
    Client(Box<Request>),
}

/// A command for [`run`].
#[derive(Debug)]
pub struct Request {
    shared: Shared,
    command: Command,
}

/// Parses the command line, the program's own name included. Where that ends the matter (help,
/// version, a mistake), it has been printed and the exit code is the error.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitCode> {
    let cli = args::parse(args).map_err(|answer| explain(&answer))?;
    Ok(match cli.command {
        Command::Init(init) => Invocation::Init(init),
        Command::Server(server) => Invocation::Server(server),
        Command::Node(Node { verb: Verb::Join(join) }) => Invocation::Join(join),
        command => Invocation::Client(Box::new(Request { shared: cli.shared, command })),
    })
}

/// Carries out a client's command. A panic of ours ends it with exit code 70 and says so.
pub fn run(request: Request) -> ExitCode {
    let environment = Environment::read();
    ui::bug::announce_panics(&environment);
    guarded(|| {
        let ui = Ui::of_process(&environment, &request.shared);
        // One thread: a command waits for one server, and a pool of threads costs milliseconds.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(perform(request, environment, ui)),
            Err(error) => {
                let failure = Failure::local("this command cannot start").because(error);
                ui.failure(&failure);
                failure.code(request.command.fault())
            }
        }
    })
}

/// Turns a panic, which the hook has announced, into an exit code.
fn guarded(work: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    std::panic::catch_unwind(work).unwrap_or(ExitCode::from(BUG))
}

/// Carries out a command where everything it sees and prints is given.
async fn perform(request: Request, environment: Environment, ui: Ui) -> ExitCode {
    let session = Session::new(request.shared, environment, ui);
    let fault = request.command.fault();
    let outcome = Box::pin(commands::run(request.command, &session)).await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let failure = session.suggest(failure).await;
            session.ui.failure(&failure);
            failure.code(fault)
        }
    }
}

/// Help and version go to stdout and are a success; a mistake goes to stderr.
fn explain(answer: &clap::Error) -> ExitCode {
    // Whoever pipes the help into `head` has seen what they wanted.
    answer.print().ok();
    if answer.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
