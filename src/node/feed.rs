//! What a control and the edge of a node tell each other, a line of JSON each, in one call that lasts
//! as long as the link does: tables and certificates one way, figures the other.
//!
//! Whole values, never differences: whoever has missed one is right again with the next. What one side
//! does not know of the other's words it leaves alone, so that neighbouring versions understand each
//! other.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame};
use proxy::{Certificates, Table, Traffic};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::mpsc;

use super::link;

/// What a control tells the edge of a node.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FromControl {
    /// Route by this from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<Arc<Table>>,
    /// Present these from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificates: Option<Arc<Certificates>>,
}

/// What the edge of a node tells its control.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FromNode {
    /// What it does, and has done since it began; generations are those of the control.
    pub(super) figures: Traffic,
    /// Where the world finds it.
    pub(super) addresses: Vec<IpAddr>,
    /// Where its link is reached, if it knows that better than whoever let it join.
    pub(super) link: Option<SocketAddr>,
}

/// Why the other side is not understood, or not heard any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    /// The call broke off.
    #[error("the call broke off")]
    Cut(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A line is not what it should be.
    #[error("what was told is not understood")]
    Strange(#[from] serde_json::Error),
    /// A line does not end.
    #[error("a line is longer than {LONGEST} bytes")]
    TooLong,
}

/// A value as a line.
pub(super) fn line(value: &impl Serialize) -> Result<Bytes, FeedError> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line.into())
}

/// A body of what is sent, which ends with the sender.
pub(super) fn body(lines: mpsc::Receiver<Bytes>) -> link::Body {
    let frames = stream::unfold(lines, |mut lines| async move {
        let line = lines.recv().await?;
        Some((Ok(Frame::data(line)), lines))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The lines of a body.
#[derive(Debug)]
pub(super) struct Lines<B> {
    body: B,
    begun: BytesMut,
    searched: usize,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads them off this body.
    pub(super) fn of(body: B) -> Self {
        Self { body, begun: BytesMut::new(), searched: 0 }
    }

    /// The next one; `None` at the end. What has been read is kept if it is dropped before.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FeedError> {
        loop {
            let fresh = self.begun.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.begun.split_to(self.searched + at + 1);
                self.searched = 0;
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            self.searched = self.begun.len();
            if self.searched > LONGEST {
                return Err(FeedError::TooLong);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(FeedError::Cut(error.into())),
                Some(Ok(frame)) => {
                    self.begun.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
                }
            }
        }
    }
}

/// A table of many thousand apps has less.
const LONGEST: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&str]) -> Lines<impl Body<Data = Bytes, Error = std::io::Error> + Unpin> {
        let parts: Vec<_> =
            parts.iter().map(|part| Ok(Frame::data(Bytes::from((*part).to_owned())))).collect();
        Lines::of(StreamBody::new(stream::iter(parts)))
    }

    #[tokio::test]
    async fn lines_come_in_any_parts() {
        let mut lines = body(&["1\n2", "3", "\n", "4\n5\n6"]);
        for expected in [Some(1), Some(23), Some(4), Some(5), None] {
            assert_eq!(lines.next::<u32>().await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn what_is_not_known_is_left_alone() {
        let told =
            format!("{}\n", r#"{"weather": "fine", "table": {"generation": 7, "colour": 1}}"#);
        let told: FromControl = body(&[&told]).next().await.unwrap().unwrap();
        assert_eq!(told.table.map(|table| table.generation), Some(7));
        assert!(told.certificates.is_none());
        let broken = body(&["{]\n"]).next::<FromControl>().await;
        assert!(matches!(broken, Err(FeedError::Strange(_))));
    }
}
