//! Which of a server's addresses is asked: each of several machines that keep the records answers for all of
//! them. Another one is asked only where nobody is there at one, so that nothing is ever asked twice.

use std::{fmt, sync::atomic::Ordering};

use super::{
    Client,
    connect::{Io, Limits, Unconnected, connect},
    patient::Patient,
};
use crate::{
    failure::Failure,
    target::{Address, Server},
};

impl Client {
    /// The server, at the address that is asked.
    pub(crate) fn server(&self) -> &Server {
        self.place(self.asked.load(Ordering::Relaxed))
    }

    /// Whether the server has addresses to ask besides.
    pub(crate) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// A connection to whoever is there, beginning with who was there last.
    pub(super) async fn connect(&self) -> Result<Patient<Box<dyn Io>>, Failure> {
        if !self.has_others() {
            return Ok(connect(&self.server, Limits::ALONE).await?);
        }
        let (first, all) = (self.asked.load(Ordering::Relaxed), self.others.len() + 1);
        let mut missed = None;
        for index in (first..all).chain(0..first) {
            let server = self.place(index);
            if missed.is_some() {
                let (before, now) = (bare(&self.server().address), bare(&server.address));
                (self.tell)(&format!("{before} is not reached; asking {now}"));
            }
            self.asked.store(index, Ordering::Relaxed);
            match connect(server, Limits::AMONG_OTHERS).await {
                Ok(connection) => return Ok(connection),
                Err(Unconnected::Away(failure)) => missed = missed.or(Some(failure)),
                Err(Unconnected::Unproven(failure)) => return Err(failure),
            }
        }
        self.asked.store(first, Ordering::Relaxed);
        Err(missed.unwrap_or_else(|| Failure::unreachable("no address of the server is known")))
    }

    fn place(&self, index: usize) -> &Server {
        index.checked_sub(1).and_then(|index| self.others.get(index)).unwrap_or(&self.server)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", self.server()).finish_non_exhaustive()
    }
}

/// An address without its scheme, as people say it.
fn bare(address: &Address) -> String {
    match address {
        Address::Unix(_) => address.to_string(),
        Address::Http(at) | Address::Https(at) => at.to_string(),
    }
}
