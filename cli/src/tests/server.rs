//! A server that answers what a test tells it to, over a socket file, TCP or TLS, and notes what
//! it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header::AUTHORIZATION, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};

/// What it answers and what it was asked.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    /// By `METHOD /path?query`; the last answer stays.
    answers: BTreeMap<String, VecDeque<(u16, String)>>,
    asked: Vec<Asked>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) token: Option<String>,
    pub(super) body: Bytes,
}

impl Server {
    /// Answers `what` with JSON.
    pub(super) fn on(&self, what: &str, answer: &impl serde::Serialize) -> &Self {
        self.answer(what, 200, &serde_json::to_string(answer).unwrap())
    }

    /// Answers `what` with a stream of lines.
    pub(super) fn stream(&self, what: &str, lines: &[impl serde::Serialize]) -> &Self {
        let lines = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n");
        self.answer(what, 200, &lines.collect::<String>())
    }

    /// Answers `what` with a fault.
    pub(super) fn refuse(&self, what: &str, status: u16, code: api::FaultCode) -> &Self {
        let fault = api::Fault {
            code,
            message: format!("no `{what}`"),
            hint: None,
            request_id: "r1".to_owned(),
        };
        self.answer(what, status, &serde_json::to_string(&fault).unwrap())
    }

    /// Several answers to the same are given one after the other.
    pub(super) fn answer(&self, what: &str, status: u16, text: &str) -> &Self {
        let mut book = self.0.lock().unwrap();
        let answers = book.answers.entry(what.to_owned()).or_default();
        answers.push_back((status, text.to_owned()));
        drop(book);
        self
    }

    /// All requests, as `METHOD /path?query`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|asked| asked.what).collect()
    }

    /// All requests.
    pub(super) fn requests(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Listens on this machine; returns the address.
    pub(super) async fn on_tcp(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        url
    }

    /// Listens on a socket file in `folder`.
    pub(super) fn on_unix(&self, folder: &Path) -> PathBuf {
        let socket = folder.join("api.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        socket
    }

    /// Listens with TLS; `names` are what its certificate is for. Returns the address.
    pub(super) async fn on_tls(&self, authority: &Authority, names: &[&str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (chain, key) = authority.issue(names);
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, server) = (acceptor.clone(), server.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        server.serve(stream).await;
                    }
                });
            }
        });
        url
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| self.clone().reply(request));
        let http = hyper::server::conn::http1::Builder::new();
        http.serve_connection(TokioIo::new(stream), service).await.ok();
    }

    async fn reply(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let what = format!("{} {}", request.method(), request.uri());
        let token = request.headers().get(AUTHORIZATION);
        let token = token.map(|value| value.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
        let mut book = self.0.lock().unwrap();
        book.asked.push(Asked { what: what.clone(), token, body: body.unwrap_or_default() });
        let (status, text) = match book.answers.get_mut(&what) {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers.front().cloned().unwrap(),
            None => (500, format!("nobody told this server what to say to {what}")),
        };
        Ok(Response::builder().status(status).body(Full::from(text)).unwrap())
    }
}

/// A certificate authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// As `paas init` shows it.
    pub(super) fn fingerprint(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(self.0.der())))
    }

    fn issue(&self, names: &[&str]) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let chain = vec![leaf.der().clone(), self.0.der().clone()];
        (chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    /// A chain that shows the authority of another, which signed nothing in it.
    pub(super) fn impostor(&self) -> Impostor<'_> {
        Impostor(self)
    }
}

/// Presents an authority's certificate without having its key.
pub(super) struct Impostor<'a>(&'a Authority);

impl Impostor<'_> {
    /// Listens with TLS under a certificate of its own and the other's authority after it.
    pub(super) async fn on_tls(&self) -> String {
        let own = Authority::new();
        let (mut chain, key) = own.issue(&["127.0.0.1", "paas.internal"]);
        chain.truncate(1);
        chain.push(self.0.0.der().clone());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                assert!(acceptor.accept(stream).await.is_err(), "somebody believed an impostor");
            }
        });
        url
    }
}
