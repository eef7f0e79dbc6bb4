//! Seats for the requests that a service takes at once, and the line of those who wait for one.
//!
//! One for all workers: whoever came first is seated first, wherever it came in. Nothing waits
//! here by itself; a ticket is a future that its request polls beside its own patience. The
//! invariant: a seat that nobody sits on any more is given on or free, whatever happened to whom.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The seats of one service.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<Seats>);

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    /// By the latest table that was asked with.
    most: usize,
    waiting: VecDeque<oneshot::Sender<Seat>>,
}

/// What a request gets that wants to begin.
#[derive(Debug)]
pub(crate) enum Entry {
    Seated(Seat),
    Waiting(oneshot::Receiver<Seat>),
}

impl Queue {
    /// Takes one of `most` seats, or the last place in the line, which should not have more than
    /// `line` places that somebody waits in.
    pub(crate) fn enter(self: &Arc<Self>, most: usize, line: usize) -> Entry {
        let mut seats = self.seats();
        seats.most = most;
        if seats.taken < most && seats.waiting.is_empty() {
            seats.taken += 1;
            return Entry::Seated(Seat(Some(Arc::clone(self))));
        }
        if seats.waiting.len() >= line {
            seats.waiting.retain(|waiting| !waiting.is_closed());
        }
        let (call, ticket) = oneshot::channel();
        seats.waiting.push_back(call);
        drop(seats);
        // There may be more seats than when the others began to wait.
        self.call();
        Entry::Waiting(ticket)
    }

    /// Seats those who wait, as long as there are seats.
    fn call(self: &Arc<Self>) {
        while let Some(call) = self.next() {
            if let Err(mut seat) = call.send(Seat(Some(Arc::clone(self)))) {
                // Whoever waited has left. The seat is free again without calling the next one
                // from inside this call.
                seat.0 = None;
                self.seats().taken -= 1;
            }
        }
    }

    fn next(&self) -> Option<oneshot::Sender<Seat>> {
        let mut seats = self.seats();
        if seats.taken >= seats.most {
            return None;
        }
        let next = seats.waiting.pop_front()?;
        seats.taken += 1;
        Some(next)
    }

    /// Counters are valid whatever a thread that died was doing to them.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request that is under way.
#[derive(Debug)]
pub(crate) struct Seat(Option<Arc<Queue>>);

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.seats().taken -= 1;
            queue.call();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seated(entry: Entry) -> Seat {
        match entry {
            Entry::Seated(seat) => seat,
            Entry::Waiting(_) => panic!("no seat"),
        }
    }

    fn waiting(entry: Entry) -> oneshot::Receiver<Seat> {
        match entry {
            Entry::Seated(_) => panic!("a seat"),
            Entry::Waiting(ticket) => ticket,
        }
    }

    #[test]
    fn who_came_first_is_seated_first_and_who_left_is_passed_over() {
        let queue = Arc::new(Queue::default());
        let (one, _two) = (seated(queue.enter(2, 9)), seated(queue.enter(2, 9)));
        let gone: Vec<_> = (0..1000).map(|_| waiting(queue.enter(2, 9999))).collect();
        let (mut third, mut fourth) = (waiting(queue.enter(2, 9)), waiting(queue.enter(2, 9)));
        drop(gone);
        assert!(third.try_recv().is_err());
        drop(one);
        let seat = third.try_recv().unwrap();
        assert!(fourth.try_recv().is_err());
        drop(seat);
        assert!(fourth.try_recv().is_ok());
        assert_eq!(queue.seats().taken, 1, "the fourth has left as well");
    }

    #[test]
    fn a_seat_that_nobody_took_is_given_on() {
        let queue = Arc::new(Queue::default());
        let one = seated(queue.enter(1, 9));
        let (second, mut third) = (waiting(queue.enter(1, 9)), waiting(queue.enter(1, 9)));
        drop(one);
        drop(second); // with its seat unseen
        assert!(third.try_recv().is_ok());
        assert_eq!(queue.seats().taken, 0);
    }

    #[test]
    fn more_seats_are_used_at_once_and_the_line_does_not_grow_with_those_who_left() {
        let queue = Arc::new(Queue::default());
        let _one = seated(queue.enter(1, 9));
        let mut second = waiting(queue.enter(1, 9));
        let mut third = waiting(queue.enter(3, 9));
        assert!(second.try_recv().is_ok() && third.try_recv().is_ok());
        for _ in 0..100 {
            drop(waiting(queue.enter(0, 5)));
        }
        assert!(queue.seats().waiting.len() <= 6);
    }
}
