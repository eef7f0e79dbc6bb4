//! The web process of a Python app: the application object, and the server that loads it.

use std::path::Path;

use super::PROGRAMS;
use super::target::{self, Protocol, Target};
use crate::packs::{App, BuildContext, PackError, Process, output, procfile};

/// What the app needs to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Web {
    /// Run this.
    Process { process: Process, because: String },
    /// This server is missing; with it, the app would serve.
    Missing { server: &'static str, target: Target },
    /// The Procfile says what there is.
    Procfile,
}

/// Which servers are installed, by the names of their programs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Servers(Vec<&'static str>);

impl Servers {
    /// Those of a virtual environment.
    pub(super) fn of(venv: &Path) -> Self {
        const NAMES: [&str; 10] = [
            "gunicorn",
            "uvicorn",
            "hypercorn",
            "daphne",
            "waitress-serve",
            "sanic",
            "streamlit",
            "chainlit",
            "panel",
            "python",
        ];
        Self(NAMES.into_iter().filter(|name| venv.join("bin").join(name).exists()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// The processes; none if the Procfile has them.
pub(super) fn processes(context: &BuildContext, web: Web) -> Vec<Process> {
    output::heading("Start command");
    let Web::Process { process, because } = web else {
        output::line("no web process: the Procfile defines others");
        return Vec::new();
    };
    let folder = process.working_dir.as_ref().map_or(String::new(), |it| format!(" in {it}"));
    output::line(&format!("{}{folder} ({because})", process.shown()));
    if !context.app.has("Procfile") {
        output::line("to change: echo 'web: COMMAND' > Procfile");
    }
    vec![process]
}

/// Decides, by the files and by what is installed.
pub(super) fn choose(app: &App, servers: &Servers) -> Result<Web, PackError> {
    if procfile::defines(app, "web") {
        return Ok(Web::Procfile);
    }
    let target = target::find(app)?;
    if let Some(target) = &target
        && let Some(line) = line(target, servers)
    {
        let line = loaded(app, target, line)?;
        let process = Process::shell("web", &line).in_folder(&target.folder);
        return Ok(Web::Process { process, because: target.because.clone() });
    }
    for file in PROGRAMS {
        let text = app.text(file)?.unwrap_or_default();
        if app.has(file) && (target.is_none() || serves_itself(&text)) {
            let because = format!("there is {file}");
            let process = Process::shell("web", &format!("exec python {file}"));
            return Ok(Web::Process { process, because });
        }
    }
    if app.has("Procfile") {
        return Ok(Web::Procfile);
    }
    let Some(target) = target else {
        return Err(PackError::app(
            "the app does not say how it starts: no module of it makes a Flask, FastAPI or Django \
             application, and there is no main.py or app.py",
            "say it: echo 'web: python FILE.py' > Procfile; for a program that serves no pages: \
             echo 'worker: python FILE.py' > Procfile",
        ));
    };
    let server = match target.protocol {
        Protocol::Wsgi | Protocol::Made => "gunicorn",
        Protocol::Asgi | Protocol::MadeAsgi | Protocol::Sanic => "uvicorn",
        Protocol::Script(script) => script.program,
    };
    Ok(Web::Missing { server, target })
}

/// The command for a module that runs a server of its own while it is loaded. Flask leaves that out
/// if it is told that something else serves; no other library does.
fn loaded(app: &App, target: &Target, line: String) -> Result<String, PackError> {
    let object = target.name.rsplit(':').next().unwrap_or_default();
    let module = target.name.split(':').next().unwrap_or_default().replace('.', "/");
    let file = Path::new(&target.folder).join(module).with_extension("py");
    let text = app.text(&file)?.unwrap_or_default();
    let calls = [format!("{object}.run("), "uvicorn.run(".to_owned()];
    let Some(call) = calls.iter().find(|it| text.lines().any(|line| line.starts_with(*it))) else {
        return Ok(line);
    };
    if target.protocol == Protocol::Wsgi && text.contains("Flask(") {
        return Ok(format!("FLASK_RUN_FROM_CLI=true {line}"));
    }
    let reason = format!(
        "{} calls {call}…) whenever it is loaded, so no other server can load it",
        file.display()
    );
    Err(PackError::app(reason, "indent that line below a new line: if __name__ == \"__main__\":"))
}

/// Whether a program that could be loaded by a server is to be run instead: one that reads its port
/// is meant so, and Socket.IO needs a server of its own. Any other listens where nobody asks.
fn serves_itself(text: &str) -> bool {
    let reads = ["\"PORT\"", "'PORT'"].iter().any(|it| text.contains(it));
    text.contains("__main__") && (reads || text.contains("SocketIO("))
}

/// The command of a server that is installed.
fn line(target: &Target, servers: &Servers) -> Option<String> {
    let name = &target.name;
    let gunicorn = || format!("exec gunicorn --bind 0.0.0.0:${{PORT:-8000}} {name}");
    let uvicorn = || format!("exec uvicorn --host 0.0.0.0 --port ${{PORT:-8000}} {name}");
    Some(match target.protocol {
        Protocol::Wsgi if servers.has("gunicorn") => gunicorn(),
        Protocol::Wsgi if servers.has("waitress-serve") => {
            format!("exec waitress-serve --listen=0.0.0.0:${{PORT:-8000}} {name}")
        }
        Protocol::Wsgi if servers.has("uvicorn") => format!("{} --interface wsgi", uvicorn()),
        Protocol::Made if servers.has("gunicorn") => {
            format!("exec gunicorn --bind 0.0.0.0:${{PORT:-8000}} '{name}()'")
        }
        Protocol::Made if servers.has("waitress-serve") => {
            format!("exec waitress-serve --listen=0.0.0.0:${{PORT:-8000}} --call {name}")
        }
        Protocol::Asgi if servers.has("uvicorn") => uvicorn(),
        Protocol::Asgi if servers.has("hypercorn") => {
            format!("exec hypercorn --bind 0.0.0.0:${{PORT:-8000}} {name}")
        }
        Protocol::Asgi if servers.has("daphne") => {
            format!("exec daphne -b 0.0.0.0 -p ${{PORT:-8000}} {name}")
        }
        Protocol::MadeAsgi if servers.has("uvicorn") => format!("{} --factory", uvicorn()),
        Protocol::MadeAsgi if servers.has("hypercorn") => {
            format!("exec hypercorn --bind 0.0.0.0:${{PORT:-8000}} '{name}()'")
        }
        Protocol::Sanic if servers.has("sanic") => {
            format!("exec sanic {name} --host 0.0.0.0 --port ${{PORT:-8000}}")
        }
        Protocol::Sanic if servers.has("uvicorn") => uvicorn(),
        Protocol::Script(script) if servers.has(script.program) => {
            script.line.replace("FILE", name)
        }
        Protocol::Wsgi
        | Protocol::Asgi
        | Protocol::Made
        | Protocol::MadeAsgi
        | Protocol::Sanic
        | Protocol::Script(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];
    const BOTH: &[&str] = &["gunicorn", "uvicorn"];

    fn check(files: &[(&str, &str)], servers: &[&'static str], expected: &str) {
        let (app, _dir) = App::of(files);
        let shown = match choose(&app, &Servers(servers.to_vec())) {
            Ok(Web::Process { process, .. }) => process.shown(),
            Ok(Web::Missing { server, target }) => format!("{server} for {}", target.name),
            Ok(Web::Procfile) => "Procfile".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_web_process_is_found_in_the_files() {
        let flask = ("app.py", "from flask import Flask\napp = Flask(__name__)\n");
        let run = ("app.py", "app = Flask(__name__)\nif __name__ == '__main__':\n    app.run()\n");
        let fast = ("main.py", "import fastapi\napi: FastAPI = fastapi.FastAPI(title='x')\n");
        check(&[flask], BOTH, "gunicorn --bind 0.0.0.0:${PORT:-8000} app:app");
        check(&[fast], BOTH, "uvicorn --host 0.0.0.0 --port ${PORT:-8000} main:api");
        check(&[run], NONE, "gunicorn for app:app");
        let port = format!("{}    os.environ['PORT']\n", run.1);
        check(&[("app.py", &port)], NONE, "python app.py");
        check(&[("app.py", &port)], BOTH, "gunicorn --bind 0.0.0.0:${PORT:-8000} app:app");
        check(&[flask], NONE, "gunicorn for app:app");
        check(&[fast], NONE, "uvicorn for main:api");
        check(&[fast], &["hypercorn"], "hypercorn --bind 0.0.0.0:${PORT:-8000} main:api");
        check(
            &[flask],
            &["waitress-serve"],
            "waitress-serve --listen=0.0.0.0:${PORT:-8000} app:app",
        );
        let made = ("shop/__init__.py", "import Flask\ndef create_app():\n    pass\n");
        check(&[made], BOTH, "gunicorn --bind 0.0.0.0:${PORT:-8000} 'shop:create_app()'");
        check(
            &[("manage.py", ""), ("shop/wsgi.py", "")],
            BOTH,
            "gunicorn --bind 0.0.0.0:${PORT:-8000} shop.wsgi:application",
        );
        check(&[("main.py", "print('x')")], NONE, "python main.py");
        check(&[("server.py", "web.run_app(app)")], NONE, "python server.py");
        check(
            &[("app.py", "import gradio as gr\n")],
            &["python"],
            "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT:-8000} python app.py",
        );
        check(
            &[("server.py", "app = Sanic('x')\n")],
            &["sanic"],
            "sanic server:app --host 0.0.0.0 --port ${PORT:-8000}",
        );
        let loose = "app = Flask(__name__)\napp.run()\n";
        let line = "FLASK_RUN_FROM_CLI=true gunicorn --bind 0.0.0.0:${PORT:-8000} app:app";
        check(&[("app.py", loose)], BOTH, line);
        check(
            &[("app.py", "app = Quart(__name__)\napp.run()\n")],
            BOTH,
            "app.py calls app.run(…) whenever it is loaded, so no other server can load it",
        );
        let made = "import FastAPI\ndef create_app():\n    pass\n";
        check(
            &[("main.py", made)],
            BOTH,
            "uvicorn --host 0.0.0.0 --port ${PORT:-8000} main:create_app --factory",
        );
        check(&[("Procfile", "worker: x")], NONE, "Procfile");
    }
}
