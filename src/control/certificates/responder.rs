//! One question to an OCSP responder, and its answer as bytes (RFC 6960 appendix A.1).
//!
//! The responder is named by a certificate that somebody with a token brought, so it is no stranger's
//! choice where we connect to. Still: one connection, one request, no redirection is followed, and
//! nothing of the answer is shown to anybody before the issuer's signature on it is verified.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The certificate names it by something else than a URL.
    #[error("`{0}` is no URL of a responder")]
    Url(String),
    /// Nobody is there.
    #[error("no connection to {place}")]
    Connect {
        /// Host and port.
        place: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It does not speak HTTP.
    #[error("the responder gave no HTTP answer")]
    Http(#[from] hyper::Error),
    /// It said something else.
    #[error("the responder answered {0}")]
    Status(StatusCode),
    /// The answer is longer than any, or broke off.
    #[error("the answer is longer than {MOST} bytes, or broke off")]
    Body,
    /// Too slow.
    #[error("the responder did not answer within {} s", PATIENCE.as_secs())]
    Slow,
}

/// Asks once.
pub(super) async fn ask(url: &str, question: Vec<u8>) -> Result<Bytes, Unanswered> {
    timeout(PATIENCE, exchange(url, question)).await.unwrap_or(Err(Unanswered::Slow))
}

async fn exchange(url: &str, question: Vec<u8>) -> Result<Bytes, Unanswered> {
    let wrong = || Unanswered::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, "paas-ocsp")
        .header(CONTENT_TYPE, "application/ocsp-request")
        .header(ACCEPT, "application/ocsp-response")
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::from(question)))
        .map_err(|_| wrong())?;
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|source| {
        let place = format!("{host}:{port}");
        Unanswered::Connect { place, source }
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(Unanswered::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|_| Unanswered::Body)
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection may be done before its answer has been picked up.
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

/// Bytes of an answer: some have a chain of certificates in them. A record has 64 KiB.
const MOST: usize = 16 * 1024;
/// For connection and answer together.
const PATIENCE: Duration = Duration::from_secs(10);
