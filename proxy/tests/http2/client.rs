//! An honest HTTP/2 client, and an honest h2c origin: the library's own, with what tests ask for.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::link;
use crate::stage::{PATIENCE, Stage};

/// Runs a client's side of a test, which must end in time.
pub(crate) fn run<T>(side: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, side).await.expect("it took too long") })
}

/// A client connection.
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    /// How the connection ended.
    pub(crate) ended: oneshot::Receiver<Result<(), h2::Error>>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Whole {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Http2 {
    pub(crate) async fn connect(stage: &Stage) -> Self {
        let stream = link::open_async(stage).await;
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).initial_window_size(1 << 20);
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            let _ = end.send(connection.await);
        });
        Self { sender, ended }
    }

    pub(crate) async fn ready(&mut self) -> Result<(), h2::Error> {
        let ready = self.sender.clone().ready().await?;
        self.sender = ready;
        Ok(())
    }

    /// Opens a stream whose body is still to be sent.
    pub(crate) async fn open(
        &mut self,
        request: Request<()>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.ready().await?;
        self.sender.send_request(request, false)
    }

    /// Sends a request without a body.
    pub(crate) async fn send(&mut self, request: Request<()>) -> Result<Whole, h2::Error> {
        self.ready().await?;
        let (response, _) = self.sender.send_request(request, true)?;
        whole(response.await?).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Whole, h2::Error> {
        self.send(request(Method::GET, path)).await
    }
}

/// An ordinary request to the stage's app.
pub(crate) fn request(method: Method, path: &str) -> Request<()> {
    let uri = format!("https://app.test{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

/// Reads an answer to its end.
pub(crate) async fn whole(response: Response<RecvStream>) -> Result<Whole, h2::Error> {
    let (parts, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await?;
    Ok(Whole { status: parts.status.as_u16(), fields: parts.headers, body, trailers })
}

/// Sends all of a body as the window allows.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, body: Bytes) -> Result<(), h2::Error> {
    let mut rest = body;
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let Some(room) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return Ok(());
        };
        let room = room?.min(rest.len());
        stream.send_data(rest.split_to(room), false)?;
    }
    Ok(())
}

/// One request as an h2c origin saw it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) authority: String,
    pub(crate) fields: HeaderMap,
    /// Which of the origin's connections it came on, from 0.
    pub(crate) connection: usize,
}

/// An upstream that speaks h2c.
#[derive(Debug, Clone)]
pub(crate) struct H2cOrigin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    open: Arc<Mutex<usize>>,
}

pub(crate) type Respond = h2::server::SendResponse<Bytes>;

impl H2cOrigin {
    /// Answers every request by `answer`, each in a task of its own.
    pub(crate) fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Asked, RecvStream, Respond) -> A + Send + Sync + Clone + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Self { address, seen: Arc::default(), open: Arc::default() };
        let running = origin.clone();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(running.serve(listener, answer));
        });
        origin
    }

    async fn serve<F, A>(self, listener: std::net::TcpListener, answer: F)
    where
        F: Fn(Asked, RecvStream, Respond) -> A + Send + Sync + Clone + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::from_std(listener).unwrap();
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (origin, answer) = (self.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut incoming) = h2::server::handshake(stream).await else { return };
                *origin.open.lock().unwrap() += 1;
                while let Some(Ok((request, respond))) = incoming.accept().await {
                    let (parts, body) = request.into_parts();
                    let asked = Asked {
                        method: parts.method,
                        path: parts.uri.path().to_owned(),
                        authority: parts.uri.authority().unwrap().to_string(),
                        fields: parts.headers,
                        connection,
                    };
                    origin.seen.lock().unwrap().push(asked.clone());
                    tokio::spawn(answer(asked, body, respond));
                }
                *origin.open.lock().unwrap() -= 1;
            });
        }
    }

    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        *self.open.lock().unwrap()
    }
}
