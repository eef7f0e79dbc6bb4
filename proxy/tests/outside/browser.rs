//! A real browser: a page over TLS that opens a WebSocket, as people will use it.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::{run, tls_stage};
use crate::stage::{Origin, PATIENCE, Seen, Then};

/// The page is loaded once the picture is there, and the origin holds that back until the script
/// has told it over the WebSocket what it got over the WebSocket.
const PAGE: &str = r#"<!doctype html><title>edge</title><p id="said">nothing yet</p><img src="/held">
<script>
  const socket = new WebSocket(`wss://${location.host}/socket`);
  socket.onmessage = (event) => {
    document.getElementById("said").textContent = `${location.protocol} ${event.data}`;
    socket.send("seen");
  };
</script>"#;

/// Set once the browser has said that it saw the message.
#[derive(Debug, Default)]
struct Told {
    told: Mutex<bool>,
    changed: Condvar,
}

#[test]
fn a_browser_loads_a_page_with_a_websocket() {
    let told = Arc::new(Told::default());
    let origin = Origin::start(move |seen, stream| answer(seen, stream, &told));
    let (stage, key) = tls_stage(&origin);
    let port = stage.address().port();
    let pin = BASE64_STANDARD.encode(Sha256::digest(key));
    let profile = tempfile::tempdir().unwrap();
    let said = run(
        "chromium",
        "chromium",
        &[
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            &format!("--user-data-dir={}", profile.path().display()),
            "--host-resolver-rules=MAP app.test 127.0.0.1",
            &format!("--ignore-certificate-errors-spki-list={pin}"),
            "--dump-dom",
            &format!("https://app.test:{port}/"),
        ],
    );
    said.has(r#"<p id="said">https: hello from the origin</p>"#);
    assert_eq!(origin.faults(), Vec::<String>::new());
}

fn answer(seen: &Seen, stream: &mut TcpStream, told: &Told) -> Then {
    let target = seen.head.split(' ').nth(1).unwrap();
    match target {
        "/" => say(stream, "text/html", PAGE),
        "/socket" => {
            talk(seen, stream);
            *told.told.lock().unwrap() = true;
            told.changed.notify_all();
            return Then::Close;
        }
        "/held" => {
            let waiting = told.told.lock().unwrap();
            drop(told.changed.wait_timeout_while(waiting, PATIENCE, |told| !*told).unwrap());
            say(stream, "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>");
        }
        _ => say(stream, "text/plain", ""),
    }
    Then::KeepOpen
}

fn say(stream: &mut TcpStream, kind: &str, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    // The browser may have given up; what it shows is what counts.
    let _ = stream.write_all((head + body).as_bytes());
}

/// Switches protocols, says hello and waits until the browser has seen it.
fn talk(seen: &Seen, stream: &mut TcpStream) {
    let key = seen.field("Sec-WebSocket-Key").expect("a WebSocket key");
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    socket.send(Message::text("hello from the origin")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("seen"));
}
