//! Buildpacks that go with an upload: folders, buildpackages in files, images of the Docker of this
//! machine, and ids of those that the server has.
//!
//! They travel in the same archive as the source, in order, below [`PLACE`], where no file of the
//! app can be: a folder `.paas` is never uploaded. What the `package.toml` of a folder depends on
//! goes along, beside it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use tempfile::TempDir;

use super::list::{Entry, Kind, Source, kind};
use crate::failure::Failure;

/// Files that must outlive the upload.
#[derive(Debug)]
pub(crate) struct Brought {
    _saved: TempDir,
}

/// What a name means that is no file here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// An image in the Docker of this machine.
    OfImages,
    /// That, or the id of a buildpack of the builder, which only the server can tell.
    OfBuilder,
}

/// Adds to `source` what `wanted` names; paths are found through `at`.
pub(crate) fn bring(
    source: &mut Source,
    wanted: &[String],
    names: Names,
    at: impl Fn(&Path) -> PathBuf,
) -> Result<Option<Brought>, Failure> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let saved = tempfile::tempdir().map_err(local)?;
    let mut load = Load { source, saved: &saved, names, beside: BTreeSet::new() };
    for (number, text) in wanted.iter().enumerate() {
        let text = plain(text)?;
        let place = format!("{number:04}");
        load.add(text, &at(Path::new(text)), &place)?;
    }
    Ok(Some(Brought { _saved: saved }))
}

/// What goes along, so far.
struct Load<'a> {
    source: &'a mut Source,
    saved: &'a TempDir,
    names: Names,
    /// What some buildpack depends on; each goes along once.
    beside: BTreeSet<PathBuf>,
}

impl Load<'_> {
    /// Adds what `text` names, which is at `path` if it is a file or folder.
    fn add(&mut self, text: &str, path: &Path, place: &str) -> Result<(), Failure> {
        let target = PathBuf::from(format!("{PLACE}/{place}"));
        let unreadable = |error: io::Error| {
            Failure::local(format!("cannot read the buildpack {}", path.display())).because(error)
        };
        if path.is_dir() {
            if !path.join(DESCRIPTOR).is_file() {
                return Err(Failure::usage(format!("{text} is not a buildpack"))
                    .because(format!("the folder has no {DESCRIPTOR}"))
                    .hint("name the folder that holds it, a .cnb file, or an image"));
            }
            add_folder(self.source, path, &target).map_err(unreadable)?;
            return self.dependencies(path, place);
        }
        if path.is_file() {
            return add(self.source, path, called(place, text)).map_err(unreadable);
        }
        let file = self.saved.path().join(place);
        let of_builder = BUILDER.iter().find_map(|prefix| text.strip_prefix(prefix));
        let id = of_builder.or_else(|| text.starts_with(OURS).then_some(text));
        let id = match id {
            Some(id) => id,
            None => match (save(text, &file), self.names) {
                (Ok(()), _) => {
                    return add(self.source, &file, called(place, text)).map_err(local);
                }
                (Err(failure), Names::OfImages) => return Err(failure),
                (Err(_), Names::OfBuilder) => text,
            },
        };
        fs::write(&file, id).map_err(local)?;
        add(self.source, &file, target.with_extension("id")).map_err(local)
    }

    /// Adds what the buildpack in `folder` is put together from, by its `package.toml`.
    fn dependencies(&mut self, folder: &Path, place: &str) -> Result<(), Failure> {
        let package = folder.join(PACKAGE);
        let text = match fs::read_to_string(&package) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            text => text.map_err(local)?,
        };
        let read: Package = toml::from_str(&text).map_err(|error| {
            Failure::usage(format!("cannot read {}", package.display())).because(error)
        })?;
        for dependency in read.dependencies {
            let Some(uri) = dependency.uri.or(dependency.image) else { continue };
            let name = plain(&uri)?;
            let path = folder.join(name);
            let known = path.canonicalize().unwrap_or_else(|_| PathBuf::from(name));
            if self.beside.insert(known) {
                let number = self.beside.len();
                let top = place.split(BESIDE).next().unwrap_or(place);
                self.add(name, &path, &format!("{top}{BESIDE}{number}"))?;
            }
        }
        Ok(())
    }
}

/// Where a package goes, under a name by which its user knows it again.
fn called(place: &str, text: &str) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:@-".contains(c);
    let shown = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let shown: String =
        shown.chars().map(|c| if plain(c) { c } else { '_' }).take(MOST_OF_NAME).collect();
    let is_id = Path::new(&shown).extension().is_some_and(|end| end == "id");
    let end = if is_id { ".cnb" } else { "" };
    PathBuf::from(format!("{PLACE}/{place}{CALLED}{shown}{end}"))
}

/// `package.toml`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Package {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    uri: Option<String>,
    /// As it was written before there was `uri`.
    image: Option<String>,
}

/// A path or the name of an image, as other tools' files write them too.
fn plain(uri: &str) -> Result<&str, Failure> {
    let name = ["docker://", "file://"].iter().find_map(|scheme| uri.strip_prefix(scheme));
    if let Some(name) = name {
        return Ok(name);
    }
    if let Some((_, path)) = uri.split_once("://") {
        let file = path.rsplit('/').next().unwrap_or(path);
        return Err(Failure::usage(format!("the buildpack {uri} is not fetched"))
            .because("what builds an app comes from you, or from the server's Docker")
            .hint(format!("curl -fLO {uri}; then name the file: {file}")));
    }
    Ok(uri)
}

fn local(error: io::Error) -> Failure {
    Failure::local("buildpacks cannot be prepared").because(error)
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
/// Between a package's place and its name.
const CALLED: char = '=';
const MOST_OF_NAME: usize = 100;
const DESCRIPTOR: &str = "buildpack.toml";
const PACKAGE: &str = "package.toml";
/// Between the number of a buildpack and that of one it depends on.
const BESIDE: char = '+';
/// What is in front of an id of one of the builder's, as other tools have it.
const BUILDER: [&str; 2] = ["urn:cnb:builder:", "from=builder:"];
/// Ids of the server's own buildpacks begin so.
const OURS: &str = "paas/";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&str], expected: &str) {
        check_among(Names::OfImages, wanted, expected);
    }

    fn check_among(names: Names, wanted: &[&str], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::create_dir_all(own.join("bin")).unwrap();
        fs::create_dir_all(own.join(".git")).unwrap();
        fs::create_dir_all(folder.path().join("empty")).unwrap();
        for name in [".gitignore", ".git/HEAD", "buildpack.toml", "bin/build"] {
            fs::write(own.join(name), "bin").unwrap();
        }
        for name in ["php.cnb", "php.id"] {
            fs::write(folder.path().join(name), "12345").unwrap();
        }
        let all = folder.path().join("all");
        fs::create_dir_all(&all).unwrap();
        fs::write(all.join("buildpack.toml"), "").unwrap();
        let package = "[buildpack]\nuri = \".\"\n[[dependencies]]\nuri = \"../php.cnb\"\n\
             [[dependencies]]\nuri = \"../own\"\n[[dependencies]]\nuri = \"../own/\"\n";
        fs::write(all.join("package.toml"), package).unwrap();
        let wanted: Vec<_> = wanted.iter().map(|text| (*text).to_owned()).collect();
        let mut source = Source::default();
        let shown = match bring(&mut source, &wanted, names, |path| folder.path().join(path)) {
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
            "0000=php.cnb 0001.id 0002/.gitignore 0002/bin/build 0002/buildpack.toml",
        );
        check(
            &["all"],
            "0000/buildpack.toml 0000/package.toml 0000+1=php.cnb 0000+2/.gitignore 0000+2/bin/build 0000+2/buildpack.toml",
        );
        check(&["php.id"], "0000=php.id.cnb");
        check(&["empty"], "empty is not a buildpack");
        check(&["no.such.host.invalid/x:1"], "there is no buildpack no.such.host.invalid/x:1");
        check(
            &["docker://no.such.host.invalid/x:1"],
            "there is no buildpack no.such.host.invalid/x:1",
        );
        check(&["file://php.cnb"], "0000=php.cnb");
        let address = "https://example.com/acme/php.tgz";
        check(&[address], "the buildpack https://example.com/acme/php.tgz is not fetched");
        check(&["urn:cnb:builder:acme/php@1.2", "from=builder:acme/x"], "0000.id 0001.id");
        check_among(Names::OfBuilder, &["no-such-family/php"], "0000.id");
    }
}
