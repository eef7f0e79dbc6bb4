//! Waiting until a domain leads to the server and is proved there, and saying so.

use std::time::Duration;

use api::Domain;
use hyper::Method;
use tokio::time::{Instant, sleep};

use super::failing;
use crate::{
    client::route,
    failure::Failure,
    session::Session,
    target::DomainName,
    ui::{OneLine, Ui},
};

/// Waits, and tells each thing once it is so. Ctrl-C ends the waiting and nothing else.
pub(super) async fn until_it_works(
    session: &Session,
    name: &DomainName,
    domain: Domain,
) -> Result<(), Failure> {
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|e| Failure::local("Ctrl-C cannot be noticed").because(e))?;
            session.ui.talk("");
            session.ui.hint(&format!("it goes on without you; see how: `paas domains check {name}`"));
            Ok(())
        }
        done = watch(session, name, domain) => done,
    }
}

async fn watch(session: &Session, name: &DomainName, first: Domain) -> Result<(), Failure> {
    let began = Instant::now();
    let mut now = first;
    if !leads_here(&now) {
        let text = format!("Waiting until {name} leads here");
        let mut line = OneLine::new(&session.ui, &text);
        while !leads_here(&now) {
            now = again(session, name, &now.path, began, "it does not lead here yet").await?;
        }
        line.end("it does");
    }
    if now.certificate.is_some() && !is_proved(&now) {
        let mut said = None;
        let text = format!("Waiting for the certificate of {name}");
        let mut line = OneLine::new(&session.ui, &text);
        while !is_proved(&now) {
            let reason = now.certificate.as_ref().and_then(|it| failing(&session.ui, it));
            if reason.is_some() && reason != said {
                session.ui.warn(reason.as_deref().unwrap_or_default());
                said = reason;
            }
            now = again(session, name, &now.path, began, "it has no certificate yet").await?;
        }
        let issuer = now.certificate.as_ref().and_then(|it| it.issuer.as_deref());
        line.end(&format!("issued by {}", issuer.unwrap_or("nobody known")));
    }
    session.ui.talk(&format!("{} works", now.url));
    Ok(())
}

/// Has the server look again, after a pause.
async fn again(
    session: &Session,
    name: &DomainName,
    path: &str,
    began: Instant,
    why: &str,
) -> Result<Domain, Failure> {
    let hint = format!("`paas domains check {name}` says what is seen");
    if began.elapsed() > PATIENCE {
        return Err(Failure::local(format!("{name} does not work")).because(why).hint(hint));
    }
    sleep(BETWEEN).await;
    let check = route::domain_of(name, "check");
    let domains: Vec<Domain> = session.client()?.act(Method::POST, &check).await?.read()?;
    let found = domains.into_iter().find(|domain| domain.path == path);
    found.ok_or_else(|| {
        Failure::local(format!("{name} does not work")).because("somebody removed it").hint(hint)
    })
}

fn leads_here(domain: &Domain) -> bool {
    domain.dns.state == "here"
}

fn is_proved(domain: &Domain) -> bool {
    domain.certificate.as_ref().is_some_and(|certificate| certificate.issuer.is_some())
}

/// How far a domain is, for somebody who does not wait.
pub(super) fn tell(ui: &Ui, domain: &Domain) {
    let Domain { name, url, .. } = domain;
    let next = format!("`paas domains check {name}` says how far it is");
    match (leads_here(domain), &domain.certificate) {
        (true, Some(_)) if !is_proved(domain) => {
            ui.talk(&format!("{name} leads here; its certificate is being got."));
            ui.hint(&next);
        }
        (true, _) => ui.talk(&format!("{url} works")),
        (false, _) => {
            let detail = domain.dns.detail.as_deref().unwrap_or("nobody has looked yet");
            ui.talk(&format!("{name} does not lead here yet: {detail}."));
            ui.hint(&next);
        }
    }
}

/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(3);
/// DNS of the world takes its time; whoever needs longer asks again.
const PATIENCE: Duration = Duration::from_hours(1);
