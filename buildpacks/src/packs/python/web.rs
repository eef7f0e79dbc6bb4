//! The web process of a Python app: found in its files, never guessed silently.

use super::PROGRAMS;
use crate::environment::sorted_entries;
use crate::packs::{App, BuildContext, PackError, Process, output, procfile};

/// Modules that hold an application object by habit.
const MODULES: [&str; 6] =
    ["app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "application.py"];

/// What a web server is told to load.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    protocol: Protocol,
    /// `module:object`.
    name: String,
    because: String,
}

/// How the application is called by its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Wsgi,
    Asgi,
}

/// The processes; none if the Procfile has them.
pub(super) fn processes(context: &BuildContext) -> Result<Vec<Process>, PackError> {
    let app = &context.app;
    if procfile::defines(app, "web") {
        return Ok(Vec::new());
    }
    output::heading("Start command");
    let servers = Servers::of(&context.layer("venv").join("bin"));
    let (process, because) = choose(app, servers)?;
    if let Some(process) = &process {
        output::line(&format!("{} ({because})", process.command.last().map_or("", String::as_str)));
        output::line("to change: echo 'web: COMMAND' > Procfile");
    } else {
        output::line(&because);
    }
    Ok(process.into_iter().collect())
}

/// Which servers are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Servers {
    gunicorn: bool,
    uvicorn: bool,
}

impl Servers {
    fn of(bin: &std::path::Path) -> Self {
        Self { gunicorn: bin.join("gunicorn").exists(), uvicorn: bin.join("uvicorn").exists() }
    }
}

fn choose(app: &App, servers: Servers) -> Result<(Option<Process>, String), PackError> {
    let target = target(app)?;
    if let Some(target) = &target {
        let (name, because) = (&target.name, target.because.clone());
        let line = match target.protocol {
            Protocol::Wsgi if servers.gunicorn => {
                Some(format!("exec gunicorn --bind 0.0.0.0:${{PORT:-8000}} {name}"))
            }
            Protocol::Asgi if servers.uvicorn => {
                Some(format!("exec uvicorn --host 0.0.0.0 --port ${{PORT:-8000}} {name}"))
            }
            Protocol::Wsgi | Protocol::Asgi => None,
        };
        if let Some(line) = line {
            return Ok((Some(Process::shell("web", &line)), because));
        }
    }
    for file in PROGRAMS {
        let text = app.text(file)?.unwrap_or_default();
        let starts = text.contains("__main__") || target.is_none();
        if app.has(file) && starts {
            let because = format!("there is {file}");
            return Ok((Some(Process::shell("web", &format!("exec python {file}"))), because));
        }
    }
    if app.has("Procfile") {
        return Ok((None, "no web process: the Procfile defines others".to_owned()));
    }
    Err(match target {
        Some(Target { protocol: Protocol::Wsgi, name, because }) => PackError::app(
            format!("no server is installed that could run {name} ({because})"),
            "add one: echo gunicorn >> requirements.txt",
        ),
        Some(Target { protocol: Protocol::Asgi, name, because }) => PackError::app(
            format!("no server is installed that could run {name} ({because})"),
            "add one: echo uvicorn >> requirements.txt",
        ),
        None => PackError::app(
            "the app does not say how it starts: no module of it makes a Flask, FastAPI or Django \
             application, and there is no main.py or app.py",
            "say it: echo 'web: python FILE.py' > Procfile",
        ),
    })
}

/// Looks for an application object: Django's settings folder, then the usual modules.
fn target(app: &App) -> Result<Option<Target>, PackError> {
    if app.has("manage.py")
        && let Some(package) = django_package(app)?
    {
        let name = format!("{package}.wsgi:application");
        let because = format!("there are manage.py and {package}/wsgi.py");
        return Ok(Some(Target { protocol: Protocol::Wsgi, name, because }));
    }
    for file in MODULES {
        let text = app.text(file)?.unwrap_or_default();
        let module = file.trim_end_matches(".py");
        for line in text.lines() {
            if let Some((object, protocol, maker)) = assignment(line) {
                let because = format!("{file} has {object} = {maker}(…)");
                let name = format!("{module}:{object}");
                return Ok(Some(Target { protocol, name, because }));
            }
        }
    }
    Ok(None)
}

/// Reads `app = Flask(…)` at the start of a line: inside of a function it would not be importable.
fn assignment(line: &str) -> Option<(&str, Protocol, &'static str)> {
    const MAKERS: [(&str, Protocol); 7] = [
        ("Flask", Protocol::Wsgi),
        ("get_wsgi_application", Protocol::Wsgi),
        ("Bottle", Protocol::Wsgi),
        ("FastAPI", Protocol::Asgi),
        ("Starlette", Protocol::Asgi),
        ("Quart", Protocol::Asgi),
        ("get_asgi_application", Protocol::Asgi),
    ];
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

fn django_package(app: &App) -> Result<Option<String>, PackError> {
    let entries = sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?;
    let package = entries.iter().find(|path| path.join("wsgi.py").is_file());
    Ok(package.and_then(|path| Some(path.file_name()?.to_str()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Servers = Servers { gunicorn: false, uvicorn: false };
    const BOTH: Servers = Servers { gunicorn: true, uvicorn: true };

    fn check(files: &[(&str, &str)], servers: Servers, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let shown = match choose(&App::new(dir.path()), servers) {
            Ok((process, because)) => process.map_or(because, |it| it.command[2].clone()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_web_process_is_found_in_the_files() {
        let flask = ("app.py", "from flask import Flask\napp = Flask(__name__)\n");
        let run = ("app.py", "app = Flask(__name__)\nif __name__ == '__main__':\n    app.run()\n");
        let fast = ("main.py", "import fastapi\napi: FastAPI = fastapi.FastAPI(title='x')\n");
        check(&[flask], BOTH, "exec gunicorn --bind 0.0.0.0:${PORT:-8000} app:app");
        check(&[fast], BOTH, "exec uvicorn --host 0.0.0.0 --port ${PORT:-8000} main:api");
        check(&[run], NONE, "exec python app.py");
        check(
            &[flask],
            NONE,
            "no server is installed that could run app:app (app.py has app = Flask(…))",
        );
        check(
            &[("manage.py", ""), ("shop/wsgi.py", "")],
            BOTH,
            "exec gunicorn --bind 0.0.0.0:${PORT:-8000} shop.wsgi:application",
        );
        check(&[("main.py", "print('x')")], NONE, "exec python main.py");
        check(&[("Procfile", "worker: x")], NONE, "no web process: the Procfile defines others");
    }
}
