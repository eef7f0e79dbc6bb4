//! Bytes through a tunnel: all of them, no more in memory than the windows, and ends that are told
//! from breaks.

use std::time::Duration;

use hyper::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::timeout,
};

use super::{
    super::{LinkError, Tunnel},
    world::{Caller, pair, soon, target},
};

const PIECE: usize = 64 << 10;
const PIECES: usize = 1024;

/// What the piece with this number consists of; no two neighbours are alike.
fn piece(number: usize) -> Vec<u8> {
    (0..PIECE).map(|at| u8::try_from((at + number * 31) % 251).unwrap()).collect()
}

/// Writes all pieces and ends; says as it goes how many are taken.
async fn write(mut to: impl AsyncWrite + Unpin, taken: watch::Sender<usize>) {
    for number in 0..PIECES {
        to.write_all(&piece(number)).await.unwrap();
        taken.send_replace(number + 1);
    }
    to.shutdown().await.unwrap();
}

/// Reads all pieces, as they were written, and the end.
async fn read(mut from: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; PIECE];
    for number in 0..PIECES {
        from.read_exact(&mut buffer).await.unwrap();
        assert!(buffer == piece(number), "piece {number} is another");
    }
    assert_eq!(from.read(&mut buffer).await.unwrap(), 0);
}

/// Waits until no piece is taken for a while; how many were.
async fn stalled(taken: &mut watch::Receiver<usize>) -> usize {
    taken.changed().await.unwrap();
    while let Ok(Ok(())) = timeout(Duration::from_millis(500), taken.changed()).await {}
    *taken.borrow()
}

async fn tunnel(caller: &Caller) -> Tunnel {
    soon("a tunnel", caller.link.tunnel("target")).await.unwrap()
}

#[tokio::test]
async fn sixty_four_mebibytes_each_way_with_readers_that_wait() {
    let (listener, at) = target().await;
    let (_authority, _daemon, caller) = pair(Some(at)).await;
    let (near_read, near_write) = tokio::io::split(tunnel(&caller).await);
    let (far_read, far_write) = listener.accept().await.unwrap().0.into_split();
    let ((inward, near_taken), (outward, far_taken)) = (watch::channel(0), watch::channel(0));
    let writing =
        [tokio::spawn(write(near_write, inward)), tokio::spawn(write(far_write, outward))];
    for mut taken in [near_taken, far_taken] {
        let bytes = soon("a writer waits", stalled(&mut taken)).await * PIECE;
        assert!(bytes < 32 << 20, "{bytes} bytes are somewhere between writer and reader");
    }
    // Whoever waits in tunnels does not hold up others.
    assert_eq!(caller.ask("/who").await.unwrap().0, StatusCode::OK);
    soon("all is read", async { tokio::join!(read(near_read), read(far_read)) }).await;
    for writer in writing {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn each_direction_ends_by_itself() {
    let (listener, at) = target().await;
    let (_authority, _daemon, caller) = pair(Some(at)).await;
    let mut near = tunnel(&caller).await;
    let (mut far, _) = listener.accept().await.unwrap();
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    let mut question = String::new();
    soon("the question", far.read_to_string(&mut question)).await.unwrap();
    assert_eq!(question, "question");
    far.write_all(b"answer").await.unwrap();
    drop(far);
    let mut answer = String::new();
    soon("the answer", near.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn an_answer_before_all_was_read_arrives() {
    let (listener, at) = target().await;
    let (_authority, _daemon, caller) = pair(Some(at)).await;
    let mut near = tunnel(&caller).await;
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(b"too much").await.unwrap();
    far.shutdown().await.unwrap();
    let mut answer = String::new();
    soon("the answer", near.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "too much");
    drop(far);
    let refused = soon("no more is taken", async {
        while near.write_all(&piece(0)).await.is_ok() {}
        near.read(&mut [0; 8]).await
    });
    assert_eq!(refused.await.unwrap(), 0, "what had ended has ended");
}

#[tokio::test]
async fn a_break_at_one_end_is_one_at_the_other() {
    let (listener, at) = target().await;
    let (_authority, _daemon, caller) = pair(Some(at)).await;
    let mut near = tunnel(&caller).await;
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(b"half").await.unwrap();
    near.read_exact(&mut [0; 4]).await.unwrap();
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
    let read = soon("the break", near.read(&mut [0; 8])).await;
    assert!(read.is_err(), "{read:?}");

    let mut near = tunnel(&caller).await;
    let (mut far, _) = listener.accept().await.unwrap();
    near.write_all(b"half").await.unwrap();
    far.read_exact(&mut [0; 4]).await.unwrap();
    drop(near);
    let read = soon("the break", far.read(&mut [0; 8])).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn a_tunnel_to_nobody_is_refused_in_words() {
    let (listener, at) = target().await;
    drop(listener);
    let (_authority, _daemon, caller) = pair(Some(at)).await;
    for (target, status, words) in [
        ("elsewhere", StatusCode::NOT_FOUND, "no `elsewhere` here"),
        ("target", StatusCode::BAD_GATEWAY, "refused"),
        ("", StatusCode::BAD_REQUEST, "nowhere"),
    ] {
        let Err(LinkError::Refused { refused, .. }) = caller.link.tunnel(target).await else {
            panic!("{target} is not refused");
        };
        assert_eq!(refused.status, status, "{refused}");
        assert!(refused.text.contains(words), "{refused}");
    }
    let asked = caller.link.tunnel("a\nb").await;
    assert!(matches!(asked, Err(LinkError::Request(_))), "{asked:?}");
}
