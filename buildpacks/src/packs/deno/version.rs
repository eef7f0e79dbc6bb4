//! Which Deno: what the app asks for, and where it does.

use crate::packs::{App, PackError};

/// What an app without a wish gets: the line that is maintained.
const DEFAULT: &str = "2.x";

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) range: String,
    pub(super) because: String,
    pub(super) is_default: bool,
}

/// The app's wish. Deno's own files have no place for one, so the files of version managers have
/// it: `.deno-version`, dvm's, asdf's and mise's.
pub(super) fn wanted(app: &App) -> Result<Wanted, PackError> {
    for file in [".deno-version", ".dvmrc"] {
        if let Some(line) = app.first_line(file)? {
            let because = format!("{file} says {line}");
            return Ok(Wanted { range: translate(&line), because, is_default: false });
        }
    }
    let text = app.text(".tool-versions")?.unwrap_or_default();
    let named = text.lines().find_map(|line| line.trim().strip_prefix("deno ")?.split(' ').next());
    if let Some(version) = named.filter(|it| !it.is_empty()) {
        let because = format!(".tool-versions says deno {version}");
        return Ok(Wanted { range: translate(version), because, is_default: false });
    }
    let because = "the default; the app does not ask for one".to_owned();
    Ok(Wanted { range: DEFAULT.into(), because, is_default: true })
}

fn translate(line: &str) -> String {
    match line {
        "latest" | "stable" | "lts" => "*".to_owned(),
        version => version.trim_start_matches('v').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_and_its_place() {
        let check = |files: &[(&str, &str)], range: &str, because: &str| {
            let (app, _dir) = App::of(files);
            let wanted = wanted(&app).unwrap();
            assert_eq!((wanted.range.as_str(), wanted.because.as_str()), (range, because));
        };
        let tools = (".tool-versions", "nodejs 22.1.0\ndeno 2.4.5\n");
        check(&[(".deno-version", "v2.5.1\n"), tools], "2.5.1", ".deno-version says v2.5.1");
        check(&[(".dvmrc", "2"), tools], "2", ".dvmrc says 2");
        check(&[(".dvmrc", "latest")], "*", ".dvmrc says latest");
        check(&[tools], "2.4.5", ".tool-versions says deno 2.4.5");
        check(&[], "2.x", "the default; the app does not ask for one");
    }
}
