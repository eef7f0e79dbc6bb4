//! `paas nodes`.

mod council;
mod rebalance;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use hyper::Method;

use self::{council::Council, rebalance::Rebalance};
use crate::{
    args::Format,
    client::route,
    failure::Failure,
    session::Session,
    span,
    ui::{self, Table},
};

/// List the machines of this installation, let others join, label, empty, even out, promote and remove them
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Nodes {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List them
    List(Format),
    /// Print the command that makes another machine a node; it works once
    Token {
        /// For how long it works: one minute to seven days
        #[arg(long, value_name = "TIME", default_value = "1h")]
        ttl: String,
        #[command(flatten)]
        format: Format,
    },
    /// List the tokens by which machines join
    Tokens(Format),
    /// Take a token back
    Revoke {
        /// Which, as `paas nodes tokens` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Change labels of a node
    Label {
        /// The node
        #[arg(value_name = "NODE")]
        name: String,
        /// `KEY=VALUE` sets a label, `KEY-` takes it away
        #[arg(value_name = "LABEL", required = true)]
        labels: Vec<String>,
    },
    /// Start nothing on a node any more, and move what it runs to other machines
    Drain {
        /// The node
        #[arg(value_name = "NODE")]
        name: String,
    },
    /// Start instances on a node again
    Undrain {
        /// The node
        #[arg(value_name = "NODE")]
        name: String,
    },
    Rebalance(Rebalance),
    /// Have nodes keep the records, too, so that another machine leads when one is lost
    Promote(Council),
    /// Have machines that keep the records be plain nodes again
    Demote(Council),
    /// Take a node out of the installation: it serves no more
    Remove {
        /// The node
        #[arg(value_name = "NODE")]
        name: String,
        /// The node's name once more
        #[arg(long, value_name = "NODE")]
        confirm: Option<String>,
        /// Even if it is up and has instances, which stay on it then, or volumes, which are lost
        #[arg(long)]
        force: bool,
    },
}

impl Nodes {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Token { ttl, format }) => token(session, &ttl, &format).await,
            Some(Verb::Tokens(format)) => tokens(session, &format).await,
            Some(Verb::Revoke { id }) => revoke(session, &id).await,
            Some(Verb::Label { name, labels }) => label(session, &name, &labels).await,
            Some(Verb::Drain { name }) => drain(session, &name).await,
            Some(Verb::Undrain { name }) => undrain(session, &name).await,
            Some(Verb::Rebalance(rebalance)) => rebalance.run(session).await,
            Some(Verb::Promote(council)) => council.promote(session).await,
            Some(Verb::Demote(council)) => council.demote(session).await,
            Some(Verb::Remove { name, confirm, force }) => {
                remove(session, &name, confirm, force).await
            }
        }
    }
}

async fn list(session: &Session, format: &Format) -> Result<(), Failure> {
    let (answer, ui) = (session.client()?.get(route::NODES).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let nodes: Vec<api::Node> = answer.read()?;
    let alone = nodes.len() == 1;
    let advice = council::advice(&nodes);
    council::learn(session, &nodes).await?;
    let mut table =
        Table::new(["NODE", "STATE", "INSTANCES", "ADDRESS", "VERSION", "LABELS", "JOINED"]);
    for node in nodes {
        let since = node.since.map(|since| format!(" {}", ui::age(&since, ui.now)));
        let drained = if node.drained { " drained" } else { "" };
        let keeps = if node.keeps_records { ", keeps records" } else { "" };
        let state = node.state + &since.unwrap_or_default() + drained + keeps;
        let joined = node.joined_at.map(|at| ui::age(&at, ui.now)).unwrap_or_default();
        let (address, version) =
            (node.address.unwrap_or_default(), node.version.unwrap_or_default());
        let instances = node.instances.map(|count| count.to_string()).unwrap_or_default();
        let labels = shown(&node.labels);
        table.row([node.name, state, instances, address, version, labels, joined]);
        let idle = node.idle.map(|why| format!("runs no instances: {why}"));
        if let Some(reason) = node.reason.or(idle) {
            table.note(&reason);
        }
        if !node.apart.is_empty() {
            table.note(&format!("reaches {} by way of the control only", node.apart.join(", ")));
        }
    }
    ui.table(&table)?;
    if let Some(advice) = advice {
        ui.hint(&advice);
    }
    if alone {
        ui.hint("`paas nodes token` prints the command that makes another machine a node");
        return Ok(());
    }
    rebalance::hint(session).await
}

fn shown(labels: &BTreeMap<String, String>) -> String {
    let shown: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    shown.join(" ")
}

async fn token(session: &Session, ttl: &str, format: &Format) -> Result<(), Failure> {
    let seconds = span::seconds(ttl).and_then(|seconds| u64::try_from(seconds).ok());
    let ttl_ms = seconds.and_then(|seconds| seconds.checked_mul(1000)).ok_or_else(|| {
        Failure::usage(format!("`{ttl}` is not a length of time"))
            .hint("write it like `--ttl 30m`, `1h` or `7d`")
    })?;
    let body = api::CreateJoinToken { ttl_ms: Some(ttl_ms) };
    let (answer, ui) =
        (session.client()?.send(Method::POST, route::JOIN_TOKENS, &body).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let made: api::NewJoinToken = answer.read()?;
    ui.talk("On the other machine, as root:");
    ui.data(&made.command)?;
    let until = ui::ahead(&made.expires_at, ui.now);
    ui.talk(&format!(
        "It works once and ends {until}; `paas nodes revoke {}` ends it now.",
        made.id
    ));
    Ok(())
}

async fn tokens(session: &Session, format: &Format) -> Result<(), Failure> {
    let (answer, ui) = (session.client()?.get(route::JOIN_TOKENS).await?, &session.ui);
    if format.json {
        return ui.json(&answer.text());
    }
    let tokens: Vec<api::JoinToken> = answer.read()?;
    if tokens.is_empty() {
        ui.talk("There is no token: `paas nodes token` makes one.");
        return Ok(());
    }
    let mut table = Table::new(["ID", "STATE", "ENDS", "USED BY", "AGE", "BY"]);
    for token in tokens {
        let open = token.state == "open";
        let ends = if open { ui::ahead(&token.expires_at, ui.now) } else { String::new() };
        let age = ui::age(&token.created_at, ui.now);
        let user = token.used_by.unwrap_or_default();
        table.row([token.id, token.state, ends, user, age, token.by]);
    }
    ui.table(&table)
}

async fn revoke(session: &Session, id: &str) -> Result<(), Failure> {
    let path =
        format!("{}/{}", route::JOIN_TOKENS, plain(id, "a token's id", "paas nodes tokens")?);
    let gone: api::JoinToken = session.client()?.act(Method::DELETE, &path).await?.read()?;
    session.ui.talk(&match gone.used_by {
        Some(node) => format!("The token {} is gone; {node}, which joined by it, stays.", gone.id),
        None => format!("Nobody joins by the token {} any more.", gone.id),
    });
    Ok(())
}

async fn label(session: &Session, name: &str, labels: &[String]) -> Result<(), Failure> {
    let mut body = api::LabelsPatch::default();
    for text in labels {
        let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(value.to_owned())),
            (None, Some(key)) => (key, None),
            (None, None) => {
                return Err(Failure::usage(format!("`{text}` says nothing about a label")).hint(
                    format!("`paas nodes label {name} zone=a` sets one, `zone-` takes it away"),
                ));
            }
        };
        body.labels.insert(key.to_owned(), value);
    }
    let path = format!("{}/labels", one(name)?);
    let node: api::Node = session.client()?.send(Method::PATCH, &path, &body).await?.read()?;
    session.ui.talk(&match shown(&node.labels) {
        text if text.is_empty() => format!("{} has no labels.", node.name),
        text => format!("{} has the labels {text}.", node.name),
    });
    Ok(())
}

async fn drain(session: &Session, name: &str) -> Result<(), Failure> {
    let path = format!("{}/drain", one(name)?);
    let drained: api::Drained = session.client()?.act(Method::PUT, &path).await?.read()?;
    let (ui, name) = (&session.ui, drained.node.name);
    ui.talk(&match drained.moving.as_slice() {
        [] => format!("Nothing new is started on {name}."),
        moving => format!("Nothing new is started on {name}; {} move.", moving.join(", ")),
    });
    for (app, why) in &drained.left {
        ui.talk(&format!("{app} does not move by this: {why}."));
    }
    ui.talk(&format!("`paas nodes` shows how many instances {name} still has."));
    Ok(())
}

async fn undrain(session: &Session, name: &str) -> Result<(), Failure> {
    let path = format!("{}/drain", one(name)?);
    let node: api::Node = session.client()?.act(Method::DELETE, &path).await?.read()?;
    session.ui.talk(&format!("Instances are started on {} again.", node.name));
    session.ui.talk(
        "`paas nodes rebalance` has apps come to it; by themselves they do with their next deploy.",
    );
    Ok(())
}

async fn remove(
    session: &Session,
    name: &str,
    confirm: Option<String>,
    force: bool,
) -> Result<(), Failure> {
    let path = one(name)?;
    if confirm.as_deref() != Some(name) {
        let why = match confirm {
            Some(other) => format!("`--confirm` names {other}"),
            None => "it would serve no more, and would have to join anew".to_owned(),
        };
        return Err(Failure::usage(format!("the node {name} is not removed"))
            .because(why)
            .hint(format!("`paas nodes remove {name} --confirm {name}`")));
    }
    let force = force.then(|| "true".to_owned());
    let path = route::query(path, &[("confirm", confirm), ("force", force)]);
    session.client()?.act(Method::DELETE, &path).await?;
    session.ui.talk(&format!("Removing the node {name}... done"));
    Ok(())
}

/// The path of a node.
fn one(name: &str) -> Result<String, Failure> {
    Ok(format!("{}/{}", route::NODES, plain(name, "a node's name", "paas nodes")?))
}

/// What becomes a part of a path and was typed.
fn plain<'a>(text: &'a str, what: &str, lists: &str) -> Result<&'a str, Failure> {
    let may = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || !text.bytes().all(may) {
        return Err(Failure::usage(format!("`{text}` is not {what}"))
            .hint(format!("`{lists}` lists what there is")));
    }
    Ok(text)
}
