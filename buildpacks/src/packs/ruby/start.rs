//! How a Ruby app starts: by its framework and the server that is among its gems.

use super::bundle::Bundle;
use crate::packs::{App, PackError, Process, output, procfile};

/// What the image is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Run this.
    Command { process: Process, because: String },
    /// Serve the folder that a generator makes.
    Pages(&'static Generator),
    /// The Procfile says it all.
    Procfile,
}

/// A gem that makes pages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Generator {
    pub(super) gem: &'static str,
    pub(super) words: &'static [&'static str],
    /// Where it leaves them.
    pub(super) folder: &'static str,
}

const GENERATORS: [Generator; 3] = [
    Generator { gem: "jekyll", words: &["jekyll", "build"], folder: "_site" },
    Generator { gem: "middleman", words: &["middleman", "build"], folder: "build" },
    Generator { gem: "bridgetown", words: &["bridgetown", "build"], folder: "output" },
];

/// Files that start an app by habit.
const PROGRAMS: [&str; 4] = ["app.rb", "main.rb", "server.rb", "web.rb"];

/// What listens where `PORT` says: a gem, and its command.
const SERVERS: [(&str, &str); 6] = [
    ("puma", "puma -b tcp://0.0.0.0:${PORT:-9292}"),
    ("falcon", "falcon serve --bind http://0.0.0.0:${PORT:-9292}"),
    ("unicorn", "unicorn -l 0.0.0.0:${PORT:-9292}"),
    ("iodine", "iodine -b 0.0.0.0 -p ${PORT:-9292}"),
    ("passenger", "passenger start --address 0.0.0.0 --port ${PORT:-9292} --log-file /dev/stdout"),
    ("thin", "thin start -a 0.0.0.0 -p ${PORT:-9292}"),
];

/// Gems that do work in the background, and how they are started.
const WORKERS: [(&str, &str); 6] = [
    ("sidekiq", "bundle exec sidekiq"),
    ("good_job", "bundle exec good_job start"),
    ("solid_queue", "bin/jobs"),
    ("delayed_job", "bundle exec rake jobs:work"),
    ("resque", "QUEUE=* bundle exec rake resque:work"),
    ("que", "bundle exec que"),
];

impl Start {
    /// Says what was decided.
    pub(super) fn show(&self, app: &App, bundle: &Bundle) {
        match self {
            Self::Command { process, because } => {
                output::heading("Start command");
                output::line(&format!("{} ({because})", process.shown()));
                if !app.has("Procfile") {
                    output::line("to change: echo 'web: COMMAND' > Procfile");
                }
            }
            Self::Pages(generator) => {
                output::heading("Pages");
                let Generator { gem, folder, .. } = generator;
                output::line(&format!("serving {folder}, which {gem} made"));
                output::line("Ruby and the gems stay out of the image: pages need neither");
                output::line("to change: echo 'web: COMMAND' > Procfile");
            }
            Self::Procfile => {}
        }
        if let Some((gem, command)) = WORKERS.iter().find(|(gem, _)| bundle.has(gem))
            && !procfile::defines(app, "worker")
            && app.text("Procfile").ok().flatten().is_none_or(|text| !text.contains(gem))
        {
            output::line(&format!(
                "{gem} is among the gems and no process runs it: echo 'worker: {command}' >> Procfile"
            ));
        }
    }
}

/// Whether the app is Rails.
pub(super) fn is_rails(app: &App, bundle: &Bundle) -> bool {
    bundle.first(&["railties", "rails"]).is_some() && app.has("config/application.rb")
}

/// The generator of pages, if the app is nothing but its input.
pub(super) fn generator(app: &App, bundle: &Bundle) -> Option<&'static Generator> {
    let program = app.has("config.ru") || procfile::defines(app, "web");
    GENERATORS.iter().find(|it| bundle.has(it.gem) && !program)
}

/// The program that starts an app by its name, if it looks like one that listens.
pub(super) fn program(app: &App) -> Result<Option<&'static str>, PackError> {
    const SIGNS: [&str; 6] = ["sinatra", "webrick", "WEBrick", "TCPServer", "rackup", "Rack::"];
    for file in PROGRAMS {
        let text = app.text(file)?.unwrap_or_default();
        if SIGNS.iter().any(|sign| text.contains(sign)) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Decides.
pub(super) fn choose(app: &App, bundle: &Bundle) -> Result<Start, PackError> {
    if procfile::defines(app, "web") {
        return Ok(Start::Procfile);
    }
    if let Some(generator) = generator(app, bundle) {
        return Ok(Start::Pages(generator));
    }
    let command = |line: &str, because: &str| {
        let exec = if bundle.exists { "exec bundle exec " } else { "exec " };
        let process = Process::shell("web", &format!("{exec}{line}"));
        Ok(Start::Command { process, because: because.to_owned() })
    };
    let server = SERVERS.iter().find(|(gem, _)| bundle.has(gem));
    if is_rails(app, bundle) {
        return match server {
            Some(("puma", _)) if configured(app)? => {
                command("puma -C config/puma.rb", "Rails, with config/puma.rb")
            }
            Some((gem @ ("falcon" | "unicorn" | "iodine" | "passenger"), line)) => {
                command(line, &format!("Rails, with {gem}"))
            }
            // The file with the process's number must not outlive it, hence no file.
            _ => command("rails server -b 0.0.0.0 -p ${PORT:-3000} -P /dev/null", "Rails"),
        };
    }
    if app.has("config.ru") {
        return match server {
            Some(("puma", _)) if configured(app)? => {
                command("puma -C config/puma.rb", "there are config.ru and config/puma.rb")
            }
            Some((gem, line)) => {
                command(line, &format!("there is config.ru, and {gem} among the gems"))
            }
            None if !bundle.exists => {
                command("puma -b tcp://0.0.0.0:${PORT:-9292}", "there is config.ru")
            }
            None if bundle.first(&["rackup", "webrick"]).is_some() => command(
                "rackup -E production -o 0.0.0.0 -p ${PORT:-9292}",
                "there is config.ru; puma would serve more requests at a time: bundle add puma",
            ),
            None if app.has("Procfile") => Ok(Start::Procfile),
            None => Err(PackError::app(
                "there is config.ru and no server that could run it",
                "add one: bundle add puma && git add Gemfile Gemfile.lock",
            )),
        };
    }
    let file = program(app)?.or_else(|| app.first(&PROGRAMS));
    match file {
        Some(file) if bundle.has("sinatra") => {
            let line = format!("ruby {file} -e production -o 0.0.0.0 -p ${{PORT:-4567}}");
            command(&line, &format!("Sinatra, in {file}"))
        }
        Some(file) => command(&format!("ruby {file}"), &format!("there is {file}")),
        None if app.has("Procfile") => Ok(Start::Procfile),
        None => Err(PackError::app(
            "the app does not say how it starts: it is not Rails, and there is no config.ru, app.rb or main.rb",
            "say it: echo 'web: bundle exec ruby FILE.rb' > Procfile",
        )),
    }
}

/// Whether the app's own settings for Puma say where to listen.
fn configured(app: &App) -> Result<bool, PackError> {
    let text = app.text("config/puma.rb")?.unwrap_or_default();
    let mut lines = text.lines().map(str::trim_start);
    Ok(lines.any(|line| {
        line.starts_with("port ") || line.starts_with("port(") || line.starts_with("bind")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gems: &str, files: &[(&str, &str)], expected: &str) {
        let specs: Vec<_> =
            gems.split_whitespace().map(|gem| format!("    {gem} (1.0)\n")).collect();
        let lock = format!("GEM\n  specs:\n{}", specs.concat());
        let gemfile = [("Gemfile", ""), ("Gemfile.lock", lock.as_str())];
        let own = if gems.is_empty() { &[] } else { gemfile.as_slice() };
        let files: Vec<_> = own.iter().chain(files).copied().collect();
        let (app, _dir) = App::of(&files);
        let shown = match choose(&app, &Bundle::of(&app).unwrap()) {
            Ok(Start::Command { process, .. }) => process.shown(),
            Ok(Start::Pages(it)) => format!("pages of {}", it.gem),
            Ok(Start::Procfile) => "Procfile".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{gems} {files:?}");
    }

    #[test]
    fn the_server_among_the_gems_runs_the_app() {
        let rails = ("config/application.rb", "");
        let settings = ("config/puma.rb", "threads 5\n  port ENV.fetch(\"PORT\", 3000)\n");
        let plain = "bundle exec rails server -b 0.0.0.0 -p ${PORT:-3000} -P /dev/null";
        check("railties puma", &[rails, settings], "bundle exec puma -C config/puma.rb");
        check("railties puma", &[rails], plain);
        check("railties", &[rails], plain);
        check("railties unicorn", &[rails], "bundle exec unicorn -l 0.0.0.0:${PORT:-9292}");
        let rack = ("config.ru", "run App");
        check("rack puma", &[rack], "bundle exec puma -b tcp://0.0.0.0:${PORT:-9292}");
        check(
            "rack falcon",
            &[rack],
            "bundle exec falcon serve --bind http://0.0.0.0:${PORT:-9292}",
        );
        check("rackup", &[rack], "bundle exec rackup -E production -o 0.0.0.0 -p ${PORT:-9292}");
        check("rack", &[rack], "there is config.ru and no server that could run it");
        check("", &[rack], "puma -b tcp://0.0.0.0:${PORT:-9292}");
    }

    #[test]
    fn a_program_is_started_by_its_name() {
        let sinatra = ("app.rb", "require 'sinatra'\nget('/') { 'x' }\n");
        let expected = "bundle exec ruby app.rb -e production -o 0.0.0.0 -p ${PORT:-4567}";
        check("sinatra puma", &[sinatra], expected);
        check(
            "webrick",
            &[("main.rb", "x"), ("server.rb", "require 'webrick'")],
            "bundle exec ruby server.rb",
        );
        check("", &[("app.rb", "require 'webrick'")], "ruby app.rb");
        check("rake", &[("Procfile", "worker: x")], "Procfile");
        check("puma", &[("Procfile", "web: x"), ("config.ru", "")], "Procfile");
        check(
            "rake",
            &[],
            "the app does not say how it starts: it is not Rails, and there is no config.ru, app.rb or main.rb",
        );
    }

    #[test]
    fn generators_leave_pages() {
        check("jekyll webrick", &[("_config.yml", "")], "pages of jekyll");
        check(
            "jekyll puma",
            &[("config.ru", "")],
            "bundle exec puma -b tcp://0.0.0.0:${PORT:-9292}",
        );
    }
}
