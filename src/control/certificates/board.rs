//! What is shown to the world: certificates and proofs for the edge, TXT records for the DNS server.
//!
//! Orders under way and the pass that presents certificates write to it side by side; each
//! change is published at once, and nothing is published that does not differ. What was put up for an
//! order comes down when its [`Shown`] is dropped, also when the order is cut off.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use proxy::{Certificates, Host, Pattern};
use tokio::sync::watch;

use crate::model::zone::{Proofs, RecordName};

/// The present state, and who is told of it.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    certificates: watch::Sender<Arc<Certificates>>,
    texts: watch::Sender<Arc<Proofs>>,
}

#[derive(Debug, Default)]
struct State {
    certificates: Certificates,
    /// By host, with what makes two of them the same: keys cannot be compared.
    marks: BTreeMap<Pattern, String>,
    texts: Proofs,
    /// Whether anything was published by this board yet.
    published: bool,
}

/// One thing to show for an order.
#[derive(Debug, Clone)]
pub(super) enum Exhibit {
    /// A text at a path of a host.
    Answer(Host, Box<str>, Arc<str>),
    /// A certificate for `acme-tls/1`.
    Challenge(Host, proxy::Certificate),
    /// A TXT record.
    Text(RecordName, String),
}

/// Something that is shown until this is dropped.
#[derive(Debug)]
pub(super) struct Shown {
    board: Arc<Board>,
    exhibit: Exhibit,
    /// The generation of certificates since which the edge has it.
    pub(super) generation: u64,
}

impl Board {
    /// One that goes on from what is published already: that stays until the first [`Self::present`].
    pub(super) fn new(
        certificates: watch::Sender<Arc<Certificates>>,
        texts: watch::Sender<Arc<Proofs>>,
    ) -> Arc<Self> {
        // Proofs of a task that was cut off are not ours to show.
        let before = certificates.borrow().clone();
        let shown = Certificates {
            generation: before.generation,
            hosts: before.hosts.clone(),
            fallback: before.fallback.clone(),
            ..Certificates::default()
        };
        let state = Mutex::new(State { certificates: shown, ..State::default() });
        Arc::new(Self { state, certificates, texts })
    }

    /// Whether this host is presented with the certificate of this mark.
    pub(super) fn presents(&self, host: &Pattern, mark: &str) -> bool {
        self.with(|state| state.marks.get(host).is_some_and(|known| known == mark))
    }

    /// Presents these besides what is there, and no host that is not in `keep`.
    pub(super) fn present(
        &self,
        new: Vec<(Pattern, String, proxy::Certificate)>,
        keep: &std::collections::BTreeSet<Pattern>,
    ) {
        self.with(|state| {
            let before = state.marks.len();
            state.marks.retain(|host, _| keep.contains(host));
            state.certificates.hosts.retain(|host, _| keep.contains(host));
            if new.is_empty() && state.marks.len() == before && state.published {
                return;
            }
            for (host, mark, certificate) in new {
                state.marks.insert(host.clone(), mark);
                state.certificates.hosts.insert(host, certificate);
            }
            self.publish(state);
        });
    }

    /// Shows something until the result is dropped.
    pub(super) fn show(self: &Arc<Self>, exhibit: Exhibit) -> Shown {
        let generation = self.with(|state| {
            match exhibit.clone() {
                Exhibit::Answer(host, path, text) => {
                    state.certificates.answers.insert((host, path), text);
                    self.publish(state);
                }
                Exhibit::Challenge(host, certificate) => {
                    state.certificates.challenges.insert(host, certificate);
                    self.publish(state);
                }
                Exhibit::Text(name, text) => {
                    state.texts.entry(name).or_default().push(text);
                    self.texts.send_replace(Arc::new(state.texts.clone()));
                }
            }
            state.certificates.generation
        });
        Shown { board: Arc::clone(self), exhibit, generation }
    }

    fn take_down(&self, exhibit: &Exhibit) {
        self.with(|state| match exhibit {
            Exhibit::Answer(host, path, _) => {
                state.certificates.answers.remove(&(host.clone(), path.clone()));
                self.publish(state);
            }
            Exhibit::Challenge(host, _) => {
                state.certificates.challenges.remove(host);
                self.publish(state);
            }
            Exhibit::Text(name, text) => {
                if let Some(texts) = state.texts.get_mut(name) {
                    if let Some(at) = texts.iter().position(|known| known == text) {
                        texts.remove(at);
                    }
                    if texts.is_empty() {
                        state.texts.remove(name);
                    }
                }
                self.texts.send_replace(Arc::new(state.texts.clone()));
            }
        });
    }

    fn publish(&self, state: &mut State) {
        state.certificates.generation += 1;
        state.published = true;
        self.certificates.send_replace(Arc::new(state.certificates.clone()));
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.board.take_down(&self.exhibit);
    }
}
