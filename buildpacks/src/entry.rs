//! Which of our programs is meant: decided by the name we were called by, then by the first word.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Component, Path};
use std::process::ExitCode;

use crate::roots::Roots;
use crate::{agent, launch, packs, php_server, static_server};

/// The programs of this crate.
#[derive(Debug, PartialEq, Eq)]
enum Program {
    /// `bin/detect` of one of our buildpacks.
    Detect(String),
    /// `bin/generate` of our image extension.
    Generate,
    /// `bin/build` of one of our buildpacks.
    Build(String),
    /// The launcher, called `launcher` or by a process type.
    Launcher,
    /// The static file server.
    StaticServer,
    /// nginx and php-fpm, as one.
    PhpServer,
    /// Process 1 of a build container.
    Agent,
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
        Program::Detect(pack) => packs::run_detect(&pack, &args),
        Program::Generate => packs::run_generate(&args),
        Program::Build(pack) => packs::run_build(&pack, &args),
        Program::Launcher => launch::launch(argv0, args, &roots),
        Program::StaticServer => report(static_server::run(&args)),
        Program::PhpServer => report(php_server::run(&args)),
        Program::Agent => match args.first() {
            Some(socket) => report(agent::serve(socket, &roots)),
            None => complain("usage: paas lifecycle-agent SOCKET"),
        },
    })
}

fn by_name(argv0: &Path) -> Option<Program> {
    let mut parts = argv0.components().rev().map(Component::as_os_str);
    let name = parts.next()?.to_str()?;
    let folder = parts.next().and_then(OsStr::to_str);
    match (name, folder) {
        ("launcher", _) | (_, Some("process")) => Some(Program::Launcher),
        ("static-server", _) => Some(Program::StaticServer),
        ("generate", Some("bin")) => (parts.nth(1)? == "paas_apt").then_some(Program::Generate),
        ("php-server", _) => Some(Program::PhpServer),
        ("detect" | "build", Some("bin")) => {
            let pack = parts.nth(1)?.to_str()?.strip_prefix("paas_")?.to_owned();
            Some(if name == "detect" { Program::Detect(pack) } else { Program::Build(pack) })
        }
        _ => None,
    }
}

fn by_word(word: &str) -> Option<Program> {
    match word {
        "lifecycle-agent" => Some(Program::Agent),
        "static-server" => Some(Program::StaticServer),
        "php-server" => Some(Program::PhpServer),
        _ => None,
    }
}

fn report<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
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
pub(crate) fn complain(text: &str) -> ExitCode {
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
        let build = "/cnb/buildpacks/paas_nodejs/0.1.0/bin/build";
        check(build, Some(Program::Build("nodejs".into())));
        check("/cnb/buildpacks/paas_go/0.1.0/bin/detect", Some(Program::Detect("go".into())));
        check("/cnb/buildpacks/acme_go/0.1.0/bin/detect", None);
        check("/cnb/extensions/paas_apt/0.1.0/bin/generate", Some(Program::Generate));
        check("/cnb/process/web", Some(Program::Launcher));
        check("/cnb/lifecycle/launcher", Some(Program::Launcher));
        check("/layers/paas_static/server/bin/static-server", Some(Program::StaticServer));
        check("/layers/paas_php/server/bin/php-server", Some(Program::PhpServer));
        check("/usr/local/bin/paas", None);
        check("build", None);
    }
}
