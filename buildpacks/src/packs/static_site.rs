//! Static sites: a folder of files, served by our own binary.
//!
//! Nothing is installed: the image has our binary as the launcher, and a link by another name makes
//! it the file server.

use std::fs;
use std::os::unix::fs::symlink;

use super::context::LAUNCH;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use crate::static_server::Rules;

/// The buildpack `paas/static`.
#[derive(Debug)]
pub(crate) struct Static;

/// Where the launcher stands in every image.
pub(super) const LAUNCHER: &str = "/cnb/lifecycle/launcher";

/// How a site is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// The folder, relative to the app's.
    pub(super) root: String,
    /// What a path without a file gets.
    pub(super) missing: Missing,
}

/// What a path without a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `404.html` if there is one, and status 404.
    NotFound,
    /// `index.html` and status 200: the app in the browser knows the path.
    Index,
}

impl Buildpack for Static {
    fn name(&self) -> &'static str {
        "static"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        let verdict = match (app.has("Staticfile"), app.first(&["index.html", "public/index.html"]))
        {
            (true, _) => {
                Verdict::Recognised(format!("Staticfile says to serve {}", site(app)?.shown()))
            }
            (false, Some(index)) => Verdict::Recognised(format!("there is {index}")),
            (false, None) => Verdict::Unknown,
        };
        Ok(verdict)
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let site = site(&context.app)?;
        output::heading("Static site");
        output::line(&format!(
            "serving {} (to change: `root: FOLDER` in Staticfile)",
            site.shown()
        ));
        Ok(vec![serve(context, &site)?])
    }
}

impl Site {
    /// As a person would say it.
    pub(super) fn shown(&self) -> String {
        let root = if self.root == "." { "the app's folder" } else { &self.root };
        match self.missing {
            Missing::NotFound => root.to_owned(),
            Missing::Index => format!("{root}, with index.html for unknown paths"),
        }
    }
}

/// The process that serves a site.
pub(super) fn serve(context: &BuildContext, site: &Site) -> Result<Process, PackError> {
    let rules = Rules::read(&context.app.path(&site.root)).map_err(|error| {
        let hint = "write it as in `/old /new 301`, or below a path as in `X-Frame-Options: DENY`";
        PackError::app(error.to_string(), hint)
    })?;
    let (redirects, headers) = rules.counts();
    if redirects + headers > 0 {
        output::line(&format!("{redirects} rules in _redirects, {headers} paths in _headers"));
    }
    let bin = context.fresh("server")?.join("bin");
    fs::create_dir_all(&bin).map_err(PackError::io(&bin))?;
    let link = bin.join("static-server");
    symlink(LAUNCHER, &link).map_err(PackError::io(&link))?;
    context.declare("server", LAUNCH, &site.root)?;
    let mut words = vec!["static-server", "--root", &site.root];
    if site.missing == Missing::Index {
        words.push("--spa");
    }
    Ok(Process::new("web", &words))
}

/// Reads `Staticfile`, or finds the folder with the index.
fn site(app: &App) -> Result<Site, PackError> {
    let found = if app.has("index.html") || !app.has("public/index.html") { "." } else { "public" };
    let mut site = Site { root: found.to_owned(), missing: Missing::NotFound };
    let text = app.text("Staticfile")?.unwrap_or_default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "---" {
            continue;
        }
        let fault = |what: String| {
            let hint =
                "write `root: public`, or `spa: true` to answer unknown paths with index.html";
            PackError::app(format!("Staticfile line {}: {what}", index + 1), hint)
        };
        match line.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("root", root)) => root.trim_end_matches('/').clone_into(&mut site.root),
            Some(("spa", "true") | ("pushstate", "enabled")) => site.missing = Missing::Index,
            Some(("spa", "false") | ("pushstate", "disabled")) => site.missing = Missing::NotFound,
            Some((key @ ("spa" | "pushstate"), value)) => {
                return Err(fault(format!("`{value}` is no value of `{key}`")));
            }
            Some((key, _)) => return Err(fault(format!("`{key}` is not known here"))),
            None => return Err(fault(format!("`{line}` has no `:`"))),
        }
    }
    let inside = !site.root.starts_with('/') && !site.root.split('/').any(|part| part == "..");
    if !inside || !app.path(&site.root).is_dir() {
        let reason = format!("Staticfile: the folder `{}` is not in the app", site.root);
        return Err(PackError::app(reason, "name a folder of the app, as in `root: public`"));
    }
    Ok(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("public")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let shown = site(&App::new(dir.path())).map_or_else(|it| it.to_string(), |it| it.shown());
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_folder_is_found_or_named() {
        check(&[("index.html", "")], "the app's folder");
        check(&[("public/index.html", "")], "public");
        check(
            &[("Staticfile", "root: public/\nspa: true\n")],
            "public, with index.html for unknown paths",
        );
        check(&[("Staticfile", "root: ..")], "Staticfile: the folder `..` is not in the app");
        check(&[("Staticfile", "root: dist")], "Staticfile: the folder `dist` is not in the app");
        check(&[("Staticfile", "gzip: on")], "Staticfile line 1: `gzip` is not known here");
        check(&[("Staticfile", "spa: yes")], "Staticfile line 1: `yes` is no value of `spa`");
    }
}
