//! Why a request does or does not get an answer: gathers the facts for `ops::why`.

use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

use crate::{
    model::{App, AppName, Domain, DomainCheck, DomainName, Observation, Release, Rollout},
    ops::{
        Refusal,
        why::{Answerer, Facts, Known, Link, Requests, diagnose},
    },
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api, view::domain::proof_of},
    store::{Snapshot, View},
};

/// Whose way is asked about: an app's, or a host's.
#[derive(Debug, Deserialize)]
pub(super) struct About {
    app: Option<String>,
    host: Option<String>,
    path: Option<String>,
}

pub(super) async fn show(
    _: Caller,
    State(api): State<Api>,
    Query(about): Query<About>,
) -> Result<Json<api::Why>, Failure> {
    let path = about.path.unwrap_or_else(|| "/".to_owned());
    if path.len() > LONGEST || !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(Refusal::invalid("the question", "the path is no path of a URL")
            .hint("`paas why shop.example.com/api`")
            .into());
    }
    let host = match (about.app, about.host) {
        (Some(app), None) => {
            let app: AppName = app.parse()?;
            on_record(&api.store.snapshot(), &app)?;
            format!("{app}.{}", api.reach.domain)
        }
        (None, Some(host)) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            host.parse::<DomainName>()?;
            host
        }
        _ => {
            return Err(Refusal::invalid("the question", "it names no app or host, or both")
                .hint("`paas why shop.example.com`")
                .into());
        }
    };
    let seen = api.observed().await;
    let facts = gather(&api, &seen, host, path)?;
    let found = diagnose(&facts);
    let obstacle = found.obstacle();
    Ok(Json(api::Why {
        url: format!("{}{}", api.reach.url(&facts.host, facts.certificate.as_ref()), facts.path),
        app: facts.answerer.as_ref().map(|it| it.app.name.to_string()),
        addresses: api.reach.edges.all_at().iter().map(ToString::to_string).collect(),
        links: found.links.iter().map(link).collect(),
        obstacle: obstacle.map(|it| it.what.clone()),
        hint: obstacle.map(|it| it.hint.clone()),
    }))
}

fn link(link: &Link) -> api::Link {
    api::Link {
        name: link.name.clone(),
        state: link.verdict.word().to_owned(),
        fact: link.fact.clone(),
    }
}

fn gather(api: &Api, seen: &Observation, host: String, path: String) -> Result<Facts, Failure> {
    let snapshot = &api.store.snapshot();
    let of_app = host.strip_suffix(&api.reach.domain).and_then(|it| it.strip_suffix('.'));
    let of_app = match of_app.map(str::parse::<AppName>) {
        Some(Ok(name)) => snapshot.get::<App>(&name.as_str().to_owned())?,
        Some(Err(_)) | None => None,
    };
    let (known, app) = match of_app {
        Some(app) => (Known::OfApp, Some(app)),
        None => domain(snapshot, &host, &path)?,
    };
    let answerer = app.map(|app| answerer((api, snapshot), seen, app)).transpose()?;
    Ok(Facts {
        certificate: proof_of(snapshot, &host)?.filter(|_| api.reach.https.is_some()),
        engine_fault: seen.engine_fault.clone(),
        host,
        path,
        known,
        answerer,
    })
}

/// The domain that a request is for: the longest of the paths of its host, or else of the wildcard above.
fn domain(snapshot: &Snapshot, host: &str, path: &str) -> Result<(Known, Option<App>), Failure> {
    let mut domains = snapshot.scan::<Domain>(host)?;
    if let Some((_, parent)) = host.split_once('.').filter(|_| domains.is_empty()) {
        domains = snapshot.scan::<Domain>(&format!("*.{parent}"))?;
    }
    let covers = |domain: &&Domain| {
        let prefix = domain.path.as_str();
        let rest = path.split('?').next().and_then(|path| path.strip_prefix(prefix));
        domain.path.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let longest = domains.iter().filter(covers).max_by_key(|domain| domain.path.as_str().len());
    let Some(domain) = longest.cloned() else {
        let known = if domains.is_empty() { Known::Unknown } else { Known::OtherPaths(domains) };
        return Ok((known, None));
    };
    let app = snapshot.get::<App>(&domain.app.as_str().to_owned())?;
    let check = snapshot.get::<DomainCheck>(&domain.name.as_str().to_owned())?;
    Ok((Known::Domain(Box::new(domain), check), app))
}

fn answerer(
    (api, snapshot): (&Api, &Snapshot),
    observation: &Observation,
    app: App,
) -> Result<Answerer, Failure> {
    let key = app.name.as_str().to_owned();
    let release = match app.current {
        Some(current) => snapshot.get::<Release>(&(key.clone(), current.release.0.into()))?,
        None => None,
    };
    let rollout = snapshot.get::<Rollout>(&(key, app.last_rollout.0.into()))?;
    // Whoever lingers answers nobody of its own accord, however well it is.
    let mut seen = observation.apps.get(&app.name).cloned().unwrap_or_default();
    seen.retain(|one| !observation.lingering.contains_key(&one.instance.id));
    let counted = api.figures.requests(app.name.as_str());
    Ok(Answerer {
        release,
        rollout,
        seen,
        waiting: observation.waiting.clone(),
        pending: observation.pending.get(&app.name).cloned().unwrap_or_default(),
        doubts: observation.doubts.clone(),
        requests: Requests {
            all: counted.all,
            faults: counted.faults,
            unanswered: counted.unanswered,
            held: counted.held,
        },
        app,
    })
}

/// Bytes of a path.
const LONGEST: usize = 2048;
