//! `paas describe`.

use api::{App, Build, Event, Instance, Rollout};
use clap::Args;

use super::{deploys, events, ps, scale};
use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    target::AppName,
    ui::{self, Table},
};

/// Show all there is to know of an app or of one instance
#[derive(Debug, Clone, Args)]
pub(crate) struct Describe {
    /// An app, or an instance such as `web.1`
    #[arg(value_name = "APP|INSTANCE")]
    subject: Option<String>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

impl Describe {
    pub(crate) async fn run(mut self, session: &Session) -> Result<(), Failure> {
        match self.subject.take() {
            Some(name) if name.contains('.') => {
                let app = session.app(&self.app)?;
                self.instance(session, &app, &name).await
            }
            Some(name) => {
                let app: AppName = name.parse().map_err(|fault| {
                    Failure::usage(format!("`{name}` is neither an app nor an instance"))
                        .because(fault)
                })?;
                session.remember(&app);
                self.everything(session, &app).await
            }
            None => {
                let app = session.app(&self.app)?;
                self.everything(session, &app).await
            }
        }
    }

    async fn everything(self, session: &Session, app: &AppName) -> Result<(), Failure> {
        let (client, ui) = (session.client()?, &session.ui);
        let known = client.get(&route::app(app)).await?;
        let instances = client.get(&route::of(app, "instances")).await?;
        let events = client.get(&route::query(route::of(app, "events"), &[recent()])).await?;
        let under_way = UnderWay::of(session, app).await?;
        if self.format.json {
            let (rollout, builds) = under_way.json()?;
            return ui.json(&format!(
                r#"{{"app":{},"rollout":{rollout},"builds":{builds},"instances":{},"events":{}}}"#,
                known.text(),
                instances.text(),
                events.text()
            ));
        }
        let known: App = known.read()?;
        let instances: Vec<Instance> = instances.read()?;
        let events: Vec<Event> = events.read()?;
        let mut facts = facts(&known, ui.now);
        under_way.tell(&mut facts, ui.now);
        ui.table(&facts)?;
        if !instances.is_empty() {
            ui.data("")?;
            ui.table(&ps::table(&instances, ui.now))?;
        }
        if !events.is_empty() {
            ui.data("")?;
            ui.table(&events::table(&events, ui.now))?;
        }
        Ok(())
    }

    async fn instance(self, session: &Session, app: &AppName, name: &str) -> Result<(), Failure> {
        let (client, ui) = (session.client()?, &session.ui);
        let answer = client.get(&route::of(app, "instances")).await?;
        let instances: Vec<Instance> = answer.read()?;
        let matching: Vec<_> = instances.iter().filter(|one| one.name == name).collect();
        if matching.is_empty() {
            let known: Vec<_> = instances.iter().map(|one| one.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::local(format!("{app} has no instance {name}"))
                .because(format!("it has: {known}"))
                .hint(format!("`paas ps -a {app}`")));
        }
        if self.format.json {
            return ui.json(&json(&matching)?);
        }
        for instance in &matching {
            ui.table(&particulars(instance, ui.now))?;
        }
        let answer = client.get(&route::query(route::of(app, "events"), &[recent()])).await?;
        let events: Vec<Event> = answer.read()?;
        let about: Vec<_> = events.into_iter().filter(|event| event.text.contains(name)).collect();
        if about.is_empty() {
            return Ok(());
        }
        ui.data("")?;
        ui.table(&events::table(&about, ui.now))
    }
}

/// What of an app is on its way: the rollout, and builds that wait or run.
#[derive(Debug)]
struct UnderWay {
    rollout: Option<Rollout>,
    builds: Vec<Build>,
}

impl UnderWay {
    async fn of(session: &Session, app: &AppName) -> Result<Self, Failure> {
        let client = session.client()?;
        let rollouts = client.get(&route::of(app, "rollouts")).await?.read::<Vec<Rollout>>()?;
        let builds = client.get(&route::of(app, "builds")).await?.read::<Vec<Build>>()?;
        let is_over = |rollout: &Rollout| OVER.contains(&rollout.phase.as_str());
        let is_open = |build: &Build| build.status == "queued" || build.status == "running";
        Ok(Self {
            rollout: rollouts.into_iter().next().filter(|rollout| !is_over(rollout)),
            builds: builds.into_iter().filter(is_open).collect(),
        })
    }

    fn json(&self) -> Result<(String, String), Failure> {
        Ok((json(&self.rollout)?, json(&self.builds)?))
    }

    fn tell(&self, facts: &mut Table, now: jiff::Timestamp) {
        for build in self.builds.iter().rev() {
            let since = build.started_at.as_deref().unwrap_or(&build.queued_at);
            let place = build.ahead.map(|ahead| ui::in_queue(ahead, build.behind.as_deref()));
            let does = place.unwrap_or_else(|| build.status.clone());
            let (number, by) = (build.number, &build.by);
            let text = format!("{number} by {by}: {does}, for {}", ui::age(since, now));
            facts.row(["Build".to_owned(), text]);
        }
        let Some(rollout) = &self.rollout else { return };
        let from = rollout.from.as_ref().map(|from| format!(", from {from}")).unwrap_or_default();
        let Rollout { number, release, phase, wave, waves, .. } = rollout;
        let since = ui::age(&rollout.phase_at, now);
        let text =
            format!("{number}: {release} is {phase}{from}, wave {wave} of {waves}, for {since}");
        facts.row(["Deploy".to_owned(), text]);
        if let Some(canary) = &rollout.canary {
            facts.row(["Canary".to_owned(), deploys::story(canary)]);
        }
        if let Some(reason) = &rollout.reason {
            facts.row(["Why".to_owned(), reason.clone()]);
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value);
    text.map_err(|fault| Failure::local("cannot write JSON").because(fault))
}

fn recent() -> (&'static str, Option<String>) {
    ("limit", Some(RECENT.to_string()))
}

fn facts(app: &App, now: jiff::Timestamp) -> Table {
    let mut table = Table::pairs();
    table.row(["App".to_owned(), app.name.clone()]);
    let reason = app.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    table.row(["State".to_owned(), format!("{}{reason}", app.state)]);
    table.row(["Release".to_owned(), app.release.clone().unwrap_or_default()]);
    table.row(["Formation".to_owned(), scale::formation(&app.formation)]);
    table.row(["Ready".to_owned(), scale::formation(&app.ready)]);
    for url in &app.urls {
        table.row(["URL".to_owned(), url.clone()]);
    }
    table.row(["Made".to_owned(), format!("{} ago", ui::age(&app.created_at, now))]);
    table
}

fn particulars(instance: &Instance, now: jiff::Timestamp) -> Table {
    let mut table = Table::pairs();
    let limit = ui::bytes(instance.memory_limit);
    let memory =
        instance.memory.map_or_else(String::new, |used| format!("{} of ", ui::bytes(used)));
    let age = instance.started_at.as_deref().map(|at| format!("{at} ({} ago)", ui::age(at, now)));
    table.row(["Instance".to_owned(), instance.name.clone()]);
    table.row(["State".to_owned(), instance.state.clone()]);
    table.row(["Health".to_owned(), instance.health.clone()]);
    table.row(["Why".to_owned(), instance.detail.clone().unwrap_or_default()]);
    table.row(["Release".to_owned(), instance.release.clone()]);
    table.row(["Node".to_owned(), instance.node.clone()]);
    table.row(["Started".to_owned(), age.unwrap_or_default()]);
    table.row(["Restarts".to_owned(), instance.restarts.to_string()]);
    table.row(["CPU".to_owned(), instance.cpu_millis.map(ui::cores).unwrap_or_default()]);
    table.row(["Memory".to_owned(), format!("{memory}{limit}")]);
    table.row(["In flight".to_owned(), instance.in_flight.to_string()]);
    table.row(["Address".to_owned(), instance.address.clone().unwrap_or_default()]);
    table.row(["Container".to_owned(), instance.container.clone().unwrap_or_default()]);
    table
}

/// Phases after which nothing more happens.
const OVER: [&str; 3] = ["done", "failed", "superseded"];

/// As many events as a screen takes.
const RECENT: u32 = 20;
