//! A workspace becomes its source, keeps what did not change, and survives what builds leave.

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use buildpacks::agent::{PreviousBuild, PreviousBuildpack, PreviousLayer};

use super::*;
use crate::build::BuildFolders;

fn tree(home: &Path, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = home.join(name);
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    for (path, contents) in files {
        let path = root.join(path);
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    root
}

fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            found.push(path.strip_prefix(root).unwrap().display().to_string());
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn unchanged_files_stay_and_products_go() {
    let home = tempfile::tempdir().unwrap();
    let source = tree(home.path(), "source", &[("a", "1"), ("d/b", "2"), ("d/e/c", "3")]);
    symlink("a", source.join("l")).unwrap();
    let work = tree(home.path(), "work", &[]);
    sync(&source, &work, Owner::APP).unwrap();
    assert_eq!(listing(&work), listing(&source));
    let before = fs::metadata(work.join("d/b")).unwrap();

    fs::write(work.join("product"), "x").unwrap();
    fs::create_dir_all(work.join("target/debug")).unwrap();
    fs::write(work.join("a"), "9").unwrap();
    fs::remove_file(work.join("l")).unwrap();
    symlink("/etc", work.join("l")).unwrap();
    sync(&source, &work, Owner::APP).unwrap();
    assert_eq!(listing(&work), listing(&source));
    assert_eq!(fs::read_to_string(work.join("a")).unwrap(), "1");
    assert_eq!(fs::read_link(work.join("l")).unwrap(), Path::new("a"));
    let after = fs::metadata(work.join("d/b")).unwrap();
    assert_eq!((after.ino(), after.ctime_nsec()), (before.ino(), before.ctime_nsec()));
}

#[test]
fn what_a_hostile_build_left_is_neither_followed_nor_in_the_way() {
    let home = tempfile::tempdir().unwrap();
    let outside = tree(home.path(), "outside", &[("canary", "alive")]);
    let source = tree(home.path(), "source", &[("d/b", "2"), ("f", "3"), ("g", "4")]);
    let work = tree(home.path(), "work", &[]);
    symlink(&outside, work.join("d")).unwrap();
    symlink(outside.join("canary"), work.join("f")).unwrap();
    fs::create_dir_all(work.join("g/full")).unwrap();
    symlink(&outside, work.join("gone")).unwrap();
    // Deeper than there are file descriptors.
    let mut deep = Folder::open(&work).unwrap();
    for _ in 0..3000 {
        deep = deep.create_folder("deep".as_ref()).unwrap();
    }
    sync(&source, &work, Owner::APP).unwrap();
    assert_eq!(listing(&work), listing(&source));
    assert_eq!(listing(&outside), ["canary"]);
    assert_eq!(fs::read_to_string(outside.join("canary")).unwrap(), "alive");
}

#[test]
fn the_record_of_a_build_is_whole_or_absent() {
    let home = tempfile::tempdir().unwrap();
    let app = "shop".parse().unwrap();
    let folders = BuildFolders::new(home.path());
    let workspace = Workspace::open(folders.apps(), &app, Owner::APP).unwrap();
    assert_eq!(workspace.previous(), Previous::default());
    let layer = PreviousLayer { launch: true, ..Default::default() };
    let agent = PreviousBuild {
        buildpacks: vec![PreviousBuildpack {
            id: "paas/nodejs".to_owned(),
            layers: BTreeMap::from([("a".to_owned(), layer.clone()), ("b".to_owned(), layer)]),
            store: None,
        }],
    };
    let image = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let known = Remembered { manifest: "m".to_owned(), exported: None };
    let layers = BTreeMap::from([("/layers/paas_nodejs/a".to_owned(), known)]);
    let mut previous = Previous::new(agent, image, layers);
    workspace.remember(&previous).unwrap();
    assert_eq!(workspace.previous(), previous);
    previous.forget("/layers/paas_nodejs/a");
    assert!(previous.layers.is_empty());
    assert_eq!(previous.agent.buildpacks[0].layers.keys().collect::<Vec<_>>(), ["b"]);

    let file = folders.apps().join("shop/previous.json");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(workspace.previous(), Previous::default());
    folders.forget(&app);
    assert!(!folders.apps().join("shop").exists());
}
