//! Django: where its settings and its application object are, and its static files.

use std::path::Path;

use super::target::{Protocol, Target};
use crate::environment::sorted_entries;
use crate::lifecycle::remove;
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};

/// A Django project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Django {
    /// The folder with `manage.py`, below the app's; empty is the app's own.
    pub(super) folder: String,
    /// The module of the settings, if `manage.py` names it.
    settings: Option<String>,
}

/// The user says no to collecting static files with this variable, as on other platforms.
const DISABLED: &str = "DISABLE_COLLECTSTATIC";

const KNOWN: [Known; 4] = [
    (
        "SECRET_KEY",
        "the settings want a secret that a build does not have",
        "give it a default for builds: os.environ.get(\"SECRET_KEY\", \"build\"); or build without \
         static files: DISABLE_COLLECTSTATIC = \"1\" below [build.env] in paas.toml",
    ),
    (
        "DATABASE_URL",
        "the settings want a database that a build does not have",
        "give it a default for builds: os.environ.get(\"DATABASE_URL\", \"sqlite://\"); or build \
         without static files: DISABLE_COLLECTSTATIC = \"1\" below [build.env] in paas.toml",
    ),
    (
        "KeyError",
        "the settings want a variable that a build does not have",
        "read it by os.environ.get(NAME, DEFAULT); or build without static files: \
         DISABLE_COLLECTSTATIC = \"1\" below [build.env] in paas.toml",
    ),
    (
        "Error",
        "the static files cannot be collected",
        "try it: python manage.py collectstatic; or build without static files: \
         DISABLE_COLLECTSTATIC = \"1\" below [build.env] in paas.toml",
    ),
];

impl Django {
    /// The project, at the top or one folder down.
    pub(super) fn find(app: &App) -> Result<Option<Self>, PackError> {
        let mut folders = vec![String::new()];
        let entries = sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?;
        let below = entries.iter().filter(|it| it.join("manage.py").is_file());
        folders.extend(below.filter_map(|it| Some(it.file_name()?.to_str()?.to_owned())));
        for folder in folders {
            let Some(text) = app.text(Path::new(&folder).join("manage.py"))? else { continue };
            let settings = text.split_once("DJANGO_SETTINGS_MODULE").and_then(|(_, rest)| {
                // Past the quote that ends the variable's name.
                let rest = rest.get(1..)?;
                let start = rest.find(['"', '\''])?;
                let value = rest.get(start + 1..)?.split(['"', '\'']).next()?;
                Some(value.to_owned())
            });
            return Ok(Some(Self { folder, settings }));
        }
        Ok(None)
    }

    /// What a server is to load: what the settings name, else what lies beside them.
    pub(super) fn target(&self, app: &App) -> Result<Option<Target>, PackError> {
        let text = self.settings_text(app)?;
        let named = |key: &str| {
            let line = text.lines().find(|it| it.starts_with(key))?;
            let path = line.split(['"', '\'']).nth(1)?;
            let (module, object) = path.rsplit_once('.')?;
            Some(format!("{module}:{object}"))
        };
        let target = |protocol, name: String, because: String| {
            Some(Target { protocol, name, folder: self.folder.clone(), because })
        };
        // A new project names only the other; who adds this one wants channels or web sockets.
        if let Some(name) = named("ASGI_APPLICATION") {
            return Ok(target(Protocol::Asgi, name, "Django's settings name it".into()));
        }
        if let Some(name) = named("WSGI_APPLICATION") {
            return Ok(target(Protocol::Wsgi, name, "Django's settings name it".into()));
        }
        let home = app.path(&self.folder);
        let entries = sorted_entries(&home).map_err(PackError::io(&home))?;
        for (file, protocol) in [("wsgi", Protocol::Wsgi), ("asgi", Protocol::Asgi)] {
            let found = entries.iter().find(|it| it.join(format!("{file}.py")).is_file());
            if let Some(package) = found.and_then(|it| it.file_name()?.to_str()) {
                let because = format!("there are manage.py and {package}/{file}.py");
                return Ok(target(protocol, format!("{package}.{file}:application"), because));
            }
        }
        Ok(None)
    }

    /// Collects the static files, where the settings say where to.
    pub(super) fn collect_static(
        &self,
        context: &BuildContext,
        venv: &Path,
    ) -> Result<(), PackError> {
        let text = self.settings_text(&context.app)?;
        if !text.lines().any(|line| line.trim_start().starts_with("STATIC_ROOT")) {
            return Ok(());
        }
        output::heading("Static files");
        if std::env::var_os(DISABLED).is_some_and(|it| !it.is_empty() && it != "0") {
            output::line(&format!("not collected, because {DISABLED} is set"));
            return Ok(());
        }
        let dir = context.app.path(&self.folder);
        let args = ["manage.py", "collectstatic", "--noinput", "--verbosity", "1"];
        Tool::new(venv.join("bin/python"), &args, &dir)
            .path(venv.join("bin"))
            // Settings read a key even to copy files; this one signs nothing that is ever served.
            .env_default("SECRET_KEY", "only-for-collecting-static-files")
            .env_default("DJANGO_SECRET_KEY", "only-for-collecting-static-files")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .run(&KNOWN)?;
        if !text.contains("whitenoise") {
            output::warning(
                "nothing serves these files: gunicorn and uvicorn do not; to add what does: \
                 echo whitenoise >> requirements.txt, and \
                 whitenoise.middleware.WhiteNoiseMiddleware as the second entry of MIDDLEWARE",
            );
        }
        remove(&dir.join("__pycache__")).map_err(PackError::io(dir))
    }

    /// The text of the settings; a package of several files is taken together.
    fn settings_text(&self, app: &App) -> Result<String, PackError> {
        let Some(module) = &self.settings else { return Ok(String::new()) };
        let path = Path::new(&self.folder).join(module.replace('.', "/"));
        if let Some(text) = app.text(path.with_extension("py"))? {
            // `settings.production` usually begins with all that `settings.base` says.
            let beside = path.parent().map(|it| it.join("base.py")).unwrap_or_default();
            return Ok(text + "\n" + &app.text(beside)?.unwrap_or_default());
        }
        let mut all = String::new();
        for file in ["__init__.py", "base.py", "production.py"] {
            all += &app.text(path.join(file))?.unwrap_or_default();
            all.push('\n');
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let django = Django::find(&app).unwrap();
        let target = django.and_then(|it| it.target(&app).unwrap());
        let shown = target.map_or("nothing".into(), |it| format!("{} in `{}`", it.name, it.folder));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_project_is_found_by_its_settings_and_its_files() {
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
        let settings = "WSGI_APPLICATION = 'shop.wsgi.application'\nSTATIC_ROOT = 'x'\n";
        check(
            &[("manage.py", manage), ("shop/settings.py", settings), ("a/wsgi.py", "")],
            "shop.wsgi:application in ``",
        );
        check(&[("manage.py", ""), ("shop/wsgi.py", "")], "shop.wsgi:application in ``");
        check(&[("manage.py", ""), ("shop/asgi.py", "")], "shop.asgi:application in ``");
        check(
            &[("backend/manage.py", manage), ("backend/shop/settings.py", settings)],
            "shop.wsgi:application in `backend`",
        );
        check(&[("manage.py", "")], "nothing");
        let channels = format!("{settings}ASGI_APPLICATION = 'shop.asgi.application'\n");
        check(
            &[("manage.py", manage), ("shop/settings.py", &channels)],
            "shop.asgi:application in ``",
        );
        check(
            &[
                ("manage.py", "setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings.local\")"),
                ("shop/settings/local.py", "from .base import *\n"),
                ("shop/settings/base.py", settings),
            ],
            "shop.wsgi:application in ``",
        );
    }
}
