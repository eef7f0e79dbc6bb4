//! Exporting what builds leave, hostile or not; the same in, the same out.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
};

use buildpacks::{
    Slice,
    agent::{Contents, Layer as Left, Process},
};
use serde_json::json;

use super::*;
use crate::build::folder::Owner;

struct House {
    _home: tempfile::TempDir,
    places: Places,
}

fn house() -> House {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    for name in ["workspace", "layers", "toolchains", "spool"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("launcher"), "the binary").unwrap();
    let places = Places {
        workspace: at("workspace"),
        layers: at("layers"),
        toolchains: at("toolchains"),
        launcher: at("launcher"),
        spool: at("spool"),
        owner: Owner::APP,
    };
    fs::write(places.workspace.join("app.js"), "hello").unwrap();
    House { _home: home, places }
}

fn left(name: &str, contents: Contents) -> Left {
    Left {
        buildpack: "paas/nodejs".to_owned(),
        name: name.to_owned(),
        launch: true,
        build: false,
        cache: true,
        metadata: json!({ "key": "value" }),
        contents,
    }
}

fn built(layers: Vec<Left>) -> Built {
    let process = Process {
        kind: "web".to_owned(),
        command: vec!["node".to_owned()],
        args: Vec::new(),
        direct: true,
        default: true,
        working_dir: None,
        buildpack: "paas/nodejs".to_owned(),
    };
    let metadata_toml = "x = 1\n".to_owned();
    Built { layers, processes: vec![process], metadata_toml, ..Default::default() }
}

fn base() -> BaseImage {
    BaseImage {
        id: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        reference: "paas/run:test".to_owned(),
        architecture: "amd64".to_owned(),
        user: "1000:1000".to_owned(),
        environment: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
        labels: BTreeMap::new(),
        maker: crate::build::base::Maker::Ours,
        layers: vec![Known { diff_id: format!("sha256:{}", "2".repeat(64)), size: 1 }],
        tars: vec!["/nowhere".into()],
        packages: BTreeSet::new(),
    }
}

#[test]
fn of_a_base_that_others_made_only_what_was_put_on_it_can_be_sent() {
    let house = house();
    let tar = house.places.spool.join("packages.tar");
    fs::write(&tar, "tar").unwrap();
    let mut layers = base().layers;
    layers.extend([layers[0].clone(), Known { diff_id: "sha256:packages".into(), size: 3 }]);
    let extended = BaseImage { layers, tars: vec![tar], ..base() };
    for (known, sent) in [(0, 1), (1, 1), (2, 1), (3, 0)] {
        let blobs = extended.blobs(known).unwrap();
        assert_eq!(blobs.len(), sent, "{known}");
        assert!(blobs.iter().all(|blob| blob.known.diff_id == "sha256:packages"));
    }
}

fn export(built: &Built, house: &House, previous: &Previous) -> Result<Assembled, ExportError> {
    let app = "shop".parse().unwrap();
    let shared = Shared::default();
    let context = Context { places: house.places.clone(), previous, shared: &shared };
    assemble(built, &base(), &app, "paas/shop:1".to_owned(), &context)
}

/// The entries of a layer as people would list them.
fn entries(assembled: &Assembled, key: &str) -> Vec<String> {
    let layer = assembled.layers.iter().find(|layer| layer.key == key).unwrap();
    let (mut file, known) = layer.source.spool(key, Path::new("/tmp")).unwrap();
    assert_eq!(known, layer.known);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let list = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes();
        let link = link.map(|it| format!(" -> {}", String::from_utf8_lossy(&it)));
        let (uid, mode) = (header.uid().unwrap(), header.mode().unwrap());
        assert_eq!(header.mtime().unwrap(), 315_532_801);
        format!("{path}{} {uid} {mode:o} {}", link.unwrap_or_default(), entry.size())
    });
    list.collect()
}

#[test]
fn an_image_is_launcher_layers_config_processes_and_app_last() {
    let house = house();
    let modules = house.places.layers.join("paas_nodejs/modules");
    fs::create_dir_all(modules.join("express")).unwrap();
    fs::write(modules.join("express/index.js"), "x").unwrap();
    fs::hard_link(modules.join("express/index.js"), modules.join("same.js")).unwrap();
    symlink("express", modules.join("alias")).unwrap();
    fs::create_dir_all(house.places.toolchains.join("node-20/bin")).unwrap();
    fs::write(house.places.toolchains.join("node-20/bin/node"), "elf").unwrap();
    let layers = vec![
        left("node", Contents::Toolchain("node-20".to_owned())),
        left("modules", Contents::Folder),
    ];
    let assembled = export(&built(layers), &house, &Previous::default()).unwrap();
    let keys: Vec<_> = assembled.layers.iter().map(|layer| layer.key.as_str()).collect();
    let node = "/layers/paas_nodejs/node";
    let modules = "/layers/paas_nodejs/modules";
    assert_eq!(
        keys,
        ["/cnb/lifecycle/launcher", node, modules, "/layers/config", "/cnb/process", "/workspace"]
    );
    assert_eq!(
        entries(&assembled, modules),
        [
            "layers/ 0 755 0",
            "layers/paas_nodejs/ 0 755 0",
            "layers/paas_nodejs/modules/ 1000 755 0",
            "layers/paas_nodejs/modules/alias -> express 1000 777 0",
            "layers/paas_nodejs/modules/express/ 1000 755 0",
            "layers/paas_nodejs/modules/express/index.js 1000 644 1",
            "layers/paas_nodejs/modules/same.js 1000 644 1",
        ]
    );
    assert!(
        entries(&assembled, node)
            .iter()
            .any(|it| it.starts_with("layers/paas_nodejs/node/bin/node "))
    );
    assert_eq!(
        entries(&assembled, "/cnb/process"),
        [
            "cnb/ 0 755 0",
            "cnb/process/ 0 755 0",
            "cnb/process/web -> /cnb/lifecycle/launcher 0 777 0"
        ]
    );
    assert_eq!(
        entries(&assembled, "/workspace"),
        ["workspace/ 1000 755 0", "workspace/app.js 1000 644 5"]
    );
}

#[test]
fn the_same_files_give_the_same_image_wherever_and_whenever() {
    let ids = [house(), house()].map(|house| {
        export(&built(Vec::new()), &house, &Previous::default()).unwrap().archive.ids()
    });
    assert_eq!(ids[0], ids[1]);
    let other = house();
    fs::write(other.places.workspace.join("app.js"), "hallo").unwrap();
    let other = export(&built(Vec::new()), &other, &Previous::default()).unwrap();
    assert_ne!(ids[0], other.archive.ids());
}

#[test]
fn an_untouched_layer_is_not_read_again_and_a_touched_one_is() {
    let house = house();
    let folder = house.places.layers.join("paas_nodejs/modules");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a"), "1").unwrap();
    let built = built(vec![left("modules", Contents::Folder)]);
    let first = export(&built, &house, &Previous::default()).unwrap();
    let image = first.archive.ids()[0].clone();
    let layers = remember(&built, &first, &house.places);
    let previous = Previous::new(built.remembered(), image, layers);
    let spooled = |assembled: &Assembled| -> Vec<String> {
        let layers = assembled.layers.iter().filter(|layer| layer.spooled.is_some());
        layers.map(|layer| layer.key.clone()).collect()
    };
    let small = ["/layers/config", "/cnb/process"];
    let second = export(&built, &house, &previous).unwrap();
    assert_eq!(spooled(&second), small);
    assert_eq!(second.archive.ids(), first.archive.ids());
    assert!(touched(&previous, &house.places).is_empty());

    // The same size and the same time, set as a build can set them; not the change time.
    let time = fs::metadata(folder.join("a")).unwrap().modified().unwrap();
    fs::write(folder.join("a"), "2").unwrap();
    fs::File::options().write(true).open(folder.join("a")).unwrap().set_modified(time).unwrap();
    let third = export(&built, &house, &previous).unwrap();
    assert_eq!(spooled(&third), ["/layers/paas_nodejs/modules", small[0], small[1]]);
    assert_ne!(third.archive.ids(), first.archive.ids());
    assert_eq!(touched(&previous, &house.places), ["/layers/paas_nodejs/modules"]);
}

mod heavy;
mod hostile;

#[test]
fn slices_share_the_app_out_and_lose_nothing() {
    let house = house();
    let app = &house.places.workspace;
    fs::create_dir_all(app.join("public/css")).unwrap();
    fs::write(app.join("public/css/a.css"), "1").unwrap();
    fs::write(app.join("public/index.html"), "2").unwrap();
    let slices = vec![
        Slice { paths: vec!["public/css".to_owned()] },
        Slice { paths: vec!["absent".to_owned()] },
    ];
    let built = Built { slices, ..built(Vec::new()) };
    let assembled = export(&built, &house, &Previous::default()).unwrap();
    assert_eq!(
        entries(&assembled, "/workspace#1"),
        [
            "workspace/ 1000 755 0",
            "workspace/public/ 1000 755 0",
            "workspace/public/css/ 1000 755 0",
            "workspace/public/css/a.css 1000 644 1",
        ]
    );
    assert_eq!(entries(&assembled, "/workspace#2"), ["workspace/ 1000 755 0"]);
    assert_eq!(
        entries(&assembled, "/workspace#3"),
        [
            "workspace/ 1000 755 0",
            "workspace/app.js 1000 644 5",
            "workspace/public/ 1000 755 0",
            "workspace/public/index.html 1000 644 1",
        ]
    );
}
