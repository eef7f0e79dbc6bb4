//! Who is asking. A handler that takes a [`Caller`] cannot run without a valid one.
//!
//! Whoever can open the socket in the data folder is root on this machine and needs no token. All
//! others present one; too many wrong ones from an address are refused for a while.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::FaultCode;
use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    model::{Actor, Role, TokenId},
    ops::{grant, node},
    server::{fault::Failure, state::Api},
};

/// Over what a request came in; put into every request by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The socket in the data folder.
    Socket,
    /// TCP, from this address.
    Network(IpAddr),
}

/// Who is asking, proven.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) actor: Actor,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        Self::by_token(parts, api, bearer(parts))
    }
}

impl Caller {
    /// Whoever has this token; over the socket nobody needs one.
    pub(super) fn by_token(parts: &Parts, api: &Api, token: &str) -> Result<Self, Failure> {
        if transport(parts)? == Transport::Socket {
            return Ok(Self { actor: local()? });
        }
        let known = || Ok(grant::recognise(&api.store.snapshot(), &api.token_key, token)?);
        match counted(parts, api, known)? {
            Some((actor, Role::Admin)) => Ok(Self { actor }),
            None => {
                Err(Failure::new(FaultCode::Unauthenticated, "the token is missing or not valid")
                    .hint("log in again: `paas login URL --token TOKEN`"))
            }
        }
    }
}

/// A machine that has a join token of ours, whatever became of that.
#[derive(Debug, Clone)]
pub(super) struct Newcomer {
    pub(super) token: TokenId,
}

impl FromRequestParts<Api> for Newcomer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let token = bearer(parts);
        let known = || Ok(node::recognise(&api.store.snapshot(), &api.token_key, token)?);
        let token = counted(parts, api, known)?.ok_or_else(|| {
            Failure::new(
                FaultCode::Unauthenticated,
                "the join token is not valid, or was taken back",
            )
            .hint("`paas nodes token` on the control makes another")
        })?;
        Ok(Self { token })
    }
}

fn bearer(parts: &Parts) -> &str {
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

fn transport(parts: &Parts) -> Result<Transport, Failure> {
    let missing = || Failure::new(FaultCode::Internal, "the request has no transport");
    parts.extensions.get().copied().ok_or_else(missing)
}

/// What is known of a token; `None`, which is a wrong one, counts against its sender's address.
fn counted<T>(
    parts: &Parts,
    api: &Api,
    known: impl FnOnce() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let Transport::Network(address) = transport(parts)? else { return known() };
    if !api.attempts.allows(address, Instant::now()) {
        return Err(Failure::new(FaultCode::TooMany, "too many wrong tokens from your address")
            .hint(
                "wait a minute and check the token: `paas login`, or `paas nodes tokens` for one that \
                 a machine joins by",
            ));
    }
    let known = known()?;
    if known.is_none() {
        api.attempts.failed(address, Instant::now());
    }
    Ok(known)
}

fn local() -> Result<Actor, Failure> {
    Ok("root".parse::<Actor>()?)
}

/// Wrong tokens by address, over the last minute.
#[derive(Debug, Clone, Default)]
pub struct Attempts(Arc<Mutex<BTreeMap<IpAddr, (u32, Instant)>>>);

impl Attempts {
    fn allows(&self, address: IpAddr, now: Instant) -> bool {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts
            .get(&address)
            .is_none_or(|(count, since)| *count < MOST || now.duration_since(*since) > WINDOW)
    }

    fn failed(&self, address: IpAddr, now: Instant) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= ADDRESSES {
            attempts.retain(|_, (_, since)| now.duration_since(*since) <= WINDOW);
        }
        if attempts.len() >= ADDRESSES {
            // A flood from everywhere: forgetting some is better than growing.
            attempts.clear();
        }
        let entry = attempts.entry(address).or_insert((0, now));
        if now.duration_since(entry.1) > WINDOW {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

/// Wrong tokens that an address may present per [`WINDOW`].
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered at most.
const ADDRESSES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_tokens_shut_an_address_out_for_a_minute() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let (bad, good) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..MOST {
            assert!(attempts.allows(bad, start));
            attempts.failed(bad, start);
        }
        assert!(!attempts.allows(bad, start) && attempts.allows(good, start));
        assert!(attempts.allows(bad, start + WINDOW + Duration::from_secs(1)));
    }
}
