//! Which Node.js: what the app asks for, and where it does.

use super::manifest::Manifest;
use crate::packs::{App, PackError};

/// The version that an app without a wish gets: the newest of the long-term supported line that
/// most packages are tested with.
const DEFAULT: &str = "24.x";

/// Names of the long-term supported lines, for `lts/jod` in `.nvmrc`.
const LINES: [(&str, &str); 7] = [
    ("erbium", "12.x"),
    ("fermium", "14.x"),
    ("gallium", "16.x"),
    ("hydrogen", "18.x"),
    ("iron", "20.x"),
    ("jod", "22.x"),
    ("lithium", "26.x"),
];

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) range: String,
    pub(super) because: String,
    pub(super) is_default: bool,
}

/// The app's wish: `engines.node` first, because the package itself says it, then Volta's pin beside
/// it, then the files of version managers.
pub(super) fn wanted(app: &App, manifest: &Manifest) -> Result<Wanted, PackError> {
    let engines = manifest.engines.get("node").map(|it| it.trim().to_owned());
    if let Some(range) = engines.filter(|it| !it.is_empty()) {
        let because = format!("engines.node in package.json is \"{range}\"");
        return Ok(Wanted { range, because, is_default: false });
    }
    if let Some(version) = manifest.volta.get("node") {
        let because = format!("volta.node in package.json is \"{version}\"");
        return Ok(Wanted { range: version.clone(), because, is_default: false });
    }
    for file in [".nvmrc", ".node-version"] {
        if let Some(line) = app.first_line(file)? {
            let range = translate(&line, file)?;
            let because = format!("{file} says {line}");
            return Ok(Wanted { range, because, is_default: false });
        }
    }
    if let Some(version) = tool_version(app)? {
        let because = format!(".tool-versions says nodejs {version}");
        return Ok(Wanted { range: version, because, is_default: false });
    }
    let because = "the default; the app does not ask for one".to_owned();
    Ok(Wanted { range: DEFAULT.into(), because, is_default: true })
}

/// The line of asdf's and mise's file, where it is a version.
fn tool_version(app: &App) -> Result<Option<String>, PackError> {
    let text = app.text(".tool-versions")?.unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let named = matches!(words.next(), Some("nodejs" | "node"));
        words.next().filter(|it| named && it.starts_with(|c: char| c.is_ascii_digit()))
    });
    Ok(found.map(str::to_owned))
}

fn translate(line: &str, file: &str) -> Result<String, PackError> {
    match line {
        "lts/*" | "lts" | "--lts" | "krypton" | "lts/krypton" => return Ok(DEFAULT.into()),
        "node" | "stable" | "latest" | "current" => return Ok("*".into()),
        _ => {}
    }
    if let Some(name) = line.strip_prefix("lts/") {
        let found = LINES.iter().find(|(line, _)| line.eq_ignore_ascii_case(name));
        return found.map(|(_, range)| (*range).to_owned()).ok_or_else(|| {
            PackError::app(
                format!("{file} asks for `{line}`, which is no line of Node.js"),
                format!("write a version: echo 22 > {file}"),
            )
        });
    }
    Ok(line.trim_start_matches('v').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], range: &str, because: &str) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let app = App::new(dir.path());
        let wanted = wanted(&app, &Manifest::read(&app).unwrap()).unwrap();
        assert_eq!((wanted.range.as_str(), wanted.because.as_str()), (range, because));
    }

    #[test]
    fn the_wish_and_its_place() {
        let engines = ("package.json", r#"{"engines":{"node":"^20"}}"#);
        check(&[engines, (".nvmrc", "18")], "^20", "engines.node in package.json is \"^20\"");
        check(&[(".nvmrc", "v20.1.0\n"), (".node-version", "18")], "20.1.0", ".nvmrc says v20.1.0");
        check(&[(".nvmrc", "lts/iron")], "20.x", ".nvmrc says lts/iron");
        check(&[(".node-version", "18\n")], "18", ".node-version says 18");
        let volta = ("package.json", r#"{"volta":{"node":"20.1.0","yarn":"1.22.19"}}"#);
        check(&[volta, (".nvmrc", "18")], "20.1.0", "volta.node in package.json is \"20.1.0\"");
        check(
            &[(".tool-versions", "python 3.12\nnodejs 22.1.0\n")],
            "22.1.0",
            ".tool-versions says nodejs 22.1.0",
        );
        check(&[], "24.x", "the default; the app does not ask for one");
    }
}
