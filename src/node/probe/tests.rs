//! Real sockets that answer well, badly, slowly, too much or not at all.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn target(at: SocketAddr, path: Option<&str>, protocol: HttpProtocol) -> ProbeTarget {
    let path = path.map(str::to_owned);
    let check = HealthCheck { path, timeout: Duration::from_secs(5), ..HealthCheck::default() };
    ProbeTarget { at, door: false, protocol, host: "shop.localhost".to_owned(), check }
}

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
    let target = target(address, path, HttpProtocol::Http1);
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
    let mut target = target(address, Some("/"), HttpProtocol::Http1);
    target.check.timeout = Duration::from_millis(50);
    assert_eq!(probe(&target).await.unwrap_err().to_string(), "no answer within 0.05 s");
    drop(listener);
    target.check.timeout = Duration::from_secs(5);
    let refused = probe(&target).await.unwrap_err().to_string();
    assert_eq!(refused, format!("connection refused on port {}", address.port()));
}

/// The port of a door is no instance's, so it is not said.
#[tokio::test]
async fn behind_a_door_it_is_said_whether_the_machine_or_the_instance_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(listener.local_addr().unwrap(), Some("/"), HttpProtocol::Http1);
    target.door = true;
    let shut = async { drop(listener.accept().await.unwrap()) };
    let (seen, ()) = tokio::join!(probe(&target), shut);
    assert_eq!(seen.unwrap_err().to_string(), "nothing answers at its port on its machine");
    drop(listener);
    let seen = probe(&target).await;
    assert_eq!(seen.unwrap_err().to_string(), "its machine is not reached");
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
        let answer = Response::builder().status(status).body(()).unwrap();
        respond.send_response(answer, true).unwrap();
        while connection.accept().await.is_some() {}
    };
    let target = target(address, Some("/up"), HttpProtocol::H2c);
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
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await.unwrap();
    };
    let target = target(address, Some("/up"), HttpProtocol::H2c);
    let (seen, ()) = tokio::join!(probe(&target), server);
    assert_eq!(seen.unwrap_err().to_string(), "no HTTP/2 answer to GET /up");
}

/// What a server that writes `portions`, one after the other, and then does as `last` says, is taken for.
async fn heard(
    portions: &[&[u8]],
    last: Last,
    change: impl FnOnce(&mut HealthCheck),
) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(listener.local_addr().unwrap(), Some("/up"), HttpProtocol::Http1);
    change(&mut target.check);
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        for portion in portions {
            // Whoever has heard enough hangs up.
            if socket.write_all(portion).await.is_err() || socket.flush().await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        match last {
            Last::Hangs => std::future::pending().await,
            Last::Floods => while socket.write_all(&[b'x'; 8192]).await.is_ok() {},
            Last::Closes => {}
        }
    };
    tokio::select! {
        biased;
        seen = probe(&target) => seen.map_err(|failure| failure.to_string()),
        () = async { server.await; std::future::pending().await } => unreachable!(),
    }
}

#[derive(Clone, Copy)]
enum Last {
    Closes,
    Hangs,
    Floods,
}

fn wants(text: &'static str) -> impl FnOnce(&mut HealthCheck) {
    move |check| check.body = Some(text.to_owned())
}

#[tokio::test]
async fn a_body_is_read_until_it_says_what_it_should_and_no_further() {
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let split: &[&[u8]] = &[chunked, b"4\r\nI am\r\n", b"3\r\n al\r\n", b"4\r\nive!\r\n"];
    assert_eq!(heard(split, Last::Hangs, wants("am alive")).await, Ok(()));
    let endless: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\n\r\n"];
    let missing = Err("the answer to GET /up does not contain `ok`".to_owned());
    assert_eq!(heard(endless, Last::Floods, wants("ok")).await, missing);
    let whole: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"];
    assert_eq!(heard(whole, Last::Hangs, wants("ok")).await, missing);
    // A body that nobody asked about is not read at all.
    assert_eq!(heard(endless, Last::Floods, |_| ()).await, Ok(()));
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let soon = |check: &mut HealthCheck| check.timeout = Duration::from_millis(100);
    for half in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nx: y\r\n"] {
        let seen = heard(&[half], Last::Hangs, soon).await;
        assert_eq!(seen, Err("no answer within 0.1 s".to_owned()), "{half:?}");
    }
    let head: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\no"];
    let body = |check: &mut HealthCheck| {
        soon(check);
        check.body = Some("ok".to_owned());
    };
    assert_eq!(heard(head, Last::Hangs, body).await, Err("no answer within 0.1 s".to_owned()));
    let cut = heard(head, Last::Closes, wants("ok")).await;
    assert_eq!(cut, Err("no HTTP answer to GET /up".to_owned()));
    let endless: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nx: "];
    assert!(heard(endless, Last::Floods, |_| ()).await.is_err(), "a head has an end");
}

#[tokio::test]
async fn the_check_says_which_statuses_are_good_and_what_is_sent() {
    let teapot: &[&[u8]] = &[b"HTTP/1.1 418 No\r\n\r\n"];
    let status =
        |text: &'static str| move |check: &mut HealthCheck| check.status = text.parse().unwrap();
    assert_eq!(heard(teapot, Last::Closes, status("200,418")).await, Ok(()));
    let moved: &[&[u8]] = &[b"HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\n"];
    let refused = Err("answered 302 to GET /up".to_owned());
    assert_eq!(heard(moved, Last::Closes, status("200-299")).await, refused);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(listener.local_addr().unwrap(), Some("/up"), HttpProtocol::Http1);
    target.check.host = Some("x.test".to_owned());
    target.check.headers.insert("x-check".to_owned(), "yes".to_owned());
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let (seen, head) = tokio::join!(probe(&target), server);
    assert!(seen.is_ok() && head.contains("host: x.test\r\n") && head.contains("x-check: yes"));
}
