//! Which of our programs is meant: decided by the name we were called by, then by the first word. What
//! is for an app's container goes on to the crate `launcher`.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};
use std::process::ExitCode;

use launcher::{Roots, complain, report};

use crate::{agent, packs};

/// The programs of this crate.
#[derive(Debug, PartialEq, Eq)]
enum Program {
    /// `bin/detect` of one of our buildpacks.
    Detect(String),
    /// `bin/generate` of our image extension.
    Generate,
    /// `bin/build` of one of our buildpacks.
    Build(String),
    /// Process 1 of a build container.
    Agent,
}

/// Runs whatever this crate does under that name; `None` if the call is not for us.
pub fn run(argv0: &OsStr, mut args: Vec<OsString>) -> Option<ExitCode> {
    let program = by_name(Path::new(argv0)).or_else(|| {
        let program = (args.first()? == AGENT).then_some(Program::Agent)?;
        args.remove(0);
        Some(program)
    });
    let Some(program) = program else { return launcher::run(argv0, args) };
    Some(match program {
        Program::Detect(pack) => packs::run_detect(&pack, &args),
        Program::Generate => packs::run_generate(&args),
        Program::Build(pack) => packs::run_build(&pack, &args),
        Program::Agent => match args.first() {
            Some(socket) => report(agent::serve(socket, &Roots::from_env())),
            None => complain("usage: paas lifecycle-agent SOCKET"),
        },
    })
}

fn by_name(argv0: &Path) -> Option<Program> {
    let mut parts = argv0.components().rev().map(Component::as_os_str);
    let name = parts.next()?.to_str()?;
    let folder = parts.next().and_then(OsStr::to_str);
    match (name, folder) {
        ("generate", Some("bin")) => (parts.nth(1)? == "paas_apt").then_some(Program::Generate),
        ("detect" | "build", Some("bin")) => {
            let pack = parts.nth(1)?.to_str()?.strip_prefix("paas_")?.to_owned();
            Some(if name == "detect" { Program::Detect(pack) } else { Program::Build(pack) })
        }
        _ => None,
    }
}

/// The first word of the agent's command.
const AGENT: &str = "lifecycle-agent";

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
        check("/cnb/lifecycle/launcher", None);
        check("/usr/local/bin/paas", None);
        check("build", None);
    }
}
