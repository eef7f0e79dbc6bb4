//! One handshake: from the first byte to a stream, within its time.
//!
//! Signing takes as long as answering a dozen requests, so a worker begins one handshake at a time
//! and looks at everything else in between: a rush of new clients slows new clients.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use rustls::server::Acceptor;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::meter::Failure;
use super::session::{Session, is_resumed};
use super::terms::Choice;
use crate::worker::Worker;

/// A stream that carries HTTP, and how it came about.
#[derive(Debug)]
pub(crate) struct Shaken {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) session: Session,
}

/// Shakes hands; `None` if it failed or if there was nothing else to do. Either way it is counted.
pub(crate) async fn shake(stream: TcpStream, worker: &Worker) -> Option<Shaken> {
    let meter = &worker.shared.ledger.tls;
    let patience = worker.shared.limits.handshake;
    let failure = match timeout(patience, negotiate(stream, worker)).await {
        Ok(Ok(Some(shaken))) => {
            meter.succeeded(is_resumed(shaken.stream.get_ref().1));
            return Some(shaken);
        }
        Ok(Ok(None)) => {
            meter.proved();
            return None;
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::Slow,
    };
    tracing::debug!(?failure, "a handshake failed");
    meter.failed(failure);
    None
}

/// `None` is a proof that was shown.
async fn negotiate(stream: TcpStream, worker: &Worker) -> Result<Option<Shaken>, Failure> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
    let mut start = start.map_err(|error| failure(&error))?;
    // The greeting is answered by the terms of this moment, however long it waits for its turn.
    let (config, host, proof) = match worker.terms().choose(&start.client_hello()) {
        Choice::Serve(config, host) => (config, host, Proof::NotAsked),
        Choice::Prove(config) => (config, None, Proof::Shown),
        Choice::Unknown => {
            // rustls would say `access_denied`. That nobody reads it is no reason to wait.
            let _ = start.io.write_all(UNRECOGNIZED_NAME).await;
            return Err(Failure::UnknownName);
        }
    };
    let turn = worker.turn().await;
    let accept = start.into_stream(config);
    tokio::task::yield_now().await;
    drop(turn);
    let mut stream = accept.await.map_err(|error| failure(&error))?;
    if proof == Proof::Shown {
        // Best effort: the authority has seen what it came for.
        let _ = poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await;
        return Ok(None);
    }
    let session = Session::of(stream.get_ref().1, host);
    Ok(Some(Shaken { stream, session }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    NotAsked,
    Shown,
}

fn failure(error: &io::Error) -> Failure {
    use rustls::Error;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Failure::Incompatible,
        Some(Error::AlertReceived(_)) => Failure::Refused,
        Some(_) => Failure::Malformed,
        None => Failure::Gone,
    }
}

/// A fatal alert of this kind (RFC 8446 section 6, RFC 6066 section 3) as a record of its own.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];
