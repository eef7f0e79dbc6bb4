//! The way to and from somebody who has asked for something.

use std::{io, pin::Pin};

use bytes::Bytes;
use futures_util::stream;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, server::Msg};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::Wish;
use crate::model::Actor;

/// Somebody known, what they want, and the way to them.
#[derive(Debug)]
pub struct Asked {
    /// Who.
    pub by: Actor,
    /// What.
    pub wish: Wish,
    /// The version of git's protocol that their git speaks, as `GIT_PROTOCOL` says it.
    pub protocol: Option<&'static str>,
    /// The way to them.
    pub line: Line,
}

/// Both directions of a channel. It must be ended; what was not said by then is not heard.
#[derive(Debug)]
pub struct Line {
    input: Option<ChannelReadHalf>,
    output: ChannelWriteHalf<Msg>,
}

/// Whoever listened has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client has gone")]
pub struct Gone;

impl Line {
    pub(super) fn new(channel: Channel<Msg>) -> Self {
        let (input, output) = channel.split();
        Self { input: Some(input), output }
    }

    /// What they send; to be had once. What comes after it was let go is thrown away.
    pub fn input(&mut self) -> Pin<Box<dyn AsyncRead + Send>> {
        let pieces = stream::unfold(self.input.take(), |half| async move {
            let mut half = half?;
            loop {
                match half.wait().await? {
                    ChannelMsg::Data { data } => {
                        return Some((Ok::<_, io::Error>(data), Some(half)));
                    }
                    ChannelMsg::Eof | ChannelMsg::Close => return None,
                    _ => {}
                }
            }
        });
        Box::pin(StreamReader::new(Box::pin(pieces)))
    }

    /// Sends them something; waits while they read nothing.
    pub async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.output.data_bytes(bytes).await.map_err(|_| Gone)
    }

    /// Tells them a text beside what their program reads.
    pub async fn tell(&self, text: &str) -> Result<(), Gone> {
        let bytes = Bytes::from(format!("{text}\n"));
        self.output.extended_data_bytes(STDERR, bytes).await.map_err(|_| Gone)
    }

    /// Ends it with the exit code that their `ssh` ends with.
    pub async fn end(self, code: u32) {
        // Whoever has gone needs no code.
        let _ = self.output.exit_status(code).await;
        let _ = self.output.eof().await;
        let _ = self.output.close().await;
    }
}

impl From<Gone> for io::Error {
    fn from(gone: Gone) -> Self {
        Self::new(io::ErrorKind::BrokenPipe, gone)
    }
}

/// `SSH_EXTENDED_DATA_STDERR` (RFC 4254 section 5.2).
const STDERR: u32 = 1;
