//! A connection to a port of an instance.

use api::{
    FaultCode,
    session::{Begun, Tunnel},
};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};

use super::{
    exec::{converse, who_tells},
    line::Line,
    upgrade::Asked,
};
use crate::{
    clock,
    model::{Actor, AppName},
    node::consoles::{ConsoleError, Talk},
    ops,
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api},
};

pub(in crate::server) async fn tunnel(
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
    if let Ok(wanted) = line.begin::<Tunnel>().await {
        match begin(&api, &app, by, &wanted).await {
            // Whoever is gone does not need to be told.
            Err(failure) => drop(line.says.fault(&failure.into_fault()).await),
            Ok((begun, talk)) => {
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
    wanted: &Tunnel,
) -> Result<(Begun, Talk), Failure> {
    let seen = api.instances_of(app).await?;
    let instance = &ops::exec::choose(app, &seen, wanted.instance.as_deref())?.instance;
    let (slot, port) = (instance.slot.clone(), wanted.port);
    let talk = api.sessions.consoles.port(instance, port).await.map_err(|error| {
        let away = matches!(error, ConsoleError::Away { .. });
        let code = if away { FaultCode::Unavailable } else { FaultCode::Conflict };
        Failure::new(code, format!("{slot} cannot be reached at port {port}: {error}"))
            .hint(who_tells(&error))
    })?;
    let begun =
        Begun { instance: slot.to_string(), release: instance.incarnation.release.to_string() };
    let (app, told) = (app.clone(), slot.clone());
    let tell = move |tx: &mut crate::store::Transaction<'_>| {
        ops::exec::tunnel(tx, &app, (&told, port), &by, clock::now())
    };
    api.store.transact(tell).await?;
    Ok((begun, talk))
}
