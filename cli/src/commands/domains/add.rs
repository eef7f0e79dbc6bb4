//! `paas domains add`.

use api::{AddDomain, Domain, FaultCode};
use clap::Args;
use hyper::Method;

use super::{settings, wait};
use crate::{
    args::AppOption,
    client::route,
    failure::Failure,
    session::Session,
    target::{AppName, DomainName},
};

/// Have an app answer under a domain of yours
///
/// It prints the DNS records to set, looks whether they are there, and, if somebody watches, waits
/// until they are and until HTTPS works. Ctrl-C ends only the waiting.
#[derive(Debug, Clone, Args)]
pub(super) struct Add {
    /// `www.example.com`, or `*.example.com` for every name right below it
    #[arg(value_name = "DOMAIN")]
    name: DomainName,
    /// Only for paths that begin with this, such as `/api`
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The app sees paths without that prefix
    #[arg(long, requires = "path")]
    strip: bool,
    /// Send visitors to this domain instead
    #[arg(long, value_name = "DOMAIN", conflicts_with_all = ["path", "strip"])]
    moved_to: Option<DomainName>,
    #[command(flatten)]
    app: AppOption,
    /// Wait until the domain leads here and is proved, even if nobody watches
    #[arg(long, conflicts_with = "detach")]
    wait: bool,
    /// Do not wait
    #[arg(short, long)]
    detach: bool,
}

impl Add {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let ui = &session.ui;
        let wish = AddDomain {
            name: self.name.to_string(),
            path: self.path.clone(),
            strip: self.strip,
            moved_to: self.moved_to.as_ref().map(ToString::to_string),
        };
        let path = route::of(&app, "domains");
        let domain: Domain = session.client()?.send(Method::POST, &path, &wish).await?.read()?;
        let place = if domain.path == "/" { String::new() } else { domain.path.clone() };
        ui.talk(&match &domain.moved_to {
            Some(target) => format!("Sending visitors of {} to {target}... done", self.name),
            None => format!("Adding {}{place} to {app}... done", self.name),
        });
        if domain.dns.state != "here" {
            settings(session, &domain)?;
        }
        self.suggest_www(session, &app).await;
        if self.wait || (ui.watched() && !self.detach) {
            return wait::until_it_works(session, &self.name, domain).await;
        }
        wait::tell(ui, &domain);
        Ok(())
    }

    /// Half of the world types `www.` before a name.
    async fn suggest_www(&self, session: &Session, app: &AppName) {
        let whole = self.path.is_none() && self.moved_to.is_none() && self.name.is_apex();
        let Ok(www) = format!("www.{}", self.name).parse::<DomainName>() else { return };
        if !whole {
            return;
        }
        let Ok(client) = session.client() else { return };
        match client.get(&route::domain(&www)).await {
            Err(Failure::Refused(fault)) if fault.code == FaultCode::NotFound => {
                session.ui.hint(&format!(
                    "for those who type www: `paas domains add {www} --moved-to {} -a {app}`",
                    self.name
                ));
            }
            _ => {}
        }
    }
}
