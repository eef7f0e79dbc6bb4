//! What the upstreams of a service do not have, asked of those that answered before them.
//!
//! A page that was opened a while ago asks for files by names that only its own release knows. The
//! answer that there is no such file waits meanwhile, unread, on the connection it came by, so that
//! nothing is buffered and it can still be given, as it is, if nobody has the file. The invariant: an
//! earlier upstream is asked only while the table that is current at that moment has it, and whatever
//! is wrong with it is no worse for the client than its not having the file.

use tokio::time::{Instant, timeout_at};

use crate::attempt::Ended;
use crate::balance::Chosen;
use crate::fault::Fault;
use crate::forward::{After, Turn};
use crate::party::Client;
use crate::response::{Kind, Withheld};
use crate::table::UpstreamId;
use crate::upstream::Age;
use crate::venue::Way;

impl<C: Client> Turn<'_, C> {
    /// Asks one after the other until one has it; `None` if none does. `current` has said that it has
    /// not.
    pub(crate) async fn ask_earlier(&mut self, current: &UpstreamId) -> Option<After> {
        let mut tried = vec![current.clone()];
        loop {
            let way = self.find().ok()?;
            let chosen = way.target.pool.choose_earlier(&tried)?;
            tried.push(chosen.peer.id.clone());
            let after = self.ask_one(&way, chosen).await;
            if after.is_some() {
                return after;
            }
        }
    }

    /// Asks one; `None` if it has nothing to say. It is asked on a connection of its own: one that rested may
    /// be closed at that moment, and nothing would be left to try.
    async fn ask_one(&mut self, way: &Way, chosen: Chosen) -> Option<After> {
        let Chosen { peer, in_flight: _in_flight, .. } = chosen;
        let asked = self.started.elapsed();
        let deadline = Instant::now() + self.worker.shared.limits.earlier;
        let connected = timeout_at(deadline, self.connect(way, &peer)).await;
        let Ok(Some(mut link)) = connected else { return None };
        let mut leg = self.begin(way, (&peer, &[], asked), &mut link).ok()?;
        let head = timeout_at(deadline, self.head(&mut leg, Withheld::MissingOrBroken)).await;
        let ended = match head.unwrap_or(Err(Fault::UpstreamSlow)) {
            Ok(Kind::Withheld(_)) => return None,
            Ok(kind) => self.finish(leg, kind).await,
            Err(fault) => Ended::Faulty(fault),
        };
        match ended {
            Ended::Answered { client, .. } => Some(After::Answered(client)),
            Ended::Faulty(fault) => {
                self.judge(&peer, fault, Age::New);
                let begun = self.record.status.is_some();
                (begun || !fault.is_the_upstreams()).then(|| After::Cut(fault.abort()))
            }
            Ended::Elsewhere(_) | Ended::Tunnelled(_) => None,
        }
    }
}
