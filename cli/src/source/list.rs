//! The files of a folder that go into an upload, in an order that does not depend on the disk.
//!
//! `.gitignore` counts as git reads it, `.paasignore` has the same grammar and the last word.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ignore::{WalkBuilder, gitignore::Gitignore};

use super::builtin;
use crate::{failure::Failure, target};

/// What a folder holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Sorted by path.
    pub(crate) entries: Vec<Entry>,
    /// The bytes of all files.
    pub(crate) bytes: u64,
    /// Left out because it is never source code.
    pub(crate) ignored: Vec<PathBuf>,
    /// Left out because it is neither file, folder nor link.
    pub(crate) special: Vec<PathBuf>,
}

/// One entry of an upload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the folder.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it is on this machine, if not at its path in the folder.
    pub(crate) from: Option<PathBuf>,
}

impl Entry {
    /// Whether it has contents.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// 0o644 or 0o755; the rest of a mode says nothing on another machine.
        mode: u32,
    },
    /// A symbolic link, as such.
    Link {
        /// Where it points to.
        target: PathBuf,
    },
}

impl Source {
    /// How many files there are.
    pub(crate) fn files(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).count()
    }
}

/// Lists what `folder` holds.
pub(crate) fn list(folder: &Path) -> Result<Source, Failure> {
    let cannot = || Failure::local(format!("cannot read {}", folder.display()));
    if !fs::metadata(folder).map_err(|error| cannot().because(error))?.is_dir() {
        return Err(Failure::usage(format!("{} is not a folder", folder.display()))
            .hint("`paas deploy DIR` takes the folder of an app"));
    }
    let wanted = Arc::new(Gitignore::new(folder.join(PAASIGNORE)).0);
    let ignored = Arc::new(Mutex::new(Vec::new()));
    let walk = walk(folder, wanted, Arc::clone(&ignored));
    let mut source = Source::default();
    for found in walk {
        let found = found.map_err(|error| cannot().because(error))?;
        let path = found.path();
        let relative = path.strip_prefix(folder).unwrap_or(path).to_path_buf();
        if relative.as_os_str().is_empty() {
            continue;
        }
        let unreadable = |error: io::Error| {
            Failure::local(format!("cannot read {}", path.display()))
                .because(error)
                .hint(format!("make it readable, or leave it out with a line in {PAASIGNORE}"))
        };
        let Some(kind) = kind(path).map_err(unreadable)? else {
            source.special.push(relative);
            continue;
        };
        if let Kind::File { size, .. } = kind {
            source.bytes += size;
        }
        source.entries.push(Entry { path: relative, kind, from: None });
        if source.entries.len() > MOST {
            return Err(Failure::local(format!("{} holds too much", folder.display()))
                .because(format!("there are more than {MOST} files"))
                .hint(format!("is it the app's folder? leave things out with {PAASIGNORE}")));
        }
    }
    source.entries.sort_by(|a, b| a.path.cmp(&b.path));
    source.ignored = std::mem::take(&mut *ignored.lock().unwrap_or_else(PoisonError::into_inner));
    source.ignored.sort();
    Ok(source)
}

/// Lists the files of `folder` that say how an app runs, and none that it is built from.
pub(crate) fn settings(folder: &Path) -> Result<Source, Failure> {
    let mut source = Source::default();
    let named = target::declaring(folder).into_iter();
    let named = named.filter_map(|file| file.strip_prefix(folder).ok().map(PathBuf::from));
    for path in named.chain(target::manifest_pages(folder)?) {
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        let Ok(Some(kind @ Kind::File { size, .. })) = kind(&folder.join(&path)) else { continue };
        if inside {
            source.bytes += size;
            source.entries.push(Entry { path, kind, from: None });
        }
    }
    source.entries.sort_by(|a, b| a.path.cmp(&b.path));
    source.entries.dedup_by(|a, b| a.path == b.path);
    Ok(source)
}

/// What stands at `path`; `None` for what cannot be uploaded.
pub(super) fn kind(path: &Path) -> io::Result<Option<Kind>> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(if metadata.is_dir() {
        Some(Kind::Folder)
    } else if metadata.is_file() {
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        Some(Kind::File { size: metadata.len(), mode })
    } else if metadata.is_symlink() {
        Some(Kind::Link { target: fs::read_link(path)? })
    } else {
        None
    })
}

fn walk(folder: &Path, wanted: Arc<Gitignore>, ignored: Arc<Mutex<Vec<PathBuf>>>) -> ignore::Walk {
    // Rules from above the folder count where git would apply them, and nowhere else.
    let repository = folder
        .canonicalize()
        .is_ok_and(|folder| folder.ancestors().any(|folder| folder.join(".git").exists()));
    let root = folder.to_path_buf();
    WalkBuilder::new(folder)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(repository)
        .parents(repository)
        .add_custom_ignore_filename(PAASIGNORE)
        .filter_entry(move |entry| {
            let directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            let leave = entry.depth() > 0 && builtin::ignored(entry.path(), &wanted, directory);
            if leave {
                let path = entry.path().strip_prefix(&root).unwrap_or(entry.path());
                ignored.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_path_buf());
            }
            !leave
        })
        .build()
}

const PAASIGNORE: &str = ".paasignore";
/// More than any app's source has; a home folder has more.
const MOST: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let folder = folder(files);
        let source = list(folder.path()).unwrap();
        let paths: Vec<_> = source
            .entries
            .iter()
            .filter(|entry| entry.kind != Kind::Folder)
            .map(|entry| entry.path.to_str().unwrap())
            .collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn gitignore_counts_without_a_repository() {
        check(
            &[(".gitignore", "*.log\n/dist\n"), ("a.log", ""), ("dist/x", ""), ("b/dist/y", "")],
            &[".gitignore", "b/dist/y"],
        );
    }

    #[test]
    fn paasignore_has_the_last_word() {
        check(
            &[
                (".gitignore", "dist\n"),
                (".paasignore", "!dist\ndocs\n"),
                ("dist/x", ""),
                ("docs/y", ""),
            ],
            &[".gitignore", ".paasignore", "dist/x"],
        );
    }

    #[test]
    fn what_is_never_source_is_left_out_unless_wanted() {
        let files = [
            (".git/HEAD", ""),
            ("app.js", ""),
            ("node_modules/x/index.js", ""),
            ("venv/pyvenv.cfg", ""),
            ("env/settings.py", ""),
            ("target/notes.txt", ""),
        ];
        check(&files, &["app.js", "env/settings.py", "target/notes.txt"]);
        let mut wanted = files.to_vec();
        wanted.push((".paasignore", "!node_modules\n"));
        let expected = [
            ".paasignore",
            "app.js",
            "env/settings.py",
            "node_modules/x/index.js",
            "target/notes.txt",
        ];
        check(&wanted, &expected);
    }

    #[test]
    fn a_socket_is_left_out_and_told() {
        let folder = folder(&[("app.js", "12345")]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        std::os::unix::fs::symlink("app.js", folder.path().join("link")).unwrap();
        let source = list(folder.path()).unwrap();
        assert_eq!(source.special, [PathBuf::from("s")]);
        assert_eq!((source.files(), source.bytes), (1, 5));
        assert!(source.entries.iter().any(|entry| matches!(entry.kind, Kind::Link { .. })));
    }
}
