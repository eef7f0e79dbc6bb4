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
        const NAMES: [&str; 6] =
            ["gunicorn", "uvicorn", "hypercorn", "daphne", "waitress-serve", "streamlit"];
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
        let process = Process::shell("web", &line).in_folder(&target.folder);
        return Ok(Web::Process { process, because: target.because.clone() });
    }
    for file in PROGRAMS {
        let text = app.text(file)?.unwrap_or_default();
        let starts = text.contains("__main__") || target.is_none();
        if app.has(file) && starts {
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
            "say it: echo 'web: python FILE.py' > Procfile",
        ));
    };
    let server = match target.protocol {
        Protocol::Wsgi | Protocol::Made => "gunicorn",
        Protocol::Asgi => "uvicorn",
        Protocol::Streamlit => "streamlit",
    };
    Ok(Web::Missing { server, target })
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
        Protocol::Streamlit if servers.has("streamlit") => format!(
            "exec streamlit run {name} --server.headless=true --server.address=0.0.0.0 \
             --server.port=${{PORT:-8000}}"
        ),
        Protocol::Wsgi | Protocol::Made | Protocol::Asgi | Protocol::Streamlit => return None,
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
        check(&[run], NONE, "python app.py");
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
        check(&[("Procfile", "worker: x")], NONE, "Procfile");
    }
}
