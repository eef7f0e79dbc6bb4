//! Builders of somebody else's, with our tree beside theirs: Platform specification, "order.toml",
//! "run.toml" and "system.toml".

use std::fs;

use buildpacks::agent::{Chosen, Code};

use crate::site::{Pack, Site, pack};

/// A foreign builder, and ours beside it.
fn site(order: &str, packs: &[Pack]) -> Site {
    let mut site = Site::new(order, packs);
    let ours = site.roots.cnb.with_file_name("ours");
    let binary = env!("CARGO_BIN_EXE_buildpacks").as_ref();
    buildpacks::cnb::materialise(&ours, binary, b"").unwrap();
    site.roots.ours = Some(ours);
    site
}

fn put(site: &Site, name: &str, text: &str) {
    fs::write(site.roots.cnb.join(name), text).unwrap();
}

#[test]
fn pl_order_toml_is_the_builders() {
    let site = site("a; b", &[pack("a").detect("exit 100"), pack("b")]);
    let ran = site.build();
    assert!(ran.log.starts_with("Building with b@1\n"), "{}", ran.log);
    assert_eq!(ran.shown(), "b");
    site.order("a");
    let failed = site.build().failed();
    assert_eq!(failed.reason, "no buildpack of the builder recognises this app");
    assert!(failed.hint.is_some_and(|hint| hint.contains("without --builder")));
    fs::remove_file(site.roots.cnb.join("order.toml")).unwrap();
    let failed = site.build().failed();
    assert_eq!((failed.code, failed.code.number()), (Code::Detect, 22));
    assert!(failed.reason.starts_with("the image is not a builder"), "{failed:?}");
}

#[test]
fn pl_run_toml_names_what_apps_run_on() {
    let check = |file: &str, text: &str, expected: &[&str]| {
        let site = site("a", &[pack("a")]);
        put(&site, file, text);
        assert_eq!(site.build().built().run_images, expected, "{text}");
    };
    check("run.toml", "", &[]);
    check("run.toml", "[[images]]\nimage = \"r\"\nmirrors = [\"m\", \"n\"]\n", &["r", "m", "n"]);
    check("run.toml", "[[images]]\nimage = \"r\"\n[[images]]\nimage = \"s\"\n", &["r"]);
    check("stack.toml", "[run-image]\nimage = \"r\"\nmirrors = [\"m\"]\nstray = 1\n", &["r", "m"]);
}

#[test]
fn a_procfile_counts_with_a_builder_and_makes_no_group_of_its_own() {
    let site = site("a? ; b", &[pack("a").detect("exit 100"), pack("b")]);
    site.app("Procfile", "clock: x\n");
    let built = site.build().built();
    let ids: Vec<_> = built.group.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(ids, ["b", "paas/procfile"]);
    assert_eq!(built.processes[0].kind, "clock");
}

#[test]
fn a_builder_that_reads_the_procfile_itself_is_left_to_it() {
    let site = site("a acme/procfile?", &[pack("a"), pack("acme/procfile")]);
    site.app("Procfile", "clock: x\n");
    assert_eq!(site.build().shown(), "a acme/procfile");
}

#[test]
fn an_aptfile_asks_for_packages_with_a_builder_too() {
    let site = site("a", &[pack("a")]);
    site.app("Aptfile", "figlet\n");
    assert_eq!(site.build().shown(), "wants figlet");
}

#[test]
fn pl_system_toml_of_the_builder_counts_beside_ours() {
    let site = site("a", &[pack("a"), pack("s"), pack("t")]);
    let system = "[[system.pre.buildpacks]]\nid = \"s\"\n[[system.post.buildpacks]]\nid = \"t\"\n";
    put(&site, "system.toml", system);
    assert_eq!(site.build().shown(), "s a t");
}

#[test]
fn buildpacks_of_the_builder_are_chosen_by_their_ids() {
    let mut site = site("a", &[pack("a"), pack("b"), pack("b").version("2")]);
    let named = |id: &str, version: Option<&str>| Chosen::Named {
        id: id.to_owned(),
        version: version.map(str::to_owned),
    };
    site.chosen = vec![named("b", Some("1")), named("a", None)];
    let ran = site.build();
    assert!(ran.log.starts_with("Building with b@1, a@1\n"), "{}", ran.log);
    site.chosen = vec![named("c", None)];
    let failed = site.build().failed();
    assert!(failed.reason.contains("c (any version), which is not installed"), "{failed:?}");
}

#[test]
fn pl_detector_the_distribution_is_read_where_nobody_names_it() {
    let site = site("a", &[pack("a").build("echo ${CNB_TARGET_DISTRO_NAME-none} > said")]);
    site.build().built();
    assert_eq!(site.said("said"), "debian\n");
}
