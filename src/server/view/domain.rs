//! Domains and certificates, from the records to the wire contract.

use crate::{
    model::{
        AppName, Certificate, CertificateSource, CertificateState, Domain, DomainCheck, DomainName,
        Pointing, Reachable, Setting,
    },
    server::state::Reach,
    store::{StoreError, View},
};

pub(in crate::server) fn domain(
    domain: &Domain,
    view: &impl View,
    reach: &Reach,
    zones: &[String],
) -> Result<api::Domain, StoreError> {
    let reachable = Reachable { domain: &reach.domain, addresses: &reach.edges.all_at(), zones };
    let advice = reachable.advice(&domain.name, &domain.app);
    let check = view.get::<DomainCheck>(&domain.name.as_str().to_owned())?;
    let proof = proof_of(view, domain.name.as_str())?;
    let settings = |settings: Vec<Setting>| settings.iter().map(setting).collect();
    Ok(api::Domain {
        name: domain.name.to_string(),
        path: domain.path.to_string(),
        strip: domain.strip,
        app: domain.app.to_string(),
        moved_to: domain.moved_to.as_ref().map(ToString::to_string),
        url: url(domain, reach, proof.as_ref()),
        dns: pointing(check.as_ref(), reach),
        certificate: proof
            .as_ref()
            .map(certificate)
            .or_else(|| reach.acme.then(|| wanted(&domain.name))),
        records: settings(advice.set),
        instead: settings(advice.instead),
        created_at: domain.created_at.to_string(),
        by: domain.by.to_string(),
    })
}

/// What proves a name: its own certificate, else that of the wildcard above it.
pub(in crate::server) fn proof_of(
    view: &impl View,
    name: &str,
) -> Result<Option<Certificate>, StoreError> {
    let get = |name: &str| view.get::<Certificate>(&name.to_owned());
    if let Some(own) = get(name)? {
        return Ok(Some(own));
    }
    match name.split_once('.') {
        Some((first, parent)) if first != "*" => get(&format!("*.{parent}")),
        _ => Ok(None),
    }
}

/// Where an app answers by its name: over TLS where it is proved.
pub(in crate::server) fn app_url(
    view: &impl View,
    reach: &Reach,
    app: &AppName,
) -> Result<String, StoreError> {
    let host = format!("{app}.{}", reach.domain);
    let proof = proof_of(view, &host)?;
    Ok(reach.url(&host, proof.as_ref()))
}

/// Where one of its own names answers.
pub(in crate::server) fn domain_url(
    view: &impl View,
    reach: &Reach,
    domain: &Domain,
) -> Result<String, StoreError> {
    Ok(url(domain, reach, proof_of(view, domain.name.as_str())?.as_ref()))
}

fn url(domain: &Domain, reach: &Reach, proof: Option<&Certificate>) -> String {
    let base = reach.url(domain.name.as_str(), proof);
    if domain.path.is_root() { base } else { format!("{base}{}", domain.path) }
}

fn pointing(check: Option<&DomainCheck>, reach: &Reach) -> api::Pointing {
    let Some(check) = check else {
        return api::Pointing { state: "unchecked".to_owned(), detail: None, since: None };
    };
    let own = || {
        let own: Vec<String> = reach.edges.all_at().iter().map(ToString::to_string).collect();
        if own.is_empty() {
            "; if that is this server, its setting `addresses` should say so".to_owned()
        } else {
            format!(", not to {}", own.join(", "))
        }
    };
    let (state, detail) = match &check.pointing {
        Pointing::Here => ("here", None),
        Pointing::Elsewhere { addresses } => {
            ("elsewhere", Some(format!("it leads to {}{}", addresses.join(", "), own())))
        }
        Pointing::Nowhere => ("nowhere", Some("the world's DNS has no address for it".to_owned())),
        Pointing::Unknown { reason } => ("unknown", Some(reason.clone())),
    };
    api::Pointing { state: state.to_owned(), detail, since: Some(check.since.to_string()) }
}

fn setting(setting: &Setting) -> api::DnsSetting {
    api::DnsSetting {
        name: setting.name.clone(),
        kind: setting.data.kind().to_owned(),
        value: setting.data.to_string(),
    }
}

/// A certificate that control has not got round to wanting yet.
fn wanted(name: &DomainName) -> api::Certificate {
    certificate(&Certificate {
        name: name.clone(),
        source: CertificateSource::Acme,
        state: CertificateState::Wanted,
        issued: None,
        alarms: Vec::new(),
    })
}

pub(in crate::server) fn certificate(certificate: &Certificate) -> api::Certificate {
    let issued = certificate.issued.as_ref();
    let (reason, hint, retry) = match &certificate.state {
        CertificateState::Failing { reason, hint, next, .. } => {
            (Some(reason.clone()), hint.clone(), Some(*next))
        }
        CertificateState::Wanted
        | CertificateState::Ordering { .. }
        | CertificateState::Issued
        | CertificateState::Renewing { .. } => (None, None, None),
    };
    api::Certificate {
        name: certificate.name.to_string(),
        source: match certificate.source {
            CertificateSource::Acme => "acme",
            CertificateSource::Supplied => "supplied",
        }
        .to_owned(),
        state: certificate.state.word().to_owned(),
        reason,
        hint,
        next: retry.or(issued.and_then(|issued| issued.renew_at)).map(|at| at.to_string()),
        issuer: issued.map(|issued| issued.issuer.clone()),
        names: issued.map_or_else(Vec::new, |issued| issued.names.clone()),
        serial: issued.map(|issued| issued.serial.clone()),
        not_before: issued.map(|issued| issued.not_before.to_string()),
        expires: issued.map(|issued| issued.not_after.to_string()),
    }
}
