//! How the app starts: the first of what its author wrote, what its build left, what its files
//! suggest.

use super::frameworks;
use super::manifest::Manifest;
use super::package_manager::Manager;
use super::scripts;
use crate::packs::static_site::{Missing, Site};
use crate::packs::{App, PackError, Process, output, procfile};

/// Files that start an app by habit.
const SERVERS: [&str; 8] = [
    "server.js",
    "app.js",
    "index.js",
    "main.js",
    "server.mjs",
    "app.mjs",
    "index.mjs",
    "main.mjs",
];

/// More of them, for Bun, which reads TypeScript.
const BUN_SERVERS: [&str; 6] =
    ["server.ts", "app.ts", "index.ts", "main.ts", "src/index.ts", "src/server.ts"];

/// What the image is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Run this.
    Command {
        process: Process,
        because: String,
        /// Whether it needs none of the installed dependencies.
        is_whole: bool,
    },
    /// Serve pages; no runtime is needed for that.
    Pages { site: Site, because: String },
    /// The Procfile says it all.
    Procfile,
}

/// What there is to decide by. `app` is the folder of the package that is the app.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clues<'a> {
    pub(super) app: &'a App,
    /// Where the repository's own programs are looked for, too.
    pub(super) root: &'a App,
    /// The package's folder below the repository's; empty if they are the same.
    pub(super) dir: &'a str,
    pub(super) manifest: &'a Manifest,
    pub(super) manager: Manager,
}

impl Start {
    /// Whether the running app is one of Bun's.
    pub(super) fn uses(&self, program: &str) -> bool {
        let Self::Command { process, .. } = self else { return false };
        process.command.first().is_some_and(|word| word == program)
            || process
                .command
                .last()
                .is_some_and(|line| line.starts_with(&format!("exec {program} ")))
    }

    /// Says what was decided.
    pub(super) fn show(&self) {
        match self {
            Self::Command { process, because, .. } => {
                output::heading("Start command");
                let folder =
                    process.working_dir.as_ref().map_or(String::new(), |it| format!(" in {it}"));
                output::line(&format!("{}{folder} ({because})", process.shown()));
                output::line("to change: a \"start\" script in package.json, or a Procfile");
            }
            Self::Pages { site, because } => {
                output::heading("Pages");
                output::line(&format!("serving {} ({because})", site.shown()));
                output::line(
                    "Node.js and the dependencies stay out of the image: pages need neither",
                );
                output::line("to change: a \"start\" script in package.json, or a Procfile");
            }
            Self::Procfile => {}
        }
    }
}

/// The file that starts the app by habit.
pub(super) fn server_file(app: &App) -> Option<&'static str> {
    app.first(&SERVERS)
}

/// Without a package.json, a file counts only if it listens: `app.js` may belong to a page.
pub(super) fn server_without_manifest(app: &App) -> Result<Option<&'static str>, PackError> {
    for file in SERVERS {
        let text = app.text(file)?.unwrap_or_default();
        if text.contains(".listen(") || text.contains("createServer(") {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Decides.
pub(super) fn choose(clues: &Clues<'_>) -> Result<Start, PackError> {
    let Clues { app, manifest, .. } = *clues;
    if procfile::defines(clues.root, "web") {
        return Ok(Start::Procfile);
    }
    let command = |process: Process, because: &str| Start::Command {
        process: process.in_folder(clues.dir),
        because: because.to_owned(),
        is_whole: false,
    };
    let start = manifest.scripts.get("start");
    let development = start.filter(|script| scripts::is_development(script, &manifest.scripts));
    let server = frameworks::server(app, clues.dir, manifest);
    // AdonisJS's start script is written for the folder that its build leaves.
    let gone = start.and_then(|script| gone(clues, script));
    let replaced = gone.is_some() && server.is_some();
    if let Some(script) = start.filter(|_| development.is_none() && !replaced) {
        if let Some(file) = gone {
            return Err(unbuilt(manifest, file));
        }
        let (process, because) = written(clues, "start", script);
        return Ok(command(process, because));
    }
    if let Some(script) = development {
        output::line(&format!("the start script is not used: `{script}` is for development"));
    }
    if let Some(script) = manifest.scripts.get("start:prod") {
        let (process, _) = written(clues, "start:prod", script);
        return Ok(command(process, "the start:prod script of package.json"));
    }
    if let Some((server, file)) = server {
        frameworks::complete(app, clues.dir)?;
        let folder = frameworks::slashed(clues.dir);
        let line = server.line.replace("BIN/", &bin(clues)).replace("DIR/", &folder);
        let line = line.replace("FILE", &file);
        return Ok(Start::Command {
            process: Process::shell("web", &line).in_folder(clues.dir),
            because: server.because.to_owned(),
            is_whole: server.is_whole,
        });
    }
    let pages = |(root, because): (String, String)| {
        let missing =
            if app.has(format!("{root}/404.html")) { Missing::NotFound } else { Missing::Index };
        let root = frameworks::slashed(clues.dir) + &root;
        Start::Pages { site: Site { root, missing }, because }
    };
    if let Some((root, package)) = frameworks::pages(app, manifest) {
        return Ok(pages((root, format!("{package} left an index.html there"))));
    }
    if let Some((process, because)) = by_file(clues) {
        return Ok(command(process, because));
    }
    if let Some(root) = frameworks::pages_by_habit(app) {
        return Ok(pages((root, "there is an index.html in it".to_owned())));
    }
    if clues.root.has("Procfile") {
        return Ok(Start::Procfile);
    }
    let scripted = scripts::build(manifest).is_some();
    Err(PackError::app(
        format!(
            "the app does not say how it starts: package.json has no \"start\" script and no \
             \"main\" file, there is no server.js, app.js or index.js{}",
            if scripted {
                ", and the build script left no index.html in dist, build or out"
            } else {
                ""
            }
        ),
        "npm pkg set scripts.start=\"node FILE.js\"",
    ))
}

/// The file of a start script `node FILE …`, if there is none by any name that Node would try.
fn gone<'a>(clues: &Clues<'_>, script: &'a str) -> Option<&'a str> {
    let words = plain_words(script)?;
    let (["node", file, ..], false) = (words.as_slice(), hooked(clues, "start")) else {
        return None;
    };
    let path = |end: &str| clues.app.path(format!("{file}{end}"));
    let found = ["", ".js", ".json", ".node"].iter().any(|end| path(end).exists());
    (!found && !file.starts_with('-')).then_some(*file)
}

fn unbuilt(manifest: &Manifest, file: &str) -> PackError {
    let reason = format!("the start script runs {file}, and there is no such file");
    match scripts::build(manifest) {
        Some(name) => {
            let reason = format!("{reason} after the {name} script");
            PackError::app(reason, format!("see what it leaves: npm run {name} && ls -R dist"))
        }
        None if manifest.depends_on("typescript") => {
            let reason = format!("{reason}; no build script makes one");
            PackError::app(reason, "npm pkg set scripts.build=tsc")
        }
        None => PackError::app(
            reason,
            "if it is in .gitignore or .paasignore, take it out; or name the file that there is: \
             npm pkg set scripts.start=\"node FILE.js\"",
        ),
    }
}

/// Whether other scripts run before or after that one.
fn hooked(clues: &Clues<'_>, name: &str) -> bool {
    ["pre", "post"].iter().any(|it| clues.manifest.scripts.contains_key(&format!("{it}{name}")))
}

/// What a script says, without the package manager where that is possible: it costs 0.15 s at every
/// start, and it stands between the app and its signals.
fn written(clues: &Clues<'_>, name: &str, script: &str) -> (Process, &'static str) {
    let words = plain_words(script).filter(|_| !hooked(clues, name)).unwrap_or_default();
    match words.split_first() {
        Some((&("node" | "bun"), _)) => {
            return (Process::new("web", &words), "the start script of package.json");
        }
        Some((program, rest)) => {
            let path = format!("{}{program}", bin(clues));
            if clues.app.has(&path) {
                let words: Vec<&str> =
                    std::iter::once(path.as_str()).chain(rest.iter().copied()).collect();
                return (Process::new("web", &words), "the start script of package.json");
            }
        }
        None => {}
    }
    let process = match clues.manager {
        Manager::Bun => Process::new("web", &["bun", "run", name]),
        _ if name == "start" => Process::new("web", &["npm", "start"]),
        _ => Process::new("web", &["npm", "run", name]),
    };
    (process, "package.json has a start script")
}

fn by_file(clues: &Clues<'_>) -> Option<(Process, &'static str)> {
    let Clues { app, manifest, manager, .. } = *clues;
    let bun = manager == Manager::Bun;
    let program = |file: &str| {
        let typed = [".ts", ".tsx", ".mts"].iter().any(|end| file.ends_with(end));
        if bun && typed { "bun" } else { "node" }
    };
    let module = manifest.module.as_deref().filter(|_| bun);
    for (main, because) in [
        (manifest.main.as_deref(), "\"main\" in package.json"),
        (module, "\"module\" in package.json"),
    ] {
        let ends = ["", ".js", "/index.js"];
        let file = main
            .and_then(|main| ends.iter().map(|end| format!("{main}{end}")).find(|it| app.has(it)));
        if let Some(file) = file {
            return Some((Process::new("web", &[program(&file), &file]), because));
        }
    }
    let typed = || app.first(&BUN_SERVERS).filter(|_| bun);
    let file = server_file(app).or_else(typed)?;
    let because = "by its name; to change: a \"start\" script";
    Some((Process::new("web", &[program(file), file]), because))
}

/// The folder of the dependencies' programs, with a slash, as seen from the package.
fn bin(clues: &Clues<'_>) -> String {
    if clues.dir.is_empty() || clues.app.path("node_modules/.bin").is_dir() {
        return "node_modules/.bin/".to_owned();
    }
    format!("{}node_modules/.bin/", "../".repeat(clues.dir.split('/').count()))
}

/// The words of a script that is nothing but a program and plain arguments, so that no shell is
/// needed.
fn plain_words(script: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ./_-=:,@".contains(c);
    let words: Vec<&str> = script.split_whitespace().collect();
    let named = words.first().is_some_and(|word| !word.contains('='));
    (named && script.chars().all(plain)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(manager: Manager, dir: &str, files: &[(&str, &str)], expected: &str) {
        let (root, _folder) = App::of(files);
        let app = App::new(root.path(dir));
        let manifest = Manifest::read(&app).unwrap();
        let start = choose(&Clues { app: &app, root: &root, dir, manifest: &manifest, manager });
        let shown = match start {
            Ok(Start::Command { process, .. }) => process.shown(),
            Ok(Start::Pages { site, .. }) => format!("pages: {}", site.shown()),
            Ok(Start::Procfile) => "Procfile".to_owned(),
            Err(_) => "nothing".to_owned(),
        };
        assert_eq!(shown, expected, "{files:?}");
    }

    fn check(manifest: &str, files: &[&str], expected: &str) {
        let files = files.iter().map(|name| (*name, ""));
        let files: Vec<_> = files.chain([("package.json", manifest)]).collect();
        check_with(Manager::Npm, "", &files, expected);
    }

    #[test]
    fn the_start_command_is_what_the_author_wrote() {
        check(r#"{"scripts":{"start":"node a.js --x=1"}}"#, &["a.js", "b.js"], "node a.js --x=1");
        check(r#"{"scripts":{"start":"next start"}}"#, &[], "npm start");
        let bin = "node_modules/.bin/next";
        check(r#"{"scripts":{"start":"next start"}}"#, &[bin], "node_modules/.bin/next start");
        check(r#"{"scripts":{"start":"A=1 next start"}}"#, &[bin], "npm start");
        check(r#"{"scripts":{"start":"node a.js && b"}}"#, &[], "npm start");
        check(r#"{"scripts":{"start":"node a.js","prestart":"x"}}"#, &[], "npm start");
        check(r#"{"main":"lib"}"#, &["lib.js", "app.js"], "node lib.js");
        check(r#"{"main":"gone.js"}"#, &["app.js"], "node app.js");
        check("{}", &["index.js", "app.js"], "node app.js");
        check("{}", &[], "nothing");
    }

    #[test]
    fn a_start_script_needs_its_file() {
        let dist = r#"{"scripts":{"start":"node dist/index"}}"#;
        check(dist, &["src/index.ts"], "nothing");
        check(dist, &["dist/index.js"], "node dist/index");
        check(r#"{"scripts":{"start":"node ."}}"#, &["index.js"], "node .");
        check(r#"{"scripts":{"start":"node x","prestart":"make"}}"#, &[], "npm start");
        let adonis =
            r#"{"dependencies":{"@adonisjs/core":"7"},"scripts":{"start":"node bin/server.js"}}"#;
        check(adonis, &["bin/server.ts", "build/bin/server.js"], "node build/bin/server.js");
        let hint = |manifest: &str| {
            let (app, _dir) = App::of(&[("package.json", manifest)]);
            let manifest = Manifest::read(&app).unwrap();
            let clues = Clues {
                app: &app,
                root: &app,
                dir: "",
                manifest: &manifest,
                manager: Manager::Npm,
            };
            choose(&clues).unwrap_err().hint().unwrap_or_default().to_owned()
        };
        let typed = r#"{"scripts":{"start":"node dist/a"},"devDependencies":{"typescript":"5"}}"#;
        assert_eq!(hint(typed), "npm pkg set scripts.build=tsc");
        let built = r#"{"scripts":{"start":"node dist/a","build":"x"}}"#;
        assert_eq!(hint(built), "see what it leaves: npm run build && ls -R dist");
    }

    #[test]
    fn a_command_for_development_is_not_a_start_command() {
        let react =
            r#"{"dependencies":{"react-scripts":"5"},"scripts":{"start":"react-scripts start"}}"#;
        check(react, &["build/index.html"], "pages: build, with index.html for unknown paths");
        check(react, &["build/index.html", "build/404.html"], "pages: build");
        check(
            r#"{"scripts":{"start":"nest start","start:prod":"node dist/main"}}"#,
            &[],
            "node dist/main",
        );
        let vite = r#"{"main":"src/main.js","devDependencies":{"vite":"7"}}"#;
        let pages = "pages: dist, with index.html for unknown paths";
        check(vite, &["src/main.js", "dist/index.html"], pages);
    }

    #[test]
    fn bun_runs_what_node_does_not() {
        let bun = |files: &[(&str, &str)], expected| check_with(Manager::Bun, "", files, expected);
        bun(&[("package.json", r#"{"module":"index.ts"}"#), ("index.ts", "")], "bun index.ts");
        bun(&[("package.json", "{}"), ("src/index.ts", "")], "bun src/index.ts");
        bun(&[("package.json", r#"{"scripts":{"start":"bun run src/x.ts"}}"#)], "bun run src/x.ts");
        bun(&[("package.json", r#"{"scripts":{"start":"a && b"}}"#)], "bun run start");
        bun(&[("package.json", "{}"), ("server.js", "")], "node server.js");
    }

    #[test]
    fn a_package_of_a_workspace_starts_in_its_folder() {
        let next = r#"{"dependencies":{"next":"15"}}"#;
        let files = [("apps/web/package.json", next), ("apps/web/.next/BUILD_ID", "x")];
        let line = "../../node_modules/.bin/next start -H 0.0.0.0 -p ${PORT:-3000}";
        check_with(Manager::Npm, "apps/web", &files, line);
        let vite = r#"{"devDependencies":{"vite":"7"}}"#;
        let files = [("apps/web/package.json", vite), ("apps/web/dist/index.html", "x")];
        let pages = "pages: apps/web/dist, with index.html for unknown paths";
        check_with(Manager::Npm, "apps/web", &files, pages);
    }
}
