//! By which way a name is proved, and showing the proof until the authority has seen it.

use std::time::Duration;

use proxy::Host;
use tokio::time::{Instant, sleep};

use super::{
    Executor,
    board::{Exhibit, Shown},
    failure::Failure,
    world::Unresolved,
};
use crate::{
    acme::{Proof, ProofKind},
    model::{
        DomainName, InvalidName,
        zone::{RecordName, is_within},
    },
    pki,
};

/// A way to prove a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A text over plain HTTP.
    Http {
        /// The port on which the authority asks for it.
        port: u16,
    },
    /// A certificate over TLS.
    Tls {
        /// The port on which the authority asks for it.
        port: u16,
    },
    /// A TXT record at this name, which is in a zone of ours.
    Dns {
        /// `_acme-challenge.<name>`, or what that is an alias of.
        place: RecordName,
    },
}

impl Way {
    /// What the authority calls it.
    pub(super) fn kind(&self) -> ProofKind {
        match self {
            Self::Http { .. } => ProofKind::Http,
            Self::Tls { .. } => ProofKind::Tls,
            Self::Dns { .. } => ProofKind::Dns,
        }
    }
}

/// The way for this name: wildcards only by DNS; else what the edge can do.
pub(super) async fn choose(
    executor: &Executor,
    name: &DomainName,
    zones: &[String],
) -> Result<Way, Failure> {
    let settings = &executor.settings;
    match (name.is_wildcard(), settings.http_port, settings.tls_port) {
        (false, Some(port), _) => Ok(Way::Http { port }),
        (false, None, Some(port)) => Ok(Way::Tls { port }),
        (true, ..) | (false, None, None) => {
            place(executor, name, zones).await.map(|place| Way::Dns { place })
        }
    }
}

/// Where the TXT record of a name is to be: at the name if its zone is ours, else where an alias
/// leads that its owner has set.
async fn place(
    executor: &Executor,
    name: &DomainName,
    zones: &[String],
) -> Result<RecordName, Failure> {
    let base = name.base();
    let own = format!("_acme-challenge.{base}");
    let place = record_name(&own)?;
    if zones.iter().any(|zone| is_within(base, zone)) {
        return Ok(place);
    }
    let domain = &executor.settings.platform.domain;
    if !zones.contains(domain) {
        return Err(Failure::preflight(
            format!("{name} can be proved by DNS only, and this server answers for no zone"),
            format!(
                "set `dns` in config.toml and let {domain} be delegated to this server, or bring a \
                 certificate: `paas certs add '{name}' --cert FILE --key FILE`"
            ),
        ));
    }
    let target = record_name(&format!("{base}.acme.{domain}"))?;
    let hint = format!("add a record at your DNS provider: {place} CNAME {target}");
    let failure = |reason| Err(Failure::preflight(reason, hint.clone()));
    match executor.world.alias(&own).await {
        Ok(alias) if alias.trim_end_matches('.').eq_ignore_ascii_case(target.as_str()) => {
            Ok(target)
        }
        Ok(alias) => failure(format!("{place} is an alias of {alias}, not of {target}")),
        Err(Unresolved::Nothing) => failure(format!("{place} is not set")),
        Err(Unresolved::Failed(why)) => failure(format!("{place} could not be looked up: {why}")),
    }
}

/// Shows a proof, and returns when the world can see it.
pub(super) async fn show(
    executor: &Executor,
    name: &DomainName,
    way: &Way,
    proof: &Proof,
) -> Result<Shown, Failure> {
    let host = || {
        Host::parse(name.base()).map_err(|_| {
            Failure::preflight(format!("{name} is no host"), "remove the domain".to_owned())
        })
    };
    let exhibit = match way {
        Way::Http { .. } => {
            let path = format!("/.well-known/acme-challenge/{}", proof.token);
            Exhibit::Answer(host()?, path.into(), proof.text.as_str().into())
        }
        Way::Tls { .. } => Exhibit::Challenge(host()?, pki::proof(name, &proof.digest)?),
        Way::Dns { place } => Exhibit::Text(place.clone(), proof.record.clone()),
    };
    let shown = executor.show(exhibit).await;
    if let Way::Dns { place } = way {
        seen(executor, place, &proof.record).await?;
        executor.answered().await;
    }
    Ok(shown)
}

/// Waits until resolvers have the record; they may remember an earlier one for its time to live.
async fn seen(executor: &Executor, place: &RecordName, record: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + SEEN;
    loop {
        let texts = executor.world.texts(place.as_str()).await;
        if texts.is_ok_and(|texts| texts.iter().any(|text| text == record)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::preflight(
                format!("the proof at {place} is not seen by the world's DNS"),
                format!("`dig TXT {place}` shows what is there"),
            ));
        }
        sleep(AGAIN).await;
    }
}

/// A name that is too long for a record cannot be proved.
pub(super) fn record_name(name: &str) -> Result<RecordName, Failure> {
    name.parse().map_err(|error: InvalidName| {
        Failure::preflight(error.to_string(), "remove the domain, and add a shorter one")
    })
}

/// Longer than any record of ours may be remembered (60 s).
const SEEN: Duration = Duration::from_secs(90);
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(500);
