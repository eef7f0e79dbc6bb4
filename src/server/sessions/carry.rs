//! Brings a program and a client together: input one way, output the other, until one of them ends.
//!
//! Nothing grows: output is read when the last of it is sent; input is kept up to what the client was
//! granted, so that a resize, a signal or the client's end is always seen behind it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use api::session::{Ask, PING, Tell, WINDOW};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::line::{Ear, Gone, Line, Mouth};
use crate::{
    model::{ProgramSignal, TerminalSize},
    node::consoles::{ConsoleError, Ends, OutputStream, Piece, Program, ProgramEnd, Talk},
};

/// How a session ended.
#[derive(Debug)]
pub(super) enum Over {
    /// The program ended with this code, which the client has been told if it is still there.
    Exited(u8),
    /// The client went first.
    ClientGone,
    /// The daemon ends.
    Stopped,
    /// Nobody can say how the program ended.
    Lost(ConsoleError),
}

/// Carries until it is over. Unless the program has ended, the client has not been told yet and the
/// program is yet to be ended.
pub(super) async fn carry(line: &mut Line, talk: Talk, stop: &CancellationToken) -> Over {
    let Talk { ends: Ends { input, output }, program } = talk;
    let inbox = Inbox::default();
    let out = Outward { says: &mut line.says, program: &program, inbox: &inbox };
    tokio::select! {
        biased;
        () = stop.cancelled() => Over::Stopped,
        over = out.run(output) => over.unwrap_or(Over::ClientGone),
        Gone = hear(&mut line.hears, &program, &inbox) => Over::ClientGone,
        never = feed(input, &inbox) => match never {},
    }
}

/// What the client said, until it is gone.
async fn hear(hears: &mut Ear, program: &Program, inbox: &Inbox) -> Gone {
    loop {
        let Ok(message) = hears.next().await else { return Gone };
        let done = match Ask::read(&message) {
            Err(_) | Ok(Some(Ask::Begin(_))) => return Gone,
            Ok(None) => Ok(()),
            Ok(Some(Ask::Input(data))) => match inbox.put(data) {
                Ok(()) => Ok(()),
                Err(Gone) => return Gone,
            },
            Ok(Some(Ask::Resize(size))) => {
                program.resize(TerminalSize { columns: size.columns, rows: size.rows }).await
            }
            Ok(Some(Ask::Signal(signal))) => program.signal(signal_of(signal)).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a program was not told");
        }
    }
}

fn signal_of(signal: api::session::Signal) -> ProgramSignal {
    match signal {
        api::session::Signal::Hangup => ProgramSignal::Hangup,
        api::session::Signal::Interrupt => ProgramSignal::Interrupt,
        api::session::Signal::Quit => ProgramSignal::Quit,
        api::session::Signal::Terminate => ProgramSignal::Terminate,
    }
}

/// Gives the program its input, and the client leave to send as much again.
async fn feed(mut input: Pin<Box<dyn AsyncWrite + Send>>, inbox: &Inbox) -> Infallible {
    let mut listens = true;
    while let Some(data) = inbox.take().await {
        // A program that has closed its input, or has ended, misses nothing.
        listens = listens && input.write_all(&data).await.is_ok() && input.flush().await.is_ok();
        inbox.grant(data.len());
    }
    input.shutdown().await.ok();
    std::future::pending().await
}

/// Input that the program has not taken yet.
#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<Waiting>,
    filled: Notify,
    granted: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    data: BytesMut,
    ended: bool,
    /// Taken, and not yet granted again.
    taken: usize,
    /// Written, and the client not yet told.
    free: u32,
}

impl Inbox {
    /// More input; nothing is its end. Whoever sends more than was granted speaks another contract.
    fn put(&self, data: &[u8]) -> Result<(), Gone> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if data.is_empty() {
            state.ended = true;
        } else {
            let held = state.data.len() + state.taken + state.free as usize + data.len();
            if state.ended || held > WINDOW as usize {
                return Err(Gone);
            }
            state.data.extend_from_slice(data);
        }
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// All that waits; `None` at the end.
    async fn take(&self) -> Option<BytesMut> {
        loop {
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if !state.data.is_empty() {
                    let data = state.data.split();
                    state.taken = data.len();
                    return Some(data);
                }
                if state.ended {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    fn grant(&self, written: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken = 0;
        state.free = state.free.saturating_add(u32::try_from(written).unwrap_or(u32::MAX));
        drop(state);
        self.granted.notify_one();
    }

    /// What the client is to be granted now.
    fn granted(&self) -> u32 {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).free)
    }
}

/// Everything that the client is told.
struct Outward<'a> {
    says: &'a mut Mouth,
    program: &'a Program,
    inbox: &'a Inbox,
}

impl Outward<'_> {
    /// All of the output, then how the program ended.
    async fn run(
        self,
        mut output: futures_util::stream::BoxStream<'static, std::io::Result<Piece>>,
    ) -> Result<Over, Gone> {
        let mut ping = interval(Duration::from_secs(PING));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut open, mut last) = (true, Vec::new());
        let ended = self.program.ended();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                piece = output.next(), if open => match piece {
                    Some(Ok(Piece { stream, bytes })) => {
                        keep_end(&mut last, &bytes);
                        self.says.say(match stream {
                            OutputStream::Out => Tell::Out(&bytes),
                            OutputStream::Err => Tell::Err(&bytes),
                        }).await?;
                    }
                    Some(Err(_)) | None => {
                        open = false;
                        self.says.say(Tell::Out(&[])).await?;
                    }
                },
                ended = &mut ended, if !open => {
                    let code = match ended {
                        Ok(ProgramEnd::Exited(code)) => code,
                        Ok(ProgramEnd::NotExecuted) => not_executed(&last),
                        Err(error) => return Ok(Over::Lost(error)),
                    };
                    // Whoever has gone by now does not need to be told.
                    self.says.say(Tell::Exit(code)).await.ok();
                    return Ok(Over::Exited(code));
                }
                () = self.inbox.granted.notified() => {
                    self.says.say(Tell::Window(self.inbox.granted())).await?;
                }
                _ = ping.tick() => self.says.ping().await?,
            }
        }
    }
}

/// Keeps the end of what was written: Docker's words, if the program did not even begin.
fn keep_end(last: &mut Vec<u8>, bytes: &[u8]) {
    last.clear();
    last.extend_from_slice(bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default());
}

/// 127 for what is not there and 126 for what cannot be executed, as shells have it.
fn not_executed(words: &[u8]) -> u8 {
    let words = String::from_utf8_lossy(words);
    let missing = words.contains("not found") || words.contains("no such file");
    if missing { 127 } else { 126 }
}

/// Bytes of output that are kept for [`not_executed`].
const KEPT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn input_waits_up_to_what_was_granted() {
        let inbox = Inbox::default();
        let half = vec![7; WINDOW as usize / 2];
        assert_eq!(
            (inbox.put(&half), inbox.put(&half), inbox.put(b"x")),
            (Ok(()), Ok(()), Err(Gone))
        );
        let taken = inbox.take().await.unwrap();
        assert_eq!(taken.len(), WINDOW as usize);
        assert_eq!(inbox.put(b"x"), Err(Gone), "it is not written yet");
        inbox.grant(taken.len());
        assert_eq!(inbox.put(b"x"), Err(Gone), "the client has not been told");
        assert_eq!(inbox.granted(), WINDOW);
        assert_eq!((inbox.put(b"x"), inbox.put(b"")), (Ok(()), Ok(())));
        assert_eq!(inbox.take().await.as_deref(), Some(&b"x"[..]));
        assert_eq!((inbox.take().await, inbox.put(b"y")), (None, Err(Gone)));
    }

    #[test]
    fn what_could_not_be_executed_has_the_shells_codes() {
        let missing = r#"OCI runtime exec failed: exec: "x": executable file not found in $PATH"#;
        assert_eq!(not_executed(missing.as_bytes()), 127);
        assert_eq!(not_executed(b"exec: \"/x\": stat /x: no such file or directory"), 127);
        assert_eq!(not_executed(b"exec: \"/etc\": permission denied"), 126);
    }
}
