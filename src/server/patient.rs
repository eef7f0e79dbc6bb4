//! Bodies whose sender must not fall silent. A laptop that is closed in the middle of an upload ends
//! nothing: its connection stays, and with it the place that the upload has.

use std::{io, time::Duration};

use axum::body::{Body, Bytes};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::timeout;

/// The body, piece by piece; a sender from whom nothing comes while it is waited for has gone.
pub(super) fn patient(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    patient_for(SILENCE, body)
}

fn patient_for(
    limit: Duration,
    body: Body,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::try_unfold(body.into_data_stream(), move |mut body| async move {
        let silent = |_| {
            let why = format!("nothing came for {} s", limit.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, why)
        };
        let next = timeout(limit, body.next()).await.map_err(silent)?;
        Ok(next.transpose().map_err(io::Error::other)?.map(|piece| (piece, body)))
    })
}

/// As long as the command line waits for an upload in which nothing moves.
const SILENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_falls_silent_has_gone() {
        let pieces = || stream::iter([Ok::<_, io::Error>("one"), Ok("two")]);
        let whole: Vec<_> = patient(Body::from_stream(pieces())).collect().await;
        assert!(whole.len() == 2 && whole.iter().all(Result::is_ok), "{whole:?}");
        let silent = Body::from_stream(pieces().chain(stream::pending()));
        let heard: Vec<_> = patient_for(Duration::from_millis(20), silent).collect().await;
        let [Ok(_), Ok(_), Err(error)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
