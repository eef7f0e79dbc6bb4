//! Buildpacks that go with an upload: folders, buildpackages in files, images of the Docker of this
//! machine, and ids of those that the server has.
//!
//! They travel in the same archive as the source, in order, below [`PLACE`], where no file of the
//! app can be: a folder `.paas` is never uploaded.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::list::{Entry, Kind, Source, kind};
use crate::failure::Failure;

/// Files that must outlive the upload.
#[derive(Debug)]
pub(crate) struct Brought {
    saved: TempDir,
}

/// Adds to `source` what `wanted` names; paths are found through `at`.
pub(crate) fn bring(
    source: &mut Source,
    wanted: &[String],
    at: impl Fn(&Path) -> PathBuf,
) -> Result<Option<Brought>, Failure> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let local = |error: io::Error| Failure::local("buildpacks cannot be prepared").because(error);
    let brought = Brought { saved: tempfile::tempdir().map_err(local)? };
    for (number, text) in wanted.iter().enumerate() {
        let place = format!("{PLACE}/{number:04}");
        let path = at(Path::new(text));
        let unreadable = |error: io::Error| {
            Failure::local(format!("cannot read the buildpack {}", path.display())).because(error)
        };
        if path.is_dir() {
            if !path.join(DESCRIPTOR).is_file() {
                return Err(Failure::usage(format!("{text} is not a buildpack"))
                    .because(format!("the folder has no {DESCRIPTOR}"))
                    .hint("name the folder that holds it, a .cnb file, or an image"));
            }
            add_folder(source, &path, Path::new(&place)).map_err(unreadable)?;
        } else if path.is_file() {
            add(source, &path, PathBuf::from(place + ".cnb")).map_err(unreadable)?;
        } else if text.starts_with(OURS) {
            let file = brought.saved.path().join(format!("{number}.id"));
            fs::write(&file, text).map_err(local)?;
            add(source, &file, PathBuf::from(place + ".id")).map_err(local)?;
        } else {
            let file = brought.saved.path().join(format!("{number}.tar"));
            save(text, &file)?;
            add(source, &file, PathBuf::from(place + ".cnb")).map_err(local)?;
        }
    }
    Ok(Some(brought))
}

/// A folder with all that is in it: a compiled buildpack is often on the list of its `.gitignore`.
fn add_folder(source: &mut Source, folder: &Path, place: &Path) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names.iter().filter(|name| *name != ".git") {
        let (path, target) = (folder.join(name), place.join(name));
        if path.symlink_metadata()?.is_dir() {
            add_folder(source, &path, &target)?;
        } else {
            add(source, &path, target)?;
        }
    }
    Ok(())
}

/// Adds one file, whatever it is called here.
pub(super) fn add(source: &mut Source, from: &Path, path: PathBuf) -> io::Result<()> {
    match kind(from)? {
        Some(kind) => {
            if let Kind::File { size, .. } = kind {
                source.bytes += size;
            }
            source.entries.push(Entry { path, kind, from: Some(from.to_owned()) });
        }
        None => source.special.push(from.to_owned()),
    }
    Ok(())
}

/// Takes an image out of the Docker of this machine.
fn save(image: &str, file: &Path) -> Result<(), Failure> {
    let failed = || Failure::local(format!("there is no buildpack {image}"));
    let hint = format!("`docker pull {image}`, or name a folder or a .cnb file");
    let output = Command::new("docker")
        .args(["image", "save", "--output"])
        .arg(file)
        .arg("--")
        .arg(image)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            let because =
                format!("it is no file, and Docker cannot be asked for an image: {error}");
            failed().because(because).hint("name a folder or a .cnb file")
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("docker failed").to_owned();
    Err(failed().because(format!("it is no file here, and no image: {last}")).hint(hint))
}

/// Where the server looks for buildpacks in an upload.
const PLACE: &str = ".paas/buildpacks";
const DESCRIPTOR: &str = "buildpack.toml";
/// Ids of the server's own buildpacks begin so.
const OURS: &str = "paas/";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&str], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::create_dir_all(own.join("bin")).unwrap();
        fs::create_dir_all(own.join(".git")).unwrap();
        fs::create_dir_all(folder.path().join("empty")).unwrap();
        for name in [".gitignore", ".git/HEAD", "buildpack.toml", "bin/build"] {
            fs::write(own.join(name), "bin").unwrap();
        }
        fs::write(folder.path().join("php.cnb"), "12345").unwrap();
        let wanted: Vec<_> = wanted.iter().map(|text| (*text).to_owned()).collect();
        let mut source = Source::default();
        let shown = match bring(&mut source, &wanted, |path| folder.path().join(path)) {
            Ok(_) => {
                let paths = source.entries.iter().map(|entry| entry.path.display().to_string());
                paths.collect::<Vec<_>>().join(" ").replace(".paas/buildpacks/", "")
            }
            Err(failure) => failure.to_string(),
        };
        assert_eq!(shown, expected, "{wanted:?}");
    }

    #[test]
    fn buildpacks_go_with_the_upload_in_order() {
        check(&[], "");
        check(
            &["php.cnb", "paas/nodejs", "./own"],
            "0000.cnb 0001.id 0002/.gitignore 0002/bin/build 0002/buildpack.toml",
        );
        check(&["empty"], "empty is not a buildpack");
        check(&["no.such.host.invalid/x:1"], "there is no buildpack no.such.host.invalid/x:1");
    }
}
