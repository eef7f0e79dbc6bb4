//! What a node says of a program that somebody talks to: what it writes, as it is, and between that words about
//! it, as JSON.
//!
//! A frame is its kind in one byte, its length in four, and its bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper::body::Body;
use serde::{Deserialize, Serialize};

use super::{
    feed::{FeedError, Inflow},
    orders::Wrong,
};
use crate::engine::{
    OutputStream, Piece,
    docker::{ExecEnd, ExecId},
};

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The program wrote something.
    Piece(Piece),
    /// This is so.
    Word(Word),
}

/// How far a program is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// It was started; this is what it is called.
    Begun(ExecId),
    /// It writes nothing any more.
    Silent,
    /// It has ended.
    Ended(ExecEnd),
    /// It was not started, or nobody can say how it ended.
    Wrong(Wrong),
}

impl Said {
    /// The frame as it goes over the link.
    pub(super) fn write(&self) -> Bytes {
        match self {
            Self::Piece(Piece { stream: OutputStream::Out, bytes }) => frame(OUT, bytes),
            Self::Piece(Piece { stream: OutputStream::Err, bytes }) => frame(ERR, bytes),
            Self::Word(word) => {
                frame(WORD, &serde_json::to_vec(word).expect("its keys are names of fields"))
            }
        }
    }
}

fn frame(kind: u8, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + bytes.len());
    frame.put_u8(kind);
    frame.put_u32(u32::try_from(bytes.len()).expect("pieces and words are short"));
    frame.put_slice(bytes);
    frame.freeze()
}

/// The frames of a body.
#[derive(Debug)]
pub(super) struct Frames<B>(Inflow<B>);

impl<B> Frames<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads them off this body.
    pub(super) fn of(body: B) -> Self {
        Self(Inflow::of(body))
    }

    /// The next one; `None` at the end. What has been read is kept if it is dropped before.
    pub(super) async fn next(&mut self) -> Result<Option<Said>, FeedError> {
        loop {
            if let Some(said) = self.whole()? {
                return Ok(Some(said));
            }
            if !self.0.read_on().await? {
                let torn = !self.0.begun.is_empty();
                let cut = || FeedError::Cut("in the middle of a frame".into());
                return if torn { Err(cut()) } else { Ok(None) };
            }
        }
    }

    /// The first frame of what has been read, if all of it is there.
    fn whole(&mut self) -> Result<Option<Said>, FeedError> {
        let begun = &mut self.0.begun;
        let Some([kind, length @ ..]) = begun.first_chunk::<HEAD>().copied() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(FeedError::TooLong(LONGEST));
        }
        if begun.len() < HEAD + length {
            return Ok(None);
        }
        begun.advance(HEAD);
        let bytes = begun.split_to(length).freeze();
        Ok(Some(match kind {
            OUT => Said::Piece(Piece { stream: OutputStream::Out, bytes }),
            ERR => Said::Piece(Piece { stream: OutputStream::Err, bytes }),
            _ => Said::Word(serde_json::from_slice(&bytes)?),
        }))
    }
}

const WORD: u8 = 0;
const OUT: u8 = 1;
const ERR: u8 = 2;
/// Bytes before what belongs to a frame.
const HEAD: usize = 5;
/// Pieces have half of that at most, in bytes, and words less.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    fn body(parts: Vec<Bytes>) -> Frames<impl Body<Data = Bytes, Error = std::io::Error> + Unpin> {
        Frames::of(StreamBody::new(stream::iter(parts.into_iter().map(|it| Ok(Frame::data(it))))))
    }

    fn piece(stream: OutputStream, bytes: &'static [u8]) -> Said {
        Said::Piece(Piece { stream, bytes: Bytes::from_static(bytes) })
    }

    #[tokio::test]
    async fn frames_come_in_any_parts() {
        let wrong = Wrong::Refused { status: 409, message: "no".to_owned() };
        let all = [
            Said::Word(Word::Begun(serde_json::from_str(r#""5c1e""#).unwrap())),
            piece(OutputStream::Out, b"one\n"),
            piece(OutputStream::Err, b"\0\x01\xff"),
            piece(OutputStream::Out, b""),
            Said::Word(Word::Silent),
            Said::Word(Word::Ended(ExecEnd::Exited(137))),
            Said::Word(Word::Wrong(wrong)),
        ];
        let written: Vec<u8> = all.iter().flat_map(Said::write).collect();
        for size in [1, 3, 7, written.len()] {
            let mut frames = body(written.chunks(size).map(Bytes::copy_from_slice).collect());
            for expected in &all {
                assert_eq!(frames.next().await.unwrap().as_ref(), Some(expected));
            }
            assert_eq!(frames.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_is_torn_or_too_long_is_not_taken_for_something() {
        let torn = piece(OutputStream::Out, b"one").write().slice(..6);
        assert!(matches!(body(vec![torn]).next().await, Err(FeedError::Cut(_))));
        let long = Bytes::from_static(&[OUT, 0xff, 0, 0, 0]);
        assert!(matches!(body(vec![long]).next().await, Err(FeedError::TooLong(LONGEST))));
        let strange = frame(WORD, b"{]");
        assert!(matches!(body(vec![strange]).next().await, Err(FeedError::Strange(_))));
    }
}
