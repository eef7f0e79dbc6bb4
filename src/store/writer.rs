//! The one thread that writes. It runs the transactions that wait, one after another, has what
//! they wrote committed as one (see `ledger`), and only then answers them all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::handle::Shared;
use super::image::{Image, Writes};
use super::ledger::Ledger;
use super::quorum::Proposals;
use super::transaction::Transaction;

/// What is sent to the writer.
pub(super) enum Message {
    Work(Work),
    /// From now on what is written is proposed to a quorum.
    Propose(Proposals),
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
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Message>,
    ledger: Arc<Mutex<Ledger>>,
    /// Whoever keeps the records, if this machine does not do it alone.
    quorum: Option<Proposals>,
}

/// Transactions that share one commit.
#[derive(Default)]
struct Group {
    writes: Writes,
    size: usize,
    answers: Vec<Answer>,
}

impl Writer {
    /// One that writes here alone.
    pub(super) fn new(
        shared: Arc<Shared>,
        jobs: mpsc::Receiver<Message>,
        ledger: Arc<Mutex<Ledger>>,
    ) -> Self {
        Self { shared, jobs, ledger, quorum: None }
    }

    /// Works until it is told to close or the last handle has gone.
    pub(super) fn run(mut self) {
        while let Some(message) = self.jobs.blocking_recv() {
            let mut next = Some(message);
            while let Some(message) = next.take() {
                match message {
                    Message::Work(work) => next = self.group(work),
                    Message::Propose(quorum) => self.quorum = Some(quorum),
                    Message::Close(closed) => return self.close(closed),
                }
            }
        }
    }

    fn close(mut self, closed: oneshot::Sender<()>) {
        // Whoever still waits in the queue gets `Abandoned` when it is dropped.
        self.jobs.close();
        self.ledger().close();
        // Nobody waits if the caller has gone.
        closed.send(()).ok();
    }

    /// Runs `first` and what waits behind it as one commit. Returns a message that ends it.
    fn group(&mut self, first: Work) -> Option<Message> {
        self.ledger().recover();
        let image = self.shared.image();
        let mut group = Group::default();
        group.run(&self.shared, &image, first);
        let mut left = None;
        while group.answers.len() < MAX_GROUP && group.size < MAX_GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Message::Work(work)) => group.run(&self.shared, &image, work),
                Ok(other) => {
                    left = Some(other);
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

    /// Commits writes that were made on this image: here, or by whoever keeps the records together.
    fn commit(&self, image: Arc<Image>, writes: Writes) -> Result<(), StoreError> {
        match &self.quorum {
            None => self.ledger().commit(image, writes, None),
            Some(quorum) => {
                let base = image.sequence;
                drop(image);
                quorum.propose(base, writes)
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
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
            Self::Propose(_) => out.write_str("Propose"),
            Self::Close(_) => out.write_str("Close"),
        }
    }
}

/// The most transactions in one commit, so that none waits long behind others.
const MAX_GROUP: usize = 64;
/// A commit takes no further transaction once it has this many bytes.
const MAX_GROUP_BYTES: usize = 1024 * 1024;
