//! The daemon's end of the line to an agent: jobs out, frames in, one JSON document a line.
//!
//! Invariant: no frame longer than [`MAX_FRAME`] is ever held.

use buildpacks::agent::{Frame, Job, MAX_FRAME};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::error::BuildError;

/// The line.
#[derive(Debug)]
pub(super) struct Wire {
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
}

/// Why there was no outcome.
#[derive(Debug)]
pub(super) enum Hangup {
    /// The other end is gone.
    Gone,
    /// It said something that cannot be.
    Speech(BuildError),
}

impl Wire {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream: BufReader::new(stream), line: Vec::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Frame, Hangup> {
        self.line.clear();
        let mut bounded = (&mut self.stream).take(MAX_FRAME as u64);
        match bounded.read_until(b'\n', &mut self.line).await {
            Ok(0) | Err(_) => return Err(Hangup::Gone),
            Ok(_) if self.line.last() != Some(&b'\n') && self.line.len() < MAX_FRAME => {
                return Err(Hangup::Gone);
            }
            Ok(_) => {}
        }
        Frame::decode(&self.line).map_err(|_| Hangup::Speech(BuildError::Gibberish))
    }

    pub(super) async fn send(&mut self, job: &Job) -> Result<(), Hangup> {
        let line = job.encode().map_err(|_| Hangup::Speech(BuildError::Gibberish))?;
        self.stream.get_mut().write_all(&line).await.map_err(|_| Hangup::Gone)
    }

    /// Whether the agent is there and has nothing to say, as one that waits for a job.
    pub(super) fn is_quiet(&self) -> bool {
        let nothing = self.stream.get_ref().try_read(&mut [0]);
        self.stream.buffer().is_empty()
            && nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}
