//! How an app's image comes about: by buildpacks, by its Dockerfile, or it is there already.
//!
//! What `paas deploy` was told comes with the upload, in [`TOLD`], and counts before `paas.toml`; that
//! counts before what the folder looks like. Not here: the buildpacks, which are what is left.

use std::{io, path::Path};

use rustix::fs::FileType;

use super::{
    BuildError, Builder,
    builder::blocking,
    declared::Declared,
    dockerfile::{self, Recipe},
    folder::Folder,
    prebuilt,
    request::BuildRequest,
};
use crate::{
    engine::BuildEngine,
    model::{Artifact, ImageReference, Manifest, manifest::BuildWay},
};

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Buildpacks,
    Dockerfile(Recipe),
    Image(ImageReference),
}

impl<E: BuildEngine> Builder<E> {
    /// The image of an app that is not for buildpacks; `None` if it is.
    pub(super) async fn without_buildpacks(
        &self,
        request: &BuildRequest,
    ) -> Result<Option<Artifact>, BuildError> {
        let source = request.source.clone();
        let (manifest, way) = blocking(move || {
            let manifest = manifest(&source)?;
            let way = way(&source, &manifest).map_err(BuildError::prepare)?;
            Ok((manifest, way))
        })
        .await?;
        let (engine, settings) = (&self.engine, &self.settings);
        match way {
            Way::Buildpacks => Ok(None),
            Way::Dockerfile(recipe) => {
                dockerfile::build(engine, settings, request, &manifest, &recipe).await.map(Some)
            }
            Way::Image(image) => {
                prebuilt::build(engine, settings, request, &manifest, &image).await.map(Some)
            }
        }
    }
}

/// Whether the upload names what it becomes, so that equal files may mean something else tomorrow.
pub fn names_an_image(source: &Path) -> bool {
    manifest(source).is_ok_and(|manifest| matches!(manifest.build.way, BuildWay::Image(_)))
}

/// The manifest, with what the command line said in its place.
fn manifest(source: &Path) -> Result<Manifest, BuildError> {
    let mut manifest = Declared::read(source)?.manifest;
    let told = match Folder::open(source).and_then(|root| dockerfile::read_text(&root, TOLD)) {
        Ok(text) => Manifest::parse(&text).map_err(|error| BuildError::Told(error.fault))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(manifest),
        Err(error) => return Err(BuildError::prepare(error)),
    };
    if told.build.way != BuildWay::Found {
        manifest.build.way = told.build.way;
    }
    manifest.build.args.extend(told.build.args);
    manifest.build.target = told.build.target.or(manifest.build.target);
    Ok(manifest)
}

fn way(source: &Path, manifest: &Manifest) -> io::Result<Way> {
    let root = Folder::open(source)?;
    let recipe = |path: &str, why| Way::Dockerfile(Recipe { path: path.to_owned(), why });
    if brings_buildpacks(&root) {
        return Ok(Way::Buildpacks);
    }
    match &manifest.build.way {
        BuildWay::Buildpacks => return Ok(Way::Buildpacks),
        BuildWay::Image(image) => return Ok(Way::Image(image.clone())),
        BuildWay::Dockerfile(path) => return Ok(recipe(path, AS_TOLD)),
        BuildWay::Found if !manifest.build.buildpacks.is_empty() => return Ok(Way::Buildpacks),
        BuildWay::Found => {}
    }
    let is_file = |name: &str| {
        let stat = root.stat(name.as_ref());
        stat.is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::RegularFile)
    };
    // It speaks of buildpacks, so its owner wants some.
    if is_file("project.toml") {
        return Ok(Way::Buildpacks);
    }
    let found = DOCKERFILES.into_iter().find(|name| is_file(name));
    Ok(found.map_or(Way::Buildpacks, |name| recipe(name, AS_FOUND)))
}

/// Whether the command line named buildpacks.
fn brings_buildpacks(root: &Folder) -> bool {
    root.below(".paas/buildpacks".as_ref()).is_ok()
}

/// Where an upload says what the command line said of `[build]`, in the grammar of `paas.toml`.
const TOLD: &str = ".paas/build.toml";
const DOCKERFILES: [&str; 2] = ["Dockerfile", "Containerfile"];
const AS_TOLD: &str = "as you said; `[build] builder = \"buildpacks\"` in paas.toml does without";
const AS_FOUND: &str =
    "the folder has one; `[build] builder = \"buildpacks\"` in paas.toml does without";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let manifest = manifest(home.path()).unwrap();
        let shown = match way(home.path(), &manifest).unwrap() {
            Way::Buildpacks => "buildpacks".to_owned(),
            Way::Dockerfile(recipe) => format!("{}, {}", recipe.path, recipe.why),
            Way::Image(image) => image.to_string(),
        };
        assert!(shown.starts_with(expected), "{shown} of {files:?}");
    }

    #[test]
    fn what_is_said_counts_before_what_is_found() {
        let docker = ("Dockerfile", "FROM scratch");
        check(&[("package.json", "{}")], "buildpacks");
        check(&[docker, ("package.json", "{}")], "Dockerfile, the folder has one");
        check(&[("Containerfile", "")], "Containerfile, the folder");
        check(&[docker, ("paas.toml", "[build]\nbuilder = \"buildpacks\"")], "buildpacks");
        check(&[docker, ("paas.toml", "[build]\nbuildpacks = [\"paas/nodejs\"]")], "buildpacks");
        check(&[docker, (".paas/buildpacks/0000.id", "paas/nodejs")], "buildpacks");
        check(&[docker, ("project.toml", "")], "buildpacks");
        check(&[docker, ("paas.toml", "[build]\nimage = \"nginx\"")], "nginx");
        let other = ("paas.toml", "[build]\ndockerfile = \"./docker/web\"");
        check(&[docker, other], "docker/web, as you said");
        check(&[other, (".paas/build.toml", "[build]\nimage = \"a:1\"")], "a:1");
        check(&[docker, (".paas/build.toml", "[build]\nbuilder = \"buildpacks\"")], "buildpacks");
    }

    #[test]
    fn a_link_is_no_dockerfile() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("Dockerfile")).unwrap();
        assert_eq!(way(home.path(), &Manifest::default()).unwrap(), Way::Buildpacks);
    }
}
