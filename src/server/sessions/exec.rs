//! A program inside a running instance.

use std::time::Duration;

use api::{
    FaultCode,
    session::{Begun, Exec},
};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use tokio_util::sync::CancellationToken;

use super::{
    carry::{Over, carry},
    line::{Gone, Line},
    upgrade::Asked,
};
use crate::{
    clock,
    model::{Actor, AppName, OpenSecrets, Release, ReleaseVersion, Slot, Terminal, TerminalSize},
    node::consoles::{ConsoleError, ExecSpec, Program, Talk},
    ops,
    server::{
        apps::{on_record, release_of},
        caller::Caller,
        fault::Failure,
        state::Api,
    },
    store::secrets,
    telemetry::chain,
};

pub(in crate::server) async fn exec(
    caller: Caller,
    asked: Asked,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Failure> {
    let app: AppName = name.parse()?;
    on_record(&api.store.snapshot(), &app)?;
    let sessions = api.sessions.clone();
    let session = Session { api, app, by: caller.actor };
    sessions.open(asked, |line| session.run(line))
}

/// One program, for whom and where.
struct Session {
    api: Api,
    app: AppName,
    by: Actor,
}

/// What was begun.
struct Under {
    slot: Slot,
    release: ReleaseVersion,
    talk: Talk,
}

impl Session {
    async fn run(self, mut line: Line) {
        if let Ok(wanted) = line.begin::<Exec>().await {
            match self.begin(&wanted).await {
                // Whoever is gone does not need to be told.
                Err(failure) => drop(line.says.fault(&failure.into_fault()).await),
                Ok(under) => self.talk(&mut line, &wanted.command, under).await,
            }
        }
        line.close().await;
    }

    async fn begin(&self, wanted: &Exec) -> Result<Under, Failure> {
        ops::exec::check(&wanted.command)?;
        let seen = self.api.instances_of(&self.app).await?;
        let chosen = ops::exec::choose(&self.app, &seen, wanted.instance.as_deref())?;
        let slot = chosen.instance.slot.clone();
        let snapshot = self.api.store.snapshot();
        let record = on_record(&snapshot, &self.app)?;
        let release = release_of(&snapshot, &record, chosen)?;
        let process = release.as_ref().and_then(|release| release.processes.get(&slot.process));
        let command = match process {
            Some(process) => process.beside(&wanted.command),
            None => wanted.command.clone(),
        };
        let secrets =
            release.as_ref().map_or_else(|| Ok(OpenSecrets::new()), |it| opened(&self.api, it))?;
        let (app, by) = (self.app.clone(), self.by.clone());
        let (told, words) = (slot.clone(), wanted.command.clone());
        let begin = move |tx: &mut crate::store::Transaction<'_>| {
            ops::exec::begin(tx, &app, (&told, &words), &by, clock::now())
        };
        self.api.store.transact(begin).await?;
        let terminal = wanted.terminal.as_ref().map(terminal);
        let spec = ExecSpec { command, terminal, secrets };
        match self.api.sessions.consoles.beside(&chosen.instance, &spec).await {
            Ok(talk) => Ok(Under { slot, release: chosen.instance.incarnation.release, talk }),
            Err(error) => {
                let failure = unavailable(&slot, &error);
                self.record(slot, &wanted.command, format!("did not begin: {error}")).await;
                Err(failure)
            }
        }
    }

    async fn talk(&self, line: &mut Line, command: &[String], under: Under) {
        let Under { slot, release, talk } = under;
        let begun = Begun { instance: slot.to_string(), release: release.to_string() };
        let how = converse(line, &begun, talk, &self.api.sessions.stop).await;
        self.record(slot, command, how).await;
    }

    /// Puts on record how it ended, or that it did not begin.
    async fn record(&self, slot: Slot, command: &[String], how: String) {
        let (app, by, command) = (self.app.clone(), self.by.clone(), command.to_vec());
        let end = move |tx: &mut crate::store::Transaction<'_>| {
            ops::exec::end(tx, &app, (&slot, &command, &how), &by, clock::now())
        };
        if let Err(error) = self.api.store.transact(end).await {
            tracing::warn!(%error, "the end of a session is not on record");
        }
    }
}

/// Tells the client what has begun and carries it to its end; how it ended in words.
pub(super) async fn converse(
    line: &mut Line,
    begun: &Begun,
    talk: Talk,
    stop: &CancellationToken,
) -> String {
    let program = talk.program.clone();
    let over = match line.says.begun(begun).await {
        Ok(()) => carry(line, talk, stop).await,
        Err(Gone) => Over::ClientGone,
    };
    finish(line, &program, &over).await
}

/// Ends the program if it has not ended, and tells the client why; how it ended in words.
async fn finish(line: &mut Line, program: &Program, over: &Over) -> String {
    let (failure, patience, how) = match over {
        Over::Exited(code) => return format!("ended with code {code}"),
        Over::ClientGone => (None, PATIENCE, "was ended, because its user was gone".to_owned()),
        Over::Stopped => {
            let failure = Failure::new(FaultCode::Unavailable, "the server ends or is upgraded")
                .hint("begin again in a moment");
            (Some(failure), LAST_PATIENCE, "was ended, because the server ended".to_owned())
        }
        Over::Lost(error) => {
            let failure =
                Failure::new(FaultCode::Unavailable, format!("the program is lost: {error}"))
                    .hint(who_tells(error));
            (Some(failure), PATIENCE, format!("was lost: {error}"))
        }
    };
    if let Some(failure) = failure {
        line.says.fault(&failure.into_fault()).await.ok();
    }
    if let Err(error) = program.hang_up(patience).await {
        tracing::warn!(%error, "a program that nobody talks to may go on");
    }
    how
}

pub(super) fn terminal(wanted: &api::session::Terminal) -> Terminal {
    let plain = |kind: &&String| {
        (1..=64).contains(&kind.len())
            && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
    };
    let kind = wanted.kind.as_ref().filter(plain).cloned();
    let size = TerminalSize { columns: wanted.size.columns, rows: wanted.size.rows };
    Terminal { size, kind: kind.unwrap_or_else(|| "xterm".to_owned()) }
}

pub(super) fn unavailable(slot: &Slot, error: &ConsoleError) -> Failure {
    let code = match error {
        ConsoleError::Gone | ConsoleError::Closed(_) => FaultCode::Conflict,
        ConsoleError::NoEngine
        | ConsoleError::Away { .. }
        | ConsoleError::Handout(_)
        | ConsoleError::Engine(_) => FaultCode::Unavailable,
    };
    Failure::new(code, format!("nothing can be run in {slot}: {error}")).hint(who_tells(error))
}

/// Where somebody may look who was told that.
pub(in crate::server) fn who_tells(error: &ConsoleError) -> &'static str {
    match error {
        ConsoleError::Away { .. } => "`paas nodes` shows how it is; try again when it is up",
        ConsoleError::Gone => "`paas ps` shows what runs",
        ConsoleError::Closed(_) => {
            "the program must listen there at every address, not at 127.0.0.1 alone"
        }
        ConsoleError::NoEngine | ConsoleError::Handout(_) | ConsoleError::Engine(_) => {
            "`paas status` tells whether Docker answers, and `paas ps` what runs"
        }
    }
}

/// The secrets of a release, which are in no description of its containers.
pub(super) fn opened(api: &Api, release: &Release) -> Result<OpenSecrets, Failure> {
    let opened = secrets::open(&api.store.snapshot(), &api.sealing, &release.app, &release.secrets);
    opened.map_err(|error| Failure::new(FaultCode::Internal, chain(&error)))
}

/// From SIGHUP to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same when the daemon ends, which waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
