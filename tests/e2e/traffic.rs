//! Visitors who never stop asking, so that a test can say that none of them noticed anything.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{http::Request, server::Server};

/// Two visitors who ask for one page again and again.
#[derive(Debug)]
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<Visit>>,
}

/// What came back to a visitor: answers, and whatever was none.
type Visit = (Vec<String>, Vec<String>);

impl Traffic {
    pub(crate) fn to(server: &Server, app: &str) -> Self {
        Self::at(([127, 0, 0, 1], server.edge()).into(), app)
    }

    /// The same, at another edge.
    pub(crate) fn at(edge: SocketAddr, app: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visitors = (0..2)
            .map(|_| {
                let host = format!("{app}.localhost");
                let stop = stop.clone();
                std::thread::spawn(move || visit(&host, edge, &stop))
            })
            .collect();
        Self { stop, visitors }
    }

    /// Ends it. Fails if a single request did. Returns the different answers in order.
    #[track_caller]
    pub(crate) fn all_were_answered(self) -> Vec<String> {
        self.were_answered().0
    }

    /// The same, and how often they have asked.
    #[track_caller]
    pub(crate) fn were_answered(mut self) -> (Vec<String>, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut pages, mut count) = (Vec::new(), 0);
        for visitor in self.visitors.drain(..) {
            let (answers, faults) = visitor.join().unwrap();
            assert!(faults.is_empty(), "{} failed: {:?}", faults.len(), faults.first());
            assert!(!answers.is_empty(), "nobody asked");
            count += answers.len();
            pages = answers;
        }
        pages.dedup();
        (pages, count)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn visit(host: &str, edge: SocketAddr, stop: &AtomicBool) -> Visit {
    let (mut answers, mut faults) = (Vec::new(), Vec::new());
    loop {
        // Looked at before asking: whoever ends the visits has one answer that came after.
        let last = stop.load(Ordering::Relaxed);
        match Request::get(host, "/").at(edge) {
            Ok(answer) if answer.status == 200 => answers.push(answer.text()),
            Ok(answer) => faults.push(format!("{}: {}", answer.status, answer.text())),
            Err(error) => faults.push(error.to_string()),
        }
        if last {
            return (answers, faults);
        }
        // A pace that leaves the machine to those who are tested.
        std::thread::sleep(Duration::from_millis(10));
    }
}
