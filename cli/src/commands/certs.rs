//! `paas certs`: what names are proved with over HTTPS.

use std::{fs, path::Path};

use api::{Certificate, SupplyCertificate};
use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::Format,
    client::route,
    failure::Failure,
    session::Session,
    target::DomainName,
    ui::{self, Table, Ui},
};

/// List certificates, bring your own, or have one tried again
///
/// Every domain gets one by itself, renewed in time; this says how far each is.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Certs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List all certificates
    List(Format),
    /// Present a certificate of your own
    Add {
        /// For this domain
        #[arg(value_name = "DOMAIN")]
        name: DomainName,
        /// The chain in PEM, the domain's own certificate first
        #[arg(long, value_name = "FILE")]
        cert: String,
        /// Its private key in PEM; it is stored encrypted and never shown
        #[arg(long, value_name = "FILE")]
        key: String,
    },
    /// Take your own certificate back
    Remove {
        /// Of this domain
        #[arg(value_name = "DOMAIN")]
        name: DomainName,
    },
    /// Try again now to get a certificate
    Retry {
        /// For this domain
        #[arg(value_name = "DOMAIN")]
        name: DomainName,
    },
}

impl Certs {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Add { name, cert, key }) => add(session, &name, &cert, &key).await,
            Some(Verb::Remove { name }) => {
                let path = route::certificate(&name);
                session.client()?.act(Method::DELETE, &path).await?;
                session.ui.talk(&format!("Taking the certificate of {name} back... done"));
                Ok(())
            }
            Some(Verb::Retry { name }) => {
                let path = format!("{}/retry", route::certificate(&name));
                session.client()?.act(Method::POST, &path).await?;
                session.ui.talk(&format!("Trying to get a certificate for {name}... begun"));
                session.ui.hint("`paas certs` says how far it is");
                Ok(())
            }
        }
    }
}

async fn list(session: &Session, format: &Format) -> Result<(), Failure> {
    let (answer, ui) = (session.client()?.get(route::CERTIFICATES).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let certificates: Vec<Certificate> = answer.read()?;
    if certificates.is_empty() {
        ui.talk("There are no certificates yet; a domain gets one: `paas domains add DOMAIN`");
        return Ok(());
    }
    let mut table = Table::new(["NAME", "STATE", "ISSUER", "EXPIRES", "NEXT"]);
    for certificate in &certificates {
        table.row([
            certificate.name.clone(),
            certificate.state.clone(),
            certificate.issuer.clone().unwrap_or_default(),
            time(ui, certificate.expires.as_deref()),
            next(ui, certificate),
        ]);
        if let Some(reason) = &certificate.reason {
            table.note(reason);
        }
        if let Some(hint) = &certificate.hint {
            table.note(&format!("hint: {hint}"));
        }
    }
    ui.table(&table)
}

fn time(ui: &Ui, at: Option<&str>) -> String {
    at.map_or_else(String::new, |at| ui::ahead(at, ui.now))
}

/// What happens next by itself.
fn next(ui: &Ui, certificate: &Certificate) -> String {
    let when = time(ui, certificate.next.as_deref());
    match (certificate.source.as_str(), certificate.state.as_str()) {
        ("supplied", _) => "yours to renew".to_owned(),
        (_, "failing") => format!("tried again {when}"),
        (_, "issued") if !when.is_empty() => format!("renewed {when}"),
        _ => "under way".to_owned(),
    }
}

async fn add(session: &Session, name: &DomainName, cert: &str, key: &str) -> Result<(), Failure> {
    let supplied = SupplyCertificate { chain: pem(session, cert)?, key: pem(session, key)? };
    let path = route::certificate(name);
    let sent = session.client()?.send(Method::PUT, &path, &supplied).await?;
    let now: Certificate = sent.read()?;
    let until = now.expires.as_deref().unwrap_or("nobody knows when");
    session.ui.talk(&format!("Presenting your certificate for {name}... done, until {until}"));
    Ok(())
}

fn pem(session: &Session, path: &str) -> Result<String, Failure> {
    fs::read_to_string(session.environment.at(Path::new(path)))
        .map_err(|error| Failure::local(format!("cannot read {path}")).because(error))
}
