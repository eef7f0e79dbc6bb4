//! `paas why`.

mod conclusion;

use api::Why as Answer;
use clap::Args;
use conclusion::{Conclusion, conclude};

use crate::{
    args::{AppOption, Format},
    client::{
        look::{Page, Seen, Sight},
        route,
    },
    failure::Failure,
    session::Session,
    target::{AppName, DomainName},
};

/// Explain why a request does or does not get an answer, from its name to the instances
///
/// Ends with 0 if it does. What the server knows comes first, then what is seen from here.
#[derive(Debug, Clone, Args)]
pub(crate) struct Why {
    /// An app, a host or a page: `my-app`, `shop.example.com/api`
    #[arg(value_name = "APP|HOST[/PATH]")]
    subject: Option<String>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Why {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let query = self.question(session)?;
        let answer = session.client()?.get(&route::query(route::WHY.to_owned(), &query)).await?;
        let text = answer.text();
        let why: Answer = answer.read()?;
        let sight = match Page::of(&why.url) {
            Some(page) => page.look().await,
            None => Sight::default(),
        };
        let found = conclude(&why, &sight);
        let ui = &session.ui;
        if self.format.json {
            ui.json(&json(&text, &sight, &found)?)?;
        } else {
            tell(session, &why, &sight, &found)?;
        }
        if found.answers { Ok(()) } else { Err(Failure::Told) }
    }

    fn question(&self, session: &Session) -> Result<[(&'static str, Option<String>); 3], Failure> {
        let Some(subject) = &self.subject else {
            let app = session.app(&self.app)?;
            return Ok([("app", Some(app.to_string())), ("host", None), ("path", None)]);
        };
        let rest = subject.split_once("://").map_or(subject.as_str(), |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = (!path.is_empty()).then(|| path.to_owned());
        let host = authority.split_once(':').map_or(authority, |(host, _)| host);
        if host.contains('.') {
            let host: DomainName = host.parse().map_err(|fault| wrong(subject, &fault))?;
            return Ok([("app", None), ("host", Some(host.to_string())), ("path", path)]);
        }
        let app: AppName = host.parse().map_err(|fault| wrong(subject, &fault))?;
        session.remember(&app);
        Ok([("app", Some(app.to_string())), ("host", None), ("path", path)])
    }
}

fn wrong(subject: &str, fault: &impl ToString) -> Failure {
    Failure::usage(format!("`{subject}` is neither an app nor a host"))
        .because(fault.to_string())
        .hint("`paas why my-app`, or `paas why shop.example.com/api`")
}

fn tell(session: &Session, why: &Answer, sight: &Sight, found: &Conclusion) -> Result<(), Failure> {
    let ui = &session.ui;
    let width = why.links.iter().map(|link| link.name.len()).chain([HERE.len()]).max();
    let width = width.unwrap_or_default();
    for link in &why.links {
        let mark = match link.state.as_str() {
            "ok" => '✓',
            "wrong" => '✗',
            _ => '·',
        };
        ui.data(&format!("{mark} {:width$}  {}", link.name, link.fact))?;
    }
    for Seen { fact, took, .. } in &sight.steps {
        let (mark, fact) = match fact {
            Ok(fact) => ('✓', fact),
            Err(fact) => ('✗', fact),
        };
        let took = took.as_micros();
        let took = format!("{}.{} ms", took / 1000, took % 1000 / 100);
        ui.data(&format!("{mark} {HERE:width$}  {fact} ({took})"))?;
    }
    ui.data("")?;
    ui.data(&format!("{} {}", if found.answers { '✓' } else { '✗' }, found.text))?;
    match &found.hint {
        Some(hint) => ui.data(&format!("hint: {hint}")),
        None => Ok(()),
    }
}

fn json(server: &str, sight: &Sight, found: &Conclusion) -> Result<String, Failure> {
    let step = |seen: &Seen| {
        let (state, fact) = match &seen.fact {
            Ok(fact) => ("ok", fact),
            Err(fact) => ("wrong", fact),
        };
        let took = u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX);
        serde_json::json!({ "name": HERE, "state": state, "fact": fact, "took_us": took })
    };
    let here: Vec<serde_json::Value> = sight.steps.iter().map(step).collect();
    let part = |value: &serde_json::Value| {
        serde_json::to_string(value).map_err(|e| Failure::local("cannot write JSON").because(e))
    };
    let found = serde_json::json!({
        "answers": found.answers, "conclusion": found.text, "hint": found.hint,
    });
    let (found, here) = (part(&found)?, part(&here.into())?);
    Ok(format!(r#"{{"conclusion":{found},"server":{server},"here":{here}}}"#))
}

/// The name of what is seen from this machine.
const HERE: &str = "from here";
