//! Keys that nobody knows: foreign buildpacks write them, and they never fail a build.

use crate::site::{Site, pack};

#[test]
fn bp_unknown_keys_are_ignored_in_every_file() {
    let rest = "stray-table = {a = 1}\n[[stacks]]\nid = \"*\"\nmixins = [\"m\"]\n\
        [[targets]]\nos = \"linux\"\nstray = 1\n[[targets.distros]]\nname = \"debian\"\nstray = 1\n\
        [metadata]\nanything = [1, 2]\n[[metadata.dependencies]]\nid = \"x\"\n[types]\nx = 1";
    let identity = "name = \"A\"\ndescription = \"\"\nkeywords = []\nstray = 1\n[[buildpack.licenses]]\ntype = \"MIT\"\nuri = \"\"\n";
    let plan = "stray = 1\n[[provides]]\nname = \"x\"\nstray = 1\n[[requires]]\nname = \"x\"\nstray = 1\n[[or]]\nstray = 1";
    let launch = "stray = 1\n[[bom]]\nname = \"x\"\n[[processes]]\ntype = \"web\"\ncommand = [\"a\"]\nstray = 1\n\
        [[labels]]\nkey = \"k\"\nvalue = \"v\"\nstray = 1\n[[slices]]\npaths = []\nstray = 1";
    let write = |file: &str, text: &str| format!("cat > \"$1/{file}\" <<'EOF'\n{text}\nEOF\n");
    let scripts = [
        write("launch.toml", launch),
        write("build.toml", "stray = 1\n[[bom]]\nname = \"x\""),
        write("store.toml", "stray = 1\n[metadata]\na = 1\n[other]\n"),
        write("x.toml", "stray = 1\n[types]\nlaunch = true\nstray = 1\n[metadata]\na = 1\n[other]"),
        "mkdir \"$1/x\"".to_owned(),
    ];
    let own = pack("a")
        .identity(identity)
        .rest(&rest.replace("stray-table = {a = 1}\n", ""))
        .detect(&format!("cat > \"$2\" <<'EOF'\n{plan}\nEOF"))
        .build(&scripts.concat());
    let site = Site::new("a", &[own]);
    let file = |name: &str, text: &str| std::fs::write(site.roots.cnb.join(name), text).unwrap();
    file(
        "order.toml",
        "stray = 1\n[[order]]\nstray = 1\n[[order.group]]\nid = \"a\"\nstray = 1\n[[order-extensions]]\n",
    );
    file("system.toml", "stray = 1\n[system]\nstray = 1\n[system.pre]\nstray = 1\n");
    let built = site.build().built();
    assert_eq!(built.layers.len(), 1);
    assert_eq!(built.store["a"]["a"], 1);
}

#[test]
fn pl_builder_what_is_broken_matters_only_where_it_is_asked() {
    let site = Site::new("a", &[pack("a")]);
    let broken = site.roots.cnb.join("buildpacks/acme_broken/1/buildpack.toml");
    std::fs::create_dir_all(broken.parent().unwrap()).unwrap();
    std::fs::write(&broken, "api = 0.10\n").unwrap();
    assert_eq!(site.build().shown(), "a");
    site.order("acme/broken");
    let failed = site.build().failed();
    assert!(failed.reason.contains("the buildpack acme/broken is broken"), "{failed:?}");
    site.order("acme/absent");
    let failed = site.build().failed();
    assert!(
        failed.reason.contains("acme/absent (any version), which is not installed"),
        "{failed:?}"
    );
    assert_eq!(failed.hint.as_deref(), Some("there are: a@1"));
}
