//! How the app starts: the first of what its author wrote, what its files suggest.

use super::manifest::Manifest;
use crate::packs::static_site::{Missing, Site, serve};
use crate::packs::{App, BuildContext, PackError, Process, output, procfile};

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

/// Where build scripts of sites leave their result.
const SITES: [&str; 4] = ["dist", "build", "out", "public"];

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

/// The processes; none if the Procfile has them.
pub(super) fn processes(
    context: &BuildContext,
    manifest: &Manifest,
) -> Result<Vec<Process>, PackError> {
    let app = &context.app;
    if procfile::defines(app, "web") {
        return Ok(Vec::new());
    }
    output::heading("Start command");
    if let Some((process, because)) = found(app, manifest) {
        output::line(&format!("{} ({because})", process.command.join(" ")));
        return Ok(vec![process]);
    }
    let index = |root: &&&str| app.has(format!("{root}/index.html"));
    if let Some(root) = SITES.iter().find(index) {
        output::line(&format!(
            "serving {root} as a site: the build script left an index.html there"
        ));
        let site = Site { root: (*root).to_owned(), missing: Missing::Index };
        return Ok(vec![serve(context, &site)?]);
    }
    if app.has("Procfile") {
        output::line("no web process: the Procfile defines others");
        return Ok(Vec::new());
    }
    Err(PackError::app(
        "the app does not say how it starts: package.json has no \"start\" script and no \"main\" \
         file, and there is no server.js, app.js or index.js",
        "npm pkg set scripts.start=\"node FILE.js\"",
    ))
}

fn found(app: &App, manifest: &Manifest) -> Option<(Process, &'static str)> {
    if let Some(script) = manifest.scripts.get("start") {
        let hooked = ["prestart", "poststart"].iter().any(|it| manifest.scripts.contains_key(*it));
        return Some(match plain_words(script).filter(|_| !hooked) {
            // npm between the app and its signals costs 0.15 s at every start.
            Some(words) => (Process::new("web", &words), "the start script of package.json"),
            None => (Process::new("web", &["npm", "start"]), "package.json has a start script"),
        });
    }
    if let Some(main) = manifest.main.as_deref() {
        let file = ["", ".js", "/index.js"]
            .iter()
            .map(|end| format!("{main}{end}"))
            .find(|it| app.has(it));
        if let Some(file) = file {
            return Some((Process::new("web", &["node", &file]), "\"main\" in package.json"));
        }
    }
    let file = server_file(app)?;
    Some((Process::new("web", &["node", file]), "by its name; to change: a \"start\" script"))
}

/// The words of a script that is nothing but `node` and plain arguments, so that no shell is needed.
fn plain_words(script: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ./_-=:,@".contains(c);
    let words: Vec<&str> = script.split_whitespace().collect();
    (words.first() == Some(&"node") && script.chars().all(plain)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(manifest: &str, files: &[&str], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("package.json"), manifest).unwrap();
        for name in files {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let app = App::new(dir.path());
        let found = found(&app, &Manifest::read(&app).unwrap());
        let shown = found.map_or("nothing".to_owned(), |(process, _)| process.command.join(" "));
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_start_command_is_what_the_author_wrote() {
        check(r#"{"scripts":{"start":"node a.js --x=1"}}"#, &["server.js"], "node a.js --x=1");
        check(r#"{"scripts":{"start":"next start"}}"#, &[], "npm start");
        check(r#"{"scripts":{"start":"node a.js && b"}}"#, &[], "npm start");
        check(r#"{"scripts":{"start":"node a.js","prestart":"x"}}"#, &[], "npm start");
        check(r#"{"main":"lib"}"#, &["lib.js", "app.js"], "node lib.js");
        check(r#"{"main":"gone.js"}"#, &["app.js"], "node app.js");
        check("{}", &["index.js", "app.js"], "node app.js");
        check("{}", &[], "nothing");
    }
}
