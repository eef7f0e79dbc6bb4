//! Attending to one node: it is listened to for as long as the link holds, and sent the images that it is to have.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Method, Request, StatusCode, body::Frame};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    call::{self, Far},
    nodes::{GRACE, Nodes, Own, Supplies},
    stock::{self, Share},
};
use crate::{
    engine::{EngineError, ImageEngine},
    model::{ImageId, NodeName},
    node::{
        feed::{self, FeedError, Lines},
        link::{Link, LinkError, whole},
        orders::{Answer, IMAGE, IMAGE_ID, Sight, WATCH, Wish},
    },
    telemetry::chain,
};

/// Why nobody tells what a node has.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the call cannot be made")]
    Unfit(#[from] hyper::http::Error),
    #[error("it refuses: {0}")]
    Refused(String),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("it has ended the call")]
    Ended,
}

/// Attends to it until it is told to stop.
pub(super) async fn attend(
    nodes: Nodes,
    (name, number): (NodeName, u64),
    link: Link,
    until: CancellationToken,
) {
    let mut own = nodes.own();
    let begun = tokio::select! {
        biased;
        () = until.cancelled() => None,
        own = own.wait_for(Option::is_some) => own.ok().and_then(|own| own.clone()),
    };
    if let Some(own) = begun {
        tokio::select! {
            biased;
            () = until.cancelled() => {}
            _ = listen(&nodes, &name, &link, &own) => {}
            _ = send(&nodes, &name, &link, &own) => {}
        }
    }
    nodes.dismiss(&name, number);
}

/// Listens, again and again.
async fn listen(nodes: &Nodes, name: &NodeName, link: &Link, own: &Own) -> Infallible {
    let mut said = None;
    loop {
        let Err(unheard) = call(nodes, name, link, own).await;
        let told = chain(&unheard);
        let (refused, pause) = match &unheard {
            Unheard::Refused(why) => (Some(why.clone()), REFUSED),
            _ => (None, TRY_AGAIN),
        };
        nodes.lost(name, refused);
        if said.as_ref() != Some(&told) {
            tracing::warn!(node = %name, error = %told, "nothing is heard of a node's instances");
            said = Some(told);
        }
        tick_later(nodes);
        sleep(pause).await;
    }
}

/// What a lost node has stops to count without anything else happening.
fn tick_later(nodes: &Nodes) {
    let nodes = nodes.clone();
    tokio::spawn(async move {
        sleep(GRACE).await;
        nodes.tick();
    });
}

/// One call, for as long as it lasts.
async fn call(
    nodes: &Nodes,
    name: &NodeName,
    link: &Link,
    own: &Own,
) -> Result<Infallible, Unheard> {
    let (wishes, told) = mpsc::channel::<Bytes>(1);
    let mut supplies = nodes.supplies();
    let wish = || {
        let images = nodes.share(name).as_ref().map(Share::all);
        let installation = own.docker.installation().to_string();
        feed::line(&Wish { installation, engine: own.engine.clone(), images })
    };
    wishes.send(wish()?).await.map_err(|_| Unheard::Ended)?;
    let request = Request::builder().method(Method::POST).uri(WATCH).body(feed::body(told))?;
    let response = link.call(request).await?;
    if response.status() != StatusCode::OK {
        let said = whole(response.into_body(), LONGEST_REFUSAL).await.unwrap_or_default();
        return Err(Unheard::Refused(String::from_utf8_lossy(&said).into_owned()));
    }
    nodes.heard(name);
    let mut lines = Lines::of(response.into_body());
    let mut shared = false;
    loop {
        tokio::select! {
            told = lines.next::<Sight>() => {
                let sight = told?.ok_or(Unheard::Ended)?;
                if sight.engine == own.engine && !std::mem::replace(&mut shared, true) {
                    tracing::warn!(node = %name, "it has this machine's Docker, and runs nothing");
                }
                if sight.fault.is_some() {
                    tick_later(nodes);
                }
                nodes.sees(name, sight);
            }
            () = supplies.changed() => {
                wishes.send(wish()?).await.map_err(|_| Unheard::Ended)?;
            }
        }
    }
}

/// Sends it the images that it is to have, one after the other.
async fn send(nodes: &Nodes, name: &NodeName, link: &Link, own: &Own) -> Infallible {
    let (mut supplies, mut news) = (nodes.supplies(), nodes.news());
    let far = Far { node: name.clone(), link: link.clone() };
    loop {
        let share = nodes.share(name).unwrap_or_default();
        news.mark_unchanged();
        let next = nodes.stock(name, |stock, sight| {
            let apart = sight.filter(|sight| sight.engine != own.engine);
            stock.next(&share, apart, Instant::now())
        });
        let Some(image) = next.flatten() else {
            idle(&mut supplies, &mut news).await;
            continue;
        };
        let sent = send_one(&far, own, &image).await;
        nodes.stock(name, |stock, _| stock.ended(sent.is_ok(), Instant::now()));
        match sent {
            Ok(sight) => {
                tracing::info!(node = %name, %image, "an image was sent");
                nodes.sees(name, sight);
            }
            Err(error) => {
                tracing::warn!(node = %name, %image, error = %chain(&error), "an image was not sent");
            }
        }
        nodes.tick();
    }
}

async fn idle(supplies: &mut Supplies, news: &mut watch::Receiver<()>) {
    tokio::select! {
        () = supplies.changed() => {}
        Ok(()) = news.changed() => {}
        () = sleep(stock::AGAIN) => {}
    }
}

/// Sends one, and answers what is to be seen there then.
async fn send_one(far: &Far, own: &Own, image: &ImageId) -> Result<Sight, EngineError> {
    let pieces = own.docker.save(image).map_ok(Frame::data).map_err(Into::into);
    let request = Request::builder().method(Method::POST).uri(IMAGE);
    let request = request.header(IMAGE_ID, image.as_str());
    let request = request.body(StreamBody::new(pieces).boxed_unsync());
    let request = request.map_err(|error| call::away(far, error.into()))?;
    match call::answered(far, "load", request).await? {
        Answer::Done(sight) => Ok(sight),
        other => Err(call::strange(far, "load", &other)),
    }
}

/// Until the next call, after one that failed; the link has a back-off of its own.
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// The same where it was reached and refused, for want of a Docker for instance.
const REFUSED: Duration = Duration::from_secs(2);
/// Bytes of a refusal's text.
const LONGEST_REFUSAL: usize = 4 << 10;
