//! A stream of lines, each of them JSON, that can go on for ever.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::{Reply, broken};
use crate::failure::Failure;

/// A stream of lines.
pub(crate) struct Lines {
    reply: Reply,
    address: String,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of a line.
    searched: usize,
}

impl Lines {
    pub(super) fn new(reply: Reply, address: String) -> Self {
        Self { reply, address, buffer: BytesMut::new(), searched: 0 }
    }

    /// The next line as it came, without its end; `None` where the stream ends. Empty lines, by
    /// which a server may show that it is alive, are passed over. May be dropped anywhere.
    pub(crate) async fn text(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
                }
                continue;
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST {
                return Err(Failure::local("the server sends a line without an end"));
            }
            match self.reply.response.body_mut().frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(fault)) => return Err(broken(&self.address, &fault)),
                None => return Ok(None),
            }
        }
    }

    /// The next line as what the contract says.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let Some(line) = self.text().await? else { return Ok(None) };
        let value = serde_json::from_str(&line).map_err(|fault| {
            Failure::local("the server's answer is not understood").because(fault)
        })?;
        Ok(Some(value))
    }
}

/// A log line has at most some kilobytes; this is a server gone wrong.
const LONGEST: usize = 4 << 20;
