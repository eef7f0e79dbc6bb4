//! The one thread that writes. It runs the transactions that wait, one after another, puts what
//! they wrote on the disk as one commit, shows it in the image, and only then answers them all.
//!
//! What it does when the disk fails stands in `recovery`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::handle::Shared;
use super::image::{Image, Writes};
use super::journal::{Change, Fault, Journal};
use super::recovery::Trouble;
use super::reserve::Reserve;
use super::transaction::Transaction;

/// What is sent to the writer.
pub(super) enum Message {
    Work(Work),
    Close(oneshot::Sender<()>),
}

/// A transaction, without its types.
pub(super) type Work = Box<dyn FnOnce(&mut Transaction<'_>) -> Done + Send>;

/// Tells a caller how its commit went.
pub(super) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A transaction that has run and waits for its commit.
pub(super) struct Done {
    pub(super) fate: Fate,
    pub(super) answer: Answer,
}

/// What happens to a transaction's writes.
pub(super) enum Fate {
    Keep,
    Discard,
}

/// The state of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Receiver<Message>,
    /// None while it cannot be opened.
    pub(super) journal: Option<Journal>,
    pub(super) reserve: Reserve,
    pub(super) trouble: Option<Trouble>,
}

/// Transactions that share one commit.
#[derive(Default)]
struct Group {
    writes: Writes,
    size: usize,
    answers: Vec<Answer>,
}

impl Writer {
    /// Works until it is told to close or the last handle has gone.
    pub(super) fn run(mut self) {
        while let Some(message) = self.jobs.blocking_recv() {
            let mut next = Some(message);
            while let Some(message) = next.take() {
                match message {
                    Message::Work(work) => next = self.group(work),
                    Message::Close(closed) => return self.close(closed),
                }
            }
        }
    }

    fn close(mut self, closed: oneshot::Sender<()>) {
        // Whoever still waits in the queue gets `Abandoned` when it is dropped.
        self.jobs.close();
        self.journal = None;
        // Nobody waits if the caller has gone.
        closed.send(()).ok();
    }

    /// Runs `first` and what waits behind it as one commit. Returns a message that ends it.
    fn group(&mut self, first: Work) -> Option<Message> {
        self.recover();
        let image = self.shared.image();
        let mut group = Group::default();
        group.run(&self.shared, &image, first);
        let mut left = None;
        while group.answers.len() < MAX_GROUP && group.size < MAX_GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Message::Work(work)) => group.run(&self.shared, &image, work),
                Ok(close @ Message::Close(_)) => {
                    left = Some(close);
                    break;
                }
                Err(_) => break,
            }
        }
        let Group { writes, answers, .. } = group;
        let outcome = if writes.is_empty() { Ok(()) } else { self.commit(image, writes) };
        for answer in answers {
            answer(outcome.clone());
        }
        left
    }

    /// Takes the image rather than borrowing it: as the last holder of it, publishing changes it
    /// in place.
    fn commit(&mut self, image: Arc<Image>, writes: Writes) -> Result<(), StoreError> {
        if let Some(trouble) = &self.trouble {
            return Err(self.refused(trouble.fault.clone()));
        }
        let Some(journal) = &self.journal else { return Err(StoreError::Closed) };
        let sequence = image.sequence + 1;
        let changes = writes.iter().map(|((table, key), value)| Change {
            table,
            key,
            value: value.as_deref(),
            old: image.get(table, key),
        });
        let committed = journal.commit(changes, sequence);
        drop(image);
        match committed {
            Ok(()) => {
                self.publish(writes, sequence);
                Ok(())
            }
            Err(fault) => Err(self.settle(fault)),
        }
    }

    fn publish(&self, writes: Writes, sequence: u64) {
        self.shared.publish(|image| {
            let image = Arc::make_mut(image);
            image.sequence = sequence;
            for ((table, key), value) in writes {
                image.set(table, key, value);
            }
        });
    }

    pub(super) fn refused(&self, source: Fault) -> StoreError {
        StoreError::Refused { dir: self.dir(), source }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.shared.dir.clone()
    }
}

impl Group {
    fn run(&mut self, shared: &Shared, image: &Image, work: Work) {
        let mut transaction = Transaction::new(&shared.schema, image, &self.writes);
        // A transaction that panics must not take the writer with it. Its caller sees
        // `Abandoned`, because the answer is dropped.
        let ran = catch_unwind(AssertUnwindSafe(|| work(&mut transaction)));
        let (writes, size) = transaction.into_writes();
        let Ok(Done { fate, answer }) = ran else { return };
        self.answers.push(answer);
        match fate {
            Fate::Keep => {
                self.writes.extend(writes);
                self.size += size;
            }
            Fate::Discard => {}
        }
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Work(_) => out.write_str("Work"),
            Self::Close(_) => out.write_str("Close"),
        }
    }
}

/// The most transactions in one commit, so that none waits long behind others.
const MAX_GROUP: usize = 64;
/// A commit takes no further transaction once it has this many bytes.
const MAX_GROUP_BYTES: usize = 1024 * 1024;
