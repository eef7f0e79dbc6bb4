//! Volumes of this machine that go to another one by way of the control, or come from there, as a tar.

use futures_util::StreamExt;
use hyper::{Response, StatusCode};

use super::{
    feed::{self, Lines},
    link::{Body, refusal},
    orders::{Inbound, Outbound, Wrong, said_first},
    steward::Steward,
};
use crate::{engine::Engine, model::ByteSize, telemetry::chain};

/// Sends one. That it cannot is said before the first byte.
pub(super) async fn send<E: Engine>(steward: &Steward<E>, wanted: Outbound) -> Response<Body> {
    let Outbound { app, volume, parcel } = wanted;
    let (said, pieces): (Result<Option<ByteSize>, Wrong>, _) =
        match steward.give((&app, &volume), parcel).await {
            Ok(lading) => (Ok(lading.expected), lading.pieces),
            Err(error) => (Err(Wrong::of_volume(&error)), futures_util::stream::empty().boxed()),
        };
    match feed::line(&said) {
        Ok(line) => Response::new(feed::headed(line, pieces)),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &chain(&error)),
    }
}

/// Takes in what a request brings, as its first line says.
pub(super) async fn receive<E: Engine>(steward: &Steward<E>, request: Body) -> Result<(), Wrong> {
    let mut lines = Lines::of(request);
    let Inbound { app, volume, room } =
        said_first(&mut lines, "which volume it is was not said").await?;
    let taken = steward.take((&app, &volume), room, lines.rest().boxed()).await;
    taken.map_err(|error| Wrong::of_volume(&error))
}
