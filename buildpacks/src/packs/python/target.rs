//! The application object that a web server is to load: found in the files, never guessed silently.

use super::django::Django;
use super::scripts::Script;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError};

/// Modules that hold an application object by habit.
const MODULES: [&str; 8] = [
    "app.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
    "server.py",
    "application.py",
    "api.py",
    "streamlit_app.py",
];

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
    /// A factory of a WSGI application.
    Made,
    /// A factory of an ASGI application.
    MadeAsgi,
    /// ASGI, but Sanic's own server starts more of it.
    Sanic,
    /// No object: a script with its own server.
    Script(&'static Script),
}

/// Calls that make an application object.
const MAKERS: [(&str, Protocol); 13] = [
    ("Flask", Protocol::Wsgi),
    ("APIFlask", Protocol::Wsgi),
    ("get_wsgi_application", Protocol::Wsgi),
    ("Bottle", Protocol::Wsgi),
    ("make_wsgi_app", Protocol::Wsgi),
    ("FastAPI", Protocol::Asgi),
    ("Starlette", Protocol::Asgi),
    ("Quart", Protocol::Asgi),
    ("Litestar", Protocol::Asgi),
    ("Sanic", Protocol::Sanic),
    ("BlackSheep", Protocol::Asgi),
    ("ASGIApp", Protocol::Asgi),
    ("get_asgi_application", Protocol::Asgi),
];

/// Functions that make an application by habit.
const FACTORIES: [&str; 4] = ["create_app", "make_app", "get_app", "create_application"];

/// Looks for an application object: Django's, then the usual modules of the usual folders, then the
/// other modules at the top, if one alone of them has any.
pub(super) fn find(app: &App) -> Result<Option<Target>, PackError> {
    if let Some(django) = Django::find(app)?
        && let Some(target) = django.target(app)?
    {
        return Ok(Some(target));
    }
    let mut factory = None;
    for module in usual_modules(app)? {
        let Some(text) = app.text(&module.path)? else { continue };
        match module.target(&text) {
            Some(made) if matches!(made.protocol, Protocol::Made | Protocol::MadeAsgi) => {
                factory = factory.or(Some(made));
            }
            Some(target) => return Ok(Some(target)),
            None => {}
        }
    }
    if factory.is_some() {
        return Ok(factory);
    }
    let others = other_modules(app)?;
    let texts = others.iter().map(|module| Ok((module, app.text(&module.path)?)));
    let texts = texts.collect::<Result<Vec<_>, PackError>>()?;
    let mut found = texts
        .iter()
        .filter_map(|(module, text)| module.target(text.as_deref().unwrap_or_default()));
    Ok(found.next().filter(|_| found.next().is_none()))
}

/// A file that may hold an application object.
#[derive(Debug)]
struct Module {
    path: String,
    /// As Python imports it.
    name: String,
    /// The folder that it is imported from.
    folder: String,
}

impl Module {
    /// What a server is to load of it.
    fn target(&self, text: &str) -> Option<Target> {
        let Self { path, name, folder } = self;
        let target = |protocol, name: String, because: String| {
            Some(Target { protocol, name, folder: folder.clone(), because })
        };
        if let Some((object, protocol, maker)) = text.lines().find_map(assignment) {
            let because = format!("{path} has {object} = {maker}(…)");
            return target(protocol, format!("{name}:{object}"), because);
        }
        let script = Script::of(text);
        // Dash's own object is for its own server; what others can run is called so by habit.
        if let Some(object) = text.lines().find_map(inner_server).filter(|_| script.is_some()) {
            let because = format!("{path} has {object} = ….server");
            return target(Protocol::Wsgi, format!("{name}:{object}"), because);
        }
        let defines = |it: &&str| text.lines().any(|line| line.starts_with(&format!("def {it}(")));
        if let Some(factory) = FACTORIES.into_iter().find(|it| defines(it)) {
            let makes = |asgi: bool| {
                let mut makers = MAKERS.iter().filter(|it| (it.1 != Protocol::Wsgi) == asgi);
                makers.any(|(maker, _)| text.contains(maker))
            };
            let protocol = match (makes(false), makes(true)) {
                (true, _) => Some(Protocol::Made),
                (false, true) => Some(Protocol::MadeAsgi),
                (false, false) => None,
            };
            if let Some(protocol) = protocol {
                let because = format!("{path} has {factory}(…)");
                return target(protocol, format!("{name}:{factory}"), because);
            }
        }
        let script = script?;
        let because = format!("{path} imports {}", script.library());
        target(Protocol::Script(script), path.clone(), because)
    }
}

/// The usual modules of the usual folders.
fn usual_modules(app: &App) -> Result<Vec<Module>, PackError> {
    let mut modules = Vec::new();
    for (folder, package) in places(app)? {
        let usual = MODULES.iter().map(|file| (*file, file.trim_end_matches(".py")));
        for (file, module) in std::iter::once(("__init__.py", "")).chain(usual) {
            if !(package.is_empty() && module.is_empty()) {
                modules.push(Module {
                    path: joined(&[folder.as_str(), package.as_str(), file], "/"),
                    name: joined(&[package.as_str(), module], "."),
                    folder: folder.clone(),
                });
            }
        }
    }
    Ok(modules)
}

/// Modules at the top by other names: Flask's own guide calls its first one `hello.py`.
fn other_modules(app: &App) -> Result<Vec<Module>, PackError> {
    const NO_APPS: [&str; 3] = ["conftest", "setup", "manage"];
    let entries = sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?;
    let module = |path: &std::path::PathBuf| {
        let file = path.file_name()?.to_str()?;
        let name = file.strip_suffix(".py")?;
        let is_test = name.starts_with("test_") || name.ends_with("_test");
        let fits = is_importable(name) && !is_test && !NO_APPS.contains(&name) && path.is_file();
        let (path, name) = (file.to_owned(), name.to_owned());
        fits.then_some(Module { path, name, folder: String::new() })
    };
    Ok(entries.iter().filter_map(module).collect())
}

fn is_importable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
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
            let importable = is_importable(name);
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

/// Reads `server = app.server` at the start of a line.
fn inner_server(line: &str) -> Option<&str> {
    let (object, right) = line.split_once('=')?;
    let (object, right) = (object.trim_end(), right.trim());
    (right.ends_with(".server") && is_importable(object) && !object.is_empty()).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let found = find(&app).unwrap();
        let shown = found.map_or("nothing".to_owned(), |it| {
            let protocol = match it.protocol {
                Protocol::Script(script) => script.library().to_owned(),
                other => format!("{other:?}"),
            };
            format!("{protocol} {} in `{}`", it.name, it.folder)
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
        let api = "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    pass\n";
        check(&[("shop/main.py", api)], "MadeAsgi shop.main:create_app in ``");
        check(&[("main.py", "import streamlit as st\n")], "streamlit main.py in ``");
        check(&[("app.py", "import gradio as gr\n")], "gradio app.py in ``");
        check(&[("main.py", "def f():\n    app = Flask(__name__)\n")], "nothing");
    }

    #[test]
    fn a_module_by_any_name_counts_if_it_is_the_only_one() {
        let flask = "app = Flask(__name__)\n";
        check(&[("hello.py", flask), ("test_hello.py", flask)], "Wsgi hello:app in ``");
        check(&[("hello.py", flask), ("other.py", flask)], "nothing");
        check(&[("bot.py", "print('x')\n")], "nothing");
    }

    #[test]
    fn what_dash_gives_to_other_servers_is_found() {
        let dash = "from dash import Dash, html\napp = Dash(__name__)\n";
        check(&[("app.py", dash)], "dash app.py in ``");
        check(&[("app.py", &format!("{dash}server = app.server\n"))], "Wsgi app:server in ``");
    }
}
