//! `paas logs`.

use std::collections::BTreeMap;

use api::LogLine;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::{
    args::{AppOption, Format},
    client::route,
    failure::Failure,
    session::Session,
    span,
    ui::{Ink, Ui},
};

/// Show what an app's instances wrote: the last 100 lines, or as they come
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    app: AppOption,
    /// Go on with new lines
    #[arg(short, long, short_alias = 't', alias = "tail")]
    follow: bool,
    /// So many of the last lines
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    lines: u32,
    /// A process such as `web`, or an instance such as `web.1`
    #[arg(short, long, value_name = "PROCESS")]
    process: Option<String>,
    /// From a time on: `1h`, `30m`, or as in RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to a time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Lines that contain this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// A release such as `v12`
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// What a build wrote, instead
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["follow", "process", "release", "since", "until", "grep"])]
    build: Option<u32>,
    #[command(flatten)]
    format: Format,
}

impl Logs {
    /// What a run such as `run.3` wrote.
    pub(super) fn of_run(app: AppOption, run: String, lines: u32) -> Self {
        Self {
            app,
            follow: false,
            lines,
            process: Some(run),
            since: None,
            until: None,
            grep: None,
            release: None,
            build: None,
            format: Format::default(),
        }
    }

    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let (client, ui) = (session.client()?, &session.ui);
        if let Some(number) = self.build {
            let answer = client.get(&route::of(&app, &format!("builds/{number}/log"))).await?;
            return ui.raw(ui.foreign(&answer.text()).as_bytes());
        }
        let parameters = [
            ("lines", Some(self.lines.to_string())),
            ("follow", self.follow.then(|| "true".to_owned())),
            ("process", self.process),
            ("since", self.since.map(|text| time(&text, ui.now)).transpose()?),
            ("until", self.until.map(|text| time(&text, ui.now)).transpose()?),
            ("grep", self.grep),
            ("release", self.release),
        ];
        let mut lines = client.lines(&route::query(route::of(&app, "logs"), &parameters)).await?;
        let mut sources = BTreeMap::new();
        if self.format.json {
            while let Some(line) = lines.text().await? {
                ui.data(&line)?;
            }
            return Ok(());
        }
        while let Some(line) = lines.next::<LogLine>().await? {
            print(ui, &mut sources, &line)?;
        }
        Ok(())
    }
}

/// `TIME web.1 | text`, each source in a colour of its own.
fn print(ui: &Ui, sources: &mut BTreeMap<String, usize>, line: &LogLine) -> Result<(), Failure> {
    let next = sources.len();
    let number = *sources.entry(line.source.clone()).or_insert(next);
    let at = ui.paint(Ink::Dim, &line.at);
    let source = ui.paint(Ink::Source(number), &line.source);
    ui.data(&format!("{at} {source} | {}", ui.foreign(&line.text)))
}

/// A time as the API takes it: an age such as `1h30m`, or RFC 3339.
fn time(text: &str, now: Timestamp) -> Result<String, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.to_string());
    }
    let wrong = || {
        Failure::usage(format!("`{text}` is not a time"))
            .hint("write an age such as `90s`, `30m`, `1h` or `2d`, or `2026-01-31T12:00:00Z`")
    };
    let age = SignedDuration::from_secs(span::seconds(text).ok_or_else(wrong)?);
    let at = now.checked_sub(age).map_err(|_| wrong())?;
    Ok(at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        assert_eq!(time(text, now).ok().as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_ages_or_rfc_3339() {
        check("1h", Some("2026-01-10T11:00:00Z"));
        check("1d2h30m5s", Some("2026-01-09T09:29:55Z"));
        check("2026-01-01T00:00:00+01:00", Some("2025-12-31T23:00:00Z"));
        for wrong in
            ["", "1", "h", "1y", "yesterday", "99999999999999999999d", "99999999999w", "1ü"]
        {
            check(wrong, None);
        }
    }
}
