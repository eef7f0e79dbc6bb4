//! A program of its own that somebody talks to.
//!
//! Its record comes first and its container second; from the record's first moment it is known that a
//! session holds it, for control ends a run that none does.

use api::{StartRun, session::Begun};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};

use super::{
    exec::{converse, opened, terminal, unavailable},
    line::Line,
    upgrade::Asked,
};
use crate::{
    clock,
    model::{Actor, AppName, Release, Run, RunConsole},
    node::consoles::{Held, Talk},
    ops::{self, Refusal},
    server::{apps::on_record, caller::Caller, fault::Failure, runs, state::Api},
    store::View,
};

pub(in crate::server) async fn run(
    caller: Caller,
    asked: Asked,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Failure> {
    let app: AppName = name.parse()?;
    on_record(&api.store.snapshot(), &app)?;
    let sessions = api.sessions.clone();
    sessions.open(asked, move |line| session(api, app, caller.actor, line))
}

async fn session(api: Api, app: AppName, by: Actor, mut line: Line) {
    if let Ok(wanted) = line.begin::<StartRun>().await {
        match begin(&api, &app, by, wanted).await {
            // Whoever is gone does not need to be told.
            Err(failure) => drop(line.says.fault(&failure.into_fault()).await),
            Ok((run, talk, _held)) => {
                let begun =
                    Begun { instance: run.number.to_string(), release: run.release.to_string() };
                converse(&mut line, &begun, talk, &api.sessions.stop).await;
            }
        }
    }
    line.close().await;
}

async fn begin(
    api: &Api,
    app: &AppName,
    by: Actor,
    mut wanted: StartRun,
) -> Result<(Run, Talk, Held), Failure> {
    let terminal = wanted.terminal.take().as_ref().map(terminal);
    let console = if terminal.is_some() { RunConsole::Terminal } else { RunConsole::Pipes };
    let draft = runs::draft(wanted, console)?;
    let (consoles, name) = (api.sessions.consoles.clone(), app.clone());
    let begin = move |tx: &mut crate::store::Transaction<'_>| {
        let run = ops::run::begin(tx, &name, draft, &by, clock::now())?;
        let held = consoles.hold(&name, run.number);
        Ok::<_, Refusal>((run, held))
    };
    let (run, held) = api.store.transact(begin).await?;
    let key = (app.as_str().to_owned(), u64::from(run.release.0));
    let release = api.store.snapshot().get::<Release>(&key)?;
    let release = release.ok_or_else(|| {
        Refusal::conflict("the program was not started", format!("{} is gone", run.release))
    })?;
    let secrets = opened(api, &release)?;
    let talk = api.sessions.consoles.run(&run, (&release, &secrets), terminal.as_ref()).await;
    let talk = talk.map_err(|error| unavailable(&run.number.slot(), &error))?;
    Ok((run, talk, held))
}
