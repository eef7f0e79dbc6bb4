//! The HTTP client under instant-acme, which itself bounds nothing: every request has a timeout,
//! every answer a size, and an answer that asks for patience keeps its `Retry-After`.
//!
//! Invariant: only https leaves this machine, to authorities that it trusts or was given a root of.

use std::{fmt, future::Future, path::Path, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Request, Response, header::RETRY_AFTER};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{
    ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use tokio::time::timeout;

use crate::acme::{
    AcmeError,
    error::{shorten, words},
};

/// Requests to authorities; cheap to clone, with one pool of connections.
#[derive(Clone)]
pub(super) struct Client(Pool<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

/// Why a request has no answer that the protocol knows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No answer.
    #[error("{0}")]
    Connection(String),
    /// An answer that is a failure of the server, or asks for patience.
    #[error("status {status}: {reason}")]
    Status { status: u16, reason: String, after: Option<Duration> },
}

impl Client {
    /// Trusts whom this machine trusts, and the root in this PEM file.
    pub(super) fn new(root: Option<&Path>) -> Result<Self, AcmeError> {
        let failed = |what: String| AcmeError::Unreachable {
            directory: "the certificate authority".to_owned(),
            reason: what,
        };
        let extra = match root {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                read.map_err(|error| failed(format!("its root {}: {error}", path.display())))?
            }
            None => Vec::new(),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(extra, provider.clone())
            .map_err(|error| failed(format!("this machine trusts nobody: {error}")))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector.build());
        Ok(Self(pool))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answer = self.0.request(request);
        Box::pin(async move {
            let exchange = async {
                let (parts, body) = answer.await.map_err(|error| failure(&error))?.into_parts();
                let body = Limited::new(body, MOST_BODY).collect().await;
                let body = body.map_err(|error| Failure::Connection(error.to_string()))?;
                Ok(Response::from_parts(parts, body.to_bytes()))
            };
            let late = || Failure::Connection(format!("no answer in {} s", TIMEOUT.as_secs()));
            let answer = timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| Err(late()));
            let answer =
                answer.and_then(refused).map_err(|failure| Error::Other(failure.into()))?;
            Ok(BytesResponse::from(answer.map(Full::new)))
        })
    }
}

/// Takes out what instant-acme would lose: the delay of a refusal, and failures that are not JSON.
fn refused(answer: Response<Bytes>) -> Result<Response<Bytes>, Failure> {
    let status = answer.status().as_u16();
    if status < 500 && status != 429 {
        return Ok(answer);
    }
    let reason = match serde_json::from_slice(answer.body()) {
        Ok(problem) => words(&problem),
        Err(_) => shorten(&String::from_utf8_lossy(answer.body())),
    };
    Err(Failure::Status { status, reason, after: retry_after(answer.headers()) })
}

/// Seconds; the form with a date is not used by authorities, and would need the wall clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_PATIENCE))
}

/// The causes are what says something: `client error (Connect)` is only the beginning.
fn failure(error: &hyper_util::client::legacy::Error) -> Failure {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(source) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&source.to_string());
        cause = source.source();
    }
    Failure::Connection(if text.is_empty() { error.to_string() } else { shorten(&text) })
}

/// For one request, with the connection it may need: authorities are slow when many ask.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A connection without requests is closed before the authority does it.
const IDLE: Duration = Duration::from_secs(15);
/// As many as orders are under way.
const IDLE_CONNECTIONS: usize = 8;
/// Bytes of an answer: a chain has about ten thousand.
const MOST_BODY: usize = 256 * 1024;
/// The longest that an authority is believed to want to be left alone.
const MOST_PATIENCE: Duration = Duration::from_hours(7 * 24);
