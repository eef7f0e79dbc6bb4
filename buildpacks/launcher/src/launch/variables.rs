//! The environment of the process: the container's, then what each launch layer contributes.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::environment::{Environment, Unsuffixed, apply_dir, sorted_entries};
use crate::roots::Roots;
use crate::spec::Metadata;

/// Variables that speak to the launcher and not to the app.
const OURS: [&str; 5] = [
    "CNB_LAYERS_DIR",
    "CNB_APP_DIR",
    "CNB_PROCESS_TYPE",
    "CNB_PLATFORM_API",
    "CNB_DEPRECATION_MODE",
];

/// The container's environment without what is the launcher's own.
pub(super) fn stripped(mut env: Environment) -> Environment {
    for name in OURS {
        env.remove(name);
    }
    let own = |dir: &PathBuf| dir.ends_with("cnb/process") || dir.ends_with("cnb/lifecycle");
    let kept = std::env::split_paths(env.value("PATH")).filter(|dir| !own(dir));
    let path: OsString = std::env::join_paths(kept).unwrap_or_default();
    if env.holds("PATH") {
        env.set("PATH", path);
    }
    env
}

/// The layers of one buildpack, in the order of their names.
pub(super) fn layers(roots: &Roots, id: &str) -> io::Result<Vec<PathBuf>> {
    let mut layers = sorted_entries(&roots.layers.join(id.replace('/', "_")))?;
    layers.retain(|path| path.is_dir());
    Ok(layers)
}

/// Applies every buildpack's layers, in group order.
pub(super) fn apply(
    env: &mut Environment,
    roots: &Roots,
    metadata: &Metadata,
    kind: Option<&str>,
) -> io::Result<()> {
    for own in &metadata.buildpacks {
        let layers = layers(roots, &own.id)?;
        for layer in &layers {
            env.prepend_folder("PATH", &layer.join("bin"));
            env.prepend_folder("LD_LIBRARY_PATH", &layer.join("lib"));
        }
        for layer in &layers {
            apply_dir(env, &layer.join("env"), Unsuffixed::Override)?;
            apply_dir(env, &layer.join("env.launch"), Unsuffixed::Override)?;
            if let Some(kind) = kind {
                apply_dir(env, &layer.join("env.launch").join(kind), Unsuffixed::Override)?;
            }
        }
    }
    Ok(())
}
