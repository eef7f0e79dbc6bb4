//! The first bytes of an HTTP/2 connection, looked at before `h2` sees them.
//!
//! `h2` drops a connection that begins wrongly without a word; a client that only made a mistake
//! would see a broken TLS stream. Not a negotiation: HTTP/2 was agreed on before. The frames that
//! follow are the business of `guarded`.

use std::future::poll_fn;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Alarm;
use crate::limits::Limits;
use crate::parting;
use crate::wire::Wire;

use super::guarded::Guarded;

/// RFC 9113 section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame, which is how a server begins.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY: no stream was served, because of a `PROTOCOL_ERROR`.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Waits for the preface in time; whoever sends something else is told so.
pub(crate) async fn read<S>(stream: S, alarm: &mut Alarm, limits: &Limits) -> Option<Guarded<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire::new(stream, limits.buffer);
    let began_well = poll_fn(|cx| {
        loop {
            let bytes = wire.input.bytes();
            let length = bytes.len().min(PREFACE.len());
            if bytes.get(..length) != PREFACE.get(..length) {
                return Poll::Ready(Some(false));
            }
            if length == PREFACE.len() {
                return Poll::Ready(Some(true));
            }
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return alarm.poll(cx).map(|()| None),
            }
        }
    })
    .await?;
    if began_well {
        let first = wire.input.bytes().to_vec();
        return Some(Guarded::new(wire.stream, first, PREFACE.len(), limits));
    }
    wire.output.extend_from_slice(&SETTINGS);
    wire.output.extend_from_slice(&GOAWAY);
    if parting::flush(&mut wire, alarm, limits).await.is_ok() {
        parting::part(&mut wire, alarm, limits).await;
    }
    None
}
