//! `paas secrets set`, `unset` and `import`.

use std::{collections::BTreeSet, io, str::FromStr};

use api::SecretsPatch;
use clap::Args;
use hyper::Method;

use crate::{
    args::{AppOption, Wait},
    client::route,
    commands::config::{Stage, content, imported, names, report},
    failure::Failure,
    session::Session,
};

/// A name, and where its value is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    key: String,
    from: From,
}

/// Where a value is to be had.
#[derive(Clone, PartialEq, Eq)]
enum From {
    /// From whoever types it, or from the input.
    Asked,
    /// From a file.
    File(String),
    /// From the command line.
    Line(String),
}

/// Never a value.
impl std::fmt::Debug for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Asked => "Asked",
            Self::File(_) => "File",
            Self::Line(_) => "Line(…)",
        })
    }
}

impl FromStr for Given {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, from) = match text.split_once('=') {
            None => (text, From::Asked),
            Some((key, value)) => match value.strip_prefix('@') {
                Some(path) => (key, From::File(path.to_owned())),
                None => (key, From::Line(value.to_owned())),
            },
        };
        Ok(Self { key: key.to_owned(), from })
    }
}

/// Set secrets and restart the app with them
///
/// `NAME` alone asks for the value without showing it, or takes the input, without the line break at its
/// end: `pass show db | paas secrets set DATABASE_URL`. `NAME=@FILE` takes what a file holds, to the last byte.
/// `NAME=VALUE` works too, but leaves the value in the history of your shell.
#[derive(Debug, Clone, Args)]
pub(super) struct Set {
    /// Names, and where their values are to be had
    #[arg(value_name = "NAME[=@FILE]", required = true)]
    given: Vec<Given>,
    /// Make secrets of values that the app's config has
    #[arg(long)]
    from_config: bool,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Set {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut wish = SecretsPatch { stage: self.stage.stage, ..SecretsPatch::default() };
        let mut asked = 0;
        let shown = self.given.iter().any(|one| matches!(one.from, From::Line(_)));
        for Given { key, from } in self.given {
            if self.from_config {
                if from != From::Asked {
                    return Err(Failure::usage(format!(
                        "{key} is given a value, and --from-config"
                    )));
                }
                wish.from_config.push(key);
                continue;
            }
            let value = match from {
                From::Line(value) => value,
                From::File(path) => content(session, &path)?,
                From::Asked => {
                    asked += 1;
                    ask(session, &key, asked)?
                }
            };
            wish.values.insert(key, Some(value));
        }
        if shown {
            session.ui.warn(
                "values on the command line stay in your shell's history, and others on this machine can see them",
            );
            session.ui.hint("`paas secrets set NAME` asks for the value");
        }
        change(session, &self.app, &self.wait, wish).await
    }
}

/// A value that somebody types, or the whole input. There is one input for one value.
fn ask(session: &Session, key: &str, nth: u32) -> Result<String, Failure> {
    let cannot = |error: io::Error| Failure::local(format!("cannot read {key}")).because(error);
    if session.ui.can_ask() {
        let typed = session.ui.secret(key).map_err(cannot)?;
        return not_nothing(key, without_end(typed));
    }
    if nth > 1 {
        return Err(Failure::usage(format!(
            "the input has the value of one secret, and {key} is another"
        ))
        .hint(format!("`paas secrets set {key}=@FILE` takes it from a file")));
    }
    not_nothing(key, without_end(content(session, "-")?))
}

/// Nobody means nothing when asked; a pipe from a command that failed has nothing.
fn not_nothing(key: &str, value: String) -> Result<String, Failure> {
    if value.is_empty() {
        return Err(Failure::usage(format!("no value of {key} was given"))
            .hint(format!("`paas secrets set {key}=` sets it to nothing")));
    }
    Ok(value)
}

/// Without one line break at the end, which whoever typed or piped a value did not mean.
fn without_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// Remove secrets and restart the app without them
#[derive(Debug, Clone, Args)]
pub(super) struct Unset {
    /// The names
    #[arg(value_name = "NAME", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Unset {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let values = self.keys.into_iter().map(|key| (key, None)).collect();
        let wish = SecretsPatch { values, stage: self.stage.stage, ..SecretsPatch::default() };
        change(session, &self.app, &self.wait, wish).await
    }
}

/// Set all values of a .env file as secrets
///
/// What the file does not name stays as it is.
#[derive(Debug, Clone, Args)]
pub(super) struct Import {
    /// The file; `-` is the input
    #[arg(value_name = "FILE", default_value = ".env")]
    file: String,
    #[command(flatten)]
    stage: Stage,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
}

impl Import {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(values) = imported(session, &self.file)? else { return Ok(()) };
        let wish = SecretsPatch { values, stage: self.stage.stage, ..SecretsPatch::default() };
        change(session, &self.app, &self.wait, wish).await
    }
}

async fn change(
    session: &Session,
    app: &AppOption,
    wait: &Wait,
    wish: SecretsPatch,
) -> Result<(), Failure> {
    let app = session.app(app)?;
    let removes = !wish.values.is_empty() && wish.values.values().all(Option::is_none);
    let all: BTreeSet<&str> =
        wish.values.keys().chain(&wish.from_config).map(String::as_str).collect();
    let verb =
        format!("{} {}", if removes { "Removing" } else { "Setting" }, names(all.into_iter()));
    let path = route::of(&app, "secrets");
    let change = session.client()?.send(Method::PATCH, &path, &wish).await?.read()?;
    report(session, &app, wait, &change, &verb).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_from_somewhere() {
        let check = |text: &str, key: &str, from: From| {
            assert_eq!(text.parse(), Ok(Given { key: key.to_owned(), from }), "{text}");
        };
        check("KEY", "KEY", From::Asked);
        check("KEY=", "KEY", From::Line(String::new()));
        check("KEY=a=@b", "KEY", From::Line("a=@b".to_owned()));
        check("KEY=@a.pem", "KEY", From::File("a.pem".to_owned()));
        assert_eq!(format!("{:?}", From::Line("swordfish".to_owned())), "Line(…)");
    }

    #[test]
    fn one_line_break_at_the_end_is_not_meant() {
        for (text, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a ")] {
            assert_eq!(without_end(text.to_owned()), expected);
        }
    }
}
