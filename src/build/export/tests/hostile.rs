//! What hostile builds and a lying agent leave.

use super::*;

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
