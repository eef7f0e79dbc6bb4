//! Keys that users push with over SSH: adding one, removing one, and whose a presented one is.

use crate::{
    model::{Actor, KeyFingerprint, KeyName, Role, SshKey},
    ops::Refusal,
    store::{StoreError, Transaction, View},
};

/// Adds a key. The same one again is that one, under its first name.
pub fn add(tx: &mut Transaction<'_>, key: SshKey) -> Result<SshKey, Refusal> {
    let keys = tx.scan::<SshKey>(&())?;
    if let Some(there) = keys.iter().find(|there| there.fingerprint == key.fingerprint) {
        return Ok(there.clone());
    }
    let what = || format!("key {}", key.name);
    if keys.iter().any(|there| there.name == key.name) {
        return Err(Refusal::conflict(what(), "another key has that name")
            .hint("`paas keys add FILE --name NAME` gives this one another"));
    }
    if keys.len() >= MAX_KEYS {
        return Err(Refusal::conflict(
            what(),
            format!("there are {MAX_KEYS} keys, and no more are held"),
        )
        .hint("`paas keys remove NAME` makes room"));
    }
    tx.put(&key)?;
    Ok(key)
}

/// Removes the key of this name or with this fingerprint. Who is connected by it may end what they began.
pub fn remove(tx: &mut Transaction<'_>, wanted: &str) -> Result<SshKey, Refusal> {
    let keys = tx.scan::<SshKey>(&())?;
    let is_it = |key: &SshKey| key.name.as_str() == wanted || key.fingerprint.as_str() == wanted;
    let Some(key) = keys.into_iter().find(is_it) else {
        return Err(Refusal::not_found(format!("key {wanted}"), "no key has that name")
            .hint("`paas keys` lists what there is"));
    };
    tx.delete::<SshKey>(&key.fingerprint.as_str().to_owned())?;
    Ok(key)
}

/// Whose a key is and what they may do; `None` if nobody has added it.
pub fn recognise(
    view: &impl View,
    fingerprint: &KeyFingerprint,
) -> Result<Option<(Actor, Role)>, StoreError> {
    let key = view.get::<SshKey>(&fingerprint.as_str().to_owned())?;
    Ok(key.map(|key| (key.by, Role::Admin)))
}

/// A name for a key that has none: its comment's, else its owner's.
pub fn name(given: Option<KeyName>, comment: &str, by: &Actor) -> Result<KeyName, Refusal> {
    let name = given.or_else(|| KeyName::suggested(comment));
    name.or_else(|| KeyName::suggested(by.as_str())).ok_or_else(|| {
        Refusal::invalid("the key", "it says in its comment not whose it is")
            .hint("`paas keys add FILE --name NAME`")
    })
}

/// Keys of one server.
const MAX_KEYS: usize = 1000;
