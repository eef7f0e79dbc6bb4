//! One request sent to one upstream connection, and its response on the way back.
//!
//! It does not choose, connect or retry; its caller learns how far it got. Both directions move in
//! one task, so that an upstream may answer before it has read the whole request. The invariant: a
//! byte of a response reaches the client only after the response's head was found valid.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Alarm;
use crate::control::Persistence;
use crate::fault::{Answered, Fault};
use crate::field::Extra;
use crate::head::{self, Found, Malformed};
use crate::party::Client;
use crate::pump::{Leak, Pump, Waiting};
use crate::request::Request;
use crate::response::{self, Circumstances, Kind, Response, Uploading, Withheld};
use crate::rules::Passage;
use crate::wire::Wire;
use crate::worker::Worker;

/// How the request's body gets to the upstream.
#[derive(Debug)]
pub(crate) enum Upload {
    /// It stands whole in the upstream's output.
    Flushing,
    Streaming(Pump),
    Done,
    /// The upstream stopped reading; it may still answer.
    Abandoned,
}

/// The parties and the state of one exchange.
#[derive(Debug)]
pub(crate) struct Exchange<'a, C, U> {
    pub(crate) client: &'a mut C,
    pub(crate) upstream: &'a mut Wire<U>,
    pub(crate) alarm: &'a mut Alarm,
    pub(crate) request: &'a Request,
    /// Field lines for the answer that are ours.
    pub(crate) added: &'a [Extra],
    pub(crate) passage: &'a Passage,
    pub(crate) withheld: Withheld,
    pub(crate) worker: &'a Worker,
    pub(crate) upload: &'a mut Upload,
    pub(crate) progress: &'a mut Progress,
}

/// How far an exchange got.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Where to look for the end of the response head.
    seen: usize,
    interim: u32,
    answered: bool,
    /// Body bytes that went to the upstream.
    received: u64,
    /// How far the upload was when the alarm was set; `None` before it ever was.
    uploaded: Option<(u8, u64)>,
    /// Bytes on both wires at the last look, to tell movement from standstill.
    moved: u64,
    /// Time spent waiting for the client's body, and since when.
    waited: Duration,
    waiting: Option<Instant>,
}

impl Progress {
    /// Nothing yet, but for body bytes that stand in the upstream's output.
    pub(crate) fn with(received: u64) -> Self {
        Self { received, ..Self::default() }
    }

    /// Body bytes passed on to the upstream.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }
}

impl<C, U> Exchange<'_, C, U>
where
    C: Client,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Sends the request as far as the upstream takes it, until a head arrives that is not interim.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Kind, Fault>> {
        loop {
            if let Poll::Ready(Err(fault)) = self.poll_upload(cx) {
                return Poll::Ready(Err(fault));
            }
            let uploaded = Some(self.uploaded());
            if self.progress.uploaded != uploaded {
                self.progress.uploaded = uploaded;
                self.alarm.set(self.patience());
            }
            if let Some(kind) = self.take_head()? {
                return Poll::Ready(Ok(kind));
            }
            match self.upstream.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(self.closed())),
                Poll::Ready(Ok(_)) => self.progress.answered = true,
                Poll::Pending => break,
            }
        }
        if !self.client.output().is_empty()
            && matches!(self.client.poll_flush(cx), Poll::Ready(Err(_)))
        {
            return Poll::Ready(Err(Fault::ClientGone));
        }
        self.poll_patience(cx).map(Err)
    }

    /// Passes the response's body on, and what is left of the request's; ready when the response is
    /// across.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        download: &mut Pump,
    ) -> Poll<Result<(), Fault>> {
        if let Poll::Ready(Err(fault)) = self.poll_upload(cx) {
            return Poll::Ready(Err(fault));
        }
        match download.poll(cx, self.upstream, self.client) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(leak)) => return Poll::Ready(Err(Self::download_fault(&leak))),
            Poll::Pending => {}
        }
        let moved = self.client.moved() + self.upstream.moved();
        if moved != self.progress.moved {
            self.progress.moved = moved;
            self.alarm.set(match download.waiting() {
                Waiting::ForSource => self.worker.shared.limits.stream_idle,
                Waiting::ForSink => self.worker.shared.limits.write_stall,
            });
        }
        if self.uploading() == Uploading::Done && self.client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Fault::ClientGone));
        }
        ready!(self.alarm.poll(cx));
        Poll::Ready(Err(match download.waiting() {
            Waiting::ForSource => Fault::UpstreamSlow,
            Waiting::ForSink => Fault::ClientStalled,
        }))
    }

    pub(crate) fn uploading(&self) -> Uploading {
        match *self.upload {
            Upload::Done => Uploading::Done,
            Upload::Flushing | Upload::Streaming(_) | Upload::Abandoned => Uploading::Underway,
        }
    }

    /// What becomes of the upstream connection after a response that came across whole.
    pub(crate) fn upstream_after(&self, response: &Response) -> Persistence {
        let clean = self.upstream.input.is_empty() && self.upstream.output.is_empty();
        if clean && self.uploading() == Uploading::Done {
            response.upstream
        } else {
            Persistence::Close
        }
    }

    /// A number for the stage of the upload, and the bytes it has moved.
    fn uploaded(&self) -> (u8, u64) {
        match &*self.upload {
            Upload::Flushing => (0, 0),
            Upload::Streaming(_) => (1, self.client.moved() + self.upstream.moved()),
            Upload::Done | Upload::Abandoned => (2, 0),
        }
    }

    /// How long to wait for the next thing to happen before a response.
    fn patience(&self) -> Duration {
        match &*self.upload {
            Upload::Streaming(pump) if pump.waiting() == Waiting::ForSource => {
                self.worker.shared.limits.upload_idle
            }
            // An app that does not read is as slow as one that does not answer.
            Upload::Streaming(_) | Upload::Flushing | Upload::Done | Upload::Abandoned => {
                self.worker.shared.limits.first_byte
            }
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let sent = match &mut *self.upload {
            Upload::Done | Upload::Abandoned => return Poll::Ready(Ok(())),
            Upload::Flushing => self.upstream.poll_flush(cx).map_err(Leak::Sink),
            Upload::Streaming(pump) => {
                let sent = pump.poll(cx, self.client, self.upstream);
                self.progress.received = pump.moved();
                if let Some(most) = self.passage.most_body().filter(|most| pump.moved() > *most) {
                    return Poll::Ready(Err(Fault::ClientTooLarge(most)));
                }
                sent
            }
        };
        match sent {
            Poll::Ready(Ok(())) => *self.upload = Upload::Done,
            Poll::Ready(Err(Leak::Sink(_))) => {
                self.upstream.forget_output();
                *self.upload = Upload::Abandoned;
            }
            Poll::Ready(Err(Leak::Source(_) | Leak::Malformed(Malformed::Truncated))) => {
                return Poll::Ready(Err(Fault::ClientGone));
            }
            Poll::Ready(Err(Leak::Malformed(why))) => {
                return Poll::Ready(Err(Fault::ClientMalformed(why)));
            }
            Poll::Pending => return self.check_pace(),
        }
        Poll::Ready(Ok(()))
    }

    /// Only time spent waiting for the client counts against it: a slow upstream is not its fault.
    fn check_pace(&mut self) -> Poll<Result<(), Fault>> {
        let Upload::Streaming(pump) = &*self.upload else { return Poll::Pending };
        let progress = &mut *self.progress;
        if let Some(since) = progress.waiting.take() {
            progress.waited += since.elapsed();
        }
        if pump.waiting() == Waiting::ForSource {
            progress.waiting = Some(Instant::now());
        }
        let expected = u64::from(self.worker.shared.limits.upload_rate)
            .saturating_mul(progress.waited.as_secs());
        if progress.waited > self.worker.shared.limits.upload_grace && pump.moved() < expected {
            return Poll::Ready(Err(Fault::ClientSlow));
        }
        Poll::Pending
    }

    /// Reads heads that are here, up to the first that is not interim.
    fn take_head(&mut self) -> Result<Option<Kind>, Fault> {
        loop {
            let bytes = self.upstream.input.bytes();
            let length = match head::find(bytes, self.progress.seen) {
                Ok(Found::Whole(length)) if length <= self.worker.shared.limits.head => length,
                Ok(Found::Partial { seen }) if bytes.len() < self.worker.shared.limits.head => {
                    self.progress.seen = seen;
                    return Ok(None);
                }
                Ok(_) => return Err(Fault::UpstreamMalformed(Malformed::Field)),
                Err(why) => return Err(Fault::UpstreamMalformed(why)),
            };
            let around = Circumstances {
                request: self.request,
                added: self.added,
                passage: self.passage,
                withheld: self.withheld,
                encoders: self.worker.shared.limits.encoders,
                // Asked only now: the edge may have begun to stop while the app was thinking.
                persistence: self.worker.persistence_after(self.request),
                uploading: self.uploading(),
                clock: self.worker.shared.clock,
            };
            let head = bytes.get(..length).unwrap_or_default();
            let kind =
                response::pass(head, &around, self.client).map_err(Fault::UpstreamMalformed)?;
            if let Kind::Withheld(_) = kind {
                return Ok(Some(kind)); // it stays where it is, to be read again
            }
            self.upstream.input.consume(length);
            self.progress.seen = 0;
            match kind {
                Kind::Interim if self.progress.interim < self.worker.shared.limits.interim => {
                    self.progress.interim += 1;
                }
                Kind::Interim => return Err(Fault::UpstreamMalformed(Malformed::Interim)),
                Kind::Switched | Kind::Final(_) | Kind::Withheld(_) => return Ok(Some(kind)),
            }
        }
    }

    /// Ready when it is not worth waiting any longer for a response to begin.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        if self.uploading() == Uploading::Done && self.client.poll_gone(cx).is_ready() {
            return Poll::Ready(Fault::ClientGone);
        }
        ready!(self.alarm.poll(cx));
        Poll::Ready(match &*self.upload {
            Upload::Streaming(pump) if pump.waiting() == Waiting::ForSource => Fault::ClientSlow,
            _ => Fault::UpstreamSlow,
        })
    }

    fn closed(&self) -> Fault {
        Fault::Closed(if self.progress.answered { Answered::Something } else { Answered::Nothing })
    }

    fn download_fault(leak: &Leak) -> Fault {
        match leak {
            Leak::Malformed(Malformed::Truncated) | Leak::Source(_) => {
                Fault::Closed(Answered::Something)
            }
            Leak::Malformed(why) => Fault::UpstreamMalformed(*why),
            Leak::Sink(_) => Fault::ClientGone,
        }
    }
}
