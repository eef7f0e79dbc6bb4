//! The layers that a buildpack left: which there are, what they are for, what stands there.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::catalog::Installed;
use super::{Progress, aside, notes};
use crate::agent::{Contents, Layer, Stream};
use crate::environment::{Environment, Unsuffixed, apply_dir, sorted_entries};
use crate::spec::{LayerToml, ReadError, read_toml};
use launcher::Roots;

/// Files of the contract that are not layers.
const NOT_LAYERS: [&str; 3] = ["launch", "build", "store"];

/// How a buildpack broke the contract on layers.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayerError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error(
        "{0}.toml has launch, build or cache outside of [types], as before Buildpack API 0.6; they go below [types]"
    )]
    TopLevelTypes(String),
    #[error("the layer {0} has cache = true and no contents")]
    Missing(String),
    #[error("the layer {0} is a link out of /layers, and only toolchains may be linked")]
    Link(String),
    #[error("the name of a layer is not UTF-8")]
    Name,
}

/// Collects the layers of one buildpack, in the order of their names; those that are wanted for
/// nothing are set aside as `<layer>.ignore`.
pub(super) fn collect(
    roots: &Roots,
    installed: &Installed,
    progress: &mut dyn Progress,
) -> Result<Vec<Layer>, LayerError> {
    let dir = roots.layers.join(installed.id().escaped());
    let io = |source| LayerError::Io { path: dir.display().to_string(), source };
    let mut layers = Vec::new();
    for path in sorted_entries(&dir).map_err(io)? {
        if path.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let name = path.file_stem().and_then(|it| it.to_str()).ok_or(LayerError::Name)?;
        if NOT_LAYERS.contains(&name) {
            continue;
        }
        let file: LayerToml = read_toml(&path)?;
        if file.has_top_level_types() {
            return Err(LayerError::TopLevelTypes(name.to_owned()));
        }
        let types = file.types.unwrap_or_default();
        let place = dir.join(name);
        if types.is_ignored() {
            set_aside(&place).map_err(io)?;
            continue;
        }
        if types.launch && !types.cache {
            aside::take_back(roots, &installed.id().escaped(), &place).map_err(io)?;
        }
        let metadata = file.metadata.as_ref().map(notes::to_json).unwrap_or_default();
        layers.push(Layer {
            buildpack: installed.id().to_string(),
            name: name.to_owned(),
            launch: types.launch,
            build: types.build,
            cache: types.cache,
            metadata,
            contents: contents(roots, &place, name)?,
        });
    }
    layers.retain(|layer| {
        let empty = !layer.launch && layer.contents == Contents::Reused;
        if empty {
            let notice = format!("the layer {} has no contents and is not kept", layer.name);
            progress.line(Stream::Stderr, &format!("warning: {}: {notice}", installed.key()));
        }
        !empty
    });
    // A layer of the image alone may be used again; one that is kept would have been restored.
    let absent = |it: &&Layer| it.contents == Contents::Reused && it.cache;
    match layers.iter().find(absent) {
        Some(layer) => Err(LayerError::Missing(layer.name.clone())),
        None => Ok(layers),
    }
}

fn contents(roots: &Roots, place: &Path, name: &str) -> Result<Contents, LayerError> {
    let Ok(meta) = place.symlink_metadata() else { return Ok(Contents::Reused) };
    if meta.is_dir() {
        return Ok(Contents::Folder);
    }
    let link = || LayerError::Link(name.to_owned());
    let target = fs::read_link(place).map_err(|_| link())?;
    let inside = target.strip_prefix(&roots.toolchains).map_err(|_| link())?;
    let toolchain = inside.to_str().filter(|it| !it.is_empty() && !it.contains('/') && *it != "..");
    toolchain.map(|it| Contents::Toolchain(it.to_owned())).ok_or_else(link)
}

/// Lets later buildpacks see the build layers of this one.
pub(super) fn contribute(roots: &Roots, layers: &[Layer], env: &mut Environment) -> io::Result<()> {
    const FOLDERS: [(&str, &str); 5] = [
        ("bin", "PATH"),
        ("lib", "LD_LIBRARY_PATH"),
        ("lib", "LIBRARY_PATH"),
        ("include", "CPATH"),
        ("pkgconfig", "PKG_CONFIG_PATH"),
    ];
    for layer in layers.iter().filter(|layer| layer.build) {
        let root = roots.layers.join(layer.path());
        for (folder, name) in FOLDERS {
            env.prepend_folder(name, &root.join(folder));
        }
        apply_dir(env, &root.join("env"), Unsuffixed::Override)?;
        apply_dir(env, &root.join("env.build"), Unsuffixed::Override)?;
    }
    Ok(())
}

fn set_aside(place: &Path) -> io::Result<()> {
    if place.symlink_metadata().is_err() {
        return Ok(());
    }
    let mut name = place.as_os_str().to_owned();
    name.push(".ignore");
    remove(Path::new(&name))?;
    fs::rename(place, &name)
}

/// Removes a file or a tree, also one whose folders were made read-only. Links are not followed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    if !meta.is_dir() {
        return fs::remove_file(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    unlock(path)?;
    fs::remove_dir_all(path)
}

fn unlock(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_may_link_to_a_toolchain_and_to_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        let check = |target: &Path, fine: bool| {
            let place = dir.path().join("layer");
            let _ = fs::remove_file(&place);
            std::os::unix::fs::symlink(target, &place).unwrap();
            assert_eq!(contents(&roots, &place, "layer").is_ok(), fine, "{}", target.display());
        };
        check(&roots.toolchains.join("node-20.20.2"), true);
        check(&roots.toolchains, false);
        check(&roots.toolchains.join(".."), false);
        check(&roots.toolchains.join("a/b"), false);
        check(Path::new("/etc"), false);
    }

    #[test]
    fn a_read_only_tree_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree/deep");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("file"), "").unwrap();
        fs::set_permissions(&tree, fs::Permissions::from_mode(0o555)).unwrap();
        remove(&dir.path().join("tree")).unwrap();
        assert!(!dir.path().join("tree").exists());
    }
}
