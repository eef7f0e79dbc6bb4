//! `paas config list` and `paas config get`.

use clap::Args;

use crate::{
    args::{AppOption, Format},
    client::route,
    dotenv,
    failure::Failure,
    session::Session,
    ui::Table,
};

/// List names and values
///
/// For people: line breaks in values are shown as `\n`. For programs there are `--shell`, which
/// `paas config import` and any shell read, and `--json`.
#[derive(Debug, Clone, Args)]
pub(super) struct List {
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    format: Format,
    /// As `KEY='value'` lines
    #[arg(short, long, conflicts_with = "json")]
    shell: bool,
}

impl List {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let answer = session.client()?.get(&route::of(&app, "config")).await?;
        if self.format.json {
            return session.ui.json(&answer.text());
        }
        let api::Config { values, staged } = answer.read()?;
        if self.shell {
            return session.ui.raw(dotenv::write(&values).as_bytes());
        }
        if values.is_empty() && staged.is_empty() {
            session.ui.talk(&format!("{app} has no config. Set some: `paas config set KEY=VALUE`"));
            return Ok(());
        }
        let mut table = Table::pairs();
        for (key, value) in values {
            table.row([format!("{key}:"), shown(&value)]);
        }
        session.ui.table(&table)?;
        if !staged.is_empty() {
            session.ui.talk(&format!("Staged for the next release: {}", staged.join(", ")));
            let (apply, discard) = ("paas config apply", "paas config discard");
            session
                .ui
                .hint(&format!("`{apply} -a {app}` releases it, `{discard} -a {app}` drops it"));
        }
        Ok(())
    }
}

/// On one line and harmless; an empty value is `""`, so that it is not taken for a missing one.
fn shown(value: &str) -> String {
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let escape = |c: char| {
        let plain = if c.is_control() { None } else { Some(c) };
        let escaped = plain.is_none().then(|| c.escape_default());
        plain.into_iter().chain(escaped.into_iter().flatten())
    };
    value.chars().flat_map(escape).collect()
}

/// Print one value and a line break
#[derive(Debug, Clone, Args)]
pub(super) struct Get {
    /// The name
    key: String,
    #[command(flatten)]
    app: AppOption,
    /// The value alone, without a line break after it
    #[arg(long)]
    raw: bool,
}

impl Get {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let answer = session.client()?.get(&route::of(&app, "config")).await?;
        let api::Config { values, .. } = answer.read()?;
        let Some(value) = values.get(&self.key) else {
            let failure = Failure::local(format!("{app} has no `{}` in its config", self.key));
            let near = values
                .keys()
                .min_by_key(|key| strsim::damerau_levenshtein(key, &self.key))
                .filter(|key| strsim::damerau_levenshtein(key, &self.key) <= 2);
            return Err(match near {
                Some(key) => failure.hint(format!("did you mean `{key}`?")),
                None => failure.hint(format!("`paas config -a {app}` lists what it has")),
            });
        };
        if self.raw { session.ui.raw(value.as_bytes()) } else { session.ui.data(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_on_its_line() {
        assert_eq!(shown("a\nb\tü 'x' $Y \\ \x1b[31m"), "a\\nb\\tü 'x' $Y \\ \\u{1b}[31m");
        assert_eq!(shown(""), "\"\"");
    }
}
