//! Lock files of other tools than uv, told in the words of requirements: Pipenv's and PDM's we read
//! ourselves, since they are plain lists; Poetry's only Poetry can read in all its forms.

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
        let words = |key: &str| package.get(key).and_then(Value::as_array).into_iter().flatten();
        let extras: Vec<&str> = words("extras").filter_map(Value::as_str).collect();
        lines += &requirement(name, &extras, |key| package.get(key).and_then(Value::as_str));
        for hash in words("hashes").filter_map(Value::as_str) {
            let _ = write!(lines, " --hash={hash}");
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// `pdm.lock` as requirements with hashes: what the default group needs.
pub(super) fn of_pdm_lock(text: &str) -> Result<String, PackError> {
    let lock: toml::Table = toml::from_str(text).map_err(|error| {
        let reason = format!("pdm.lock is not valid: {}", error.message());
        PackError::app(reason, "make it anew: pdm lock && git add pdm.lock")
    })?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let mut lines = String::new();
    for package in packages.into_iter().flatten() {
        let words = |key: &str| package.get(key).and_then(toml::Value::as_array);
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        let by_default =
            |it: &Vec<toml::Value>| it.iter().any(|group| group.as_str() == Some("default"));
        let (Some(name), true) = (text("name"), words("groups").is_none_or(by_default)) else {
            continue;
        };
        let extras = words("extras").into_iter().flatten().filter_map(toml::Value::as_str);
        let version = text("version").map(|it| format!("=={it}"));
        lines += &requirement(name, &extras.collect::<Vec<_>>(), |key| match key {
            "version" => version.as_deref(),
            "markers" => text("marker"),
            "ref" => text("revision"),
            "file" => text("url"),
            _ => text(key),
        });
        let files = words("files").into_iter().flatten();
        for hash in files.filter_map(|file| file.get("hash")?.as_str()) {
            let _ = write!(lines, " --hash={hash}");
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
        let extras = wish.get("extras").and_then(toml::Value::as_array).into_iter().flatten();
        let extras: Vec<&str> = extras.filter_map(toml::Value::as_str).collect();
        lines += &requirement(name, &extras, |key| match key {
            "version" => wish.as_str().or_else(|| wish.get(key)?.as_str()).filter(|it| *it != "*"),
            _ => wish.get(key).and_then(toml::Value::as_str),
        });
        lines.push('\n');
    }
    Ok(lines)
}

/// One requirement, by what is said of the package.
fn requirement<'a>(name: &str, extras: &[&str], said: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut line = name.to_owned();
    if !extras.is_empty() {
        let _ = write!(line, "[{}]", extras.join(","));
    }
    match place(name, &said) {
        Some(place) => {
            let _ = write!(line, " @ {place}");
        }
        None => line += said("version").unwrap_or_default(),
    }
    if let Some(markers) = said("markers") {
        let _ = write!(line, " ; {markers}");
    }
    line
}

/// Where a package comes from if not from the index.
fn place<'a>(name: &str, said: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    if let Some(git) = said("git") {
        let at = said("ref").map_or(String::new(), |it| format!("@{it}"));
        return Some(format!("git+{git}{at}#egg={name}"));
    }
    said("file").or_else(|| said("path")).map(str::to_owned)
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
    fn the_default_group_of_a_pdm_lock_becomes_requirements() {
        let lock = r#"
            [metadata]
            groups = ["default", "dev"]
            [[package]]
            name = "uvicorn"
            version = "0.54.0"
            extras = ["standard"]
            groups = ["default"]
            marker = "python_version >= \"3.9\""
            files = [{file = "a.whl", hash = "sha256:aa"}, {file = "b", hash = "sha256:bb"}]
            [[package]]
            name = "pytest"
            version = "9.0.0"
            groups = ["dev"]
        "#;
        let expected = "uvicorn[standard]==0.54.0 ; python_version >= \"3.9\" --hash=sha256:aa \
                        --hash=sha256:bb\n";
        assert_eq!(of_pdm_lock(lock).unwrap(), expected);
        assert!(of_pdm_lock("=").is_err());
    }

    #[test]
    fn wishes_without_a_lock_become_requirements() {
        let file = "[packages]\nflask = \"*\"\nuvicorn = {version = \">=0.30\", extras = [\"standard\"]}\n\
                    [dev-packages]\npytest = \"*\"\n";
        assert_eq!(of_pipfile(file).unwrap(), "flask\nuvicorn[standard]>=0.30\n");
    }
}
