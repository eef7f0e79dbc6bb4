//! `deno.json` and `deno.jsonc`, as far as a build needs them.
//!
//! Deno reads both as JSON with comments and commas at the end of lists, so that is taken out here
//! before the text is parsed.

use serde_json::{Map, Value};

use crate::packs::{App, PackError};

/// The files, in Deno's own order.
const FILES: [&str; 2] = ["deno.json", "deno.jsonc"];

/// Keys that no installation depends on.
const ASIDE: [&str; 9] =
    ["tasks", "fmt", "lint", "test", "bench", "publish", "permissions", "name", "version"];

/// The app's configuration; empty if there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    /// The file's name.
    pub(super) file: Option<&'static str>,
    whole: Map<String, Value>,
}

/// A task's text, and whether it is all that the task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task<'a> {
    pub(super) command: &'a str,
    pub(super) is_alone: bool,
}

impl Config {
    /// Reads the app's.
    pub(super) fn read(app: &App) -> Result<Self, PackError> {
        let Some(file) = app.first(&FILES) else { return Ok(Self::default()) };
        let text = app.text(file)?.unwrap_or_default();
        let whole = serde_json::from_str(&plain(&text)).map_err(|error| {
            PackError::app(format!("{file} is not valid: {error}"), "check it: deno task")
        })?;
        Ok(Self { file: Some(file), whole })
    }

    /// A task by its name; it is a text, or a table with one.
    pub(super) fn task(&self, name: &str) -> Option<Task<'_>> {
        let task = self.whole.get("tasks")?.get(name)?;
        if let Some(command) = task.as_str() {
            return Some(Task { command, is_alone: true });
        }
        let first = task.get("dependencies").and_then(Value::as_array);
        let is_alone = first.is_none_or(Vec::is_empty);
        Some(Task { command: task.get("command")?.as_str()?, is_alone })
    }

    /// Whether it is more than settings for an editor: somebody runs this with Deno.
    pub(super) fn has_tasks(&self) -> bool {
        self.whole.get("tasks").and_then(Value::as_object).is_some_and(|tasks| !tasks.is_empty())
    }

    /// Whether it says what the app may do.
    pub(super) fn has_permissions(&self) -> bool {
        self.whole.get("permissions").is_some_and(|it| it.get("default").is_some())
    }

    /// Whether it names packages.
    pub(super) fn names_packages(&self) -> bool {
        let named = |key: &str| match self.whole.get(key) {
            Some(Value::Object(table)) => !table.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            _ => false,
        };
        named("imports") || named("workspace")
    }

    /// The document without what no installation depends on.
    pub(super) fn reduced(&self) -> String {
        let kept = self.whole.iter().filter(|(key, _)| !ASIDE.contains(&key.as_str()));
        let kept: Map<_, _> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        Value::Object(kept).to_string()
    }
}

/// JSON of JSON with comments.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('"', _) => {
                out.push('"');
                while let Some(inner) = rest.next() {
                    out.push(inner);
                    match inner {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => while rest.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut before = ' ';
                rest.next();
                for inner in rest.by_ref() {
                    if before == '*' && inner == '/' {
                        break;
                    }
                    before = inner;
                }
            }
            ('}' | ']', _) => {
                let end = out.trim_end().len();
                if out.trim_end().ends_with(',') {
                    out.truncate(end - 1);
                }
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_last_commas_are_no_part_of_it() {
        let check = |text: &str, expected: &str| assert_eq!(plain(text), expected, "{text}");
        check("{ // one\n \"a\": 1, /* , */ }", "{ \n \"a\": 1}");
        check(r#"{"a": "// no, \" /* }",}"#, r#"{"a": "// no, \" /* }"}"#);
        check("[1,\n]", "[1]");
        check("{\"a\":\"b\\", "{\"a\":\"b\\");
    }

    #[test]
    fn tasks_are_texts_or_tables() {
        let text = r#"{"tasks":{"a":"deno run a.ts","b":{"command":"x","dependencies":["a"]}}}"#;
        let (app, _dir) = App::of(&[("deno.jsonc", text)]);
        let config = Config::read(&app).unwrap();
        assert!(config.has_tasks() && config.file == Some("deno.jsonc"));
        assert_eq!(config.task("a"), Some(Task { command: "deno run a.ts", is_alone: true }));
        assert_eq!(config.task("b"), Some(Task { command: "x", is_alone: false }));
        assert_eq!(config.task("c"), None);
        assert_eq!(config.reduced(), "{}");
    }
}
