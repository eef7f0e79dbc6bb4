//! What a Dockerfile sees of the app's folder, as the tar that Docker takes.
//!
//! The Dockerfile that Docker reads is ours, the user's with labels, under a name that Docker itself
//! removes before the first step. Equal folders give equal tars, so that Docker finds its steps again.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::ignore::Ignore;
use crate::build::{
    export::{
        ExportError,
        archive::{Sending, piped},
        tarball::{Attributes, Tarball},
        walk::{Entry, Kind, walk},
    },
    folder::{Folder, Owner},
};

/// Where our copy of the Dockerfile is in the context.
pub(in crate::build) const DOCKERFILE: &str = ".paas.Dockerfile";

/// A context of nothing but a Dockerfile.
pub(in crate::build) fn alone(dockerfile: String) -> BoxStream<'static, io::Result<Bytes>> {
    piped(move |out| {
        let mut tar = Tarball::new(out);
        own(&mut tar, &dockerfile)?;
        tar.finish().map(drop)
    })
}

/// The folder without what is ignored, and the Dockerfile.
pub(super) fn of_folder(
    source: PathBuf,
    ignore: Ignore,
    dockerfile: String,
) -> BoxStream<'static, io::Result<Bytes>> {
    piped(move |out| {
        let mut tar = Tarball::new(out);
        own(&mut tar, &dockerfile)?;
        write(&mut tar, &source, &ignore).map_err(|error| match error {
            ExportError::Read { source, path } => {
                io::Error::new(source.kind(), format!("`{path}`: {source}"))
            }
            other => io::Error::other(other),
        })?;
        tar.finish().map(drop)
    })
}

/// Our Dockerfile, and the ignore file that has Docker take both of them away again.
fn own(tar: &mut Tarball<Sending>, dockerfile: &str) -> io::Result<()> {
    let ignore = format!("{DOCKERFILE}\n{IGNORE}\n");
    for (name, text) in [(DOCKERFILE, dockerfile), (IGNORE, &ignore)] {
        tar.file(name.as_bytes(), FILE, text.len() as u64, text.as_bytes())?;
    }
    Ok(())
}

fn write(tar: &mut Tarball<Sending>, source: &Path, ignore: &Ignore) -> Result<(), ExportError> {
    let root = Folder::open(source).map_err(|error| ExportError::read(b".", error))?;
    let mut written: BTreeSet<Vec<u8>> = BTreeSet::new();
    walk(&root, &mut |entry| {
        let ours = entry.path == PLATFORM || entry.path.starts_with(INSIDE_PLATFORM);
        let names = [DOCKERFILE.as_bytes(), IGNORE.as_bytes()];
        if ours || names.contains(&entry.path) || ignore.leaves_out(entry.path) {
            return Ok(());
        }
        // Of an exception below a folder that is left out, the folders above are needed.
        for (at, _) in entry.path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let above = entry.path.get(..at).unwrap_or_default();
            if written.insert(above.to_vec()) {
                tar.folder(above, Attributes::ROOT).map_err(ExportError::write)?;
            }
        }
        add(tar, entry, &mut written)
    })
}

fn add(
    tar: &mut Tarball<Sending>,
    entry: &Entry<'_>,
    written: &mut BTreeSet<Vec<u8>>,
) -> Result<(), ExportError> {
    let failed = |error| ExportError::read(entry.path, error);
    match entry.kind {
        Kind::Folder if !written.insert(entry.path.to_vec()) => Ok(()),
        Kind::Folder => tar.folder(entry.path, Attributes::ROOT).map_err(ExportError::write),
        Kind::Link => {
            let target = entry.folder.link(entry.name).map_err(failed)?;
            tar.link(entry.path, &target, Owner::ROOT).map_err(ExportError::write)
        }
        Kind::File => {
            let (file, stat) = entry.folder.file(entry.name).map_err(failed)?;
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            let mode = if stat.st_mode & 0o111 == 0 { 0o644 } else { 0o755 };
            let attributes = Attributes { owner: Owner::ROOT, mode };
            tar.file(entry.path, attributes, size, file).map_err(ExportError::write)
        }
    }
}

const FILE: Attributes = Attributes { owner: Owner::ROOT, mode: 0o644 };
const IGNORE: &str = ".dockerignore";
/// What an upload holds for the platform.
const PLATFORM: &[u8] = b".paas";
const INSIDE_PLATFORM: &[u8] = b".paas/";

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn the_context_is_the_folder_without_what_is_ignored() {
        let home = tempfile::tempdir().unwrap();
        for name in ["app.js", "docs/a.md", "docs/keep/b.md", ".paas/build.toml", ".dockerignore"] {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("link")).unwrap();
        let ignore = Ignore::parse("docs\n!docs/keep");
        let tar = of_folder(home.path().to_owned(), ignore, "FROM x\n".to_owned());
        let tar: Vec<Bytes> = tar.try_collect().await.unwrap();
        let tar = tar.concat();
        let mut archive = tar::Archive::new(tar.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            names,
            [DOCKERFILE, IGNORE, "app.js", "docs/", "docs/keep/", "docs/keep/b.md", "link"]
        );
    }
}
