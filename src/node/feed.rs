//! What a control and the edge of a node tell each other, a line of JSON each, in one call that lasts
//! as long as the link does: tables, certificates, the directory and the roster one way, figures the other.
//!
//! Whole values, never differences: whoever has missed one is right again with the next. What one side
//! does not know of the other's words it leaves alone, so that neighbouring versions understand each
//! other.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame};
use proxy::{Certificates, Table, Traffic};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::mpsc;

use super::link;
use crate::model::{Directory, NodeName, PublicNames, Roster};

/// What a control tells a node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FromControl {
    /// Route by this from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<Arc<Table>>,
    /// Present these from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificates: Option<Arc<Certificates>>,
    /// These are the instances that private names lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) directory: Option<Arc<Directory>>,
    /// These are the nodes that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roster: Option<Arc<Roster>>,
    /// Answer the world by these from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) names: Option<Arc<PublicNames>>,
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
    /// The nodes of the roster that it has no link to now.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) apart: BTreeSet<NodeName>,
    /// The serial number of the public names that its DNS server answers from, 0 of none yet; if it has a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answers: Option<u32>,
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
    /// A line, or whatever else it is, does not end.
    #[error("what was told is longer than {0} bytes")]
    TooLong(usize),
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

/// A body that begins with a line, and goes on with bytes as they are.
pub(super) fn headed(
    line: Bytes,
    rest: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> link::Body {
    let pieces = stream::iter([Ok(line)]).chain(rest);
    StreamBody::new(pieces.map_ok(Frame::data).map_err(Into::into)).boxed_unsync()
}

/// What has been read of a body and not been taken yet.
#[derive(Debug)]
pub(super) struct Inflow<B> {
    body: B,
    pub(super) begun: BytesMut,
}

impl<B> Inflow<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Nothing has been read off this body.
    pub(super) fn of(body: B) -> Self {
        Self { body, begun: BytesMut::new() }
    }

    /// Reads on; whether there was anything. What was read is kept if it is dropped.
    pub(super) async fn read_on(&mut self) -> Result<bool, FeedError> {
        match self.body.frame().await {
            None => Ok(false),
            Some(Err(error)) => Err(FeedError::Cut(error.into())),
            Some(Ok(frame)) => {
                self.begun.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
                Ok(true)
            }
        }
    }
}

/// The lines of a body.
#[derive(Debug)]
pub(super) struct Lines<B> {
    inflow: Inflow<B>,
    searched: usize,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads them off this body.
    pub(super) fn of(body: B) -> Self {
        Self { inflow: Inflow::of(body), searched: 0 }
    }

    /// The next one; `None` at the end. What has been read is kept if it is dropped before.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FeedError> {
        loop {
            let begun = &mut self.inflow.begun;
            let fresh = begun.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = begun.split_to(self.searched + at + 1);
                self.searched = 0;
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            self.searched = begun.len();
            if self.searched > LONGEST {
                return Err(FeedError::TooLong(LONGEST));
            }
            if !self.inflow.read_on().await? {
                return Ok(None);
            }
        }
    }

    /// What follows the lines that were read, as it is.
    pub(super) fn rest(self) -> impl Stream<Item = io::Result<Bytes>> {
        let Inflow { body, begun } = self.inflow;
        let begun = (!begun.is_empty()).then(|| Ok(begun.freeze()));
        stream::iter(begun).chain(body.into_data_stream().map_err(io::Error::other))
    }
}

/// A table of many thousand apps has less.
const LONGEST: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&str]) -> Lines<impl Body<Data = Bytes, Error = io::Error> + Unpin> {
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
    async fn what_follows_a_line_is_as_it_was() {
        for parts in [&["1\n2\n", "\n3"][..], &["1\n", "2\n\n3"], &["1", "\n2\n\n", "3"]] {
            let mut lines = body(parts);
            assert_eq!(lines.next::<u32>().await.unwrap(), Some(1));
            let rest: Vec<Bytes> = lines.rest().try_collect().await.unwrap();
            assert_eq!(rest.concat(), b"2\n\n3", "{parts:?}");
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
