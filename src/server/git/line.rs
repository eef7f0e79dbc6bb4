//! The same over SSH, where one line carries the whole talk: refs, pack, and what becomes of them.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{PENDING, body, find, push::Push};
use crate::{
    git::{Behind, Commands, Voice, serve_fetch},
    model::Actor,
    ops,
    server::{fault::Failure, state::Api},
    ssh::{Asked, Knows, Line, Wish},
    telemetry::chain,
};

/// Whose a key is, for the SSH server.
pub fn whose_keys(api: &Api) -> Knows {
    let store = api.store.clone();
    Knows::by(move |key| match ops::keys::recognise(&store.snapshot(), key) {
        Ok(known) => known.map(|(actor, _)| actor),
        Err(error) => {
            tracing::error!(error = %chain(&error), "the keys cannot be read");
            None
        }
    })
}

/// Answers what somebody asked for, and ends their line.
pub async fn answer_over_ssh(api: Api, asked: Asked) {
    let Asked { by, wish, protocol, mut line } = asked;
    let input = line.input();
    let answered = match wish {
        Wish::Push(name) => receive(api, (by, name), input, &line).await,
        Wish::Fetch(name) => give(&api, (name, protocol), input, &line).await,
        Wish::Shell => Err(nothing_else(&format!(
            "hello {by}: your key is known, and there is no shell here; `git push` deploys"
        ))),
        Wish::Other => {
            Err(nothing_else("only `git push`, `git fetch` and `git clone` are answered"))
        }
    };
    let code = match answered {
        Ok(()) => 0,
        Err(failure) => {
            let (what, hint) = failure.into_words();
            let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            // Who has gone hears nothing.
            let _ = line.tell(&format!("error: {what}{hint}")).await;
            FAILED
        }
    };
    line.end(code).await;
}

fn nothing_else(what: &str) -> Failure {
    Failure::new(api::FaultCode::Forbidden, what)
        .hint("`paas exec` and `paas run` give you a shell of an app's own")
}

/// A push. It goes on when its client has gone.
async fn receive(
    api: Api,
    (by, name): (Actor, String),
    mut input: body::Input,
    line: &Line,
) -> Result<(), Failure> {
    let (app, repository) = find(&api, &name)?;
    repository.make().await?;
    if line.send(repository.refs().await?.advertise().into()).await.is_err() {
        return Ok(());
    }
    let commands = Commands::read(&mut input).await.map_err(|error| body::malformed(&error))?;
    if commands.updates.is_empty() {
        return Ok(());
    }
    let (output, told) = mpsc::channel(PENDING);
    let voice = Voice::new(output, commands.abilities);
    let push = Push { api, by, app, repository, commands, voice, behind: Behind::Nothing };
    tokio::spawn(push.run(body::pieces(input)));
    pass_on(told, line).await;
    Ok(())
}

/// A fetch: what a client lacks of what was pushed.
async fn give(
    api: &Api,
    (name, protocol): (String, Option<&'static str>),
    input: body::Input,
    line: &Line,
) -> Result<(), Failure> {
    let (_, repository) = find(api, &name)?;
    repository.make().await?;
    let (output, told) = mpsc::channel(PENDING);
    let (served, ()) =
        tokio::join!(serve_fetch(&repository, input, output, protocol), pass_on(told, line));
    Ok(served?)
}

/// Sends all that is told, as long as somebody listens.
async fn pass_on(mut told: mpsc::Receiver<Bytes>, line: &Line) {
    while let Some(bytes) = told.recv().await {
        if line.send(bytes).await.is_err() {
            return;
        }
    }
}

/// The exit code of what was refused.
const FAILED: u32 = 1;
