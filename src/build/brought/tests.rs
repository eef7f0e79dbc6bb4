//! Buildpacks out of uploads, folders and packages made here.

use std::{collections::BTreeMap, io::Write};

use serde_json::json;

use super::*;

/// A tar of these files, with names as they are given.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_size(contents.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        archive.append(&header, *contents).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A layer as tools write them, with names that begin with a slash.
fn layer(id: &str, version: &str) -> Vec<u8> {
    let home = format!("/cnb/buildpacks/{id}/{version}");
    let text = format!("id = {id}");
    tar(&[
        ("/cnb/", b""),
        ("/cnb/buildpacks/", b""),
        (&format!("{home}/buildpack.toml"), text.as_bytes()),
        (&format!("{home}/bin/build"), b"#!"),
        ("/etc/passwd", b"not wanted"),
    ])
}

fn config(label: &str) -> Vec<u8> {
    json!({ "config": { "Labels": { label: "{\"id\":\"acme/php\",\"version\":\"1.2\",\"stacks\":[]}" } } })
        .to_string()
        .into_bytes()
}

const LABEL: &str = "io.buildpacks.buildpackage.metadata";

/// A `.cnb`: an OCI layout.
fn cnb(label: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let mut blobs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut blob = |bytes: Vec<u8>| {
        let hex = hex::encode(Sha256::digest(&bytes));
        blobs.insert(format!("blobs/sha256/{hex}"), bytes);
        json!({ "digest": format!("sha256:{hex}"), "size": 1, "mediaType": "x" })
    };
    let layers: Vec<_> = layers.iter().map(|layer| blob(layer.clone())).collect();
    let config = blob(config(label));
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let manifest = blob(manifest.to_string().into_bytes());
    let inner = blob(json!({ "manifests": [manifest] }).to_string().into_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [inner] }).to_string().into_bytes();
    let mut files: Vec<(&str, &[u8])> = vec![("oci-layout", b"{}"), ("index.json", &index)];
    files.extend(blobs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    tar(&files)
}

/// What `docker save` writes.
fn saved(layers: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<_> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let manifest = json!([{ "Config": "c.json", "RepoTags": [], "Layers": names }]);
    let manifest = manifest.to_string().into_bytes();
    let config = config(LABEL);
    let mut files: Vec<(&str, &[u8])> = vec![("manifest.json", &manifest), ("c.json", &config)];
    files.extend(names.iter().zip(layers).map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    tar(&files)
}

struct House {
    home: tempfile::TempDir,
    workspace: Workspace,
}

fn house() -> House {
    let home = tempfile::tempdir().unwrap();
    let workspace =
        Workspace::open(&home.path().join("apps"), &"shop".parse().unwrap(), Owner::APP).unwrap();
    fs::create_dir(home.path().join("source")).unwrap();
    House { home, workspace }
}

impl House {
    fn write(&self, name: &str, contents: &[u8]) {
        let path = self.home.path().join("source").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn bring(&self, configured: &[&str]) -> Result<Vec<Chosen>, BroughtError> {
        let configured: Vec<_> = configured.iter().map(|text| text.parse().unwrap()).collect();
        bring(&self.home.path().join("source"), &configured, &self.workspace)
    }

    /// The files on the shelf.
    fn shelf(&self) -> String {
        let mut found = Vec::new();
        let mut todo = vec![self.workspace.buildpacks.clone()];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let path = path.strip_prefix(&self.workspace.buildpacks).unwrap();
                    found.push(path.display().to_string());
                }
            }
        }
        found.retain(|name| name != STAMP);
        found.sort();
        found.join(" ")
    }
}

fn named(id: &str, version: Option<&str>) -> Chosen {
    Chosen::Named { id: id.to_owned(), version: version.map(str::to_owned) }
}

#[test]
fn di_buildpackages_in_files() {
    let layers = [layer("acme_php", "1.2"), gzip(&layer("acme_lib", "3"))];
    for package in [cnb(LABEL, &layers), gzip(&cnb(LABEL, &layers)), saved(&layers)] {
        let house = house();
        house.write("dist/php.cnb", &package);
        for _ in 0..2 {
            let chosen = house.bring(&["dist/php.cnb", "paas/nodejs"]).unwrap();
            assert_eq!(chosen, [named("acme/php", Some("1.2")), named("paas/nodejs", None)]);
            assert_eq!(
                house.shelf(),
                "acme_lib/3/bin/build acme_lib/3/buildpack.toml acme_php/1.2/bin/build \
                 acme_php/1.2/buildpack.toml"
            );
        }
        assert_eq!(house.bring(&[]).unwrap(), []);
        assert_eq!(house.shelf(), "");
    }
}

#[test]
fn an_archive_of_a_buildpacks_folder() {
    let bare: [(&str, &[u8]); 2] = [("./buildpack.toml", b""), ("./bin/build", b"#!")];
    let inner: [(&str, &[u8]); 2] = [("php-1.2/buildpack.toml", b""), ("php-1.2/bin/build", b"#!")];
    for package in [tar(&bare), gzip(&tar(&bare)), gzip(&tar(&inner))] {
        let house = house();
        house.write("php.tgz", &package);
        for _ in 0..2 {
            assert_eq!(house.bring(&["./php.tgz"]).unwrap(), [Chosen::Folder("=/0".into())]);
            assert_eq!(house.shelf(), "=/0/bin/build =/0/buildpack.toml");
        }
    }
}

#[test]
fn what_is_uploaded_counts_instead_of_what_is_configured() {
    let house = house();
    house.write(".paas/buildpacks/0000-own/buildpack.toml", b"");
    house.write(".paas/buildpacks/0000-own/bin/build", b"one");
    house.write(".paas/buildpacks/0001.id", b"paas/nodejs@1");
    house.write(".paas/buildpacks/0002.cnb", &cnb(LABEL, &[layer("acme_php", "1.2")]));
    let expected = [
        Chosen::Folder("=/0".into()),
        named("paas/nodejs", Some("1")),
        named("acme/php", Some("1.2")),
    ];
    assert_eq!(house.bring(&["./other"]).unwrap(), expected);
    house.write(".paas/buildpacks/0000-own/bin/build", b"two");
    assert_eq!(house.bring(&[]).unwrap(), expected);
    let text = fs::read_to_string(house.workspace.buildpacks.join("=/0/bin/build")).unwrap();
    assert_eq!(text, "two", "a folder follows its source");
    workspace::sync(&house.home.path().join("source"), &house.workspace.source, Owner::APP)
        .unwrap();
    assert!(!house.workspace.source.join(".paas").exists(), "it is no part of the app");
}

#[test]
fn what_a_buildpack_depends_on_is_there_and_not_chosen() {
    let house = house();
    house.write(".paas/buildpacks/0000/buildpack.toml", b"");
    house.write(".paas/buildpacks/0000+1/buildpack.toml", b"");
    house.write(".paas/buildpacks/0000+2.cnb", &cnb(LABEL, &[layer("acme_php", "1.2")]));
    for _ in 0..2 {
        assert_eq!(house.bring(&[]).unwrap(), [Chosen::Folder("=/0".into())]);
        assert_eq!(
            house.shelf(),
            "=/0/buildpack.toml =/1/buildpack.toml acme_php/1.2/bin/build acme_php/1.2/buildpack.toml"
        );
    }
}

#[test]
fn what_is_no_buildpackage_is_explained() {
    let check = |contents: &[u8], expected: &str| {
        let house = house();
        house.write("x.cnb", contents);
        let error = house.bring(&["x.cnb"]).unwrap_err().to_string();
        assert!(error.contains("x.cnb") && error.contains(expected), "{error}");
        assert_eq!(house.shelf(), "");
        assert!(!rough(&house.workspace).exists());
    };
    check(b"text", "");
    check(&tar(&[("a", b"b")]), "it is no OCI layout, no saved image and has no buildpack.toml");
    check(&cnb("other", &[]), "so it is not a buildpackage");
    let climbing = br#"[{"Config": "../../etc/passwd", "Layers": []}]"#;
    check(&tar(&[("manifest.json", climbing)]), "../../etc/passwd");
    let digest = br#"{"manifests": [{"digest": "sha256:../../x"}]}"#;
    check(&tar(&[("index.json", digest)]), "is not a digest");
    let device = tar(&[("cnb/buildpacks/a/../../../x", b"")]);
    check(&cnb(LABEL, &[device]), "");
    assert!(house().bring(&["./absent"]).is_err());
}

#[test]
fn a_link_is_not_followed() {
    let house = house();
    std::os::unix::fs::symlink("/etc", house.home.path().join("source/own")).unwrap();
    assert!(house.bring(&["./own"]).is_err());
    assert!(house.bring(&["./own/ssl"]).is_err());
}
