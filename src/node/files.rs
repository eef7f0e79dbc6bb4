//! Files of instances of this machine that somebody at the control copies, as a tar in or out.

use std::io;

use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::{Response, StatusCode};

use super::{
    feed::{self, Lines},
    link::{Body, refusal},
    orders::{Place, Wrong, said_first},
};
use crate::{engine::docker::Docker, telemetry::chain};

/// What is at a place. What Docker refuses it refuses before the first byte, and so is it answered.
pub(super) async fn give(docker: &Docker, Place { id, path }: &Place) -> Response<Body> {
    let mut tar = docker.files(id, path);
    let (given, tar) = match tar.next().await.transpose() {
        Ok(first) => (Ok(()), stream::iter(first.map(Ok)).chain(tar).boxed()),
        Err(error) => (Err(Wrong::of(&error)), stream::empty().boxed()),
    };
    match feed::line(&given) {
        Ok(line) => Response::new(feed::headed(line, tar.map_err(io::Error::other))),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &chain(&error)),
    }
}

/// Unpacks what a request brings, where its first line says.
pub(super) async fn take(docker: &Docker, request: Body) -> Result<(), Wrong> {
    let mut lines = Lines::of(request);
    let Place { id, path } = said_first(&mut lines, "where to was not said").await?;
    let taken = docker.put_files(&id, &path, lines.rest().boxed()).await;
    taken.map_err(|error| Wrong::of(&error))
}
