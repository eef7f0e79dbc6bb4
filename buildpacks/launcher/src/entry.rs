//! Which program of an app's container is meant: by the name we were called by, then the first word.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Component, Path};
use std::process::ExitCode;

use crate::roots::Roots;
use crate::{enter, launch, php_server, static_server};

/// The programs of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// The launcher, called `launcher` or by a process type.
    Launcher,
    /// What reads an app's secrets before the app's own program begins.
    Enter,
    /// The static file server.
    StaticServer,
    /// nginx and php-fpm, as one.
    PhpServer,
}

/// Runs whatever this crate does under that name; `None` if the call is not for us.
pub fn run(argv0: &OsStr, mut args: Vec<OsString>) -> Option<ExitCode> {
    let program = by_name(Path::new(argv0)).or_else(|| {
        let program = by_word(args.first()?.to_str()?)?;
        args.remove(0);
        Some(program)
    });
    let roots = Roots::from_env();
    let Some(program) = program else {
        // A shell in the container finds `web` on its PATH and passes the bare name.
        return launch::is_process(argv0, &roots).then(|| launch::launch(argv0, args, &roots));
    };
    Some(match program {
        Program::Launcher => launch::launch(argv0, args, &roots),
        Program::Enter => enter::enter(args),
        Program::StaticServer => report(static_server::run(&args)),
        Program::PhpServer => report(php_server::run(&args)),
    })
}

fn by_name(argv0: &Path) -> Option<Program> {
    let mut parts = argv0.components().rev().map(Component::as_os_str);
    let name = parts.next()?.to_str()?;
    let folder = parts.next().and_then(OsStr::to_str);
    match (name, folder) {
        ("launcher", _) | (_, Some("process")) => Some(Program::Launcher),
        // A bare `enter` is somebody else's word: `paas` itself asks here first.
        ("enter", Some(".paas")) => Some(Program::Enter),
        _ => by_word(name),
    }
}

fn by_word(word: &str) -> Option<Program> {
    match word {
        "static-server" => Some(Program::StaticServer),
        "php-server" => Some(Program::PhpServer),
        _ => None,
    }
}

/// The exit code of what was done, after saying why it was not.
pub fn report<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    complain(&text)
}

/// Says what is wrong on standard error. A closed standard error leaves nobody to tell.
pub fn complain(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_programs() {
        let check =
            |argv0: &str, expected| assert_eq!(by_name(Path::new(argv0)), expected, "{argv0}");
        check("/cnb/process/web", Some(Program::Launcher));
        check("/cnb/lifecycle/launcher", Some(Program::Launcher));
        check("/layers/paas_static/server/bin/static-server", Some(Program::StaticServer));
        check("/layers/paas_php/server/bin/php-server", Some(Program::PhpServer));
        check("/.paas/enter", Some(Program::Enter));
        check("/usr/bin/enter", None);
        check("/usr/local/bin/paas", None);
        check("/cnb/buildpacks/paas_go/0.1.0/bin/build", None);
    }
}
