//! Lock files of other tools than uv, told in the words of requirements: Pipenv's we read ourselves,
//! since it is plain JSON; Poetry's only Poetry can read in all its forms.

use std::fmt::Write;

use serde_json::Value;

use crate::packs::PackError;

/// `Pipfile.lock` as requirements with hashes.
pub(super) fn of_pipfile_lock(text: &str) -> Result<String, PackError> {
    let lock: Value = serde_json::from_str(text).map_err(|error| {
        let reason = format!("Pipfile.lock is not valid: {error}");
        PackError::app(reason, "make it anew: pipenv lock && git add Pipfile.lock")
    })?;
    let packages = lock.get("default").and_then(Value::as_object);
    let mut lines = String::new();
    for (name, package) in packages.into_iter().flatten() {
        let said = |key: &str| package.get(key).and_then(Value::as_str);
        let place = source(name, said);
        let extras = list(package.get("extras"));
        let extras = if extras.is_empty() { extras } else { format!("[{extras}]") };
        let markers = said("markers").map_or(String::new(), |it| format!(" ; {it}"));
        let _ = match (place, said("version")) {
            (Some(place), _) => write!(lines, "{name}{extras} @ {place}{markers}"),
            (None, Some(version)) => write!(lines, "{name}{extras}{version}{markers}"),
            (None, None) => write!(lines, "{name}{extras}{markers}"),
        };
        for hash in package.get("hashes").and_then(Value::as_array).into_iter().flatten() {
            let _ = write!(lines, " --hash={}", hash.as_str().unwrap_or_default());
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// The Python that `Pipfile.lock` was made for.
pub(super) fn python_of_pipfile_lock(text: &str) -> Option<String> {
    let lock: Value = serde_json::from_str(text).ok()?;
    let wanted = lock.get("_meta")?.get("requires")?;
    let wanted = wanted.get("python_full_version").or_else(|| wanted.get("python_version"))?;
    Some(wanted.as_str()?.to_owned())
}

/// `[packages]` of a `Pipfile` that has no lock, as requirements.
pub(super) fn of_pipfile(text: &str) -> Result<String, PackError> {
    let file: toml::Table = toml::from_str(text).map_err(|error| {
        let reason = format!("Pipfile is not valid: {}", error.message());
        PackError::app(reason, "check it: pipenv verify")
    })?;
    let packages = file.get("packages").and_then(toml::Value::as_table);
    let mut lines = String::new();
    for (name, wish) in packages.into_iter().flatten() {
        let version = wish.as_str().or_else(|| wish.get("version")?.as_str()).unwrap_or("*");
        let version = if version == "*" { "" } else { version };
        let said = |key: &str| wish.get(key).and_then(toml::Value::as_str);
        let extras = wish.get("extras").and_then(toml::Value::as_array).into_iter().flatten();
        let extras: Vec<&str> = extras.filter_map(toml::Value::as_str).collect();
        let extras =
            if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        let markers = said("markers").map_or(String::new(), |it| format!(" ; {it}"));
        let _ = match source(name, said) {
            Some(place) => writeln!(lines, "{name}{extras} @ {place}{markers}"),
            None => writeln!(lines, "{name}{extras}{version}{markers}"),
        };
    }
    Ok(lines)
}

/// Where a package comes from if not from the index.
fn source<'a>(name: &str, said: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let at = |reference: Option<&str>| reference.map_or(String::new(), |it| format!("@{it}"));
    if let Some(git) = said("git") {
        return Some(format!("git+{git}{}#egg={name}", at(said("ref"))));
    }
    said("file").or_else(|| said("path")).map(str::to_owned)
}

fn list(value: Option<&Value>) -> String {
    let words = value.and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_becomes_requirements_with_hashes() {
        let lock = r#"{"_meta":{"requires":{"python_version":"3.12"}},"default":{
            "flask":{"version":"==3.1.0","hashes":["sha256:aa","sha256:bb"],"extras":["async"],
                     "markers":"python_version >= '3.9'"},
            "own":{"git":"https://git.test/own.git","ref":"abc"}},"develop":{"pytest":{}}}"#;
        let expected = "flask[async]==3.1.0 ; python_version >= '3.9' --hash=sha256:aa \
                        --hash=sha256:bb\nown @ git+https://git.test/own.git@abc#egg=own\n";
        assert_eq!(of_pipfile_lock(lock).unwrap(), expected);
        assert_eq!(python_of_pipfile_lock(lock).as_deref(), Some("3.12"));
        assert!(of_pipfile_lock("{").is_err());
    }

    #[test]
    fn wishes_without_a_lock_become_requirements() {
        let file = "[packages]\nflask = \"*\"\nuvicorn = {version = \">=0.30\", extras = [\"standard\"]}\n\
                    [dev-packages]\npytest = \"*\"\n";
        assert_eq!(of_pipfile(file).unwrap(), "flask\nuvicorn[standard]>=0.30\n");
    }
}
