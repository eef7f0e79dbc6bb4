//! Ticks: something happened to a container of ours. What happened is for the next pass to see.

use std::{collections::HashMap, time::Duration};

use bollard::{errors::Error, models::EventMessage, query_parameters::EventsOptions};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::{Docker, label};

/// One tick at the start, for whatever was missed before, then one per burst of events.
pub(super) fn changes(docker: &Docker) -> BoxStream<'static, ()> {
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        ("label".to_owned(), vec![label::selector(docker.installation())]),
        ("event".to_owned(), EVENTS.map(str::to_owned).to_vec()),
    ]);
    let options = EventsOptions { filters: Some(filters), ..Default::default() };
    let events = docker.api().events(Some(options)).boxed();
    let docker = docker.clone();
    let ticks = stream::unfold((docker, events), |(docker, mut events)| async move {
        if let Some(tick) = burst(&docker, &mut events).await {
            return Some((tick, (docker, events)));
        }
        tokio::time::sleep(LOST_PAUSE).await;
        None
    });
    stream::once(async {}).chain(ticks).boxed()
}

/// Waits for an event and then for the end of its burst: a container's end alone is three events.
async fn burst(
    docker: &Docker,
    events: &mut BoxStream<'static, Result<EventMessage, Error>>,
) -> Option<()> {
    doubt(docker, events.next().await?.ok()?);
    let quiet = tokio::time::sleep(DEBOUNCE);
    tokio::pin!(quiet);
    loop {
        tokio::select! {
            () = &mut quiet => return Some(()),
            event = events.next() => doubt(docker, event?.ok()?),
        }
    }
}

/// What was seen of that container no longer holds.
fn doubt(docker: &Docker, event: EventMessage) {
    if let Some(id) = event.actor.and_then(|actor| actor.id) {
        docker.seen().remove(&id);
    }
}

/// Events within this time of the first one make one tick.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Before a lost connection is said, so that a caller that asks again at once does not spin.
const LOST_PAUSE: Duration = Duration::from_millis(500);

/// The events that change what a pass would see.
const EVENTS: [&str; 7] = ["start", "die", "destroy", "oom", "pause", "unpause", "rename"];
