//! What control must ask of the outside, as functions that the daemon passes in: the world's DNS, and
//! the edge. So this room needs neither, and tests answer in their place with real servers.

use std::{net::IpAddr, sync::Arc};

use futures_util::future::BoxFuture;

/// A question and its answer.
pub type Ask<Q, A> = Arc<dyn Fn(Q) -> BoxFuture<'static, A> + Send + Sync>;

/// What can be asked.
#[derive(Clone)]
pub struct World {
    /// The addresses of a name, as the world sees them.
    pub addresses: Ask<String, Result<Vec<IpAddr>, Unresolved>>,
    /// What a name is an alias of.
    pub alias: Ask<String, Result<Option<String>, Unresolved>>,
    /// The TXT records of a name, each in one piece.
    pub texts: Ask<String, Result<Vec<String>, Unresolved>>,
    /// Answers when every worker of the edge presents at least this generation of certificates.
    pub presented: Ask<u64, ()>,
}

/// Why a name has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// There is no such name, or nothing of the kind at it.
    Nothing,
    /// It could not be asked for: why, in words.
    Failed(String),
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
