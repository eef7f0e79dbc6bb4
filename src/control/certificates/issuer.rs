//! What the issuers of users' own certificates say of them (OCSP): asked, recorded, asked again in
//! time. Authorities that the platform asks by itself are not asked here: their certificates are
//! short-lived, and replaced before anybody would have to revoke them.
//!
//! Invariant: a word that has ended, or is about another certificate, is never sent along.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Executor, backoff, responder};
use crate::{
    clock,
    model::{
        Actor, Certificate, CertificateSource, CertificateState, Domain, DomainName, EventKind,
        Issued, IssuerWord, Timestamp, Vouched,
    },
    pki::{Inquiry, Standing},
    store::{StoreError, Transaction, View, diary},
    telemetry::chain,
};

/// What came of a question.
#[derive(Debug)]
enum Outcome {
    /// The certificate names nobody, or its chain lacks the issuer.
    Nobody,
    /// An answer, and its bytes in base64.
    Told(Standing, String),
    /// None.
    Silence,
}

impl Executor {
    /// Asks the issuer of a user's own certificate about it and records what it says. A responder that
    /// does not answer costs the certificate nothing but its word.
    pub(super) async fn ask_issuer(&self, name: &DomainName) -> Result<(), StoreError> {
        let found = self.store.snapshot().get::<Certificate>(&name.as_str().to_owned())?;
        let Some(issued) = found.and_then(own) else { return Ok(()) };
        let outcome = match Inquiry::about(&issued.chain) {
            None => Outcome::Nobody,
            Some(inquiry) => inquire(name, &inquiry).await,
        };
        let (name, now) = (name.clone(), clock::now());
        self.store.transact(move |tx| record(tx, &name, &issued, outcome, now)).await
    }
}

async fn inquire(name: &DomainName, inquiry: &Inquiry) -> Outcome {
    let (responder, now) = (&inquiry.responder, clock::now);
    let silence = |error: &dyn std::error::Error| {
        tracing::warn!(%name, responder, error = %chain(error), "no word of the issuer");
        Outcome::Silence
    };
    let answer = match responder::ask(responder, inquiry.request.clone()).await {
        Ok(answer) => answer,
        Err(error) => return silence(&error),
    };
    match inquiry.read(&answer, now()) {
        Ok(standing) => Outcome::Told(standing, STANDARD.encode(&answer)),
        Err(error) => silence(&error),
    }
}

/// Records an outcome, unless another certificate was brought meanwhile.
fn record(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    asked: &Issued,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = name.as_str().to_owned();
    let Some(certificate) = tx.get::<Certificate>(&key)? else { return Ok(()) };
    if own(certificate.clone()).is_none_or(|issued| issued.chain != asked.chain) {
        return Ok(());
    }
    let before = tx.get::<IssuerWord>(&key)?.filter(|word| word.serial == asked.serial);
    let attempts = before.as_ref().map_or(0, |word| word.attempts);
    let good = before.and_then(|word| word.good);
    let fresh = IssuerWord {
        name: name.clone(),
        serial: asked.serial.clone(),
        good: None,
        attempts: 0,
        next: None,
    };
    let word = match outcome {
        Outcome::Nobody => fresh,
        Outcome::Silence => {
            let attempts = attempts.saturating_add(1);
            let next = Some(now.plus(backoff::after(attempts)));
            IssuerWord { good, attempts, next, ..fresh }
        }
        Outcome::Told(Standing::Good { from, until }, response) => {
            restored(tx, certificate)?;
            let next = Some(again(from, until, now));
            IssuerWord { good: Some(Vouched { response, from, until }), next, ..fresh }
        }
        Outcome::Told(Standing::Revoked { since, why, until }, _) => {
            let next = again(now, until, now);
            revoked(tx, certificate, since, why, next, now)?;
            IssuerWord { next: Some(next), ..fresh }
        }
    };
    tx.put(&word)
}

/// The word of an issuer that may be sent along with a certificate now.
pub(super) fn word<'a>(
    words: &'a [IssuerWord],
    certificate: &Certificate,
    now: Timestamp,
) -> Option<&'a Vouched> {
    let known = of(words, certificate)?;
    known.good.as_ref().filter(|good| good.until > now)
}

/// What is on record about a certificate. The words are sorted by name.
pub(super) fn of<'a>(words: &'a [IssuerWord], certificate: &Certificate) -> Option<&'a IssuerWord> {
    let at = words.binary_search_by(|word| word.name.cmp(&certificate.name)).ok()?;
    let issued = certificate.issued.as_ref()?;
    let own = certificate.source == CertificateSource::Supplied;
    words.get(at).filter(|word| own && word.serial == issued.serial)
}

/// The answer's bytes.
pub(super) fn response(word: &Vouched) -> Option<Vec<u8>> {
    STANDARD.decode(&word.response).ok()
}

/// At half of an answer's life, or halfway to its end where the responder had it lying for longer.
fn again(from: Timestamp, until: Timestamp, now: Timestamp) -> Timestamp {
    let half = from.plus(until.since(from) / 2);
    let at = if half > now { half } else { now.plus(until.since(now) / 2) };
    at.max(now.plus(SOONEST))
}

/// What a user brought; nothing of what an authority gave to the platform.
fn own(certificate: Certificate) -> Option<Issued> {
    certificate.issued.filter(|_| certificate.source == CertificateSource::Supplied)
}

fn revoked(
    tx: &mut Transaction<'_>,
    certificate: Certificate,
    since: Timestamp,
    why: Option<&str>,
    next: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name = certificate.name.clone();
    let issuer = certificate.issued.as_ref().map_or("its issuer", |issued| &issued.issuer);
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    let since = since.to_string();
    let day = since.get(..10).unwrap_or(&since);
    let reason = format!("{issuer} has revoked it on {day}{why}; browsers refuse it");
    let hint = format!(
        "bring another: `paas certs add {name} --cert FILE --key FILE`, or let the platform get one: \
         `paas certs remove {name}`"
    );
    let known = matches!(certificate.state, CertificateState::Failing { .. });
    let text = format!("certificate of {name}: {reason}");
    let state = CertificateState::Failing { attempts: 1, reason, hint: Some(hint), next };
    tx.put(&Certificate { state, ..certificate })?;
    if known { Ok(()) } else { tell(tx, &name, &text, now) }
}

/// A certificate that was on hold stands again.
fn restored(tx: &mut Transaction<'_>, certificate: Certificate) -> Result<(), StoreError> {
    if certificate.state == CertificateState::Issued {
        return Ok(());
    }
    tx.put(&Certificate { state: CertificateState::Issued, ..certificate })
}

fn tell(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tracing::error!(event = text, "a certificate is revoked");
    let mut apps: Vec<_> =
        tx.scan::<Domain>(name.as_str())?.into_iter().map(|one| one.app).collect();
    apps.dedup();
    for app in apps {
        diary::write(tx, &app, EventKind::Certificate, text.to_owned(), &Actor::platform(), now)?;
    }
    Ok(())
}

/// Between two questions, however short an answer's life is.
const SOONEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn it_is_asked_again_well_before_the_end() {
        for (from, until, now, expected) in
            [(0, 100, 0, 50), (0, 100, 49, 50), (0, 100, 60, 80), (0, 100, 98, 99), (10, 20, 8, 15)]
        {
            let at = again(minute(from), minute(until), minute(now));
            assert_eq!(at, minute(expected), "{from} {until} {now}");
        }
        let soon = again(minute(0), Timestamp::from_millis(1000), minute(0));
        assert_eq!(soon, Timestamp::from_millis(5000));
    }
}
