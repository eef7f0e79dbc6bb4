//! Python: an interpreter, the dependencies in a virtual environment made by uv, a web process.

mod dependencies;
mod django;
mod libraries;
mod locked;
mod scripts;
mod source;
mod target;
mod version;
mod web;

use super::context::LAUNCH_BUILD;
use super::packages::Packages;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use django::Django;
use source::Source;
use web::{Servers, Web};

/// The buildpack `paas/python`.
#[derive(Debug)]
pub(crate) struct Python;

/// Files that start an app by habit.
const PROGRAMS: [&str; 4] = ["main.py", "app.py", "server.py", "run.py"];

impl Buildpack for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        const SIGNS: [&str; 16] = [
            "uv.lock",
            "poetry.lock",
            "Pipfile.lock",
            "pdm.lock",
            "pylock.toml",
            "requirements.txt",
            "requirements/production.txt",
            "requirements/base.txt",
            "pyproject.toml",
            "Pipfile",
            "setup.py",
            "manage.py",
            "main.py",
            "app.py",
            "server.py",
            "streamlit_app.py",
        ];
        let sign = app.first(&SIGNS);
        Ok(sign.map_or(Verdict::Unknown, |file| Verdict::Recognised(format!("there is {file}"))))
    }

    fn packages(&self, app: &App) -> Result<Packages, PackError> {
        libraries::packages(app)
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        output::heading("Python");
        let source = Source::of(&context.app)?;
        let interpreter = version::choose(context)?;
        output::heading("Dependencies");
        output::line(&source.because());
        let venv = dependencies::install(context, source, &interpreter)?;
        let mut web = web::choose(&context.app, &Servers::of(&venv))?;
        if let Web::Missing { server, target } = &web {
            dependencies::add_server(context, source, &venv, server, &target.name)?;
            web = web::choose(&context.app, &Servers::of(&venv))?;
        }
        dependencies::remind(source, &venv);
        if let Some(django) = Django::find(&context.app)? {
            django.collect_static(context, &venv)?;
        }
        context.launch_default("PYTHONUNBUFFERED", "1")?;
        context.launch_default("LANG", "C.UTF-8")?;
        Ok(web::processes(context, web))
    }
}
