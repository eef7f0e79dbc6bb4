//! The way of a source to the server: what it has is named, the rest is sent.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use api::{Change, FaultCode};
use clap::Args;
use tokio::time::interval;

use super::{
    deploy::Delivery,
    follow::{stopped, unanswered},
};
use crate::{
    client::route,
    failure::Failure,
    session::Session,
    source::{
        self, Packing, Source,
        known::{self, Known},
    },
    target::AppName,
    ui::{self, Progress},
};

/// What a deploy means to builds of its app that have not ended, where paas.toml does not say it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Order {
    /// Cancel builds of this app that wait or run: only this one counts
    #[arg(long)]
    newest: bool,
}

impl Order {
    /// A request with it.
    pub(super) fn asked(&self, path: String) -> String {
        route::query(path, &[("newest", self.newest.then(|| "true".to_owned()))])
    }
}

/// Uploads a source. If the server has lost something that it is known to have had, or is too old to
/// be told names, it is sent the whole.
pub(super) async fn upload(
    session: &Session,
    delivery: &Delivery<'_>,
    source: Arc<Source>,
) -> Result<Change, Failure> {
    let address = session.client()?.address();
    let cache = session.environment.cache.as_deref();
    let place =
        cache.map(|cache| known::place(cache, &address, delivery.app.as_str(), delivery.folder));
    let known = place.as_deref().map(Known::read).unwrap_or_default();
    let mut sent = None;
    if !known.is_empty() {
        sent = match send(session, delivery, (&source, known), "sources").await {
            Err(Failure::Refused(fault))
                if matches!(fault.code, FaultCode::Conflict | FaultCode::NotFound) =>
            {
                None
            }
            other => Some(other?),
        };
    }
    let (change, known) = match sent {
        Some(sent) => sent,
        None => send(session, delivery, (&source, Known::default()), "builds").await?,
    };
    if let (Some(place), Some(known)) = (place, known) {
        // Without it the next upload sends everything, which is slower and no worse.
        known.write(&place).ok();
    }
    Ok(change)
}

async fn send(
    session: &Session,
    delivery: &Delivery<'_>,
    (source, known): (&Arc<Source>, Known),
    resource: &str,
) -> Result<(Change, Option<Known>), Failure> {
    let ui = &session.ui;
    let client = session.client()?;
    let began = Instant::now();
    let (folder, known) = (delivery.folder.to_path_buf(), Arc::new(known));
    let parcel = source::start(folder, Arc::clone(source), known);
    let path = delivery.order.asked(route::of(delivery.app, resource));
    let progress = Progress::upload(ui, source.bytes);
    let outcome = {
        let upload = client.upload(&path, parcel.upload);
        tokio::pin!(upload);
        let stopped = stopped();
        tokio::pin!(stopped);
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                answer = &mut upload => break answer,
                stopped = &mut stopped => break Err(match stopped {
                    Err(failure) => failure,
                    Ok(()) if parcel.packing.is_over() => unanswered(delivery.app),
                    Ok(()) => unsent(delivery.app),
                }),
                _ = tick.tick() => progress.at(parcel.packing.read.load(Ordering::Relaxed)),
            }
        }
    };
    drop(progress);
    let sent = parcel.packing.sent.load(Ordering::Relaxed);
    let outcome = match outcome {
        Err(failure) => return Err(explain(failure, parcel.packing).await),
        Ok(answer) => answer,
    };
    let change: Change = outcome.read()?;
    let packed = parcel.packing.packed().await;
    let files = ui::count(source.files(), "file");
    let named = packed.as_ref().map_or(0, |packed| packed.named);
    let news = match source.files() - named {
        _ if named == 0 => String::new(),
        news => format!(", {news} of them sent"),
    };
    ui.detail(&format!(
        "{files}, {}{news} ({} compressed) in {}",
        ui::bytes(source.bytes),
        ui::bytes(sent),
        ui::seconds(began.elapsed()),
    ));
    Ok((change, packed.map(|packed| packed.known)))
}

/// The server never takes a part for the whole.
fn unsent(app: &AppName) -> Failure {
    Failure::local("the upload was stopped")
        .because("nothing was deployed; what served serves on")
        .hint(format!("`paas deploy -a {app}` begins again"))
}

/// A server's refusal says why it did not take everything; where it has none to say, a fault of
/// our own packing is the reason that the line broke.
async fn explain(failure: Failure, packing: Packing) -> Failure {
    let Failure::Unreachable(reason) = failure else { return failure };
    match packing.fault().await {
        Some(fault) => {
            let failure = Failure::local(format!("cannot pack the source: {fault}"));
            match std::error::Error::source(&fault) {
                Some(cause) => failure.because(cause),
                None => failure.hint("run `paas deploy` again"),
            }
        }
        None => Failure::Unreachable(reason),
    }
}

const TICK: Duration = Duration::from_millis(80);
