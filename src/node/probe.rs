//! One look at whether an instance can serve: a TCP connection, or an HTTP request. How often it
//! looks and what a failure leads to is control's affair.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The instance's address.
    pub address: IpAddr,
    /// Where it shall listen.
    pub port: u16,
    /// The HTTP path that shall answer; `None` where an accepted connection is enough.
    pub path: Option<String>,
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
    match &target.path {
        Some(path) => ask(connection, path, &target.host).await,
        None => Ok(()),
    }
}

/// Sends one request and reads the head of the answer; the connection is then dropped, body and all.
async fn ask(connection: TcpStream, path: &str, host: &str) -> Result<(), ProbeFailure> {
    let request = Request::get(path)
        .header(HOST, host)
        .header("user-agent", "paas-health")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|source| ProbeFailure::Request { path: path.to_owned(), source })?;
    let failed = |source| ProbeFailure::Http { path: path.to_owned(), source };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
    let exchange = async {
        tokio::pin!(connection);
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // The connection may be done before its answer has been picked up.
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(error),
            },
        }
    };
    let status = exchange.await.map_err(failed)?.status();
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(ProbeFailure::Status { status: status.as_u16(), path: path.to_owned() })
    }
}

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
            host: "x".to_owned(),
            timeout: Duration::from_millis(50),
        };
        assert_eq!(probe(&target).await.unwrap_err().to_string(), "no answer within 0.05 s");
        drop(listener);
        target.timeout = Duration::from_secs(5);
        let refused = probe(&target).await.unwrap_err().to_string();
        assert_eq!(refused, format!("connection refused on port {}", address.port()));
    }
}
