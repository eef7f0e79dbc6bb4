//! What the edge does for an app besides finding an instance: from the section `[http]` of the
//! release that serves, its config and the maintenance page, to the edge's rules. Pure.
//!
//! A rule that cannot be carried out shuts the app rather than opening it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use proxy::{Absence, Access, Compression, Key, Network, Pages, Password, Policy, Rate, Sticky};
use sha2::Sha256;

use crate::{
    control::apps::state::AppState,
    model::{AppName, Cidr, Config, HttpSettings, Maintenance, PasswordGate, SecretValue},
};

/// The secret that the edge's cookies are signed and its passwords are kept with. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct EdgeKey([u8; 32]);

impl EdgeKey {
    /// Takes random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for one purpose, from which the others cannot be told.
    fn derived(&self, purpose: &str, app: &AppName) -> [u8; 32] {
        digest(&self.0, &format!("{purpose} of {app}"))
    }
}

impl fmt::Debug for EdgeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EdgeKey(…)")
    }
}

/// What rules are made with besides what the release says.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    /// The edge's own.
    pub(super) edge: &'a EdgeKey,
    /// The password of visitors, if a secret of the app has it.
    pub(super) password: Option<SecretValue>,
}

/// The rules of an app.
pub(super) fn policy(state: &AppState, keys: &Keys<'_>) -> Policy {
    let key = keys.edge;
    let name = &state.app.name;
    let maintenance = state.app.maintenance.as_ref().map(|said| absence(name, said));
    let current = state.app.current.and_then(|current| state.releases.get(&current.release));
    let Some(release) = current else { return Policy { maintenance, ..Policy::default() } };
    let http = &release.deploy.http;
    Policy {
        access: access(http),
        rate: http.rate.map(|rate| Rate {
            requests: rate.requests,
            per: rate.per,
            burst: rate.burst,
        }),
        password: http
            .password
            .as_ref()
            .map(|gate| password(gate, name, &release.environment(), keys)),
        maintenance,
        most_body: http.max_body.map(|size| size.0),
        most_in_flight: http.max_in_flight.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        compression: if http.compress { Compression::Text } else { Compression::Off },
        sticky: http
            .sticky
            .then(|| Sticky { cookie: COOKIE.into(), key: Key::new(key.derived("cookies", name)) }),
        pages: pages(http),
        slow_start: http.slow_start.unwrap_or(Duration::ZERO),
    }
}

fn absence(name: &AppName, said: &Maintenance) -> Absence {
    Absence {
        title: format!("{name} is under maintenance"),
        explanation: said.message.clone(),
        retry_after: MAINTENANCE,
    }
}

fn access(http: &HttpSettings) -> Access {
    let networks = |list: &[Cidr]| {
        list.iter().map(|network| network.as_str().parse::<Network>().ok()).collect()
    };
    match (networks(&http.allow), networks(&http.deny)) {
        (Some(allow), Some(deny)) => Access { allow, deny },
        _ => Access {
            allow: Vec::new(),
            deny: ["0.0.0.0/0", "::/0"].iter().filter_map(|all| all.parse().ok()).collect(),
        },
    }
}

/// While the variable is not set there is no digest, and nobody is let in.
fn password(
    gate: &PasswordGate,
    name: &AppName,
    environment: &Config,
    keys: &Keys<'_>,
) -> Password {
    let own = keys.edge.derived("passwords", name);
    let plain = environment.get(&gate.password_from).map(String::as_str);
    let secret = keys.password.as_ref().map(SecretValue::expose).or(plain);
    let secret = secret.filter(|secret| !secret.is_empty());
    let digests = secret.map(|secret| digest(&own, &format!("{}:{secret}", gate.user)));
    Password {
        realm: name.as_str().into(),
        key: Key::new(own),
        digests: digests.into_iter().collect(),
    }
}

fn pages(http: &HttpSettings) -> Pages {
    let pages: BTreeMap<u16, Box<str>> =
        http.pages.iter().map(|(status, page)| (*status, page.as_str().into())).collect();
    Pages(Arc::new(pages))
}

fn digest(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The cookie that binds a browser to an instance.
const COOKIE: &str = "paas_instance";
/// When a visitor may try again.
const MAINTENANCE: Duration = Duration::from_mins(2);
