//! `paas scale`.

use std::{collections::BTreeMap, str::FromStr};

use api::{App, Change};
use clap::Args;
use hyper::Method;

use super::follow::{finish, outcome};
use crate::{
    args::{AppOption, Format, Wait},
    client::route,
    failure::Failure,
    session::Session,
};

/// Show or set how many instances each process has
///
/// `paas scale web=3 worker=2` sets numbers, `web+1` and `web-1` change them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scale {
    /// Such as `web=3`, `web+1` or `worker=0`
    #[arg(value_name = "PROCESS=N")]
    steps: Vec<Step>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    format: Format,
}

/// A number for one process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    process: String,
    /// `3`, `+1` or `-1`.
    count: String,
}

/// Why a text is no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is written `web=3`, `web+1` or `web-1`")]
struct NotAStep;

impl FromStr for Step {
    type Err = NotAStep;

    fn from_str(text: &str) -> Result<Self, NotAStep> {
        // From the right, for `-` may be part of a process's name.
        let at = text.rfind(['=', '+', '-']).filter(|at| *at > 0).ok_or(NotAStep)?;
        let (process, count) = text.split_at(at);
        let number = count.get(1..).unwrap_or_default();
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if !digits || number.parse::<u16>().is_err() {
            return Err(NotAStep);
        }
        let count = if count.starts_with('=') { number } else { count };
        Ok(Self { process: process.to_owned(), count: count.to_owned() })
    }
}

impl Scale {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let (client, ui) = (session.client()?, &session.ui);
        if self.steps.is_empty() {
            let answer = client.get(&route::app(&app)).await?;
            if self.format.json {
                return ui.json(&answer.text());
            }
            return ui.data(&formation(&answer.read::<App>()?.formation));
        }
        let mut processes = BTreeMap::new();
        for Step { process, count } in self.steps {
            if let Some(other) = processes.insert(process.clone(), count) {
                return Err(Failure::usage(format!("`{process}` is given twice"))
                    .because(format!("once it is {other}")));
            }
        }
        let scale = api::Scale { processes };
        let path = route::of(&app, "formation");
        let change: Change = client.send(Method::PATCH, &path, &scale).await?.read()?;
        let text = format!("Scaling {app}");
        if self.wait.detach {
            ui.talk(&format!("{text}... {}", outcome(&change)));
        } else {
            finish(session, &app, &change, &text).await?;
        }
        let now: App = client.get(&route::app(&app)).await?.read()?;
        ui.talk(&format!("Wanted now: {}", formation(&now.formation)));
        Ok(())
    }
}

/// Numbers as they are given: `web=3 worker=2`.
pub(crate) fn formation(processes: &BTreeMap<String, u16>) -> String {
    let each: Vec<_> =
        processes.iter().map(|(process, count)| format!("{process}={count}")).collect();
    each.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let step = text.parse::<Step>().ok();
        let step = step.as_ref().map(|step| (step.process.as_str(), step.count.as_str()));
        assert_eq!(step, expected, "{text}");
    }

    #[test]
    fn numbers_are_set_or_changed() {
        check("web=3", Some(("web", "3")));
        check("web+1", Some(("web", "+1")));
        check("web-1", Some(("web", "-1")));
        check("my-worker=0", Some(("my-worker", "0")));
        check("my-worker-2", Some(("my-worker", "-2")));
        for wrong in ["web", "web=", "=3", "web=x", "web=99999", "web=-", ""] {
            check(wrong, None);
        }
    }
}
