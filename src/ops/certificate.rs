//! Bring a certificate of one's own, take it back, or have the platform try again at once.

use std::collections::BTreeSet;

use crate::{
    model::{
        Actor, Certificate, CertificateSource, CertificateState, Domain, DomainName, EventKind,
        IssuerWord, Sealed, Timestamp,
    },
    ops::Refusal,
    pki::Supplied,
    store::{Transaction, View, diary},
};

/// Presents the user's own certificate for a name from now on, in place of the platform's. Its key
/// comes sealed.
pub fn supply(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    supplied: Supplied,
    key: Sealed,
    by: &Actor,
    now: Timestamp,
) -> Result<Certificate, Refusal> {
    let certificate = Certificate {
        name: name.clone(),
        source: CertificateSource::Supplied,
        state: CertificateState::Issued,
        issued: Some(supplied.issued(key)),
        alarms: Vec::new(),
    };
    tx.put(&certificate)?;
    // What was said of the one before is not said of this one, even if it is the same one again.
    tx.delete::<IssuerWord>(&name.as_str().to_owned())?;
    tell(tx, name, &format!("a certificate was brought for {name}"), by, now)?;
    Ok(certificate)
}

/// Takes a user's own certificate back. Where the name is a domain of an app, the platform gets one
/// again.
pub fn remove(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    by: &Actor,
    now: Timestamp,
) -> Result<Certificate, Refusal> {
    let certificate = existing(tx, name)?;
    if certificate.source == CertificateSource::Acme {
        return Err(Refusal::conflict(
            format!("certificate of {name}"),
            "the platform cares for it, and it goes when its domain does",
        )
        .hint(format!("`paas domains remove {name}`")));
    }
    tx.delete::<Certificate>(&name.as_str().to_owned())?;
    tx.delete::<IssuerWord>(&name.as_str().to_owned())?;
    tell(tx, name, &format!("the certificate of {name} was taken back"), by, now)?;
    Ok(certificate)
}

/// Has the platform try again now, instead of when it would by itself.
pub fn retry(tx: &mut Transaction<'_>, name: &DomainName) -> Result<Certificate, Refusal> {
    let mut certificate = existing(tx, name)?;
    let refusal = |why: &str| Refusal::conflict(format!("certificate of {name}"), why);
    match (certificate.source, &certificate.state) {
        (CertificateSource::Supplied, _) => {
            return Err(refusal("it is your own, and nobody is asked for it")
                .hint(format!("bring another: `paas certs add {name} --cert FILE --key FILE`")));
        }
        (CertificateSource::Acme, CertificateState::Issued) => {
            return Err(refusal("it is there, and is renewed by itself in time")
                .hint("`paas certs` says when"));
        }
        (CertificateSource::Acme, CertificateState::Failing { .. }) => {
            certificate.state = CertificateState::Wanted;
            tx.put(&certificate)?;
        }
        (
            CertificateSource::Acme,
            CertificateState::Wanted
            | CertificateState::Ordering { .. }
            | CertificateState::Renewing { .. },
        ) => {}
    }
    Ok(certificate)
}

fn existing(view: &impl View, name: &DomainName) -> Result<Certificate, Refusal> {
    view.get::<Certificate>(&name.as_str().to_owned())?.ok_or_else(|| {
        Refusal::not_found(format!("certificate of {name}"), "there is none, and none is wanted")
            .hint("`paas certs` lists what there is; a domain gets one by itself")
    })
}

/// The diaries of all apps that have the name.
fn tell(
    tx: &mut Transaction<'_>,
    name: &DomainName,
    text: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<(), Refusal> {
    let domains = tx.scan::<Domain>(name.as_str())?;
    let apps: BTreeSet<_> = domains.into_iter().map(|domain| domain.app).collect();
    for app in apps {
        diary::write(tx, &app, EventKind::Certificate, text.to_owned(), by, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
