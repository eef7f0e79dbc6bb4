//! Whose a name is, where it leads, and what proves it.

use super::{Diagnosis, Facts, Known, Order, Verdict};
use crate::model::{CertificateState, Domain, DomainCheck, Pointing};

/// The links before the app.
pub(super) fn name(facts: &Facts, diagnosis: &mut Diagnosis) {
    let host = &facts.host;
    let app = facts.answerer.as_ref().map(|answerer| answerer.app.name.as_str());
    match (&facts.known, app) {
        (Known::OfApp, Some(app)) => diagnosis.well("name", format!("{host} is {app}'s own name")),
        (Known::Domain(domain, check), Some(app)) => {
            diagnosis.well("name", format!("{} is a domain of {app}", address(domain)));
            if let Some(to) = &domain.moved_to {
                diagnosis.remark("redirect", format!("its visitors are sent to {to}"));
            }
            dns(domain, check.as_ref(), diagnosis);
        }
        (Known::OtherPaths(domains), _) => {
            let paths: Vec<String> = domains.iter().map(address).collect();
            let fact = format!("no app has {host}{}; there is {}", facts.path, paths.join(", "));
            diagnosis.link("name", Verdict::Wrong, fact);
            let what = format!("no app has the path {} of {host}", facts.path);
            diagnosis.in_the_way(Order::Name, what, format!("`paas domains add {host} -a APP`"));
            return;
        }
        (Known::OfApp | Known::Domain(..) | Known::Unknown, _) => {
            diagnosis.link("name", Verdict::Wrong, format!("no app has the name {host}"));
            let hint = format!("`paas domains add {host} -a APP`; `paas apps` lists the apps");
            diagnosis.in_the_way(Order::Name, format!("no app of this server has {host}"), hint);
            return;
        }
    }
    certificate(facts, diagnosis);
}

fn address(domain: &Domain) -> String {
    let path = if domain.path.is_root() { String::new() } else { domain.path.to_string() };
    format!("{}{path}", domain.name)
}

fn dns(domain: &Domain, check: Option<&DomainCheck>, diagnosis: &mut Diagnosis) {
    let name = &domain.name;
    let hint = format!("`paas domains check {name}` says which records it needs");
    match check.map(|check| &check.pointing) {
        None => diagnosis.remark("dns", "nobody has looked yet where it leads"),
        Some(Pointing::Here) => diagnosis.well("dns", "the world's DNS leads here"),
        Some(Pointing::Elsewhere { addresses }) => {
            let to = addresses.join(", ");
            diagnosis.link("dns", Verdict::Wrong, format!("the world's DNS leads to {to}"));
            let what = format!("{name} leads to {to}, and not to this server");
            diagnosis.in_the_way(Order::Dns, what, hint);
        }
        Some(Pointing::Nowhere) => {
            diagnosis.link("dns", Verdict::Wrong, "the world's DNS has no address for it");
            diagnosis.in_the_way(Order::Dns, format!("{name} leads nowhere"), hint);
        }
        Some(Pointing::Unknown { reason }) => {
            diagnosis.remark("dns", format!("where it leads is not known: {reason}"));
        }
    }
}

fn certificate(facts: &Facts, diagnosis: &mut Diagnosis) {
    let host = &facts.host;
    let Some(certificate) = &facts.certificate else {
        diagnosis.remark("certificate", "none; plain HTTP is served");
        return;
    };
    let issued = certificate.issued.as_ref();
    let until = issued.map(|issued| format!("by {}, until {}", issued.issuer, issued.not_after));
    match (&certificate.state, until) {
        (CertificateState::Failing { reason, hint, next, .. }, until) => {
            let rest = match &until {
                Some(until) => format!("; the one there is goes on: {until}"),
                None => "; plain HTTP is served".to_owned(),
            };
            let fact = format!("not issued: {reason}; tried again at {next}{rest}");
            diagnosis.link("certificate", Verdict::Wrong, fact);
            if until.is_none() {
                let hint = hint.clone();
                let hint = hint.unwrap_or_else(|| format!("`paas certs retry {host}`"));
                let what = format!("{host} has no certificate: {reason}");
                diagnosis.in_the_way(Order::Certificate, what, hint);
            }
        }
        (_, Some(until)) => diagnosis.well("certificate", until),
        (state, None) => {
            let fact = format!("{}; plain HTTP is served until it is there", state.word());
            diagnosis.remark("certificate", fact);
        }
    }
}
