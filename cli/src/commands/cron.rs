//! `paas cron`.

use api::{CronJob, CronRun, Run};
use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::{AppOption, Format},
    client::route,
    commands::logs::Logs,
    failure::Failure,
    session::Session,
    target::AppName,
    ui::{self, Table},
};

/// List the jobs that run by the clock, run one, have one rest
///
/// Jobs stand in paas.toml: `[cron.report]` with `schedule = "30 3 * * *"` and `command = "bin/report"`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cron {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List an app's jobs, with when they run next and how they ended last
    List {
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Show what became of ticks, newest first
    History {
        /// Of this job alone
        job: Option<String>,
        /// How many lines
        #[arg(short = 'n', long, value_name = "LINES")]
        lines: Option<usize>,
        #[command(flatten)]
        app: AppOption,
        #[command(flatten)]
        format: Format,
    },
    /// Show what the last run of a job wrote
    Logs {
        /// The job
        job: String,
        /// So many of the last lines
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
        lines: u32,
        #[command(flatten)]
        app: AppOption,
    },
    /// Run a job now, beside its ticks
    Run {
        /// The job
        job: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// Have a job rest: its ticks go by
    Pause {
        /// The job
        job: String,
        #[command(flatten)]
        app: AppOption,
    },
    /// Have a job go on
    Resume {
        /// The job
        job: String,
        #[command(flatten)]
        app: AppOption,
    },
}

impl Cron {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let ui = &session.ui;
        match self.verb {
            None => list(session, &self.app, &self.format).await,
            Some(Verb::List { app, format }) => list(session, &app, &format).await,
            Some(Verb::History { job, lines, app, format }) => {
                let answer =
                    session.client()?.get(&history(&session.app(&app)?, job, lines)).await?;
                if format.json {
                    return ui.json(&answer.text());
                }
                ui.table(&told(&answer.read::<Vec<CronRun>>()?, session))
            }
            Some(Verb::Logs { job, lines, app }) => logs(session, job, lines, app).await,
            Some(Verb::Run { job, app }) => {
                let app = session.app(&app)?;
                let run: Run = act(session, &app, &job, "run").await?;
                ui.data(&run.name)?;
                ui.hint(&format!(
                    "`paas logs -f -p {} -a {app}` shows its output, `paas cron history {job} -a {app}` \
                     how it ended",
                    run.name
                ));
                Ok(())
            }
            Some(Verb::Pause { job, app }) => {
                let app = session.app(&app)?;
                let job: CronJob = act(session, &app, &job, "pause").await?;
                ui.talk(&format!("{} rests; `paas cron resume {0} -a {app}` ends that", job.name));
                Ok(())
            }
            Some(Verb::Resume { job, app }) => {
                let app = session.app(&app)?;
                let job: CronJob = act(session, &app, &job, "resume").await?;
                let next = job.next_local.unwrap_or_else(|| "never".to_owned());
                ui.talk(&format!("{} goes on; next: {next}", job.name));
                Ok(())
            }
        }
    }
}

async fn act<T: serde::de::DeserializeOwned>(
    session: &Session,
    app: &AppName,
    job: &str,
    verb: &str,
) -> Result<T, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if job.is_empty() || !job.chars().all(plain) {
        return Err(Failure::usage(format!("`{job}` is not the name of a job"))
            .hint(format!("`paas cron -a {app}` lists them")));
    }
    let path = route::of(app, &format!("cron/{job}/{verb}"));
    session.client()?.act(Method::POST, &path).await?.read()
}

fn history(app: &AppName, job: Option<String>, lines: Option<usize>) -> String {
    let limit = lines.map(|lines| lines.to_string());
    route::query(route::of(app, "cron/history"), &[("job", job), ("limit", limit)])
}

async fn list(session: &Session, app: &AppOption, format: &Format) -> Result<(), Failure> {
    let app = session.app(app)?;
    let answer = session.client()?.get(&route::of(&app, "cron")).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let jobs: Vec<CronJob> = answer.read()?;
    if jobs.is_empty() {
        session.ui.talk(&format!(
            "{app} has no jobs. They stand in paas.toml: [cron.report], schedule = \"@daily\", \
             command = \"bin/report\""
        ));
        return Ok(());
    }
    let mut table = Table::new(["JOB", "SCHEDULE", "NEXT", "IN", "LAST", "AGE", "COMMAND"]);
    for job in jobs {
        let last = job.last.as_ref();
        let next = match &job.paused_by {
            Some(by) => format!("rests ({by})"),
            None => job.next_local.unwrap_or_default(),
        };
        let ahead = job.next.map(|at| ui::ahead(&at, session.ui.now)).unwrap_or_default();
        table.row([
            job.name,
            job.schedule,
            next,
            ahead.trim_start_matches("in ").to_owned(),
            last.map(result).unwrap_or_default(),
            last.map(|last| ui::age(when(last), session.ui.now)).unwrap_or_default(),
            job.command,
        ]);
    }
    session.ui.table(&table)
}

fn told(runs: &[CronRun], session: &Session) -> Table {
    let mut table = Table::new(["TICK", "JOB", "RESULT", "RUN", "RELEASE", "TOOK", "AGE"]);
    for run in runs {
        let span = run.began_at.as_ref().zip(run.ended_at.as_ref());
        let took = span.and_then(|(began, ended)| ui::since(began, ended));
        table.row([
            run.tick.clone().unwrap_or_else(|| format!("by {}", run.by)),
            run.job.clone(),
            result(run),
            run.run.clone().unwrap_or_default(),
            run.release.clone().unwrap_or_default(),
            took.map(ui::seconds).unwrap_or_default(),
            ui::age(when(run), session.ui.now),
        ]);
        if let Some(reason) = &run.reason {
            table.note(reason);
        }
        run.last_lines.iter().for_each(|line| table.note(line));
    }
    table
}

fn result(run: &CronRun) -> String {
    match run.code {
        Some(code) if code != 0 => format!("{} ({code})", run.state),
        _ => run.state.clone(),
    }
}

fn when(run: &CronRun) -> &str {
    run.ended_at.as_deref().unwrap_or(&run.at)
}

async fn logs(session: &Session, job: String, lines: u32, app: AppOption) -> Result<(), Failure> {
    let name = session.app(&app)?;
    let path = history(&name, Some(job.clone()), None);
    let runs: Vec<CronRun> = session.client()?.get(&path).await?.read()?;
    match runs.into_iter().find_map(|run| run.run) {
        Some(run) => Logs::of_run(app, run, lines).run(session).await,
        None => Err(Failure::usage(format!("{job} of {name} has not run yet"))
            .hint(format!("`paas cron run {job} -a {name}`"))),
    }
}
