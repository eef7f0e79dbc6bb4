//! What an image that others made runs, and where it is asked. Pure.
//!
//! The image's own entry point is `web`; a Procfile and `paas.toml` add to it or replace it, by the
//! image's shell. Invariant: whatever is decided here is said, with how to change it.

use std::collections::BTreeMap;

use super::PrebuiltError;
use crate::{
    build::{BuildError, ProcessesError, processes::described},
    engine::ImageFacts,
    model::{InvalidName, Manifest, Privileges, Process, ProcessName, process::DEFAULT_PORT},
};

/// What an image runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::build) struct Found {
    /// By name.
    pub(in crate::build) processes: BTreeMap<ProcessName, Process>,
    /// What was decided and why, a line each.
    pub(in crate::build) said: Vec<String>,
}

/// The processes of an image.
pub(in crate::build) fn processes(
    facts: &ImageFacts,
    procfile: &[(String, String)],
    manifest: &Manifest,
) -> Result<Found, BuildError> {
    let (mut found, mut said) = (BTreeMap::new(), Vec::new());
    let web: ProcessName = WEB.parse().expect("it is short and plain");
    for (kind, command) in procfile {
        let name: ProcessName = kind
            .parse()
            .map_err(|error: InvalidName| PrebuiltError::Procfile(error.to_string()))?;
        found.insert(name.clone(), Process::plain(name, shell(command), command.clone()));
        said.push(format!("{kind}: {command} (Procfile)"));
    }
    let own: Vec<String> = facts.entrypoint.iter().chain(&facts.command).cloned().collect();
    if !own.is_empty() {
        let shown = shown(&own);
        if found.contains_key(&web) {
            said.retain(|line| !line.starts_with("web: "));
            said.push(format!(
                "web: {shown} (the image's own; the Procfile's `web` does not count)"
            ));
        } else {
            said.push(format!("web: {shown} (the image's own)"));
        }
        found.insert(web.clone(), Process::plain(web.clone(), own, shown));
    }
    described(&mut found, manifest, &shell).map_err(|error| match error {
        ProcessesError::None => PrebuiltError::NoCommand.into(),
        other @ ProcessesError::Unknown { .. } => BuildError::Processes(other),
    })?;
    let mut processes = found;
    for process in processes.values_mut() {
        process.privileges = Privileges::Starter;
    }
    if let Some(process) = processes.get_mut(&web) {
        let mut told = [&manifest.processes, &manifest.suggested].into_iter();
        let wanted = told.find_map(|all| all.get(&web)?.port);
        let (port, why) = port(wanted, &facts.ports);
        process.port = Some(port);
        said.push(why);
    }
    said.push(format!("it runs as {}", user(&facts.user)));
    Ok(Found { processes, said })
}

/// Where `web` is asked, and why.
fn port(wanted: Option<u16>, exposed: &[u16]) -> (u16, String) {
    let change = "[process.web] port in paas.toml changes that";
    if let Some(port) = wanted {
        return (
            port,
            format!("web is asked on port {port} (paas.toml or fly.toml), which PORT says too"),
        );
    }
    match exposed {
        [] => {
            let why = format!(
                "web is asked on port {DEFAULT_PORT}, which PORT says; the image exposes none; {change}"
            );
            (DEFAULT_PORT, why)
        }
        [port] => {
            let why = format!(
                "web is asked on port {port}, which the image exposes and PORT says; {change}"
            );
            (*port, why)
        }
        [lowest, ..] => {
            let usual = [DEFAULT_PORT, 80].into_iter().find(|port| exposed.contains(port));
            let port = usual.unwrap_or(*lowest);
            let all: Vec<String> = exposed.iter().map(u16::to_string).collect();
            let why = format!(
                "web is asked on port {port}, one of those that the image exposes ({}), which PORT \
                 says too; {change}",
                all.join(", ")
            );
            (port, why)
        }
    }
}

fn user(user: &str) -> String {
    match user.split(':').next().unwrap_or_default() {
        "" | "0" | "root" => "root, without the rights to administer this machine".to_owned(),
        _ => format!("`{user}`"),
    }
}

/// A command of somebody's, by the shell of the image.
fn shell(command: &str) -> Vec<String> {
    ["/bin/sh", "-c", command].map(str::to_owned).to_vec()
}

/// As people would write it.
fn shown(words: &[String]) -> String {
    match words {
        [shell, flag, script] if shell == "/bin/sh" && flag == "-c" => script.clone(),
        words => words.join(" "),
    }
}

const WEB: &str = "web";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::chain;

    fn facts(entrypoint: &[&str], command: &[&str], ports: &[u16]) -> ImageFacts {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        ImageFacts {
            entrypoint: owned(entrypoint),
            command: owned(command),
            ports: ports.to_vec(),
            ..ImageFacts::default()
        }
    }

    fn check(facts: &ImageFacts, procfile: &[(&str, &str)], manifest: &str, expected: &str) {
        let procfile: Vec<_> =
            procfile.iter().map(|(kind, line)| ((*kind).to_owned(), (*line).to_owned())).collect();
        let manifest = Manifest::parse(manifest).unwrap();
        let told = match processes(facts, &procfile, &manifest) {
            Ok(found) => found
                .processes
                .values()
                .map(|it| format!("{} {:?} {:?}", it.name, it.entrypoint, it.port))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) => format!("{}; {}", chain(&error), error.hint().unwrap_or_default()),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn the_images_own_command_is_web() {
        let plain = facts(&["/entry.sh"], &["nginx", "-g"], &[80]);
        check(&plain, &[], "", r#"web ["/entry.sh", "nginx", "-g"] Some(80)"#);
        check(
            &plain,
            &[("web", "no"), ("worker", "jobs")],
            "[process.clock]\ncommand = \"tick\"",
            "clock [\"/bin/sh\", \"-c\", \"tick\"] None\n\
             web [\"/entry.sh\", \"nginx\", \"-g\"] Some(80)\n\
             worker [\"/bin/sh\", \"-c\", \"jobs\"] None",
        );
        let own = "[process.web]\ncommand = \"serve $PORT\"\nport = 3000";
        check(&plain, &[], own, r#"web ["/bin/sh", "-c", "serve $PORT"] Some(3000)"#);
        check(
            &facts(&[], &[], &[]),
            &[("web", "run")],
            "",
            r#"web ["/bin/sh", "-c", "run"] Some(8080)"#,
        );
        check(
            &facts(&[], &[], &[]),
            &[],
            "",
            "the image has neither ENTRYPOINT nor CMD, and nothing else says what to run; say it in \
             paas.toml: [process.web] command = \"…\"; or in the Dockerfile: CMD",
        );
    }

    #[test]
    fn a_port_is_chosen_and_explained() {
        let check = |wanted, exposed: &[u16], expected: u16, word: &str| {
            let (port, why) = port(wanted, exposed);
            assert_eq!(port, expected, "{why}");
            assert!(why.contains(word) && why.contains(&expected.to_string()), "{why}");
        };
        check(None, &[], 8080, "exposes none");
        check(None, &[3000], 3000, "which the image exposes");
        check(None, &[80, 443, 2019], 80, "(80, 443, 2019)");
        check(None, &[80, 8080], 8080, "one of those");
        check(None, &[3000, 9229], 3000, "one of those");
        check(Some(5000), &[80], 5000, "paas.toml");
    }

    #[test]
    fn root_is_told() {
        for root in ["", "0", "root", "root:root", "0:0"] {
            assert!(user(root).starts_with("root,"), "{root}");
        }
        assert_eq!(user("node"), "`node`");
    }
}
