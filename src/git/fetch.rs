//! Giving back what was pushed: `git upload-pack`, which only reads, answers fetches and clones.

use std::{io, process::Stdio};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use super::{GitError, pkt, repository::Repository};

/// What a client is told: first what there is (without a request), then what it asked for. `protocol`
/// is the version that it speaks.
pub fn upload_pack(
    repository: &Repository,
    request: Option<Vec<u8>>,
    protocol: Option<&str>,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, GitError> {
    let folder = repository.folder().to_string_lossy().into_owned();
    let mut arguments = vec!["upload-pack", "--strict", "--stateless-rpc", "--timeout=600"];
    let mut before = Vec::new();
    if request.is_none() {
        arguments.push("--http-backend-info-refs");
        pkt::write(&mut before, b"# service=git-upload-pack\n");
        before.extend_from_slice(pkt::FLUSH);
    }
    arguments.push(&folder);
    let mut child = repository.tool().start_with(&arguments, Stdio::piped(), protocol)?;
    // What it complains about, it tells the client as well.
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().ok_or(GitError::Strange { what: "upload-pack" })?;
    let stdout = child.stdout.take().ok_or(GitError::Strange { what: "upload-pack" })?;
    // A request may be longer than what a pipe holds, and is answered while it is read.
    tokio::spawn(async move {
        // Where git has ended early, its answer says why.
        stdin.write_all(&request.unwrap_or_default()).await.ok();
    });
    Ok(stream::try_unfold((child, stdout, before), |(child, mut stdout, before)| async move {
        if !before.is_empty() {
            return Ok(Some((Bytes::from(before), (child, stdout, Vec::new()))));
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        if stdout.read_buf(&mut piece).await? == 0 {
            return Ok(None);
        }
        Ok(Some((piece.freeze(), (child, stdout, before))))
    }))
}

/// A whole talk over one line, as SSH has it: what there is, what is wanted, and what that is. It ends
/// with git, which ends when the client has what it wanted, or has gone.
pub async fn serve_fetch(
    repository: &Repository,
    mut input: impl AsyncRead + Unpin + Send,
    output: mpsc::Sender<Bytes>,
    protocol: Option<&str>,
) -> Result<(), GitError> {
    let folder = repository.folder().to_string_lossy().into_owned();
    let arguments = ["upload-pack", "--strict", "--timeout=600", &folder];
    let mut child = repository.tool().start_with(&arguments, Stdio::piped(), protocol)?;
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().ok_or(GitError::Strange { what: "upload-pack" })?;
    let mut stdout = child.stdout.take().ok_or(GitError::Strange { what: "upload-pack" })?;
    let ask = async move {
        // Where either side has ended early, the other notices by itself.
        tokio::io::copy(&mut input, &mut stdin).await.ok();
        drop(stdin);
        std::future::pending::<()>().await;
    };
    let answer = async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            match stdout.read_buf(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(_) if output.send(piece.freeze()).await.is_err() => return,
                Ok(_) => {}
            }
        }
    };
    tokio::select! {
        () = ask => {}
        () = answer => {}
    }
    Ok(())
}

const PIECE: usize = 64 << 10;
