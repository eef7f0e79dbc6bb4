//! A buildpack that somebody chose for an app: one that is known by name, or one that is brought.

use std::{fmt, str::FromStr};

/// One entry of `[build] buildpacks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildpackChoice {
    /// A folder, or a buildpackage in a file, in the app's folder.
    Path(String),
    /// By id, such as `paas/nodejs`.
    Named {
        /// The id.
        id: String,
        /// The version; absent for the newest that is there.
        version: Option<String>,
    },
}

/// The text chooses no buildpack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a path in the app's folder (./my-buildpack, ./php.cnb) nor a buildpack's id (paas/nodejs)"
)]
pub struct InvalidBuildpack(String);

impl FromStr for BuildpackChoice {
    type Err = InvalidBuildpack;

    fn from_str(text: &str) -> Result<Self, InvalidBuildpack> {
        let wrong = || InvalidBuildpack(text.to_owned());
        if text.is_empty() || text.len() > MAX_LENGTH || text.contains('\0') {
            return Err(wrong());
        }
        if text.starts_with('.') || ARCHIVES.iter().any(|end| text.ends_with(end)) {
            let inside = !text.starts_with('/') && text.split('/').all(|part| part != "..");
            let path = text.trim_start_matches("./").trim_end_matches('/');
            return if inside && !path.is_empty() && path != "." {
                Ok(Self::Path(path.to_owned()))
            } else {
                Err(wrong())
            };
        }
        let (id, version) =
            text.split_once('@').map_or((text, None), |(id, version)| (id, Some(version)));
        let fits = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
        let empty = id.split('/').any(str::is_empty) || version == Some("");
        if empty || !id.chars().all(fits) {
            return Err(wrong());
        }
        Ok(Self::Named { id: id.to_owned(), version: version.map(str::to_owned) })
    }
}

impl fmt::Display for BuildpackChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "./{path}"),
            Self::Named { id, version: None } => f.write_str(id),
            Self::Named { id, version: Some(version) } => write!(f, "{id}@{version}"),
        }
    }
}

/// What buildpackages in files are called.
const ARCHIVES: [&str; 4] = [".cnb", ".tar", ".tgz", ".tar.gz"];
const MAX_LENGTH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_ids_are_told_apart() {
        let check = |text: &str, expected: &str| {
            let shown = match text.parse::<BuildpackChoice>() {
                Ok(BuildpackChoice::Path(path)) => format!("path {path}"),
                Ok(named @ BuildpackChoice::Named { .. }) => format!("id {named}"),
                Err(_) => "wrong".to_owned(),
            };
            assert_eq!(shown, expected, "{text}");
        };
        check("./own/", "path own");
        check("dist/php.cnb", "path dist/php.cnb");
        check("paas/nodejs", "id paas/nodejs");
        check("acme/php@1.2", "id acme/php@1.2");
        for wrong in
            ["", ".", "./", "../x", "./a/../../b", "/abs.cnb", "a b", "a//b", "a@", "docker://x"]
        {
            check(wrong, "wrong");
        }
    }
}
