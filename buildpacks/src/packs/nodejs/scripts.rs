//! What the scripts of a package.json are for: which one builds, whether the start script is for
//! writing the app only, and whether it needs what is installed for development.

use std::collections::BTreeMap;
use std::path::Path;

use super::manifest::Manifest;

/// Scripts that build, by habit. The first is what Heroku runs in the place of the second; the last
/// is what `VitePress` writes into a package.json.
const BUILD: [&str; 3] = ["heroku-postbuild", "build", "docs:build"];

/// Commands that serve while one writes, not in production.
const DEVELOPMENT: [&str; 34] = [
    "react-scripts start",
    "react-app-rewired start",
    "craco start",
    "vite",
    "vite dev",
    "vite serve",
    "vite preview",
    "vue-cli-service serve",
    "ng serve",
    "ng s",
    "astro dev",
    "astro preview",
    "next dev",
    "nuxt dev",
    "nuxi dev",
    "nuxt preview",
    "remix dev",
    "remix vite:dev",
    "react-router dev",
    "gatsby develop",
    "docusaurus start",
    "webpack serve",
    "webpack-dev-server",
    "parcel",
    "parcel serve",
    "nest start",
    "eleventy --serve",
    "@11ty/eleventy --serve",
    "vitepress dev",
    "vuepress dev",
    "hexo server",
    "rsbuild dev",
    "quasar dev",
    "umi dev",
];

/// How deep scripts that call scripts are followed.
const MAX_DEPTH: usize = 4;

type Scripts = BTreeMap<String, String>;

/// The script that builds. Documentation beside a server is no part of it.
pub(super) fn build(manifest: &Manifest) -> Option<&'static str> {
    let scripts = &manifest.scripts;
    let documents = |name: &str| name != "docs:build" || !scripts.contains_key("start");
    BUILD.into_iter().find(|name| scripts.contains_key(*name) && documents(name))
}

/// Whether a start script is for writing the app only.
pub(super) fn is_development(script: &str, scripts: &Scripts) -> bool {
    let script = followed(script, scripts);
    let mut words = script.split_whitespace().skip_while(|word| word.contains('='));
    if matches!(words.clone().next(), Some("cross-env")) {
        words.next();
    }
    let words = words.skip_while(|it| it.contains('=') || *it == "npx");
    let line = words.collect::<Vec<_>>().join(" ");
    let simple = !line.contains("&&") && !line.contains(';') && !line.contains('|');
    // `vite build` is another command than `vite --host`; parcel is given a page.
    let continues = |rest: &str| rest.is_empty() || rest.starts_with(" -");
    let mut commands = DEVELOPMENT.iter().filter_map(|command| line.strip_prefix(command));
    let page = || Path::new(&line).extension().is_some_and(|it| it == "html");
    simple
        && (commands.any(continues)
            || line.starts_with("parcel ") && !line.starts_with("parcel build") && page())
}

/// The package among those for development that a script runs, as in `tsx server.ts`.
pub(super) fn needs_dev<'a>(script: &str, manifest: &'a Manifest) -> Option<&'a str> {
    let mut text = script.to_owned();
    for _ in 0..MAX_DEPTH {
        let called = text.split("&&").map(|part| followed(part, &manifest.scripts));
        text = called.collect::<Vec<_>>().join(" && ");
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let runs = |package: &str| {
        let program = if package == "typescript" { "tsc" } else { package };
        // `node -r ts-node/register` loads a part of one.
        words.iter().any(|word| {
            word.strip_prefix(program).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    manifest.only_for_development().find(|package| runs(package))
}

/// What a script that only calls another one says in the end.
fn followed(script: &str, scripts: &Scripts) -> String {
    let mut script = script.trim();
    for _ in 0..MAX_DEPTH {
        let words: Vec<&str> = script.split_whitespace().collect();
        let name = match words.as_slice() {
            ["npm" | "pnpm" | "yarn" | "bun", "run", name] | ["pnpm" | "yarn", name] => *name,
            _ => break,
        };
        let Some(called) = scripts.get(name) else { break };
        script = called.trim();
    }
    script.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::App;

    fn manifest(text: &str) -> Manifest {
        Manifest::read(&App::of(&[("package.json", text)]).0).unwrap()
    }

    #[test]
    fn commands_for_writing_are_told_from_commands_for_serving() {
        let scripts = [("develop".to_owned(), "gatsby develop".to_owned())].into();
        for script in [
            "react-scripts start",
            "vite",
            "vite --host",
            "NODE_ENV=development vite dev --port 3000",
            "cross-env NODE_OPTIONS=--x ng serve",
            "parcel src/index.html",
            "nest start",
            "npm run develop",
            "yarn develop",
            "npx @11ty/eleventy --serve",
        ] {
            assert!(is_development(script, &scripts), "{script}");
        }
        for script in [
            "node server.js",
            "vite build && node .",
            "next start",
            "serve -s build",
            "npm run serve",
        ] {
            assert!(!is_development(script, &scripts), "{script}");
        }
    }

    #[test]
    fn the_script_that_builds() {
        let name = |text| build(&manifest(text));
        assert_eq!(name(r#"{"scripts":{"build":"x","docs:build":"y"}}"#), Some("build"));
        let heroku = r#"{"scripts":{"build":"x","heroku-postbuild":"y"}}"#;
        assert_eq!(name(heroku), Some("heroku-postbuild"));
        assert_eq!(name(r#"{"scripts":{"docs:build":"y"}}"#), Some("docs:build"));
        assert_eq!(name(r#"{"scripts":{"docs:build":"y","start":"node ."}}"#), None);
    }

    #[test]
    fn a_start_script_may_need_what_is_for_development() {
        let check = |script: &str, expected: Option<&str>| {
            let text = format!(
                r#"{{"scripts":{{"start":"{script}","compile":"tsc -p ."}},"dependencies":
                {{"express":"5"}},"devDependencies":{{"typescript":"5","tsx":"4","ts-node":"10"}}}}"#
            );
            let manifest = manifest(&text);
            assert_eq!(needs_dev(script, &manifest), expected, "{script}");
        };
        check("tsx src/index.ts", Some("tsx"));
        check("NODE_ENV=production npx tsx src/index.ts", Some("tsx"));
        check("node -r ts-node/register src/index.ts", Some("ts-node"));
        check("npm run compile && node dist/index.js", Some("typescript"));
        check("node dist/tsx.js", None);
        check("express", None);
    }
}
