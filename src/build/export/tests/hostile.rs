//! What hostile builds and a lying agent leave.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use crate::build::folder::Owner;

use super::{
    super::tarball::{Attributes, Tarball},
    *,
};

#[test]
fn hostile_trees_stay_in_their_place() {
    let house = house();
    let app = &house.places.workspace;
    symlink("/etc/shadow", app.join("shadow")).unwrap();
    symlink("/etc", app.join("etc")).unwrap();
    fs::write(app.join(".wh.app.js"), "").unwrap();
    fs::create_dir(app.join(".wh..wh..opq")).unwrap();
    let pipe = app.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(app.join("socket")).unwrap();
    fs::write(app.join("suid"), "x").unwrap();
    fs::set_permissions(app.join("suid"), fs::Permissions::from_mode(0o6755)).unwrap();
    let assembled = export(&built(Vec::new()), &house, &Previous::default()).unwrap();
    assert_eq!(
        entries(&assembled, "/workspace"),
        [
            "workspace/ 1000 755 0",
            "workspace/app.js 1000 644 5",
            "workspace/etc -> /etc 1000 777 0",
            "workspace/shadow -> /etc/shadow 1000 777 0",
            "workspace/suid 1000 755 1",
        ]
    );

    let bomb = fs::File::create(app.join("bomb")).unwrap();
    bomb.set_len(1 << 40).unwrap();
    let error = export(&built(Vec::new()), &house, &Previous::default()).unwrap_err();
    assert_eq!(error.to_string(), "the build left a sparse file at `bomb`");
    fs::remove_file(app.join("bomb")).unwrap();

    let mut deep = Folder::open(app).unwrap();
    for _ in 0..300 {
        deep = deep.create_folder("d".as_ref()).unwrap();
    }
    let error = export(&built(Vec::new()), &house, &Previous::default()).unwrap_err();
    assert!(error.to_string().contains("folders nested deeper than 200"), "{error}");
}

#[test]
fn a_lying_agent_gets_nothing_of_this_machine() {
    let house = house();
    symlink("/etc", house.places.layers.join("paas_nodejs")).unwrap();
    fs::create_dir(house.places.layers.join("real")).unwrap();
    symlink("/etc", house.places.layers.join("real/link")).unwrap();
    symlink("/etc", house.places.toolchains.join("link")).unwrap();
    let with = |buildpack: &str, name: &str, contents| {
        built(vec![Left { buildpack: buildpack.to_owned(), ..left(name, contents) }])
    };
    let toolchain = |name: &str| Contents::Toolchain(name.to_owned());
    let cases = [
        with("paas/nodejs", "apt", Contents::Folder),
        with("real", "link", Contents::Folder),
        with("real", "..", Contents::Folder),
        with("..", "layers", Contents::Folder),
        with("real", "../../etc", Contents::Folder),
        with("config", "x", Contents::Folder),
        with("real", "x", toolchain("..")),
        with("real", "x", toolchain("../layers")),
        with("real", "x", toolchain("link")),
        with("real", "x", toolchain("absent")),
        with("real", "x", Contents::Reused),
        with("real", ".wh.x", toolchain("absent")),
    ];
    for built in cases {
        let layer = built.layers[0].clone();
        assert!(export(&built, &house, &Previous::default()).is_err(), "{layer:?}");
    }
    let mut liar = built(Vec::new());
    liar.processes[0].kind = "../../../etc/cron.d/x".to_owned();
    assert!(export(&liar, &house, &Previous::default()).is_err());
}

#[test]
fn unusual_names_owners_and_permissions_are_exported_as_they_are() {
    let house = house();
    let app = &house.places.workspace;
    fs::remove_file(app.join("app.js")).unwrap();
    let raw = app.join(OsStr::from_bytes(b"\xff\xfe"));
    fs::write(&raw, "raw").unwrap();
    // One file by two names, one of them in a cache that goes on living.
    let cache = house.places.spool.join("cached");
    fs::write(&cache, "pack").unwrap();
    fs::hard_link(&cache, app.join("linked")).unwrap();
    fs::create_dir(app.join("closed")).unwrap();
    fs::write(app.join("closed/file"), "x").unwrap();
    for (path, mode) in [("closed/file", 0o000), ("closed", 0o555)] {
        fs::set_permissions(app.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let before = Known::clone(&exported(&house).known);
    let assembled = export(&built(Vec::new()), &house, &Previous::default()).unwrap();
    assert_eq!(
        entries(&assembled, "/workspace"),
        [
            "workspace/ 1000 755 0",
            "workspace/closed/ 1000 555 0",
            "workspace/closed/file 1000 0 1",
            "workspace/linked 1000 644 4",
            "workspace/\u{fffd}\u{fffd} 1000 644 3",
        ]
    );
    assert_eq!(exported(&house).known, before);
    // What is closed can be removed again, for the next build.
    Folder::open(app).unwrap().remove("closed".as_ref()).unwrap();
    assert!(!app.join("closed").exists());
}

fn exported(house: &House) -> Layer {
    let mut assembled = export(&built(Vec::new()), house, &Previous::default()).unwrap();
    assembled.layers.pop().unwrap()
}

#[test]
fn devices_are_left_out() {
    let house = house();
    let app = &house.places.workspace;
    let zero = rustix::fs::makedev(1, 5);
    for (name, kind) in [
        ("zero", rustix::fs::FileType::CharacterDevice),
        ("disk", rustix::fs::FileType::BlockDevice),
    ] {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let outcome = rustix::fs::mknodat(rustix::fs::CWD, app.join(name), kind, mode, zero);
        // Nobody else can make one, neither can a build.
        assert!(outcome.is_ok() || !rustix::process::geteuid().is_root());
    }
    let assembled = export(&built(Vec::new()), &house, &Previous::default()).unwrap();
    let expected = ["workspace/ 1000 755 0", "workspace/app.js 1000 644 5"];
    assert_eq!(entries(&assembled, "/workspace"), expected);
}

#[test]
fn two_hundred_thousand_files_are_exported() {
    let house = house();
    let many = house.places.workspace.join("many");
    // Names of few files: it is names that cost here, and making them is quicker.
    for folder in 0..100 {
        let folder = many.join(folder.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("0"), "").unwrap();
        for name in 1..2000 {
            fs::hard_link(folder.join("0"), folder.join(name.to_string())).unwrap();
        }
    }
    let layer = exported(&house);
    assert_eq!(layer.known.size, (200_000 + 100 + 2 + 1) * 512 + 512 + 1024);
}

#[test]
fn a_file_that_changes_while_it_is_read_spoils_nothing() {
    let attributes = Attributes { owner: Owner::APP, mode: 0o644 };
    let mut tarball = Tarball::new(Vec::new());
    tarball.file(b"grew", attributes, 3, &b"abcdef"[..]).unwrap();
    tarball.file(b"next", attributes, 1, &b"x"[..]).unwrap();
    let bytes = tarball.finish().unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let read = archive.entries().unwrap().map(|entry| {
        let mut text = String::new();
        entry.unwrap().read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(read.collect::<Vec<_>>(), ["abc", "x"]);
    let shrank = Tarball::new(Vec::new()).file(b"shrank", attributes, 3, &b"ab"[..]);
    assert_eq!(shrank.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}
