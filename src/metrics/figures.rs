//! Where the figures come from, for whoever hands them out.
//!
//! It does not keep an edge alive: one that is drained or handed over has its figures no more.

use std::io;

use super::{Process, render};
use crate::node::Edges;

/// What became of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// All that are over.
    pub all: u64,
    /// Those that were answered with 5xx.
    pub faults: u64,
    /// Those that got no answer.
    pub unanswered: u64,
    /// Those that wait now for an instance to appear.
    pub held: u64,
}

/// The figures of all edges and of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Figures(Edges);

impl Figures {
    /// Those of these edges.
    pub fn of(edges: &Edges) -> Self {
        Self(edges.clone())
    }

    /// What became of the requests to one app so far.
    pub fn requests(&self, app: &str) -> Requests {
        let traffic = self.0.traffic();
        let found = traffic.services.iter().find(|(name, _)| name.as_str() == app);
        let Some((_, figures)) = found else { return Requests::default() };
        let [unanswered, .., faults] = figures.classes;
        let held = u64::try_from(figures.held).unwrap_or(u64::MAX);
        Requests { all: figures.classes.iter().sum(), faults, unanswered, held }
    }

    /// All figures of this moment, as [`render`] writes them. An error means that the kernel does
    /// not say how this process is.
    pub fn text(&self) -> io::Result<String> {
        let traffic = self.0.traffic();
        Ok(render(&traffic, &Process::read()?))
    }
}
