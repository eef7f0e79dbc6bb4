//! Python: an interpreter, the dependencies in a virtual environment made by uv, a web process.

mod dependencies;
mod version;
mod web;

use super::context::LAUNCH_BUILD;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use dependencies::Source;

/// The buildpack `paas/python`.
#[derive(Debug)]
pub(crate) struct Python;

/// Files that start an app by habit.
const PROGRAMS: [&str; 2] = ["main.py", "app.py"];

impl Buildpack for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        const SIGNS: [&str; 7] = [
            "requirements.txt",
            "uv.lock",
            "pyproject.toml",
            "Pipfile",
            "manage.py",
            "main.py",
            "app.py",
        ];
        let sign = app.first(&SIGNS);
        Ok(sign.map_or(Verdict::Unknown, |file| Verdict::Recognised(format!("there is {file}"))))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        output::heading("Python");
        let source = Source::of(&context.app)?;
        let interpreter = version::choose(context)?;
        output::heading("Dependencies");
        output::line(source.because());
        dependencies::install(context, source, &interpreter)?;
        context.launch_default("PYTHONUNBUFFERED", "1")?;
        context.launch_default("LANG", "C.UTF-8")?;
        web::processes(context)
    }
}
