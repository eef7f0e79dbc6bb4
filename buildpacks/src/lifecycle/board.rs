//! Detections side by side: each buildpack is asked once, whoever waits for its answer.
//!
//! Buildpacks are asked in the order in which the groups name them, several at a time, while the
//! groups are judged in order; once a group is found nobody is asked any more. Invariant: what is
//! found does not depend on who answers first.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::catalog::Installed;

/// The questions and their answers.
#[derive(Debug)]
pub(super) struct Board<'a, A> {
    /// Who is to be asked, each once.
    queue: Vec<&'a Installed>,
    state: Mutex<State<A>>,
    answered: Condvar,
}

#[derive(Debug)]
struct State<A> {
    /// The next place of the queue.
    next: usize,
    /// Nobody is to be asked any more.
    over: bool,
    answers: BTreeMap<String, A>,
}

impl<'a, A> Board<'a, A> {
    /// A board for `installed`, of whom some may occur more than once.
    pub(super) fn new(installed: impl Iterator<Item = &'a Installed>) -> Self {
        let mut queue: Vec<&Installed> = Vec::new();
        for own in installed {
            if queue.iter().all(|other| other.key() != own.key()) {
                queue.push(own);
            }
        }
        let state = State { next: 0, over: false, answers: BTreeMap::new() };
        Self { queue, state: Mutex::new(state), answered: Condvar::new() }
    }

    /// How many are to be asked.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Asks one after the other until there is nobody left; run by several threads.
    pub(super) fn work(&self, ask: impl Fn(usize, &'a Installed) -> A) {
        while let Some((place, installed)) = self.take() {
            let answer = ask(place, installed);
            self.lock().answers.insert(installed.key(), answer);
            self.answered.notify_all();
        }
    }

    /// Waits for the answer of a buildpack that is on the board, and looks at it.
    pub(super) fn look<T>(&self, key: &str, at: impl FnOnce(&A) -> T) -> T {
        let mut at = Some(at);
        let mut state = self.lock();
        loop {
            if let Some(answer) = state.answers.get(key)
                && let Some(at) = at.take()
            {
                return at(answer);
            }
            state = self.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody is asked after this; who is being asked may finish.
    pub(super) fn close(&self) {
        self.lock().over = true;
    }

    /// All answers that came.
    pub(super) fn into_answers(self) -> BTreeMap<String, A> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).answers
    }

    fn take(&self) -> Option<(usize, &'a Installed)> {
        let mut state = self.lock();
        if state.over {
            return None;
        }
        let place = state.next;
        state.next += 1;
        self.queue.get(place).map(|installed| (place, *installed))
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
