//! The tidy test: the rules of the house that a compiler does not know.
//!
//! `table.rs` is the law; the rest reads the tree and holds it to that. It is fast and builds
//! nothing, so it may be run at every save: `cargo nextest run --test tidy`.
//! Invariant: it checks what git would commit, so that nothing untidy can be added unseen.

mod imports;
mod source;
mod table;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = files(root);
    assert!(paths.iter().any(|path| path == "src/main.rs"), "git listed no source: {paths:?}");
    let faults: Vec<String> = paths.iter().flat_map(|path| faults(root, path)).collect();
    assert!(faults.is_empty(), "{} untidy places:\n{}", faults.len(), faults.join("\n"));
}

/// All faults of one file, as `path:line: what and why`.
fn faults(root: &Path, path: &str) -> Vec<String> {
    // A file that is gone from the work tree, or is not text, has nothing to be held to.
    let Ok(content) = std::fs::read_to_string(root.join(path)) else { return Vec::new() };
    let mut found = Vec::new();
    // Cargo writes its lock file itself; it names no registry that we chose.
    if path != "Cargo.lock" {
        found.extend(text::check_any(&content));
    }
    found.extend(imports::check_manifest(path, &content));
    if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
        found.extend(text::check_rust(path, &content));
        found.extend(imports::check(path, &content));
    }
    found.into_iter().map(|fault| format!("{path}:{fault}")).collect()
}

/// Every file that git tracks or would add, relative to `root`.
fn files(root: &Path) -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("the tidy test asks git which files there are; install git");
    assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("our paths are UTF-8");
    listed.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn every_package_of_the_workspace_is_on_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifests = files(root).into_iter().filter(|path| {
        let path = PathBuf::from(path);
        path.ends_with("Cargo.toml") && !path.starts_with("examples")
    });
    for path in manifests {
        assert!(table::PACKAGES.iter().any(|(known, _)| *known == path), "add {path} to table.rs");
    }
}
