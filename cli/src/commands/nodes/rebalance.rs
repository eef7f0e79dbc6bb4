//! `paas nodes rebalance`: show what would move, ask, and have it moved.

use std::collections::BTreeSet;

use clap::Args;
use hyper::Method;

use crate::{
    args::Format,
    client::route,
    failure::Failure,
    session::Session,
    ui::{Table, count},
};

/// Move apps to where a new placement would have them, where that makes the machines more even
///
/// One app after another is restarted, as gently as a deploy. An app of which something would have to end before
/// it begins anew (a volume, `strategy = "recreate"`) is left where it is, and so is one that is being deployed.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rebalance {
    /// Show what would move, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

impl Rebalance {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let ui = &session.ui;
        let answer = session.client()?.get(route::REBALANCE).await?;
        let seen: api::Rebalance = answer.read()?;
        if self.format.json && (self.dry_run || seen.moves.is_empty()) {
            return ui.json(&answer.text());
        }
        if !self.format.json {
            show(session, &seen)?;
        }
        if seen.moves.is_empty() {
            return Ok(());
        }
        if self.dry_run {
            ui.talk("`paas nodes rebalance` does it.");
            return Ok(());
        }
        if !self.yes && !is_confirmed(session)? {
            ui.talk("Nothing was changed.");
            return Ok(());
        }
        let answer = session.client()?.act(Method::POST, route::REBALANCE).await?;
        if self.format.json {
            return ui.json(&answer.text());
        }
        let begun: api::Rebalance = answer.read()?;
        let apps = count(apps(&begun).len(), "app");
        ui.talk(&format!("{apps} to restart, one after another."));
        ui.talk("`paas nodes rebalance --dry-run` shows how far that is.");
        Ok(())
    }
}

fn is_confirmed(session: &Session) -> Result<bool, Failure> {
    if !session.ui.can_ask() {
        return Err(Failure::usage("nobody is there to be asked")
            .because("neither stdin nor stderr is a terminal")
            .hint("`paas nodes rebalance --yes` does not ask"));
    }
    let cannot = |error| Failure::local("cannot read the answer").because(error);
    session.ui.confirm("Do it?").map_err(cannot)
}

fn show(session: &Session, seen: &api::Rebalance) -> Result<(), Failure> {
    let ui = &session.ui;
    if let Some(app) = &seen.moving {
        let after = match seen.waiting.as_slice() {
            [] => String::new(),
            waiting => format!("; after it {}", waiting.join(", ")),
        };
        ui.talk(&format!("{app} is moving{after}."));
    }
    for (app, why) in &seen.left {
        ui.talk(&format!("{app} does not move by this: {why}."));
    }
    if seen.moves.is_empty() {
        ui.talk(match seen.moving {
            Some(_) => "Nothing else would be elsewhere.",
            None => "Nothing moves: a new placement would be no better.",
        });
        return Ok(());
    }
    let mut table = Table::new(["APP", "PROCESS", "INSTANCES"]);
    for api::Move { app, process, nodes } in &seen.moves {
        let shifts: Vec<String> = nodes
            .iter()
            .map(|(node, api::Shift { from, to })| format!("{node} {from} -> {to}"))
            .collect();
        table.row([app.clone(), process.clone(), shifts.join(", ")]);
    }
    ui.table(&table)
}

/// A word for whoever lists the machines. A server that is older has none, and the list is there without it.
pub(super) async fn hint(session: &Session) -> Result<(), Failure> {
    let Ok(answer) = session.client()?.get(route::REBALANCE).await else { return Ok(()) };
    let seen: api::Rebalance = answer.read()?;
    let uneven = match apps(&seen).len() {
        0 => return Ok(()),
        1 => "1 app is".to_owned(),
        more => format!("{more} apps are"),
    };
    // What is under way already needs no word.
    if seen.moving.is_none() {
        session.ui.hint(&format!("{uneven} spread unevenly: `paas nodes rebalance`"));
    }
    Ok(())
}

/// Whom the moves are about; an app may move twice.
fn apps(seen: &api::Rebalance) -> BTreeSet<&str> {
    seen.moves.iter().map(|one| one.app.as_str()).collect()
}
