//! The Dockerfiles of image extensions, as far as we honour them: those that install Debian
//! packages and do nothing else. Pure.
//!
//! A Dockerfile runs as root and makes what it likes; a list of packages is something that we can
//! make once, share between apps and make again on a new base image. Invariant: nothing of a
//! Dockerfile is ever executed; whatever is not understood is refused, with its line.

use std::collections::{BTreeMap, BTreeSet};

use crate::packages::Package;

/// Why a Dockerfile is not honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}`: {because}")]
pub(crate) struct Refused {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) because: String,
}

/// The packages that a Dockerfile installs. `args` are the values of its `ARG`s.
pub(crate) fn packages(
    text: &str,
    args: &BTreeMap<String, String>,
) -> Result<BTreeSet<Package>, Refused> {
    let mut reading =
        Reading { args, values: BTreeMap::new(), based: false, packages: BTreeSet::new() };
    for (line, instruction) in instructions(text) {
        reading.instruction(&instruction).map_err(|because| Refused {
            line,
            text: instruction.chars().take(SHOWN).collect(),
            because,
        })?;
    }
    Ok(reading.packages)
}

/// The instructions and their first lines: continued lines in one, without comments.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (part, continues) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        match all.last_mut().filter(|_| open) {
            Some((_, begun)) => {
                begun.push(' ');
                begun.push_str(part);
            }
            None => all.push((index + 1, part.to_owned())),
        }
        open = continues;
    }
    all
}

struct Reading<'a> {
    args: &'a BTreeMap<String, String>,
    /// The `ARG`s that were declared.
    values: BTreeMap<String, String>,
    /// `FROM` was there.
    based: bool,
    packages: BTreeSet<Package>,
}

impl Reading<'_> {
    fn instruction(&mut self, text: &str) -> Result<(), String> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "ARG" => self.arg(rest),
            "FROM" if self.based => Err("only one FROM is supported".to_owned()),
            "FROM" if ["$base_image", "${base_image}"].contains(&rest) => {
                self.based = true;
                Ok(())
            }
            "FROM" => Err("only the base image can be extended: FROM ${base_image}".to_owned()),
            // Ours installs as root and runs as the base image's user, whatever stands here.
            "USER" => Ok(()),
            "ENV" if rest.starts_with("DEBIAN_FRONTEND") => Ok(()),
            "LABEL" if rest.starts_with(REBASABLE) => Ok(()),
            "RUN" if rest.starts_with('[') => Err("write RUN as a shell command".to_owned()),
            "RUN" => rest.split("&&").flat_map(|part| part.split(';')).try_for_each(|command| {
                let words = self.words(command)?;
                self.command(&words)
            }),
            _ => Err(ONLY.to_owned()),
        }
    }

    fn arg(&mut self, rest: &str) -> Result<(), String> {
        let (name, default) = rest.split_once('=').unwrap_or((rest, ""));
        let value = match self.args.get(name) {
            Some(value) => value.clone(),
            None => self.words(default.trim_matches('"'))?.join(" "),
        };
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// The words of a simple command; a variable may stand for several.
    fn words(&self, command: &str) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for word in command.split_whitespace() {
            let quoted = ['"', '\''].iter().find_map(|quote| {
                word.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote))
            });
            let word = quoted.unwrap_or(word);
            if let Some(name) = word.strip_prefix('$') {
                let braced = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                let name = braced.unwrap_or(name);
                let value =
                    self.values.get(name).ok_or_else(|| format!("no ARG {name} is declared"))?;
                words.extend(value.split_whitespace().map(str::to_owned));
            } else {
                words.push(word.to_owned());
            }
        }
        Ok(words)
    }

    fn command(&mut self, words: &[String]) -> Result<(), String> {
        let mut words = words.iter().map(String::as_str).peekable();
        while words.next_if(|word| word.starts_with("DEBIAN_FRONTEND=")).is_some() {}
        match words.next() {
            None | Some("true" | ":") => Ok(()),
            Some("set") if words.all(|word| word.starts_with('-') || word == "pipefail") => Ok(()),
            Some("export") if words.all(|word| word.starts_with("DEBIAN_FRONTEND=")) => Ok(()),
            Some("rm") if words.all(is_leftover) => Ok(()),
            Some("apt-get" | "apt") => self.apt(words),
            Some(_) => Err(ONLY.to_owned()),
        }
    }

    fn apt<'w>(&mut self, mut words: impl Iterator<Item = &'w str>) -> Result<(), String> {
        let mut verb = None;
        while let Some(word) = words.next() {
            match (verb, word) {
                (_, "-o" | "--option") => {
                    // How apt downloads is for the server to say.
                    words.next();
                }
                (_, option) if option.starts_with('-') => {
                    if !OPTIONS.contains(&option) && !option.starts_with("-o") {
                        return Err(format!("the option {option} is not supported"));
                    }
                }
                (None, "update" | "install" | "clean" | "autoclean" | "autoremove") => {
                    verb = Some(word);
                }
                (Some("install"), package) => {
                    let package = package
                        .parse()
                        .map_err(|it: crate::packages::InvalidPackage| it.to_string())?;
                    self.packages.insert(package);
                }
                _ => return Err(ONLY.to_owned()),
            }
        }
        Ok(())
    }
}

/// What `rm` may be told: options, and what apt leaves, which never gets into an image of ours.
fn is_leftover(word: &str) -> bool {
    let places = ["/var/lib/apt/lists", "/var/cache/apt", "/var/log/apt", "/var/log/dpkg.log"];
    word.starts_with('-')
        || places.iter().any(|place| word.starts_with(place)) && !word.contains("..")
}

const ONLY: &str = "only the installation of Debian packages is supported: \
    RUN apt-get update && apt-get install -y PACKAGE…";
const REBASABLE: &str = "io.buildpacks.rebasable";
/// Whatever is asked: no question, no recommendation, little noise.
const OPTIONS: [&str; 9] = [
    "-y",
    "--yes",
    "--assume-yes",
    "-q",
    "-qq",
    "-yq",
    "-yqq",
    "--no-install-recommends",
    "--no-install-suggests",
];
/// Characters of a line that are shown.
const SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let args = [("packages".to_owned(), "jq figlet".to_owned())].into();
        let shown = match packages(text, &args) {
            Ok(all) => all.iter().map(Package::as_str).collect::<Vec<_>>().join(" "),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    const HEAD: &str = "ARG base_image\nFROM ${base_image}\nUSER root\n";

    fn run(command: &str, expected: &str) {
        check(&format!("{HEAD}RUN {command}\n"), expected);
    }

    #[test]
    fn ext_dockerfile_requirements_packages_are_read() {
        check("", "");
        check(
            "# syntax=docker/dockerfile:1\nARG base_image\nFROM $base_image\n\nUSER root\n\
             RUN apt-get update && \\\n  # what we need\n  apt-get install -y --no-install-recommends \\\n    \
             libpq5 jq=1.7.1-6 \\\n  && rm -rf /var/lib/apt/lists/*\n\nARG user_id\nUSER ${user_id}\n",
            "jq=1.7.1-6 libpq5",
        );
        run(
            "set -eux; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \"g++\"; apt-get clean",
            "g++",
        );
        run("apt install -y -o Acquire::Retries=3 -o=a::b=c curl", "curl");
        check(
            &format!("{HEAD}ARG packages=vim\nRUN apt-get install -y ${{packages}}"),
            "figlet jq",
        );
        check(&format!("{HEAD}ARG more=\"vim nano\"\nRUN apt-get install $more"), "nano vim");
        check(&format!("{HEAD}LABEL io.buildpacks.rebasable=true\nENV DEBIAN_FRONTEND=x\n"), "");
    }

    #[test]
    fn ext_dockerfile_requirements_anything_else_is_refused_with_its_line() {
        let only = |line: &str| format!("line 4: `{line}`: {ONLY}");
        check(&format!("{HEAD}COPY a /b\n"), &only("COPY a /b"));
        check(
            "FROM alpine",
            "line 1: `FROM alpine`: only the base image can be extended: FROM ${base_image}",
        );
        check(
            &format!("{HEAD}FROM $base_image"),
            "line 4: `FROM $base_image`: only one FROM is supported",
        );
        run("curl x | sh", &only("RUN curl x | sh"));
        run("apt-get update && make install", &only("RUN apt-get update && make install"));
        run("apt-get remove bash", &only("RUN apt-get remove bash"));
        run(
            "rm -rf /var/lib/apt/lists/../../../..",
            &only("RUN rm -rf /var/lib/apt/lists/../../../.."),
        );
        run(
            "apt-get install $(id)",
            "line 4: `RUN apt-get install $(id)`: no ARG (id) is declared",
        );
        run(
            "apt-get install `id`",
            "line 4: `RUN apt-get install `id``: ``id`` is not the name of a Debian package",
        );
        run(
            "apt-get install a.deb>x",
            "line 4: `RUN apt-get install a.deb>x`: `a.deb>x` is not the name of a Debian package",
        );
        run(
            "apt-get --allow-unauthenticated install jq",
            "line 4: `RUN apt-get --allow-unauthenticated install jq`: the option --allow-unauthenticated is not supported",
        );
        run("[\"apt-get\"]", "line 4: `RUN [\"apt-get\"]`: write RUN as a shell command");
    }
}
