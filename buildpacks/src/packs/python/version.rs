//! Which Python: what the app asks for; the stack's own where that will do, because it costs
//! neither a download nor a layer.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LAUNCH_BUILD, locked};
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::Scheme;

/// An interpreter of the app container.
#[derive(Debug)]
pub(super) struct Interpreter {
    /// The path that is valid in the container, too.
    pub(super) path: PathBuf,
    /// Such as `3.13.5`.
    pub(super) version: String,
}

/// Debian's interpreter, part of build and run image alike.
const STACK_PYTHON: &str = "/usr/bin/python3";

/// Finds or asks for the interpreter.
pub(super) fn choose(context: &BuildContext) -> Result<Interpreter, PackError> {
    let (range, because) = wanted(&context.app)?;
    let stack = stack_version(Path::new(STACK_PYTHON));
    if let Some(version) = stack.filter(|version| allows(&range, version)) {
        output::line(&format!("version {version} of the stack ({because})"));
        if range.is_empty() {
            output::line("to change: echo 3.12 > .python-version");
        }
        return Ok(Interpreter { path: STACK_PYTHON.into(), version });
    }
    let toolchain = context.toolchain("python", &range, Scheme::Pep440)?;
    output::line(&format!("version {} ({because})", toolchain.version));
    let layer = context.link("python", LAUNCH_BUILD, &toolchain)?;
    Ok(Interpreter { path: layer.join("bin/python3"), version: toolchain.version })
}

/// The app's wish and its place.
fn wanted(app: &App) -> Result<(String, String), PackError> {
    if let Some(line) = app.first_line(".python-version")? {
        let range = line.trim_start_matches("python-").trim_start_matches("cpython-").to_owned();
        return Ok((range, format!(".python-version says {line}")));
    }
    if let Some(line) = app.first_line("runtime.txt")? {
        return Ok((
            line.trim_start_matches("python-").to_owned(),
            format!("runtime.txt says {line}"),
        ));
    }
    let text = app.text("pyproject.toml")?.unwrap_or_default();
    let project: toml::Table = toml::from_str(&text).map_err(|error| {
        let reason = format!("pyproject.toml is not valid: {}", error.message());
        PackError::app(reason, "check it: uv lock --check")
    })?;
    if let Some(range) = project.get("project").and_then(|it| it.get("requires-python")?.as_str()) {
        return Ok((range.into(), format!("requires-python in pyproject.toml is \"{range}\"")));
    }
    let poetry = project.get("tool").and_then(|it| it.get("poetry")?.get("dependencies"));
    if let Some(range) = poetry.and_then(|it| it.get("python")?.as_str()) {
        return Ok((caret(range), format!("python in pyproject.toml for Poetry is \"{range}\"")));
    }
    if let Some(lock) = app.text("Pipfile.lock")?
        && let Some(version) = locked::python_of_pipfile_lock(&lock)
    {
        return Ok((version.clone(), format!("Pipfile.lock is made for Python {version}")));
    }
    Ok((String::new(), "the default; the app does not ask for one".to_owned()))
}

/// Poetry's `^3.11` in Python's own words: everything until the next major version.
fn caret(range: &str) -> String {
    let part = |part: &str| {
        let part = part.trim();
        let Some(version) = part.strip_prefix('^') else {
            // A single tilde is Poetry's word for a line.
            let line = part.strip_prefix('~').filter(|it| !it.starts_with('='));
            return line.map_or(part.to_owned(), |version| format!("~={version}.0"));
        };
        let major = numbers(version).first().copied().unwrap_or_default();
        format!(">={version},<{}", major + 1)
    };
    range.split(',').map(part).collect::<Vec<_>>().join(",")
}

fn stack_version(python: &Path) -> Option<String> {
    let output = Command::new(python).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix("Python ").map(str::to_owned)
}

/// Whether a version fits a range. Only what we are sure of: in doubt the daemon decides, which
/// knows the whole grammar.
fn allows(range: &str, version: &str) -> bool {
    let version = numbers(version);
    range.split(',').map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        let at = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
        let (operator, bound) = part.split_at(at);
        let is_prefix = bound.ends_with(".*");
        let bound = numbers(bound.trim_end_matches(".*"));
        let prefix = version.starts_with(&bound);
        match operator.trim() {
            "==" if is_prefix => prefix,
            "==" => version == bound,
            "" => prefix,
            "!=" if is_prefix => !prefix,
            "!=" => version != bound,
            ">=" => version >= bound,
            ">" => version > bound && !prefix,
            "<=" => version <= bound,
            "<" => version < bound && !prefix,
            "~=" => {
                let family = bound.get(..bound.len().saturating_sub(1)).unwrap_or_default();
                version >= bound && version.starts_with(family)
            }
            _ => false,
        }
    })
}

fn numbers(text: &str) -> Vec<u32> {
    text.split('.').map_while(|part| part.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, version: &str, fits: bool) {
        assert_eq!(allows(range, version), fits, "{range} {version}");
    }

    #[test]
    fn poetry_writes_ranges_in_its_own_way() {
        assert_eq!(caret("^3.11"), ">=3.11,<4");
        assert_eq!(caret(">=3.11,<3.14"), ">=3.11,<3.14");
        assert_eq!(caret("~3.12"), "~=3.12.0");
    }

    #[test]
    fn the_stack_is_used_where_the_range_allows_it() {
        for range in
            ["", "3", "3.13", ">=3.11", ">=3.11,<4", "~=3.11", "==3.13.*", "!=3.12.*", ">=3.13.5"]
        {
            check(range, "3.13.5", true);
        }
        for range in ["3.12", "<3.13", "~=3.12.0", "==3.13.4", ">3.13", "pypy3.10", "!=3.13.*"] {
            check(range, "3.13.5", false);
        }
    }
}
