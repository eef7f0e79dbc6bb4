//! What git sends: read as it comes, under limits of size and patience.

use std::{io, pin::Pin};

use api::FaultCode;
use axum::{body::Body, http::HeaderMap};
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use futures_util::{Stream, TryStreamExt, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::oneshot,
};
use tokio_util::io::StreamReader;

use crate::{
    git::{MAX_PACK, MalformedError},
    server::{fault::Failure, patient::patient},
};

/// A body that is read piece by piece.
pub(super) type Input = Pin<Box<dyn AsyncRead + Send>>;

/// Refuses what no git sends, and so all that a page in somebody's browser could send in their name.
pub(super) fn is_from_git(headers: &HeaderMap, kind: &'static str) -> Result<(), Failure> {
    match headers.get("content-type") {
        Some(given) if given == kind => Ok(()),
        Some(_) | None => {
            Err(Failure::new(FaultCode::Invalid, format!("a request of git's is {kind}")))
        }
    }
}

/// A push.
pub(super) fn reader(headers: &HeaderMap, body: Body) -> Result<Input, Failure> {
    match encoding(headers) {
        None => Ok(Box::pin(StreamReader::new(Box::pin(patient(body))))),
        // A pack is compressed already.
        Some(_) => Err(Failure::new(FaultCode::Invalid, "a push comes as it is, not compressed")),
    }
}

/// What is left of a push once its list was read: the pack. The second is answered, with whatever, once
/// nobody reads the first any more.
pub(super) fn rest(
    input: Input,
) -> (impl Stream<Item = io::Result<Bytes>> + Send, oneshot::Receiver<()>) {
    let (reads, read) = oneshot::channel::<()>();
    let state = (Box::pin(pieces(input)), reads);
    let pieces = stream::try_unfold(state, |(mut pieces, reads)| async move {
        Ok(pieces.try_next().await?.map(|piece| (piece, (pieces, reads))))
    });
    (pieces, read)
}

/// All that comes, up to a bound.
pub(super) fn pieces(input: Input) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(input.take(MAX_PACK + SPARE), |mut input| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let count = input.read_buf(&mut piece).await?;
        Ok((count > 0).then(|| (piece.freeze(), input)))
    })
}

/// The request of a fetch, which is short. git compresses it if it is not that short.
pub(super) async fn whole(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::new(FaultCode::TooLarge, "a fetch asks for less than that");
    let mut pieces = Box::pin(patient(body));
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.try_next().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > REQUEST {
            return Err(too_large());
        }
    }
    match encoding(headers) {
        None => Ok(bytes),
        Some("gzip" | "x-gzip") => unzip(&bytes)?.ok_or_else(too_large),
        Some(_) => Err(Failure::new(FaultCode::Invalid, "of encodings only gzip is understood")),
    }
}

/// Nothing if it is too much.
fn unzip(bytes: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let mut text = Vec::new();
    let limit = REQUEST as u64 + 1;
    io::Read::read_to_end(&mut io::Read::take(GzDecoder::new(bytes), limit), &mut text)
        .map_err(|error| broken(&error))?;
    Ok(Some(text).filter(|text| text.len() <= REQUEST))
}

fn encoding(headers: &HeaderMap) -> Option<&str> {
    let encoding = headers.get("content-encoding")?.to_str().unwrap_or("?");
    Some(encoding).filter(|encoding| *encoding != "identity")
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(FaultCode::Invalid, format!("the request broke off: {error}"))
}

/// What came is no push.
pub(super) fn malformed(error: &MalformedError) -> Failure {
    Failure::new(FaultCode::Invalid, error.to_string())
}

/// Read beyond a pack that is too large, so that the client hears why it is refused.
const SPARE: u64 = 64 << 20;
/// The longest request of a fetch, compressed and not.
const REQUEST: usize = 8 << 20;
const PIECE: usize = 64 << 10;
