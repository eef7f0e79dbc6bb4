//! Join tokens: making one, recognising a presented one, taking one back.

use std::time::Duration;

use crate::{
    model::{Actor, JoinToken, JoinWord, Timestamp, TokenId, TokenLife},
    ops::{
        Refusal,
        grant::{Randomness, TokenKey},
    },
    store::{StoreError, Transaction, View},
};

/// Makes a token that ends after `lasts`; without it after an hour. Those that ended long ago go.
pub fn make(
    tx: &mut Transaction<'_>,
    key: &TokenKey,
    randomness: &Randomness,
    lasts: Option<Duration>,
    (by, now): (&Actor, Timestamp),
) -> Result<JoinToken, Refusal> {
    let what = "the token was not made";
    let lasts = lasts.unwrap_or(USUALLY);
    if !(SHORTEST..=LONGEST).contains(&lasts) {
        return Err(Refusal::invalid(what, "it may last from one minute to seven days")
            .hint("`paas nodes token --ttl 1h`"));
    }
    let mut open = 0;
    for old in tx.scan::<JoinToken>(&())? {
        if now.since(old.expires_at) > REMEMBERED {
            tx.delete::<JoinToken>(&old.id.0)?;
        }
        open += usize::from(old.life(now) == TokenLife::Open);
    }
    if open >= MOST {
        return Err(Refusal::conflict(what, format!("there are {MOST} that nobody has used"))
            .hint("`paas nodes tokens` lists them; `paas nodes revoke ID` makes room"));
    }
    let token = JoinToken {
        id: TokenId(hex::encode(randomness.id)),
        hash: key.hash(&hex::encode(randomness.secret)),
        expires_at: now.plus(lasts),
        used: None,
        created_at: now,
        by: by.clone(),
    };
    tx.put(&token)?;
    Ok(token)
}

/// The token that a text proves, whatever became of it; `None` if it is none of ours. Takes the same time
/// either way.
pub fn recognise(
    view: &impl View,
    key: &TokenKey,
    text: &str,
) -> Result<Option<TokenId>, StoreError> {
    let Some((id, secret)) = JoinWord::halves(text) else { return Ok(None) };
    let token = view.get::<JoinToken>(&id.0)?;
    let hash = token.map(|token| token.hash).unwrap_or_default();
    Ok(key.proves(secret, &hash).then_some(id))
}

/// Takes a token back. Whoever joined by it stays.
pub fn revoke(tx: &mut Transaction<'_>, id: &TokenId) -> Result<JoinToken, Refusal> {
    let Some(token) = tx.get::<JoinToken>(&id.0)? else {
        return Err(Refusal::not_found(format!("token {id}"), "there is no such token")
            .hint("`paas nodes tokens` lists what there is"));
    };
    tx.delete::<JoinToken>(&id.0)?;
    Ok(token)
}

const USUALLY: Duration = Duration::from_hours(1);
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24 * 7);
/// How long it is told what became of a token.
const REMEMBERED: Duration = Duration::from_hours(24 * 7);
/// Tokens that nobody has used yet.
const MOST: usize = 100;
