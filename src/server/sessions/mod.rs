//! Sessions: programs that somebody talks to, each over one WebSocket. What goes over it is the
//! contract of `api::session`.
//!
//! [`upgrade`] makes a request one, [`line`] speaks the contract on it, [`carry`] brings both ends
//! together, [`exec`], [`run`] and [`tunnel`] are the kinds. A session belongs to nobody's request any more; the daemon
//! stops all of them together.

mod carry;
mod line;
mod upgrade;

pub(super) mod exec;
pub(super) mod run;
pub(super) mod tunnel;

use std::sync::Arc;

use api::FaultCode;
use axum::{body::Body, response::Response};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{line::Line, upgrade::Asked};
use crate::{node::Consoles, server::fault::Failure};

/// All sessions under way, and what they are held with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    consoles: Consoles,
    places: Arc<Semaphore>,
    running: TaskTracker,
    stop: CancellationToken,
}

impl Sessions {
    /// None yet; programs will be those of `consoles`.
    pub fn new(consoles: Consoles) -> Self {
        Self {
            consoles,
            places: Arc::new(Semaphore::new(MOST)),
            running: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Ends all of them when the daemon is to end.
    pub async fn tend(self, stop: CancellationToken) {
        stop.cancelled().await;
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// What they are of.
    pub(super) fn consoles(&self) -> Consoles {
        self.consoles.clone()
    }

    /// Answers that the request becomes a session, and begins it once it has.
    fn open<F: Future<Output = ()> + Send>(
        &self,
        asked: Asked,
        session: impl FnOnce(Line) -> F + Send + 'static,
    ) -> Result<Response<Body>, Failure> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            Failure::new(FaultCode::TooMany, format!("there are {MOST} sessions already"))
                .hint("end one of them, or try again later")
        })?;
        let (connecting, response) = asked.answer();
        self.running.spawn(async move {
            if let Some(line) = connecting.line().await {
                session(line).await;
            }
            drop(place);
        });
        Ok(response)
    }
}

/// Sessions at the same time: each has buffers of half a mebibyte at worst.
const MOST: usize = 200;
