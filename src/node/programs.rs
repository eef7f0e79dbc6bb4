//! Programs in instances of this machine to which somebody at the control talks. Each is a call: its request
//! is the program's input, its answer what the program says, and it lasts as long as that.
//!
//! Invariant: a call that is given up, also by a link that breaks, ends its program.

use std::{io, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::Response;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc::{self, error::SendError},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    feed::{self, Lines},
    frames::{Said, Word},
    link::Body,
    orders::{Beside, Wrong, said_first},
};
use crate::engine::{
    Ends, ExecSpec, Piece,
    docker::{Docker, Exec},
};

/// All that are under way. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    running: TaskTracker,
    stop: CancellationToken,
}

impl Programs {
    /// Ends all of them when the daemon is to end.
    pub async fn tend(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// Begins the one that a request asks for. Whoever asks may go at any moment, so it is not theirs to
    /// drop: what Docker has begun is seen to its end.
    pub(super) fn begin(&self, docker: Docker, request: Body) -> Response<Body> {
        let (says, said) = mpsc::channel(1);
        self.running.spawn(run(docker, Lines::of(request), says, self.stop.clone()));
        Response::new(feed::body(said))
    }
}

/// One program, from its beginning to its end.
async fn run(
    docker: Docker,
    mut request: Lines<Body>,
    says: mpsc::Sender<Bytes>,
    stop: CancellationToken,
) {
    let (exec, Ends { input, output }) = match begin(&docker, &mut request).await {
        Ok(begun) => begun,
        // Whoever is gone does not need to be told.
        Err(wrong) => return drop(say(&says, Word::Wrong(wrong)).await),
    };
    let patience = tokio::select! {
        biased;
        () = stop.cancelled() => Some(LAST_PATIENCE),
        () = says.closed() => Some(PATIENCE),
        told = tell(&exec, output, &says) => told.is_err().then_some(PATIENCE),
        () = feed(request.rest(), input) => Some(PATIENCE),
    };
    if let Some(patience) = patience
        && let Err(error) = exec.hang_up(patience).await
    {
        tracing::warn!(%error, "a program that nobody talks to may go on");
    }
}

async fn begin(docker: &Docker, request: &mut Lines<Body>) -> Result<(Exec, Ends), Wrong> {
    let wanted = said_first(request, "which program it is was not said").await?;
    let Beside { id, command, terminal, secrets } = wanted;
    let spec = ExecSpec { command, terminal, secrets: secrets.into_secrets() };
    docker.exec(&id, &spec).await.map_err(|error| Wrong::of(&error))
}

/// Says what it writes, and how it ended.
async fn tell(
    exec: &Exec,
    mut output: impl Stream<Item = io::Result<Piece>> + Unpin,
    says: &mpsc::Sender<Bytes>,
) -> Result<(), SendError<Bytes>> {
    say(says, Word::Begun(exec.id().clone())).await?;
    // Where Docker's connection breaks, what came before it is all that there is.
    while let Some(Ok(piece)) = output.next().await {
        says.send(Said::Piece(piece).write()).await?;
    }
    say(says, Word::Silent).await?;
    let last = match exec.ended().await {
        Ok(end) => Word::Ended(end),
        Err(error) => Word::Wrong(Wrong::of(&error)),
    };
    say(says, last).await
}

async fn say(says: &mpsc::Sender<Bytes>, word: Word) -> Result<(), SendError<Bytes>> {
    says.send(Said::Word(word).write()).await
}

/// Gives it its input. Ends only if that breaks off before its end.
async fn feed(
    input: impl Stream<Item = io::Result<Bytes>> + Unpin,
    mut to: Pin<Box<dyn AsyncWrite + Send>>,
) {
    let (mut input, mut listens) = (input, true);
    while let Some(piece) = input.next().await {
        let Ok(piece) = piece else { return };
        // A program that has closed its input, or has ended, misses nothing.
        listens = listens && to.write_all(&piece).await.is_ok() && to.flush().await.is_ok();
    }
    to.shutdown().await.ok();
    std::future::pending::<()>().await;
}

/// From SIGHUP to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same when the daemon ends, which waits for it.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
