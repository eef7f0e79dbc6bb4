//! A program inside an instance of a node: one call that lasts as long as the program, and an order for
//! each thing that it is told besides its input, so that none of them waits behind that.

use std::sync::Arc;

use futures_util::stream;
use hyper::{Method, Request};
use tokio::{
    io::{DuplexStream, duplex},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};

use super::{
    Nodes,
    call::{self, DEADLINE, Far, ask, away},
};
use crate::{
    engine::{
        Ends, EngineError, ExecSpec, Piece,
        docker::{ExecEnd, ExecId},
    },
    model::{ContainerId, NodeName, ProgramSignal, TerminalSize},
    node::{
        feed,
        frames::{Frames, Said, Word},
        link::{Body, LinkState},
        orders::{Answer, Beside, InTheOpen, Order, PROGRAM, Wrong},
    },
    telemetry::chain,
};

/// The program. The last of its clones that is dropped hangs it up.
#[derive(Debug, Clone)]
pub struct There {
    far: Far,
    id: ExecId,
    /// How it ended; never, if the call broke off.
    end: watch::Receiver<Option<Result<ExecEnd, Wrong>>>,
    call: Arc<AbortOnDropHandle<()>>,
}

impl Nodes {
    /// Starts a program inside an instance of a node.
    pub(in crate::node) async fn exec(
        &self,
        node: &NodeName,
        id: &ContainerId,
        spec: &ExecSpec,
    ) -> Result<(There, Ends), EngineError> {
        let far = self.far(node)?;
        let (input, read) = duplex(AT_ONCE);
        let asked = begin(&far, request(&far, id, spec, read)?);
        let (id, frames) = timeout(DEADLINE, asked)
            .await
            .map_err(|_| EngineError::Timeout { operation: "exec", after: DEADLINE })??;
        let (pieces, mut output) = mpsc::channel::<Piece>(1);
        let (told, end) = watch::channel(None);
        let call = AbortOnDropHandle::new(tokio::spawn(hear(frames, pieces, told)));
        let there = There { far, id, end, call: Arc::new(call) };
        let output = stream::poll_fn(move |cx| output.poll_recv(cx).map(|piece| piece.map(Ok)));
        Ok((there, Ends { input: Box::pin(input), output: Box::pin(output) }))
    }
}

fn request(
    far: &Far,
    id: &ContainerId,
    spec: &ExecSpec,
    input: DuplexStream,
) -> Result<Request<Body>, EngineError> {
    let wanted = Beside {
        id: id.clone(),
        command: spec.command.clone(),
        terminal: spec.terminal.clone(),
        secrets: InTheOpen::of(&spec.secrets),
    };
    let line = feed::line(&wanted).map_err(|error| away(far, error.into()))?;
    let body = feed::headed(line, ReaderStream::with_capacity(input, AT_ONCE));
    let request = Request::builder().method(Method::POST).uri(PROGRAM).body(body);
    request.map_err(|error| away(far, error.into()))
}

/// Waits until it runs.
async fn begin(far: &Far, request: Request<Body>) -> Result<(ExecId, Frames<Body>), EngineError> {
    let mut frames = Frames::of(call::send(far, request).await?.into_body());
    match frames.next().await.map_err(|error| away(far, error.into()))? {
        Some(Said::Word(Word::Begun(id))) => Ok((id, frames)),
        Some(Said::Word(Word::Wrong(wrong))) => Err(wrong.about("exec", call::at(far))),
        _ => Err(away(far, "the call ended before the program began".into())),
    }
}

/// Passes on what it says, and tells how it ended. What nobody reads holds it back.
async fn hear(
    mut frames: Frames<Body>,
    pieces: mpsc::Sender<Piece>,
    told: watch::Sender<Option<Result<ExecEnd, Wrong>>>,
) {
    let mut pieces = Some(pieces);
    loop {
        match frames.next().await {
            Ok(Some(Said::Piece(piece))) => {
                if let Some(to) = &pieces {
                    // Whoever does not want it any more hangs up, or waits for the end.
                    to.send(piece).await.ok();
                }
            }
            Ok(Some(Said::Word(Word::Begun(_)))) => {}
            Ok(Some(Said::Word(Word::Silent))) => pieces = None,
            Ok(Some(Said::Word(Word::Ended(end)))) => {
                told.send_replace(Some(Ok(end)));
            }
            Ok(Some(Said::Word(Word::Wrong(wrong)))) => {
                told.send_replace(Some(Err(wrong)));
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "a program on a node is lost");
                return;
            }
        }
    }
}

impl There {
    /// Where it is.
    pub fn node(&self) -> &NodeName {
        &self.far.node
    }

    /// Tells its terminal another size.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        self.order(Order::Resize(self.id.clone(), size)).await
    }

    /// Sends a signal to its process group; one that has ended is fine.
    pub async fn signal(&self, signal: ProgramSignal) -> Result<(), EngineError> {
        self.order(Order::Tell(self.id.clone(), signal)).await
    }

    /// Waits for its end, which may come later than that of its output.
    pub async fn ended(&self) -> Result<ExecEnd, EngineError> {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()) {
            Some(Ok(end)) => Ok(end),
            Some(Err(wrong)) => Err(wrong.about("exec", call::at(&self.far))),
            None => Err(away(&self.far, self.why_lost().into())),
        }
    }

    /// Ends it, because whoever talked to it is gone. The node sees to it that it does.
    pub fn hang_up(&self) {
        self.call.abort();
    }

    async fn order(&self, order: Order) -> Result<(), EngineError> {
        match ask(&self.far, "exec", &order).await? {
            Answer::Heeded => Ok(()),
            other => Err(call::strange(&self.far, "exec", &other)),
        }
    }

    fn why_lost(&self) -> String {
        match &*self.far.link.state().borrow() {
            LinkState::Down { why, .. } => why.clone(),
            LinkState::Up { .. } => "the call broke off".to_owned(),
        }
    }
}

/// Input that is on its way to the link, in bytes, and what of it goes at once.
const AT_ONCE: usize = 32 << 10;
