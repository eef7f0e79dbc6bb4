//! What frameworks leave behind: a server to be started, or a folder of pages.
//!
//! Looked for after the build script has run, because most frameworks do either by a setting, and
//! only the result tells. Data first; a new framework is a line of a table.

use std::fs;
use std::path::Path;

use super::manifest::Manifest;
use super::scripts;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError};

/// A server that a framework's build made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    /// The package that makes it; none where the file alone is proof.
    package: Option<&'static str>,
    /// What the build leaves; `DIR/` as below, and a `*` is any one folder.
    file: &'static str,
    /// A shell line; `BIN/` stands for the folder of the dependencies' programs, `DIR/` for the
    /// package's folder in the repository, `FILE` for the file that was found.
    pub(super) line: &'static str,
    pub(super) because: &'static str,
    /// Whether it brings along what it needs of the dependencies.
    pub(super) is_whole: bool,
}

/// Servers, the surer sign first. Every one of them listens where `PORT` and `HOST` say.
const SERVERS: [Server; 10] = [
    Server {
        package: Some("next"),
        file: ".next/standalone/DIR/server.js",
        line: "HOSTNAME=0.0.0.0 exec node .next/standalone/DIR/server.js",
        because: "Next.js left a standalone server",
        is_whole: true,
    },
    Server {
        package: Some("next"),
        file: ".next/BUILD_ID",
        line: "exec BIN/next start -H 0.0.0.0 -p ${PORT:-3000}",
        because: "Next.js left a build",
        is_whole: false,
    },
    Server {
        package: None,
        file: ".output/server/index.mjs",
        line: "exec node .output/server/index.mjs",
        because: "Nitro (Nuxt, SolidStart, TanStack Start) left a server",
        is_whole: true,
    },
    Server {
        package: Some("@react-router/serve"),
        file: "build/server/index.js",
        line: "exec BIN/react-router-serve build/server/index.js",
        because: "React Router left a server",
        is_whole: false,
    },
    Server {
        package: Some("@remix-run/serve"),
        file: "build/server/index.js",
        line: "exec BIN/remix-serve build/server/index.js",
        because: "Remix left a server",
        is_whole: false,
    },
    Server {
        package: Some("@sveltejs/kit"),
        file: "build/handler.js",
        line: "exec node build/index.js",
        because: "SvelteKit's adapter-node left a server",
        is_whole: false,
    },
    Server {
        package: Some("@astrojs/node"),
        file: "dist/server/entry.mjs",
        line: "exec node dist/server/entry.mjs",
        because: "Astro's adapter for Node left a server",
        is_whole: false,
    },
    Server {
        package: Some("@angular/ssr"),
        file: "dist/*/server/server.mjs",
        line: "exec node FILE",
        because: "Angular left a server",
        is_whole: false,
    },
    Server {
        package: Some("@nestjs/core"),
        file: "dist/main.js",
        line: "exec node dist/main.js",
        because: "NestJS left a build",
        is_whole: false,
    },
    Server {
        package: Some("@adonisjs/core"),
        file: "build/bin/server.js",
        line: "exec node build/bin/server.js",
        because: "AdonisJS left a build",
        is_whole: false,
    },
];

/// Packages that make pages, and where. A `*` is any one folder.
const PAGES: [(&str, &str); 20] = [
    ("next", "out"),
    ("@react-router/dev", "build/client"),
    ("@remix-run/dev", "build/client"),
    ("nuxt", ".output/public"),
    ("gatsby", "public"),
    ("@docusaurus/core", "build"),
    ("@sveltejs/adapter-static", "build"),
    ("react-scripts", "build"),
    ("astro", "dist"),
    ("@vue/cli-service", "dist"),
    ("@angular/core", "dist/*/browser"),
    ("@angular/core", "dist/*"),
    ("vitepress", ".vitepress/dist"),
    ("vitepress", "docs/.vitepress/dist"),
    ("vuepress", "docs/.vuepress/dist"),
    ("@11ty/eleventy", "_site"),
    ("@stencil/core", "www"),
    ("@quasar/app-vite", "dist/spa"),
    ("parcel", "dist"),
    ("vite", "dist"),
];

/// Where build scripts leave pages by habit.
const HABIT: [&str; 4] = ["dist", "build", "out", "public"];

/// The server that the build left, and its file.
pub(super) fn server(
    app: &App,
    dir: &str,
    manifest: &Manifest,
) -> Option<(&'static Server, String)> {
    let known = |it: &&Server| it.package.is_none_or(|package| manifest.depends_on(package));
    let here =
        |it: &'static Server| Some((it, matching(app, &it.file.replace("DIR/", &slashed(dir)))?));
    SERVERS.iter().filter(known).find_map(here)
}

/// Gives Next.js's standalone server the files that it expects a CDN to have. Where the repository
/// has several packages, the server lies as deep as the package does.
pub(super) fn complete(app: &App, dir: &str) -> Result<(), PackError> {
    let home = app.path(".next/standalone").join(dir);
    if !home.join("server.js").is_file() {
        return Ok(());
    }
    for (from, to) in [(".next/static", ".next/static"), ("public", "public")] {
        let (from, to) = (app.path(from), home.join(to));
        if from.is_dir() && !to.exists() {
            copy(&from, &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), PackError> {
    fs::create_dir_all(to).map_err(PackError::io(to))?;
    for path in sorted_entries(from).map_err(PackError::io(from))? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(PackError::io(&path))?;
        }
    }
    Ok(())
}

/// A folder as the beginning of a path.
pub(super) fn slashed(dir: &str) -> String {
    if dir.is_empty() { String::new() } else { format!("{dir}/") }
}

/// The folder of pages that a known framework left, and the framework.
pub(super) fn pages(app: &App, manifest: &Manifest) -> Option<(String, &'static str)> {
    if manifest.depends_on("vite")
        && let Some(folder) = vite_folder(app)
    {
        return Some((folder, "vite"));
    }
    let known = PAGES.iter().filter(|(package, _)| manifest.depends_on(package));
    known.into_iter().find_map(|(package, folder)| Some((with_index(app, folder)?, *package)))
}

/// A folder of pages that has a usual name.
pub(super) fn pages_by_habit(app: &App) -> Option<String> {
    HABIT.iter().find_map(|folder| with_index(app, folder))
}

/// Whether a package makes pages when it is built: it can be an app without a start script.
pub(super) fn makes_pages(manifest: &Manifest) -> bool {
    let known = PAGES.iter().any(|(package, _)| manifest.depends_on(package));
    known && scripts::build(manifest).is_some()
}

/// `outDir` of Vite's configuration, where it is written as plain text.
fn vite_folder(app: &App) -> Option<String> {
    let file =
        app.first(&["vite.config.ts", "vite.config.js", "vite.config.mjs", "vite.config.mts"])?;
    let text = app.text(file).ok()??;
    let value = text.split_once("outDir:")?.1.trim_start();
    let quote = value.chars().next().filter(|it| "'\"`".contains(*it))?;
    let folder = value.get(1..)?.split(quote).next()?;
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    let inside = !folder.starts_with('/') && folder.split('/').all(|part| part != "..");
    with_index(app, folder).filter(|_| inside)
}

/// A folder with an `index.html`.
fn with_index(app: &App, folder: &str) -> Option<String> {
    let index = matching(app, &format!("{folder}/index.html"))?;
    Some(index.trim_end_matches("/index.html").to_owned())
}

/// The first file by a path in which a `*` may be any one folder.
fn matching(app: &App, path: &str) -> Option<String> {
    let paths = match path.split_once('*') {
        None => vec![path.to_owned()],
        Some((before, after)) => {
            let entries = sorted_entries(&app.path(before)).unwrap_or_default();
            let name = |path: &std::path::PathBuf| Some(path.file_name()?.to_str()?.to_owned());
            entries.iter().filter_map(name).map(|it| format!("{before}{it}{after}")).collect()
        }
    };
    paths.into_iter().find(|it| app.has(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(package: &str, files: &[&str], expected: &str) {
        let text = format!(r#"{{"devDependencies":{{"{package}":"1"}}}}"#);
        let config = "export default { build: { outDir: './site' } }";
        let named = files.iter().map(|it| (*it, config));
        let (app, _dir) =
            App::of(&named.chain([("package.json", text.as_str())]).collect::<Vec<_>>());
        let manifest = Manifest::read(&app).unwrap();
        let shown = match (server(&app, "", &manifest), pages(&app, &manifest)) {
            (Some((server, file)), _) => server.line.replace("FILE", &file),
            (None, Some((folder, by))) => format!("{folder} by {by}"),
            (None, None) => pages_by_habit(&app).unwrap_or_default(),
        };
        assert_eq!(shown, expected, "{package} {files:?}");
    }

    #[test]
    fn what_a_build_left_is_found() {
        check(
            "next",
            &[".next/standalone/server.js", ".next/BUILD_ID"],
            "HOSTNAME=0.0.0.0 exec node .next/standalone/DIR/server.js",
        );
        check("next", &[".next/BUILD_ID"], "exec BIN/next start -H 0.0.0.0 -p ${PORT:-3000}");
        check("next", &["out/index.html"], "out by next");
        check("nuxt", &[".output/server/index.mjs"], "exec node .output/server/index.mjs");
        check("nuxt", &[".output/public/index.html"], ".output/public by nuxt");
        check(
            "@remix-run/serve",
            &["build/server/index.js"],
            "exec BIN/remix-serve build/server/index.js",
        );
        check(
            "@angular/ssr",
            &["dist/shop/server/server.mjs", "dist/shop/browser/index.html"],
            "exec node dist/shop/server/server.mjs",
        );
        check("@stencil/core", &["www/index.html"], "www by @stencil/core");
        check("@sveltejs/kit", &["build/handler.js"], "exec node build/index.js");
        check("@astrojs/node", &["dist/server/entry.mjs"], "exec node dist/server/entry.mjs");
        check("astro", &["dist/index.html"], "dist by astro");
        check("react-scripts", &["build/index.html"], "build by react-scripts");
        check(
            "@angular/core",
            &["dist/shop/browser/index.html"],
            "dist/shop/browser by @angular/core",
        );
        check("vite", &["vite.config.ts", "site/index.html"], "site by vite");
        check("vite", &["dist/index.html"], "dist by vite");
        check("left-pad", &["public/index.html"], "public");
        check("left-pad", &["dist/server/entry.mjs"], "");
    }
}
