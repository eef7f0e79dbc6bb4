//! `paas nodes promote` and `paas nodes demote`: which machines keep the records.

use clap::Args;

use super::plain;
use crate::{client::route, failure::Failure, session::Session, target::Address};

/// The machines that are to, or are not to.
#[derive(Debug, Clone, Args)]
pub(super) struct Council {
    /// The nodes, so many that three, five or seven machines keep the records, or one
    #[arg(value_name = "NODE", required = true)]
    names: Vec<String>,
}

impl Council {
    pub(super) async fn promote(self, session: &Session) -> Result<(), Failure> {
        let keepers = self.ask(session, route::PROMOTE).await?;
        let verb = verb(&self.names, "keeps", "keep");
        let who = listed(&self.names);
        session.ui.talk(&format!("{who} {verb} the records, too: {}", outlook(&keepers)));
        Ok(())
    }

    pub(super) async fn demote(self, session: &Session) -> Result<(), Failure> {
        let keepers = self.ask(session, route::DEMOTE).await?;
        let verb = verb(&self.names, "keeps", "keep");
        let who = listed(&self.names);
        session.ui.talk(&format!("{who} {verb} the records no more: {}", outlook(&keepers)));
        Ok(())
    }

    /// Who keeps the records afterwards.
    async fn ask(&self, session: &Session, path: &str) -> Result<Vec<String>, Failure> {
        for name in &self.names {
            plain(name, "a node's name", "paas nodes")?;
        }
        let body = api::Promotion { nodes: self.names.clone() };
        let client = session.client()?;
        // Whoever is promoted is first given all that there is.
        let nodes: Vec<api::Node> = client.send_for_long(path, &body).await?.read()?;
        learn(session, &nodes).await?;
        let control = nodes.iter().find(|node| node.state == "control");
        let several = nodes.iter().filter(|node| node.keeps_records);
        let several: Vec<String> = several.map(|node| node.name.clone()).collect();
        let alone = || control.map(|node| node.name.clone()).into_iter().collect();
        Ok(if several.is_empty() { alone() } else { several })
    }
}

/// Has the context know where else to ask, where that may be another place than before.
pub(super) async fn learn(session: &Session, nodes: &[api::Node]) -> Result<(), Failure> {
    let client = session.client()?;
    let proves_itself = matches!(client.server().address, Address::Https(_));
    let several = nodes.iter().any(|node| node.keeps_records);
    if proves_itself && (several || client.has_others()) {
        let server: api::Server = client.get(route::SERVER).await?.read()?;
        session.learn(&server.controls);
    }
    Ok(())
}

/// What to do where as many keep the records as are no better than one fewer: after one was lost and removed.
pub(super) fn advice(nodes: &[api::Node]) -> Option<String> {
    let keepers = nodes.iter().filter(|node| node.keeps_records).count();
    (keepers > 0 && keepers.is_multiple_of(2)).then(|| {
        format!(
            "{} machines keep the records, which is no better than {}: `paas nodes promote NODE`",
            number(keepers),
            number(keepers.saturating_sub(1))
        )
    })
}

/// What may be lost of those that keep the records, as a sentence goes on.
fn outlook(keepers: &[String]) -> String {
    let (all, lost) = (keepers.len(), keepers.len().saturating_sub(1) / 2);
    match (keepers, lost) {
        ([one], _) => format!("{one} alone does."),
        (_, 0) => format!("none of the {} may be lost.", number(all)),
        _ => format!("any {} of the {} may be lost.", number(lost), number(all)),
    }
}

fn number(count: usize) -> String {
    let words = ["none", "one", "two", "three", "four", "five", "six", "seven"];
    words.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

fn verb(names: &[String], one: &'static str, several: &'static str) -> &'static str {
    if names.len() == 1 { one } else { several }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
