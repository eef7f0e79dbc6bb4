//! Last words to a client, and leaving in such a way that it hears them.
//!
//! It decides neither what is said nor whether the connection ends.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Alarm;
use crate::limits::Limits;
use crate::party::Party;
use crate::wire::Wire;

/// Writes all that is left to say.
pub(crate) async fn flush(
    party: &mut impl Party,
    alarm: &mut Alarm,
    limits: &Limits,
) -> io::Result<()> {
    alarm.set(limits.write_stall);
    poll_fn(|cx| match party.poll_flush(cx) {
        Poll::Pending => alarm.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        written @ Poll::Ready(_) => written,
    })
    .await
}

/// Says that no more will be said, then reads on for a moment: closing with bytes unread would
/// reset the connection, and the client might lose the answer it has not read yet.
pub(crate) async fn part<S>(wire: &mut Wire<S>, alarm: &mut Alarm, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    alarm.set(limits.linger);
    let mut left = limits.linger_bytes;
    poll_fn(|cx| {
        let mut closed = wire.poll_shutdown(cx).is_ready();
        while left > 0 {
            let here = wire.input.bytes().len();
            wire.input.consume(here);
            left = left.saturating_sub(here);
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return alarm.poll(cx),
            }
        }
        closed |= alarm.poll(cx).is_ready();
        if closed { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
