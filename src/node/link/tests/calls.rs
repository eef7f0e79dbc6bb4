//! Requests and answers, streamed both ways.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Method, Request, StatusCode, body::Frame};
use tokio::sync::mpsc;

use super::{
    super::{
        Answered, Body, BodyError, LinkError, LinkState, empty, full, until, wire::OWN_VERSION,
    },
    world::{pair, soon},
};

type Pieces = mpsc::Sender<Result<Bytes, BodyError>>;

/// A body that is written while it is sent.
fn written() -> (Pieces, Body) {
    let (pieces, receiver) = mpsc::channel::<Result<Bytes, BodyError>>(1);
    let stream = stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((piece.map(Frame::data), receiver))
    });
    (pieces, StreamBody::new(stream).boxed_unsync())
}

fn post(path: &str, body: Body) -> Request<Body> {
    Request::builder().method(Method::POST).uri(path).body(body).unwrap()
}

#[tokio::test]
async fn both_sides_know_who_the_other_is() {
    let (_authority, daemon, caller) = pair(None).await;
    let (status, said) = caller.ask("/who").await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(said.starts_with(&format!("a {OWN_VERSION} ")), "{said}");
    let state = caller.link.state().borrow().clone();
    let LinkState::Up { version, .. } = state else { panic!("{state:?}") };
    assert_eq!(version.as_deref(), Some(OWN_VERSION));
    assert_eq!(caller.ask("/nothing").await.unwrap().0, StatusCode::NOT_FOUND);
    drop(daemon);
}

#[tokio::test]
async fn an_answer_comes_while_the_request_is_sent() {
    let (_authority, _daemon, caller) = pair(None).await;
    let (pieces, body) = written();
    let answer = soon("an answer", caller.link.call(post("/echo", body))).await.unwrap();
    let mut body = answer.into_body();
    for word in ["one", "two", "three"] {
        pieces.send(Ok(Bytes::from(word))).await.unwrap();
        let frame = soon("a piece", body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), word);
    }
    drop(pieces);
    assert!(soon("the end", body.frame()).await.is_none());
}

#[tokio::test]
async fn half_a_body_does_not_look_whole() {
    let (_authority, _daemon, caller) = pair(None).await;
    let (pieces, body) = written();
    let answer = soon("an answer", caller.link.call(post("/echo", body))).await.unwrap();
    pieces.send(Ok(Bytes::from("one"))).await.unwrap();
    pieces.send(Err("no more".into())).await.unwrap();
    let collected = soon("an end", answer.into_body().collect()).await;
    assert!(collected.is_err(), "{collected:?}");
}

#[tokio::test]
async fn a_large_body_comes_back_whole() {
    let (_authority, _daemon, caller) = pair(None).await;
    let sent: Vec<u8> = (0..8_u32 << 20).map(|at| u8::try_from(at / 3 % 251).unwrap()).collect();
    let request = post("/echo", full(sent.clone()));
    let answer = soon("an answer", caller.link.call(request)).await.unwrap();
    let back = soon("a body", answer.into_body().collect()).await.unwrap().to_bytes();
    assert!(back == sent, "{} bytes came back", back.len());
}

#[tokio::test]
async fn who_gives_up_is_not_served_on() {
    let (_authority, daemon, caller) = pair(None).await;
    let mut waiting = daemon.town.waiting.subscribe();
    let link = caller.link.clone();
    let call = tokio::spawn(async move { link.call(post("/never", empty())).await });
    soon("it waits", waiting.wait_for(|waiting| *waiting)).await.unwrap();
    call.abort();
    soon("it is given up", waiting.wait_for(|waiting| !*waiting)).await.unwrap();
    assert_eq!(caller.ask("/who").await.unwrap().0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_request_is_said_so() {
    let (_authority, _daemon, caller) = pair(None).await;
    let mut connect = Request::new(empty());
    *connect.method_mut() = Method::CONNECT;
    let mut hop = Request::new(empty());
    hop.headers_mut().insert("connection", "close".parse().unwrap());
    for request in [connect, hop] {
        let answer = soon("an answer", caller.link.call(request)).await;
        assert!(matches!(answer, Err(LinkError::Request(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn whoever_leads_says_its_term_of_the_moment_in_every_request_and_answer() {
    let (authority, daemon, caller) = pair(None).await;
    let term = async || {
        let mut request = Request::new(empty());
        *request.uri_mut() = "/term".parse().unwrap();
        let answer = soon("an answer", caller.link.call(request)).await.unwrap();
        let answered = answer.extensions().get::<Answered>().unwrap().term;
        let heard = soon("a body", answer.into_body().collect()).await.unwrap().to_bytes();
        (String::from_utf8(heard.to_vec()).unwrap(), answered)
    };
    assert_eq!(term().await, ("None".to_owned(), None));
    caller.credentials.send_replace(authority.leader("a", 7));
    daemon.credentials.send_replace(authority.leader("b", 3));
    assert_eq!(term().await, ("Some(7)".to_owned(), Some(3)));
    caller.credentials.send_replace(authority.identity("a"));
    daemon.credentials.send_replace(authority.identity("b"));
    assert_eq!(term().await, ("None".to_owned(), None), "over the same connection");
}

#[tokio::test]
async fn a_body_breaks_off_when_it_is_to() {
    let (pieces, body) = written();
    let (over, said) = tokio::sync::oneshot::channel::<BodyError>();
    let mut body = until(body, async { said.await.unwrap() });
    pieces.send(Ok(Bytes::from("one"))).await.unwrap();
    let frame = soon("a piece", body.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "one");
    over.send("no more".into()).unwrap();
    let broken = soon("an end", body.frame()).await.unwrap().unwrap_err();
    assert_eq!(broken.to_string(), "no more");
    assert!(soon("the end", body.frame()).await.is_none());
}
