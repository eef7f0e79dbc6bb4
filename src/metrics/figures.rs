//! Where the figures come from, for whoever hands them out.
//!
//! It does not keep the edge alive: an edge that is drained or handed over has its figures no more.

use std::{
    io,
    sync::{Arc, Weak},
};

use proxy::Edge;

use super::{Process, render};

/// The figures of an edge and of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Figures(Weak<Edge>);

impl Figures {
    /// Those of this edge.
    pub fn of(edge: &Arc<Edge>) -> Self {
        Self(Arc::downgrade(edge))
    }

    /// All figures of this moment, as [`render`] writes them. An error means that the kernel does
    /// not say how this process is.
    pub fn text(&self) -> io::Result<String> {
        let traffic = self.0.upgrade().map(|edge| edge.traffic()).unwrap_or_default();
        Ok(render(&traffic, &Process::read()?))
    }
}
