//! What hosts answer with: each app under its name below the platform's domain, and under the
//! domains that it was given. Pure. One that is private has none: its names are as unknown as any.
//!
//! Nobody is locked out: a visitor is sent to TLS only where the edge presents a certificate for
//! the very host, and only if it speaks TLS.

use std::{collections::BTreeMap, time::Duration};

use proxy::{Certificates, Forwarded, Host, Hsts, Pattern, Plain, Route, Site, Subdomains};

use super::{Ground, service_name};
use crate::{
    control::apps::state::AppState,
    model::{AppName, Domain, DomainName, HttpSettings},
};

/// The sites of all apps.
pub(super) fn sites(
    states: &BTreeMap<&AppName, &AppState>,
    domains: &[Domain],
    ground: &Ground,
) -> BTreeMap<Pattern, Site> {
    let public = states.iter().filter(|(_, state)| !state.is_private());
    let states: &BTreeMap<&AppName, &AppState> =
        &public.map(|(name, state)| (*name, *state)).collect();
    let mut sites = BTreeMap::new();
    let mut given: BTreeMap<&DomainName, Vec<&Domain>> = BTreeMap::new();
    for domain in domains.iter().filter(|domain| states.contains_key(&domain.app)) {
        given.entry(&domain.name).or_default().push(domain);
    }
    for (name, parts) in given {
        let Ok(host) = name.as_str().parse::<Pattern>() else { continue };
        let site = of_domain(&host, &parts, states, ground);
        sites.insert(host, site);
    }
    // Last, because a name below the platform's domain is the app's whatever a record says.
    for (name, state) in states {
        let Ok(host) = format!("{name}.{}", ground.domain).parse::<Pattern>() else { continue };
        let site =
            Site { routes: vec![Route::all(service_name(name))], ..site(&host, state, ground) };
        sites.insert(host, site);
    }
    sites
}

fn of_domain(
    host: &Pattern,
    parts: &[&Domain],
    states: &BTreeMap<&AppName, &AppState>,
    ground: &Ground,
) -> Site {
    // What is said of the host as a whole is said by whoever has the shortest path of it.
    let first = parts.iter().min_by_key(|part| part.path.as_str().len());
    let frame = first.and_then(|part| states.get(&part.app)).map(|state| site(host, state, ground));
    let moved_to = parts.iter().find_map(|part| part.moved_to.as_ref());
    let route = |part: &&Domain| Route {
        prefix: part.path.as_str().into(),
        forwarded: if part.strip { Forwarded::Stripped } else { Forwarded::Whole },
        to: service_name(&part.app),
    };
    Site {
        moved_to: moved_to.and_then(|name| Host::parse(name.as_str()).ok()),
        routes: parts.iter().map(route).collect(),
        ..frame.unwrap_or_default()
    }
}

/// How a host is served as a whole, by what an app asks for.
fn site(host: &Pattern, state: &AppState, ground: &Ground) -> Site {
    let proved = is_proved(host, &ground.certificates);
    let Some(port) = ground.https.filter(|_| proved) else { return Site::default() };
    let http = state.http();
    let plain = match http.and_then(|http| http.redirect) {
        Some(false) => Plain::Served,
        Some(true) | None => Plain::Redirected { port },
    };
    Site { plain, hsts: http.and_then(hsts), ..Site::default() }
}

fn hsts(http: &HttpSettings) -> Option<Hsts> {
    // Browsers count in seconds, so the rest of one is as good as none.
    let seconds = http.hsts?.as_secs();
    Some(Hsts { max_age: Duration::from_secs(seconds), subdomains: Subdomains::Excluded })
}

/// Whether the edge has something to present for every host that the pattern covers.
fn is_proved(pattern: &Pattern, certificates: &Certificates) -> bool {
    let covers = |own: &Pattern| match pattern {
        Pattern::Exact(host) => own.covers(host),
        Pattern::Below(_) => own == pattern,
    };
    certificates.hosts.keys().any(covers)
}
