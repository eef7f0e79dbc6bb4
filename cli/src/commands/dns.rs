//! `paas dns`: what this server's DNS answers.

use api::{AddRecord, DnsSetting, Record, Zone};
use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::Format, client::route, failure::Failure, session::Session, target::DomainName, ui::Table,
};

/// List and change what this server answers in the DNS
///
/// Apps' own names and their domains are answered by themselves; records are for everything else
/// in a zone, such as mail.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Dns {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List zones and records, as a zone file has them
    List(Format),
    Zones(Zones),
    Add(Add),
    Remove(Remove),
}

impl Dns {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Zones(zones)) => zones.run(session).await,
            Some(Verb::Add(add)) => add.run(session).await,
            Some(Verb::Remove(remove)) => remove.run(session).await,
        }
    }
}

async fn list(session: &Session, format: &Format) -> Result<(), Failure> {
    let (client, ui) = (session.client()?, &session.ui);
    let zones = client.get(route::ZONES).await?;
    let records = client.get(route::RECORDS).await?;
    if format.json {
        let text = format!(r#"{{"zones":{},"records":{}}}"#, zones.text(), records.text());
        return ui.json(&text);
    }
    let zones: Vec<Zone> = zones.read()?;
    for zone in &zones {
        let whose = if zone.platform { ", the platform's own" } else { "" };
        ui.data(&format!("; zone {}{whose}", zone.name))?;
    }
    if zones.is_empty() {
        ui.talk("This server answers for no zone: `paas dns zones add example.com`");
    }
    ui.table(&zone_file(&records.read::<Vec<Record>>()?))
}

/// Records as a zone file has them.
fn zone_file(records: &[Record]) -> Table {
    let mut table = Table::pairs();
    for record in records {
        let named = matches!(record.kind.as_str(), "CNAME" | "MX" | "NS" | "SRV");
        let dot = if named && !record.value.ends_with('.') { "." } else { "" };
        table.row([
            format!("{}.", record.name),
            record.ttl.to_string(),
            "IN".to_owned(),
            record.kind.clone(),
            format!("{}{dot}", record.value),
        ]);
    }
    table
}

/// List, add and remove the zones that this server answers for
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Zones {
    #[command(subcommand)]
    verb: Option<ZoneVerb>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum ZoneVerb {
    /// List them, with what to set so that the world asks this server
    List(Format),
    /// Answer for a zone
    Add {
        /// Its top, such as `example.com`
        #[arg(value_name = "DOMAIN")]
        name: DomainName,
    },
    /// Answer for a zone no more, and forget its records
    Remove {
        /// Its top
        #[arg(value_name = "DOMAIN")]
        name: DomainName,
    },
}

impl Zones {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list_zones(session, &self.format).await,
            Some(ZoneVerb::List(format)) => list_zones(session, &format).await,
            Some(ZoneVerb::Add { name }) => add_zone(session, &name).await,
            Some(ZoneVerb::Remove { name }) => remove_zone(session, &name).await,
        }
    }
}

async fn list_zones(session: &Session, format: &Format) -> Result<(), Failure> {
    let answer = session.client()?.get(route::ZONES).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let zones: Vec<Zone> = answer.read()?;
    if zones.is_empty() {
        let hint = "set `dns = \"0.0.0.0:53\"` in the server's config.toml";
        session.ui.talk(&format!("This server answers no DNS; to have it do so, {hint}."));
        return Ok(());
    }
    let settings = zones.iter().flat_map(|zone| &zone.delegation);
    session.ui.table(&settings_table(settings))
}

async fn add_zone(session: &Session, name: &DomainName) -> Result<(), Failure> {
    let ui = &session.ui;
    let zone: Zone = session.client()?.act(Method::PUT, &route::zone(name)).await?.read()?;
    ui.talk(&format!("Answering for {name}... done"));
    ui.talk(&format!("Set these name servers at the registrar of {name}:"));
    ui.table(&settings_table(zone.delegation.iter()))?;
    ui.hint("what else the zone needs, such as mail, comes first: `paas dns add NAME TYPE VALUE`");
    Ok(())
}

async fn remove_zone(session: &Session, name: &DomainName) -> Result<(), Failure> {
    let gone = session.client()?.act(Method::DELETE, &route::zone(name)).await?;
    let gone: Vec<Record> = gone.read()?;
    session.ui.talk(&format!("Answering for {name}... ended"));
    if !gone.is_empty() {
        session.ui.talk("These records went with it:");
        session.ui.table(&zone_file(&gone))?;
    }
    Ok(())
}

fn settings_table<'a>(settings: impl Iterator<Item = &'a DnsSetting>) -> Table {
    let mut table = Table::new(["NAME", "TYPE", "VALUE"]);
    for setting in settings {
        table.row([setting.name.clone(), setting.kind.clone(), setting.value.clone()]);
    }
    table
}

/// Add a record
///
/// `paas dns add example.com MX 10 mail.example.com`
#[derive(Debug, Clone, Args)]
struct Add {
    /// The name in full, such as `www.example.com`, `_dmarc.example.com` or `*.example.com`
    name: String,
    /// A, AAAA, CNAME, MX, TXT, SRV, CAA or NS
    #[arg(value_name = "TYPE")]
    kind: String,
    /// What it says, as zone files have it
    #[arg(required = true, allow_hyphen_values = true)]
    value: Vec<String>,
    /// How long others may keep it, in seconds
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
}

impl Add {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let record = AddRecord {
            name: plain(&self.name),
            kind: self.kind,
            value: self.value.join(" "),
            ttl: self.ttl,
        };
        let sent = session.client()?.send(Method::POST, route::RECORDS, &record).await?;
        let added: Record = sent.read()?;
        session.ui.talk("Adding a record... done");
        session.ui.table(&zone_file(&[added]))
    }
}

/// Remove records
#[derive(Debug, Clone, Args)]
struct Remove {
    /// The name in full
    name: String,
    /// The type
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Only the one that says this
    #[arg(allow_hyphen_values = true)]
    value: Vec<String>,
}

impl Remove {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let value = Some(self.value.join(" ")).filter(|value| !value.is_empty());
        let which =
            [("name", Some(plain(&self.name))), ("kind", Some(self.kind)), ("value", value)];
        let path = route::query(route::RECORDS.to_owned(), &which);
        let gone: Vec<Record> = session.client()?.act(Method::DELETE, &path).await?.read()?;
        session.ui.talk("Removing... done");
        session.ui.table(&zone_file(&gone))
    }
}

/// A name as the server has it: in lower case, without the final dot of zone files.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
