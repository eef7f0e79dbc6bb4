//! What is never source code, whether or not somebody wrote it into `.gitignore`: the version
//! control's own files, and dependencies and products that the build makes anew.
//!
//! A folder that does want one of them says so in `.paasignore`, for example `!node_modules`.

use std::path::Path;

use ignore::gitignore::Gitignore;

/// Left out wherever they are.
const NEVER: [&str; 8] =
    [".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__", ".DS_Store", ".paas"];

/// Left out where a file shows that it is what its name says.
const WHERE_SHOWN: [(&str, Sign); 3] = [
    ("venv", Sign::Inside("pyvenv.cfg")),
    ("env", Sign::Inside("pyvenv.cfg")),
    ("target", Sign::Beside("Cargo.toml")),
];

#[derive(Clone, Copy)]
enum Sign {
    Inside(&'static str),
    Beside(&'static str),
}

/// Whether `path`, which is in the folder that `wanted` is from, is never source code.
pub(super) fn ignored(path: &Path, wanted: &Gitignore, directory: bool) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let never =
        NEVER.contains(&name) || WHERE_SHOWN.iter().any(|(n, s)| *n == name && s.shown(path));
    never && !wanted.matched(path, directory).is_whitelist()
}

impl Sign {
    fn shown(self, path: &Path) -> bool {
        match self {
            Self::Inside(file) => path.join(file).is_file(),
            Self::Beside(file) => path.with_file_name(file).is_file(),
        }
    }
}
