//! The application object that a web server is to load: found in the files, never guessed silently.

use super::django::Django;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError};

/// Modules that hold an application object by habit.
const MODULES: [&str; 7] =
    ["app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "application.py", "api.py"];

/// Folders that hold no app.
const SKIPPED: [&str; 8] =
    ["tests", "test", "docs", "venv", "env", "node_modules", "migrations", "scripts"];

/// What a web server is told to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) protocol: Protocol,
    /// `module:object`.
    pub(super) name: String,
    /// The folder that Python imports from, below the app's; empty is the app's own.
    pub(super) folder: String,
    pub(super) because: String,
}

/// How the application is called by its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Wsgi,
    Asgi,
    /// A factory of the former.
    Made,
    /// Streamlit runs a script, and has its own server.
    Streamlit,
}

/// Calls that make an application object.
const MAKERS: [(&str, Protocol); 11] = [
    ("Flask", Protocol::Wsgi),
    ("get_wsgi_application", Protocol::Wsgi),
    ("Bottle", Protocol::Wsgi),
    ("make_wsgi_app", Protocol::Wsgi),
    ("FastAPI", Protocol::Asgi),
    ("Starlette", Protocol::Asgi),
    ("Quart", Protocol::Asgi),
    ("Litestar", Protocol::Asgi),
    ("Sanic", Protocol::Asgi),
    ("BlackSheep", Protocol::Asgi),
    ("get_asgi_application", Protocol::Asgi),
];

/// Looks for an application object: Django's, then the usual modules of the usual folders.
pub(super) fn find(app: &App) -> Result<Option<Target>, PackError> {
    if let Some(django) = Django::find(app)?
        && let Some(target) = django.target(app)?
    {
        return Ok(Some(target));
    }
    let mut factory = None;
    for (folder, package) in places(app)? {
        let modules = MODULES.iter().map(|file| (*file, file.trim_end_matches(".py")));
        for (file, module) in std::iter::once(("__init__.py", "")).chain(modules) {
            if package.is_empty() && module.is_empty() {
                continue;
            }
            let path = joined(&[folder.as_str(), package.as_str(), file], "/");
            let Some(text) = app.text(&path)? else { continue };
            let name = joined(&[package.as_str(), module], ".");
            let found = |protocol, name: String, because: String| Target {
                protocol,
                name,
                folder: folder.clone(),
                because,
            };
            if let Some((object, protocol, maker)) = text.lines().find_map(assignment) {
                let because = format!("{path} has {object} = {maker}(…)");
                return Ok(Some(found(protocol, format!("{name}:{object}"), because)));
            }
            let makes = text.lines().any(|line| line.starts_with("def create_app("));
            if makes && text.contains("Flask") && factory.is_none() {
                let because = format!("{path} has create_app(…)");
                factory = Some(found(Protocol::Made, format!("{name}:create_app"), because));
            }
            if text.lines().any(|line| line.starts_with("import streamlit")) {
                let because = format!("{path} imports streamlit");
                return Ok(Some(found(Protocol::Streamlit, path.clone(), because)));
            }
        }
    }
    if factory.is_none() && app.has("streamlit_app.py") {
        let because = "there is streamlit_app.py".to_owned();
        let (name, folder) = ("streamlit_app.py".to_owned(), String::new());
        return Ok(Some(Target { protocol: Protocol::Streamlit, name, folder, because }));
    }
    Ok(factory)
}

/// The parts that are there.
fn joined(parts: &[&str], by: &str) -> String {
    parts.iter().filter(|it| !it.is_empty()).copied().collect::<Vec<_>>().join(by)
}

/// Where modules are looked for: the folder to import from, and the package in it.
fn places(app: &App) -> Result<Vec<(String, String)>, PackError> {
    let mut places = vec![(String::new(), String::new())];
    for root in ["", "src"] {
        let path = app.path(root);
        if root == "src" && !app.has("src/__init__.py") && path.is_dir() {
            places.push((root.to_owned(), String::new()));
        }
        let entries = if path.is_dir() {
            sorted_entries(&path).map_err(PackError::io(&path))?
        } else {
            Vec::new()
        };
        for entry in entries.iter().filter(|it| it.is_dir() && !it.is_symlink()) {
            let Some(name) = entry.file_name().and_then(|it| it.to_str()) else { continue };
            let importable = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            // `src` itself is a package only if it says so.
            let plain_src = name == "src" && !app.has("src/__init__.py");
            if importable && !SKIPPED.contains(&name) && !plain_src {
                places.push((root.to_owned(), name.to_owned()));
            }
        }
    }
    Ok(places)
}

/// Reads `app = Flask(…)` at the start of a line: inside of a function it would not be importable.
fn assignment(line: &str) -> Option<(&str, Protocol, &'static str)> {
    let (left, right) = line.split_once('=')?;
    let object = left.split(':').next().unwrap_or(left).trim_end();
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if object.is_empty() || !object.chars().all(named) || left.starts_with(' ') {
        return None;
    }
    let called = right.trim_start().split('(').next()?.rsplit('.').next()?.trim_end();
    let (maker, protocol) = MAKERS.into_iter().find(|(maker, _)| *maker == called)?;
    right.contains('(').then_some((object, protocol, maker))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let found = find(&app).unwrap();
        let shown = found.map_or("nothing".to_owned(), |it| {
            format!("{:?} {} in `{}`", it.protocol, it.name, it.folder)
        });
        assert_eq!(shown, expected, "{files:?}");
    }

    #[test]
    fn applications_are_found_where_people_put_them() {
        let flask = "from flask import Flask\napp = Flask(__name__)\n";
        let fast = "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI(title='x')\n";
        check(&[("app.py", flask)], "Wsgi app:app in ``");
        check(&[("main.py", fast)], "Asgi main:api in ``");
        check(&[("app/main.py", fast)], "Asgi app.main:api in ``");
        check(&[("shop/__init__.py", flask)], "Wsgi shop:app in ``");
        check(&[("src/main.py", fast)], "Asgi main:api in `src`");
        check(&[("src/__init__.py", ""), ("src/main.py", fast)], "Asgi src.main:api in ``");
        check(&[("src/shop/server.py", fast)], "Asgi shop.server:api in `src`");
        check(&[("tests/app.py", flask), ("my-app/app.py", flask)], "nothing");
        let made =
            "from flask import Flask\ndef create_app(config=None):\n    return Flask(__name__)\n";
        check(&[("shop/__init__.py", made)], "Made shop:create_app in ``");
        check(
            &[
                ("shop/__init__.py", made),
                ("wsgi.py", "from shop import create_app\napp = create_app()\n"),
            ],
            "Made shop:create_app in ``",
        );
        check(&[("main.py", "import streamlit as st\n")], "Streamlit main.py in ``");
        check(&[("main.py", "def f():\n    app = Flask(__name__)\n")], "nothing");
    }
}
