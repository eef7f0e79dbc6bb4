//! One look at whether an instance can serve: a TCP connection, or an HTTP request. How often it
//! looks and what a failure leads to is control's affair.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::model::HttpProtocol;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The instance's address.
    pub address: IpAddr,
    /// Where it shall listen.
    pub port: u16,
    /// The HTTP path that shall answer; `None` where an accepted connection is enough.
    pub path: Option<String>,
    /// What it is asked by.
    pub protocol: HttpProtocol,
    /// What the request names as its host: an app may refuse names it does not know.
    pub host: String,
    /// The longest wait for connection and answer together.
    pub timeout: Duration,
}

/// Why an instance is not ready; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum ProbeFailure {
    /// Nobody listens.
    #[error("connection refused on port {port}")]
    Refused {
        /// Where.
        port: u16,
    },
    /// The connection failed in another way.
    #[error("no connection to port {port}")]
    Connect {
        /// Where.
        port: u16,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// Too slow.
    #[error("no answer within {} s", .after.as_secs_f64())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// It answered, and not well.
    #[error("answered {status} to GET {path}")]
    Status {
        /// The status.
        status: u16,
        /// What was asked for.
        path: String,
    },
    /// It closed the connection, or spoke something else than HTTP.
    #[error("no HTTP answer to GET {path}")]
    Http {
        /// What was asked for.
        path: String,
        /// What happened.
        #[source]
        source: hyper::Error,
    },
    /// It closed the connection, or does not speak HTTP/2 without being asked to.
    #[error("no HTTP/2 answer to GET {path}")]
    Http2 {
        /// What was asked for.
        path: String,
        /// What happened.
        #[source]
        source: h2::Error,
    },
    /// The path or host cannot be put into a request.
    #[error("`{path}` cannot be asked for")]
    Request {
        /// What was to be asked for.
        path: String,
        /// What is wrong with it.
        #[source]
        source: hyper::http::Error,
    },
}

/// Looks once.
pub async fn probe(target: &ProbeTarget) -> Result<(), ProbeFailure> {
    match timeout(target.timeout, look(target)).await {
        Ok(seen) => seen,
        Err(_) => Err(ProbeFailure::Timeout { after: target.timeout }),
    }
}

async fn look(target: &ProbeTarget) -> Result<(), ProbeFailure> {
    let port = target.port;
    let connection = TcpStream::connect(SocketAddr::new(target.address, port)).await;
    let connection = connection.map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => ProbeFailure::Refused { port },
        _ => ProbeFailure::Connect { port, source },
    })?;
    let Some(path) = &target.path else { return Ok(()) };
    let status = match target.protocol {
        HttpProtocol::Http1 => ask(connection, path, &target.host).await?,
        HttpProtocol::H2c => ask_http2(connection, path, &target.host).await?,
    };
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(ProbeFailure::Status { status: status.as_u16(), path: path.clone() })
    }
}

/// Sends one request and reads the head of the answer; the connection is then dropped, body and all.
async fn ask(connection: TcpStream, path: &str, host: &str) -> Result<StatusCode, ProbeFailure> {
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|source| ProbeFailure::Request { path: path.to_owned(), source })?;
    let failed = |source| ProbeFailure::Http { path: path.to_owned(), source };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
    let answer = driven(connection, sender.send_request(request)).await;
    Ok(answer.map_err(failed)?.status())
}

/// The same over HTTP/2 with prior knowledge (RFC 9113 section 3.3), as the edge speaks to it.
async fn ask_http2(
    connection: TcpStream,
    path: &str,
    host: &str,
) -> Result<StatusCode, ProbeFailure> {
    let request = Request::get(format!("http://{host}{path}"))
        .header(USER_AGENT, AGENT)
        .body(())
        .map_err(|source| ProbeFailure::Request { path: path.to_owned(), source })?;
    let failed = |source| ProbeFailure::Http2 { path: path.to_owned(), source };
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).max_header_list_size(MOST_HEAD);
    let handshake = builder.handshake::<_, Bytes>(connection).await;
    let (sender, connection) = handshake.map_err(failed)?;
    let exchange = async {
        let mut sender = sender.ready().await?;
        sender.send_request(request, true)?.0.await
    };
    let answer = driven(connection, exchange).await;
    Ok(answer.map_err(failed)?.status())
}

/// What comes of an exchange on a connection that has to be polled beside it.
async fn driven<T, E>(
    connection: impl Future<Output = Result<(), E>>,
    exchange: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::pin!(connection, exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection may be done before its answer has been picked up.
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error),
        },
    }
}

/// Bytes of the head of an answer.
const MOST_HEAD: u32 = 64 * 1024;
/// What an app's access log shows.
const AGENT: &str = "paas-health";

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Serves one connection with `answer` once a request's head has come, and returns the head.
    async fn check(answer: &'static str, path: Option<&str>) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while path.is_some() && !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        let target = ProbeTarget {
            address: address.ip(),
            port: address.port(),
            path: path.map(str::to_owned),
            protocol: HttpProtocol::Http1,
            host: "shop.localhost".to_owned(),
            timeout: Duration::from_secs(5),
        };
        let (seen, head) = tokio::join!(probe(&target), server);
        (seen.map_err(|failure| failure.to_string()), head)
    }

    #[tokio::test]
    async fn a_good_answer_is_2xx_or_3xx() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Ok(())),
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
            ("HTTP/1.0 302 Found\r\nlocation: /\r\n\r\n", Ok(())),
            ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", Err("answered 500 to GET /up")),
            ("HTTP/1.1 404 Not Found\r\n\r\n", Err("answered 404 to GET /up")),
            ("220 smtp ready\r\n", Err("no HTTP answer to GET /up")),
            ("", Err("no HTTP answer to GET /up")),
        ] {
            let (seen, head) = check(answer, Some("/up")).await;
            assert_eq!(seen, expected.map_err(str::to_owned), "{answer}");
            assert!(head.starts_with("GET /up HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("host: shop.localhost\r\n"), "{head}");
        }
    }

    #[tokio::test]
    async fn without_a_path_a_connection_is_enough() {
        assert_eq!(check("", None).await.0, Ok(()));
    }

    #[tokio::test]
    async fn silence_and_refusal_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut target = ProbeTarget {
            address: address.ip(),
            port: address.port(),
            path: Some("/".to_owned()),
            protocol: HttpProtocol::Http1,
            host: "x".to_owned(),
            timeout: Duration::from_millis(50),
        };
        assert_eq!(probe(&target).await.unwrap_err().to_string(), "no answer within 0.05 s");
        drop(listener);
        target.timeout = Duration::from_secs(5);
        let refused = probe(&target).await.unwrap_err().to_string();
        assert_eq!(refused, format!("connection refused on port {}", address.port()));
    }

    /// What a real server of HTTP/2 without TLS says to one probe: this status, or none if it ends
    /// the connection after the preface.
    async fn check_http2(status: Option<u16>) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let Some(status) = status else { return };
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!((request.method().as_str(), request.uri().path()), ("GET", "/up"));
            assert_eq!(request.uri().authority().unwrap(), "shop.localhost");
            let answer = hyper::Response::builder().status(status).body(()).unwrap();
            respond.send_response(answer, true).unwrap();
            while connection.accept().await.is_some() {}
        };
        let target = ProbeTarget {
            address: address.ip(),
            port: address.port(),
            path: Some("/up".to_owned()),
            protocol: HttpProtocol::H2c,
            host: "shop.localhost".to_owned(),
            timeout: Duration::from_secs(5),
        };
        let (seen, ()) = tokio::join!(probe(&target), server);
        seen.map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn an_app_that_speaks_http2_is_asked_by_it() {
        for (status, expected) in [
            (Some(204), Ok(())),
            (Some(302), Ok(())),
            (Some(503), Err("answered 503 to GET /up")),
            (None, Err("no HTTP/2 answer to GET /up")),
        ] {
            assert_eq!(check_http2(status).await, expected.map_err(str::to_owned), "{status:?}");
        }
    }

    /// An app that says h2c and speaks something else is not ready, and that is said.
    #[tokio::test]
    async fn a_server_of_http1_is_no_server_of_http2() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut preface = [0; 24];
            socket.read_exact(&mut preface).await.unwrap();
            socket
                .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
        };
        let target = ProbeTarget {
            address: address.ip(),
            port: address.port(),
            path: Some("/up".to_owned()),
            protocol: HttpProtocol::H2c,
            host: "x".to_owned(),
            timeout: Duration::from_secs(5),
        };
        let (seen, ()) = tokio::join!(probe(&target), server);
        assert_eq!(seen.unwrap_err().to_string(), "no HTTP/2 answer to GET /up");
    }
}
