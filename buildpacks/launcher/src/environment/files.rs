//! The environment variable modification rules: files in `env/` folders.
//!
//! `NAME.append`, `.prepend`, `.default`, `.override`, and `NAME.delim` in the same folder.
//! Folders inside are skipped, unknown suffixes ignored.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::Environment;

/// What a file without a suffix does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsuffixed {
    /// It replaces the variable: layers.
    Override,
    /// It fills an empty variable: the operator's `build-config`.
    Default,
}

/// The largest value, in bytes; the kernel takes no longer one.
const MAX_VALUE: u64 = 128 * 1024;

/// Applies the files of `dir`, in the order of their names. No folder, no change.
pub fn apply_dir(env: &mut Environment, dir: &Path, unsuffixed: Unsuffixed) -> io::Result<()> {
    for path in sorted_entries(dir)? {
        let Some(file) = path.file_name() else { continue };
        let (name, suffix) = split(file);
        let action = match (suffix.as_bytes(), unsuffixed) {
            (b"append", _) => Action::Append,
            (b"prepend", _) => Action::Prepend,
            (b"default", _) | (b"", Unsuffixed::Default) => Action::Default,
            (b"override", _) | (b"", Unsuffixed::Override) => Action::Override,
            _ => continue,
        };
        let Some(value) = content(&path)? else { continue };
        let delimiter = || -> io::Result<OsString> {
            let mut file = name.to_owned();
            file.push(".delim");
            Ok(content(&dir.join(file))?.unwrap_or_default())
        };
        match action {
            Action::Append => env.append(name, &value, &delimiter()?),
            Action::Prepend => env.prepend(name, &value, &delimiter()?),
            Action::Default if !env.value(name).is_empty() => {}
            Action::Default | Action::Override => env.set(name, value),
        }
    }
    Ok(())
}

/// What stands in a folder, sorted by name; nothing where there is no folder.
pub fn sorted_entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Append,
    Prepend,
    Default,
    Override,
}

/// The variable's name ends at the first dot.
fn split(file: &OsStr) -> (&OsStr, &OsStr) {
    let bytes = file.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'.').unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at(at);
    (OsStr::from_bytes(name), OsStr::from_bytes(rest.strip_prefix(b".").unwrap_or(rest)))
}

/// A file's bytes; `None` for what is not a file or is larger than any variable can be.
fn content(path: &Path) -> io::Result<Option<OsString>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_VALUE => {
            Ok(Some(OsString::from_vec(fs::read(path)?)))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies `files` to a variable `V` that holds `before`.
    fn check(before: &str, files: &[(&str, &str)], after: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("V.nested")).unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let mut env = Environment::default();
        env.set("V", before);
        apply_dir(&mut env, dir.path(), Unsuffixed::Override).unwrap();
        assert_eq!(env.value("V"), after, "{files:?}");
    }

    #[test]
    fn bp_environment_variable_modification_rules() {
        check("old", &[("V", "new\n")], "new\n");
        check("old", &[("V.override", "new")], "new");
        check("old", &[("V.append", "new")], "oldnew");
        check("old", &[("V.append", "new"), ("V.delim", ":")], "old:new");
        check("", &[("V.append", "new"), ("V.delim", ":")], "new");
        check("old", &[("V.append", ""), ("V.delim", ":")], "old:");
        check("old", &[("V.append.more", "x"), (".append", "x")], "old");
        check("", &[("V.append", "a"), ("V.default", "b"), ("V.prepend", "c")], "ca");
        check("", &[("V.default", "b"), ("V.override", "o"), ("V.prepend", "p")], "po");
        check("old", &[("V.prepend", "new"), ("V.delim", ":")], "new:old");
        check("old", &[("V.default", "new")], "old");
        check("", &[("V.default", "new")], "new");
        check("old", &[("V.unknown", "new"), ("W", "x")], "old");
    }

    #[test]
    fn build_config_files_are_defaults() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("V"), "new").unwrap();
        let mut env = Environment::default();
        env.set("V", "old");
        apply_dir(&mut env, dir.path(), Unsuffixed::Default).unwrap();
        assert_eq!(env.value("V"), "old");
    }
}
