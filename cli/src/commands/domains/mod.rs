//! `paas domains`: the names of the user's own under which apps answer.

mod add;
mod wait;

use api::Domain;
use clap::{Args, Subcommand};
use hyper::Method;

use self::add::Add;
use crate::{
    args::Format,
    client::route,
    failure::Failure,
    session::Session,
    target::{AppName, DomainName},
    ui::{self, Table, Ui},
};

/// List, add and remove the domains that apps answer under
///
/// For each it says where the world's DNS leads and what proves it over HTTPS, and if something is
/// not right, why, and when it is tried again.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Domains {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    List(List),
    Add(Add),
    Check(Check),
    Remove(Remove),
}

impl Domains {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => self.list.run(session).await,
            Some(Verb::List(list)) => list.run(session).await,
            Some(Verb::Add(add)) => add.run(session).await,
            Some(Verb::Check(check)) => check.run(session).await,
            Some(Verb::Remove(remove)) => remove.run(session).await,
        }
    }
}

/// List the domains of all apps, or of one
#[derive(Debug, Clone, Args)]
struct List {
    /// Only those of this app
    #[arg(short, long, value_name = "APP")]
    app: Option<AppName>,
    #[command(flatten)]
    format: Format,
}

impl List {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = self.app.as_ref().map(ToString::to_string);
        let path = route::query(route::DOMAINS.to_owned(), &[("app", app)]);
        let answer = session.client()?.get(&path).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let domains: Vec<Domain> = answer.read()?;
        if domains.is_empty() {
            session.ui.talk("There are no domains yet: `paas domains add www.example.com -a APP`");
            return Ok(());
        }
        session.ui.table(&overview(&session.ui, &domains))
    }
}

/// Look where a domain leads now
#[derive(Debug, Clone, Args)]
struct Check {
    /// The domain
    #[arg(value_name = "DOMAIN")]
    name: DomainName,
    #[command(flatten)]
    format: Format,
}

impl Check {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let path = route::domain_of(&self.name, "check");
        let answer = session.client()?.act(Method::POST, &path).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let domains: Vec<Domain> = answer.read()?;
        session.ui.table(&overview(&session.ui, &domains))?;
        let leads_here = domains.iter().any(|domain| domain.dns.state == "here");
        match domains.first().filter(|_| !leads_here) {
            Some(domain) => settings(session, domain),
            None => Ok(()),
        }
    }
}

/// Take a domain away from its app
#[derive(Debug, Clone, Args)]
struct Remove {
    /// The domain
    #[arg(value_name = "DOMAIN")]
    name: DomainName,
    /// Only this path of it
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
}

impl Remove {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let path = route::query(route::domain(&self.name), &[("path", self.path)]);
        let removed = session.client()?.act(Method::DELETE, &path).await?;
        for domain in removed.read::<Vec<Domain>>()? {
            let Domain { name, app, .. } = &domain;
            let path = if domain.path == "/" { "" } else { &domain.path };
            session.ui.talk(&format!("Removing {name}{path} from {app}... done"));
        }
        Ok(())
    }
}

/// Domains, one a line, with what is wrong below.
fn overview(ui: &Ui, domains: &[Domain]) -> Table {
    let mut table = Table::new(["NAME", "PATH", "APP", "CERTIFICATE", "DNS"]);
    for domain in domains {
        table.row([
            domain.name.clone(),
            domain.path.clone(),
            domain.app.clone(),
            domain.certificate.as_ref().map_or_else(|| "-".to_owned(), |one| one.state.clone()),
            domain.dns.state.clone(),
        ]);
        if let Some(target) = &domain.moved_to {
            table.note(&format!("sends its visitors to {target}"));
        }
        if let Some(detail) = &domain.dns.detail {
            table.note(detail);
        }
        if let Some(reason) = domain.certificate.as_ref().and_then(|it| failing(ui, it)) {
            table.note(&reason);
        }
    }
    table
}

/// Why a certificate is not there, when it is tried again, and what helps.
fn failing(ui: &Ui, certificate: &api::Certificate) -> Option<String> {
    let reason = certificate.reason.as_ref()?;
    let next = certificate.next.as_ref().map(|at| format!("; next try {}", ui::ahead(at, ui.now)));
    let hint = certificate.hint.as_ref().map(|hint| format!("; {hint}"));
    Some(format!("certificate: {reason}{}{}", next.unwrap_or_default(), hint.unwrap_or_default()))
}

/// What to set at the registrar, as data.
fn settings(session: &Session, domain: &Domain) -> Result<(), Failure> {
    let ui = &session.ui;
    if domain.records.is_empty() {
        return Ok(());
    }
    let count = domain.records.len();
    ui.talk(&format!(
        "Set {} where the DNS of {} is kept:",
        ui::count(count, "record"),
        domain.name
    ));
    let mut table = Table::new(["NAME", "TYPE", "VALUE"]);
    let mut add = |settings: &[api::DnsSetting]| {
        for setting in settings {
            table.row([setting.name.clone(), setting.kind.clone(), setting.value.clone()]);
        }
    };
    add(&domain.records);
    ui.table(&table)?;
    if !domain.instead.is_empty() {
        let each: Vec<String> = domain
            .instead
            .iter()
            .map(|setting| format!("{} {}", setting.kind, setting.value))
            .collect();
        ui.talk(&format!("(at the top of a zone no CNAME is allowed; there: {})", each.join(", ")));
    }
    Ok(())
}
