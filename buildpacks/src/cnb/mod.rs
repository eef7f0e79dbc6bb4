//! The `/cnb` tree of build containers, written on the host and mounted read-only.
//!
//! ```text
//! lifecycle/paas                                  our binary, a hard link or a copy
//! lifecycle/launcher                              the program of app containers
//! buildpacks/paas_<name>/<version>/buildpack.toml
//! buildpacks/paas_<name>/<version>/bin/{detect,build}   → ../../../../lifecycle/paas
//! extensions/paas_apt/<version>/extension.toml
//! extensions/paas_apt/<version>/detect/plan.toml
//! extensions/paas_apt/<version>/bin/generate            → ../../../../lifecycle/paas
//! order.toml
//! system.toml
//! ```
//!
//! The binary lies in the tree instead of being mounted into it: a mount inside of a read-only
//! mount needs a mount point, and one mount is one thing less to go wrong. Invariant: every file
//! is replaced by rename, so that a container which runs meanwhile sees an old file or a new one.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::packs;

/// Why the tree could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct MaterialiseError {
    path: PathBuf,
    source: io::Error,
}

/// Writes or refreshes the tree at `dir`, with `binary` (the running `paas`) as the agent and our
/// buildpacks, and with the bytes of the launcher.
pub fn materialise(dir: &Path, binary: &Path, launcher: &[u8]) -> Result<(), MaterialiseError> {
    let lifecycle = dir.join("lifecycle");
    create(&lifecycle)?;
    place_binary(binary, &lifecycle.join("paas"))?;
    place_program(launcher, &lifecycle.join("launcher"))?;
    for pack in packs::ALL {
        let home = dir.join(format!("buildpacks/paas_{}/{}", pack.name(), packs::VERSION));
        create(&home.join("bin"))?;
        place_text(&head("buildpack", pack.name()), &home.join("buildpack.toml"))?;
        for program in ["detect", "build"] {
            place_link("../../../../lifecycle/paas", &home.join("bin").join(program))?;
        }
    }
    let home = dir.join(format!("extensions/paas_apt/{}", packs::VERSION));
    create(&home.join("bin"))?;
    create(&home.join("detect"))?;
    place_text(&head("extension", "apt"), &home.join("extension.toml"))?;
    place_text(packs::DETECTED, &home.join("detect/plan.toml"))?;
    place_link("../../../../lifecycle/paas", &home.join("bin/generate"))?;
    place_text(SYSTEM, &dir.join("system.toml"))?;
    place_text(ORDER, &dir.join("order.toml"))
}

/// What goes with every group, also with buildpacks that somebody chose.
const SYSTEM: &str = include_str!("system.toml");

/// Which of our buildpacks are tried, in which order: a Procfile goes with any language, and a
/// language comes before plain files.
const ORDER: &str = include_str!("order.toml");

fn head(kind: &str, name: &str) -> String {
    let version = packs::VERSION;
    format!(
        "api = \"0.10\"\n\n[{kind}]\nid = \"paas/{name}\"\nversion = \"{version}\"\n\n[[targets]]\nos = \"linux\"\n"
    )
}

fn create(dir: &Path) -> Result<(), MaterialiseError> {
    fs::create_dir_all(dir).map_err(at(dir))
}

/// Links the binary where that is possible: the tree lies beside the data, the binary often not.
fn place_binary(binary: &Path, target: &Path) -> Result<(), MaterialiseError> {
    let fresh = temporary(target);
    let _ = fs::remove_file(&fresh);
    if fs::hard_link(binary, &fresh).is_err() {
        fs::copy(binary, &fresh).map_err(at(&fresh))?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).map_err(at(&fresh))?;
    }
    fs::rename(&fresh, target).map_err(at(target))?;
    // Renaming a link onto another link of the same file does nothing and leaves both.
    let _ = fs::remove_file(&fresh);
    Ok(())
}

/// A file that is as it should be stays: what is known of it, such as its digest, is known by its times.
fn place_program(bytes: &[u8], target: &Path) -> Result<(), MaterialiseError> {
    let is_regular = fs::symlink_metadata(target).is_ok_and(|it| it.is_file());
    if is_regular && fs::read(target).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let fresh = temporary(target);
    fs::write(&fresh, bytes).map_err(at(&fresh))?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).map_err(at(&fresh))?;
    fs::rename(&fresh, target).map_err(at(target))
}

fn place_link(points_to: &str, target: &Path) -> Result<(), MaterialiseError> {
    let fresh = temporary(target);
    let _ = fs::remove_file(&fresh);
    symlink(points_to, &fresh).map_err(at(&fresh))?;
    fs::rename(&fresh, target).map_err(at(target))
}

fn place_text(text: &str, target: &Path) -> Result<(), MaterialiseError> {
    let fresh = temporary(target);
    fs::write(&fresh, text).map_err(at(&fresh))?;
    fs::rename(&fresh, target).map_err(at(target))
}

fn temporary(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> MaterialiseError {
    let path = path.to_owned();
    move |source| MaterialiseError { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Descriptor, Element, Order, read_toml};

    /// The buildpacks that build an app of these files, by our order.
    fn check(files: &[(&str, &str)], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let report = packs::detect_report(dir.path());
        let passes = |id: &str| report.iter().any(|line| line.starts_with(&format!("{id}: ")));
        let order: Order = toml::from_str(ORDER).unwrap();
        let bare = |element: &Element| element.id.as_str().trim_start_matches("paas/").to_owned();
        let group = order.order.iter().find(|group| {
            group.group.iter().all(|element| element.optional || passes(&bare(element)))
        });
        let named = group.map(|group| group.group.iter().map(bare)).into_iter().flatten();
        let built: Vec<_> = named.filter(|id| passes(id)).collect();
        assert_eq!(built.join(" "), expected, "{files:?}");
    }

    #[test]
    fn trees_of_several_languages_are_built_by_the_one_that_serves() {
        let vite = (
            "package.json",
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}"#,
        );
        let node = ("package.json", r#"{"scripts":{"start":"node server.js"}}"#);
        let tools = ("package.json", r#"{"private":true}"#);
        let (page, procfile) = (("public/index.html", ""), ("Procfile", "web: x\nworker: y\n"));
        let (gemfile, rack) = (("Gemfile", "gem 'rack'\n"), ("config.ru", ""));
        check(&[gemfile, rack, vite, page, procfile], "nodejs ruby procfile");
        check(&[gemfile, rack, node], "ruby");
        check(&[gemfile, tools], "ruby");
        check(&[gemfile, node], "nodejs");
        check(&[gemfile, page], "ruby");
        let (composer, index) = (("composer.json", "{}"), ("public/index.php", ""));
        check(&[composer, index, vite, procfile], "php nodejs procfile");
        check(&[composer, index, node], "php");
        check(&[composer, index, gemfile, rack], "ruby");
        check(&[composer, index, gemfile], "php");
        check(&[composer, node], "nodejs");
        check(&[("index.php", ""), ("index.html", "")], "php");
        check(&[("requirements.txt", ""), gemfile, rack], "ruby");
        let (pom, deno) = (("pom.xml", "<project/>"), ("deno.json", r#"{"tasks":{"start":"x"}}"#));
        check(&[pom, node, page, procfile], "java procfile");
        check(&[pom, ("requirements.txt", "")], "java");
        check(&[deno, page], "deno");
        check(&[deno, node], "deno");
        check(&[deno, node, ("package-lock.json", "{}")], "nodejs");
        check(&[("main.ts", "Deno.serve(f)"), ("main.py", "")], "deno");
        check(&[vite, page], "nodejs");
        check(&[tools, ("index.html", "")], "static");
        check(&[procfile], "procfile");
    }

    #[test]
    fn the_tree_is_whole_and_can_be_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("paas");
        fs::write(&binary, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let cnb = dir.path().join("cnb");
        for _ in 0..2 {
            materialise(&cnb, &binary, b"launcher").unwrap();
        }
        assert_eq!(fs::read(cnb.join("lifecycle/launcher")).unwrap(), b"launcher");
        for pack in packs::ALL {
            let home = cnb.join(format!("buildpacks/paas_{}/{}", pack.name(), packs::VERSION));
            let own: Descriptor = read_toml(&home.join("buildpack.toml")).unwrap();
            assert_eq!(own.buildpack.id.as_str(), format!("paas/{}", pack.name()));
            assert!(home.join("bin/build").canonicalize().unwrap().ends_with("lifecycle/paas"));
        }
    }
}
