//! How the app starts: a task of its author's, what its build left, a file that serves.
//!
//! `Deno.serve` listens where `DENO_SERVE_ADDRESS` says, whatever port the program names; so an app
//! that was written with a fixed port, or with none, still listens at `PORT`.

use super::config::Config;
use crate::packs::static_site::{Missing, Site};
use crate::packs::{App, PackError, Process, output, procfile};

/// Tasks that start an app by habit. Vite's `preview` is no server for production, which `deno …`
/// in a task of that name is.
const TASKS: [&str; 3] = ["start", "serve", "preview"];

/// Names of files that start an app by habit.
const STEMS: [&str; 5] = ["main", "server", "app", "index", "mod"];
const ENDS: [&str; 6] = ["ts", "tsx", "js", "mjs", "mts", "jsx"];

/// The server that Fresh 2 builds.
const FRESH: &str = "_fresh/server.js";

/// Where builds leave pages.
const PAGES: [&str; 5] = ["dist", "_site", "build", "out", "public"];

/// What a program may do whose author does not say it: serve, read its configuration and its files.
const ALLOWED: &str = "--allow-net --allow-env --allow-read";

const ADDRESS: &str = "DENO_SERVE_ADDRESS=${DENO_SERVE_ADDRESS:-tcp:0.0.0.0:${PORT:-8000}}";

/// What the image is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Run this.
    Command { process: Process, because: String },
    /// Serve pages; no runtime is needed for that.
    Pages { site: Site, because: String },
    /// The Procfile says it all.
    Procfile,
}

impl Start {
    /// Says what was decided.
    pub(super) fn show(&self) {
        match self {
            Self::Command { process, because } => {
                output::heading("Start command");
                output::line(&format!("{} ({because})", process.shown()));
                output::line("to change: a \"start\" task in deno.json, or a Procfile");
            }
            Self::Pages { site, because } => {
                output::heading("Pages");
                output::line(&format!("serving {} ({because})", site.shown()));
                output::line("Deno stays out of the image: pages do not need it");
                output::line("to change: a \"start\" task in deno.json, or a Procfile");
            }
            Self::Procfile => {}
        }
    }
}

/// The file of a repository without any of Deno's files that only Deno can run.
pub(super) fn server_by_text(app: &App) -> Result<Option<String>, PackError> {
    for file in by_name(app) {
        let text = app.text(&file)?.unwrap_or_default();
        if text.contains("Deno.serve(") {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Decides.
pub(super) fn choose(app: &App, config: &Config) -> Result<Start, PackError> {
    if procfile::defines(app, "web") {
        return Ok(Start::Procfile);
    }
    if let Some((name, process)) = task(config) {
        let file = config.file.unwrap_or("deno.json");
        return Ok(Start::Command { process, because: format!("the {name} task in {file}") });
    }
    let command = |line: String, because: &str| Start::Command {
        process: Process::shell("web", &line),
        because: because.to_owned(),
    };
    let serve = "exec deno serve --host 0.0.0.0 --port ${PORT:-8000}";
    if app.has(FRESH) {
        return Ok(command(format!("{serve} -A {FRESH}"), "Fresh built it"));
    }
    let allowed = if config.has_permissions() { "-P" } else { ALLOWED };
    if let Some((file, how)) = server(app)? {
        return Ok(match how {
            How::Exports => command(
                format!("{serve} {allowed} {file}"),
                "the file exports a server; permissions: a \"start\" task, or deno.json",
            ),
            How::Runs => command(
                format!("{ADDRESS} exec deno run {allowed} {file}"),
                "by its name; permissions: a \"start\" task, or deno.json",
            ),
        });
    }
    if let Some(root) = PAGES.iter().find(|root| app.has(format!("{root}/index.html"))) {
        let own = app.has(format!("{root}/404.html"));
        let missing = if own { Missing::NotFound } else { Missing::Index };
        let site = Site { root: (*root).to_owned(), missing };
        return Ok(Start::Pages { site, because: "there is an index.html in it".to_owned() });
    }
    if app.has("Procfile") {
        return Ok(Start::Procfile);
    }
    Err(PackError::app(
        "the app does not say how it starts: deno.json has no \"start\" task, and there is no \
         main.ts, server.ts, app.ts or index.ts",
        "say it in deno.json: \"tasks\": { \"start\": \"deno run --allow-net FILE.ts\" }",
    ))
}

/// The files that are run, as far as they are there yet: what they import is fetched.
pub(super) fn entries(app: &App, config: &Config) -> Result<Vec<String>, PackError> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(app.text("Procfile")?);
    lines.extend(TASKS.iter().filter_map(|name| Some(config.task(name)?.command.to_owned())));
    let mut files: Vec<String> = scripts(app, &lines.join("\n"));
    if files.is_empty() {
        files.extend(server(app)?.map(|(file, _)| file));
    }
    if app.has(FRESH) {
        files.push(FRESH.to_owned());
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The words of a command that are programs of the app.
fn scripts(app: &App, text: &str) -> Vec<String> {
    let named = |word: &&str| {
        let end = word.rsplit_once('.').map(|(_, end)| end);
        let plain = !word.starts_with(['-', '/']) && !word.contains("..");
        plain && end.is_some_and(|end| ENDS.contains(&end)) && app.has(word)
    };
    text.split_whitespace().filter(named).map(str::to_owned).collect()
}

/// The task that starts the app, and its process.
fn task(config: &Config) -> Option<(&'static str, Process)> {
    TASKS.into_iter().find_map(|name| {
        let task = config.task(name)?;
        if is_development(task.command) {
            output::line(&format!("the {name} task is not used: it is for development"));
            return None;
        }
        let direct = task.is_alone && task.command.starts_with("deno ") && is_plain(task.command);
        let line = if direct { task.command.to_owned() } else { format!("deno task {name}") };
        let usable = name != "preview" || direct;
        usable.then(|| (name, Process::shell("web", &format!("{ADDRESS} exec {line}"))))
    })
}

/// Whether a task is for writing the app only.
fn is_development(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let last = command.split_whitespace().next_back().unwrap_or_default();
    let vite = matches!(last.rsplit(['/', ':']).next(), Some("vite"));
    vite || words.any(|word| word.starts_with("--watch") || word.starts_with("--hmr"))
}

/// Whether a task is one program with plain arguments, which Bash reads as Deno's own shell does.
fn is_plain(command: &str) -> bool {
    command.chars().all(|c| c.is_ascii_alphanumeric() || " ./_-=:,@".contains(c))
}

/// What a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It serves when it is run.
    Runs,
    /// It exports a handler, for `deno serve`.
    Exports,
}

fn server(app: &App) -> Result<Option<(String, How)>, PackError> {
    for file in by_name(app) {
        let text = app.text(&file)?.unwrap_or_default();
        let listens = text.contains("Deno.serve") || text.contains(".listen(");
        let exports = text.contains("export default");
        match (listens, exports) {
            (true, _) => return Ok(Some((file, How::Runs))),
            (false, true) => return Ok(Some((file, How::Exports))),
            // A library's `mod.ts` starts nothing.
            (false, false) if file.contains("mod.") => {}
            (false, false) => return Ok(Some((file, How::Runs))),
        }
    }
    Ok(None)
}

fn by_name(app: &App) -> Vec<String> {
    let names = ["", "src/"].iter().flat_map(|folder| {
        STEMS
            .iter()
            .flat_map(move |stem| ENDS.iter().map(move |end| format!("{folder}{stem}.{end}")))
    });
    names.filter(|name| app.has(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let config = Config::read(&app).unwrap();
        let shown = match choose(&app, &config) {
            Ok(Start::Command { process, .. }) => process.shown().replace(ADDRESS, "AT"),
            Ok(Start::Pages { site, .. }) => format!("pages: {}", site.shown()),
            Ok(Start::Procfile) => "Procfile".to_owned(),
            Err(_) => "nothing".to_owned(),
        };
        assert_eq!(shown, expected, "{files:?}");
    }

    const SERVER: (&str, &str) = ("main.ts", "Deno.serve(() => new Response());");

    #[test]
    fn a_task_comes_first_and_runs_without_a_second_deno() {
        let tasks = |text: &'static str| ("deno.json", text);
        check(&[tasks(r#"{"tasks":{"start":"deno run -A x.ts"}}"#)], "AT deno run -A x.ts");
        check(&[tasks(r#"{"tasks":{"start":"A=1 deno run x.ts && y"}}"#)], "AT deno task start");
        let two = r#"{"tasks":{"start":{"command":"deno run x.ts","dependencies":["b"]}}}"#;
        check(&[tasks(two)], "AT deno task start");
        check(&[tasks(r#"{"tasks":{"start":"deno run --watch x.ts"}}"#)], "nothing");
        let fresh = r#"{"tasks":{"start":"deno run -A --watch=static/ dev.ts",
                        "preview":"deno run -A main.ts"}}"#;
        check(&[tasks(fresh), SERVER], "AT deno run -A main.ts");
        let vite = r#"{"tasks":{"start":"deno run -A npm:vite","preview":"vite preview"}}"#;
        check(
            &[tasks(vite), ("dist/index.html", "")],
            "pages: dist, with index.html for unknown paths",
        );
        check(&[tasks(two), ("Procfile", "web: deno run x.ts")], "Procfile");
    }

    #[test]
    fn files_run_or_are_served() {
        check(&[SERVER], &format!("AT deno run {ALLOWED} main.ts"));
        check(
            &[("server.ts", "export default { fetch() {} }")],
            &format!("deno serve --host 0.0.0.0 --port ${{PORT:-8000}} {ALLOWED} server.ts"),
        );
        check(
            &[SERVER, ("deno.json", r#"{"permissions":{"default":{}}}"#)],
            "AT deno run -P main.ts",
        );
        check(&[("mod.ts", "export function f() {}"), ("deno.json", "{}")], "nothing");
        check(
            &[SERVER, (FRESH, "")],
            "deno serve --host 0.0.0.0 --port ${PORT:-8000} -A _fresh/server.js",
        );
    }

    #[test]
    fn what_is_run_is_what_is_fetched_for() {
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            let (app, _dir) = App::of(files);
            assert_eq!(entries(&app, &Config::read(&app).unwrap()).unwrap(), expected);
        };
        let config = ("deno.json", r#"{"tasks":{"start":"deno run -A src/x.ts --a b.ts"}}"#);
        check(&[config, ("src/x.ts", ""), SERVER], &["src/x.ts"]);
        let procfile = ("Procfile", "web: deno run main.ts\nworker: deno run ../w.ts w.ts\n");
        check(&[procfile, ("w.ts", ""), SERVER], &["main.ts", "w.ts"]);
        check(&[SERVER], &["main.ts"]);
    }
}
