//! What happens to an accepted connection before HTTP: the PROXY protocol, then TLS.
//!
//! Each step has its time and its place; what fails is closed without a word, as there is nobody
//! yet to say it to. Memory that only these steps need is given back before the first request.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connection;
use crate::http2;
use crate::place::Tenancy;
use crate::preface::{self, InvalidPreface, Origin, Progress};
use crate::settings::{Preface, Speaks};
use crate::tls::{self, Inside, Shaken};
use crate::worker::Worker;

/// Brings a connection to where HTTP begins.
pub(crate) async fn admit(tenancy: Tenancy<TcpStream>, worker: Rc<Worker>) {
    let Tenancy { mut stream, mut arrival, door, mut place } = tenancy;
    if door.preface == Preface::ProxyProtocol {
        let patience = worker.shared.limits.handshake;
        match timeout(patience, origin(&mut stream)).await {
            Ok(Ok(Origin::Sender)) => {}
            Ok(Ok(Origin::Client(client))) => {
                arrival.sent_by(client, worker.trust(client.ip()));
                if !place.seat(client.ip(), arrival.trust) {
                    return;
                }
            }
            failed => {
                tracing::debug!(sender = %arrival.peer, ?failed, "no PROXY protocol");
                worker.shared.ledger.prefaces_refused.fetch_add(1, Relaxed);
                return;
            }
        }
    }
    match door.speaks {
        Speaks::Http => worker.keep(place, connection::serve(stream, arrival, Rc::clone(&worker))),
        Speaks::Https => {
            let Some(Shaken { stream, session }) = tls::shake(stream, &worker).await else {
                return;
            };
            let inside = session.inside;
            arrival.scheme = "https";
            arrival.tls = Some(Arc::new(session));
            // A session is large, and futures that are moved are stored twice.
            let stream = Box::new(stream);
            match inside {
                Inside::Http1 => {
                    worker.keep(place, connection::serve(stream, arrival, Rc::clone(&worker)));
                }
                Inside::Http2 => {
                    worker.keep(place, http2::serve(stream, arrival, Rc::clone(&worker)));
                }
            }
        }
    }
}

/// Reads a preface and not a byte more.
async fn origin(stream: &mut TcpStream) -> Result<Origin, Unknown> {
    let mut bytes = Vec::new();
    loop {
        match preface::look(&bytes)? {
            Progress::Whole(origin) => return Ok(origin),
            Progress::Partial(more) => {
                let here = bytes.len();
                bytes.resize(here + more, 0);
                stream.read_exact(bytes.get_mut(here..).unwrap_or_default()).await?;
            }
        }
    }
}

/// Why the origin of a connection is not known.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error(transparent)]
    Invalid(#[from] InvalidPreface),
    #[error("the sender is gone")]
    Gone(#[from] io::Error),
}
