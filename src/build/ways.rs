//! How an app's image comes about: by buildpacks, by its Dockerfile, or it is there already,
//! in Docker or in what was pushed.
//!
//! What `paas deploy` was told comes with the upload, in [`TOLD`], and counts before `paas.toml`; that
//! counts before what the folder looks like. Not here: the buildpacks, which are what is left.

use std::{io, path::Path};

use rustix::fs::FileType;

use super::{
    BuildError, Builder,
    builder::blocking,
    dockerfile::{self, Recipe},
    folder::Folder,
    prebuilt, pushed,
    request::BuildRequest,
    secrets,
};
use crate::{
    engine::BuildEngine,
    model::{
        AppName, Artifact, ImageReference, Manifest, Queueing,
        manifest::{BuildWay, Declaration},
    },
};

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// By the server's buildpacks, or those of a builder image.
    Buildpacks(Option<Named>),
    Dockerfile(Recipe),
    Image(ImageReference),
    /// The tree is an image.
    Pushed,
}

/// A builder image, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// Whoever deploys, or `paas.toml`.
    Told(ImageReference),
    /// `project.toml`, which was written for other tools: what it names is often a gigabyte that this
    /// server has never seen. So it counts where it is there already.
    Project(ImageReference),
}

/// How far the way of an app has been gone.
#[derive(Debug)]
pub(super) enum Gone {
    /// To its end.
    Made(Artifact),
    /// Buildpacks are to make the image.
    Buildpacks(Option<Named>),
}

impl<E: BuildEngine> Builder<E> {
    /// The image of an app that is not for buildpacks.
    pub(super) async fn without_buildpacks(
        &self,
        request: &BuildRequest,
    ) -> Result<Gone, BuildError> {
        let (source, app) = (request.source.clone(), request.app.clone());
        let (Declaration { manifest, remarks, .. }, way) = blocking(move || {
            let declared = declared(&source, &app)?;
            let way = way(&source, &declared.manifest).map_err(BuildError::prepare)?;
            Ok((declared, way))
        })
        .await?;
        for remark in remarks {
            request.say(remark).await;
        }
        secrets::check(&manifest, &request.secrets)?;
        let (engine, settings) = (&self.engine, &self.settings);
        match way {
            Way::Buildpacks(builder) => Ok(Gone::Buildpacks(builder)),
            Way::Dockerfile(recipe) => {
                secrets::none_for(&manifest, "a Dockerfile")?;
                let made = dockerfile::build(engine, settings, request, &manifest, &recipe);
                made.await.map(Gone::Made)
            }
            Way::Image(image) => {
                secrets::none_for(&manifest, "an image of others")?;
                let made = prebuilt::build(engine, settings, request, &manifest, &image);
                made.await.map(Gone::Made)
            }
            Way::Pushed => {
                secrets::none_for(&manifest, "an image that was pushed")?;
                let made = pushed::build(engine, settings, request, &manifest);
                made.await.map(Gone::Made)
            }
        }
    }
}

/// What an upload says that counts before it is built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preface {
    /// It names what it becomes, so that equal files may mean something else tomorrow.
    pub names_an_image: bool,
    /// What it means to builds of the app that have not ended.
    pub queueing: Queueing,
}

/// Reads it. What is wrong with the files is said by the build, where somebody follows it; until then
/// they say nothing.
pub fn preface(source: &Path, app: &AppName) -> Preface {
    let Ok(declared) = declared(source, app) else { return Preface::default() };
    let way = way(source, &declared.manifest).ok();
    Preface {
        names_an_image: matches!(way, Some(Way::Image(_) | Way::Buildpacks(Some(_)))),
        queueing: declared.manifest.deploy.queue.unwrap_or_default(),
    }
}

/// What the folder declares, with what the command line said in its place.
fn declared(source: &Path, app: &AppName) -> Result<Declaration, BuildError> {
    let mut declared = super::declared::read(source, app)?;
    let manifest = &mut declared.manifest;
    let told = match Folder::open(source).and_then(|root| dockerfile::read_text(&root, TOLD)) {
        Ok(text) => Manifest::parse(&text).map_err(|error| BuildError::Told(error.fault))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(declared),
        Err(error) => return Err(BuildError::prepare(error)),
    };
    if told.build.way != BuildWay::Found {
        manifest.build.way = told.build.way;
    }
    manifest.build.args.extend(told.build.args);
    manifest.build.target = told.build.target.or(manifest.build.target.take());
    Ok(declared)
}

fn way(source: &Path, manifest: &Manifest) -> io::Result<Way> {
    let root = Folder::open(source)?;
    if pushed::is_image(&root) {
        return Ok(Way::Pushed);
    }
    let recipe = |path: &str, why| Way::Dockerfile(Recipe { path: path.to_owned(), why });
    let brings = brings_buildpacks(&root) || !manifest.build.buildpacks.is_empty();
    match &manifest.build.way {
        BuildWay::Builder(image) => return Ok(Way::Buildpacks(Some(Named::Told(image.clone())))),
        BuildWay::Buildpacks => return Ok(Way::Buildpacks(None)),
        _ if brings => return Ok(Way::Buildpacks(project_builder(&root))),
        BuildWay::Image(image) => return Ok(Way::Image(image.clone())),
        BuildWay::Dockerfile(path) => return Ok(recipe(path, AS_TOLD)),
        BuildWay::Found => {}
    }
    let is_file = |name: &str| {
        let stat = root.stat(name.as_ref());
        stat.is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::RegularFile)
    };
    // It speaks of buildpacks, so its owner wants some.
    if is_file("project.toml") {
        return Ok(Way::Buildpacks(project_builder(&root)));
    }
    let found = DOCKERFILES.into_iter().find(|name| is_file(name));
    Ok(found.map_or(Way::Buildpacks(None), |name| recipe(name, AS_FOUND)))
}

/// The builder that `project.toml` names, in either version of the descriptor. What is wrong with the
/// file is said by those who need it.
fn project_builder(root: &Folder) -> Option<Named> {
    let text = dockerfile::read_text(root, "project.toml").ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    let inner = |table: &toml::Table, key: &str| table.get(key)?.as_table().cloned();
    let second = inner(&table, "io").and_then(|io| inner(&io, "buildpacks"));
    let named = |table: toml::Table| table.get("builder")?.as_str()?.parse().ok();
    second.or_else(|| inner(&table, "build")).and_then(named).map(Named::Project)
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
        let manifest = declared(home.path(), &"hello".parse().unwrap()).unwrap().manifest;
        let shown = match way(home.path(), &manifest).unwrap() {
            Way::Buildpacks(None) => "buildpacks".to_owned(),
            Way::Buildpacks(Some(Named::Told(image))) => format!("builder {image}"),
            Way::Buildpacks(Some(Named::Project(image))) => format!("project's builder {image}"),
            Way::Dockerfile(recipe) => format!("{}, {}", recipe.path, recipe.why),
            Way::Image(image) => image.to_string(),
            Way::Pushed => "pushed".to_owned(),
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
        let builder = ("paas.toml", "[build]\nbuilder = \"acme/builder:1\"");
        check(&[docker, builder], "builder acme/builder:1");
        check(&[builder, (".paas/buildpacks/0000.id", "acme/x")], "builder acme/builder:1");
        check(&[builder, (".paas/build.toml", "[build]\nbuilder = \"b\"")], "builder b");
        let project = ("project.toml", "[io.buildpacks]\nbuilder = \"acme/b\"");
        check(&[docker, project], "project's builder acme/b");
        check(&[project, builder], "builder acme/builder:1");
        check(&[project, (".paas/build.toml", "[build]\nbuilder = \"buildpacks\"")], "buildpacks");
        check(&[("project.toml", "[build]\nbuilder = \"c\"")], "project's builder c");
        check(&[docker, ("paas.toml", "[build]\nimage = \"nginx\"")], "nginx");
        let other = ("paas.toml", "[build]\ndockerfile = \"./docker/web\"");
        check(&[docker, other], "docker/web, as you said");
        check(&[other, (".paas/build.toml", "[build]\nimage = \"a:1\"")], "a:1");
        check(&[docker, (".paas/build.toml", "[build]\nbuilder = \"buildpacks\"")], "buildpacks");
        check(&[docker, (".paas/image/parts", "")], "pushed");
    }

    #[test]
    fn what_counts_before_the_build_is_read_and_faults_are_left_to_it() {
        let home = tempfile::tempdir().unwrap();
        let reads = |manifest: &str| {
            fs::write(home.path().join("paas.toml"), manifest).unwrap();
            preface(home.path(), &"shop".parse().unwrap())
        };
        let newest = Preface { names_an_image: false, queueing: Queueing::Newest };
        assert_eq!(reads("[deploy]\nqueue = \"newest\""), newest);
        assert_eq!(reads("[deploy]\nqueue = \"newest\"\n[deploy"), Preface::default());
        let image = Preface { names_an_image: true, queueing: Queueing::All };
        assert_eq!(reads("[build]\nimage = \"nginx\""), image);
    }

    #[test]
    fn a_link_is_no_dockerfile() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("Dockerfile")).unwrap();
        assert_eq!(way(home.path(), &Manifest::default()).unwrap(), Way::Buildpacks(None));
    }
}
