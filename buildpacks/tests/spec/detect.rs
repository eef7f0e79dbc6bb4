//! Order resolution and detection: Buildpack specification, "Phase #1"; Platform, "detector".

use buildpacks::agent::Code;

use crate::site::{Site, pack, toml_order};

#[test]
fn pl_detector_exit_codes() {
    let check = |a: &str, b: &str, order: &str, expected: &str| {
        let site = Site::new(order, &[pack("a").detect(a), pack("b").detect(b)]);
        assert_eq!(site.build().shown(), expected, "{a} | {b} | {order}");
    };
    check("exit 0", "exit 0", "a b", "a b");
    check("exit 100", "exit 0", "a b", "code 20");
    check("exit 100", "exit 0", "a? b", "b");
    check("exit 100", "exit 0", "a; b", "b");
    check("exit 1", "exit 0", "a b", "code 21");
    check("exit 1", "exit 0", "a? b", "b");
    check("exit 1", "exit 0", "a; b", "b");
    check("exit 100", "exit 1", "a; b?", "code 21");
    check("exit 100", "exit 100", "a? b?", "code 20");
    check("kill -9 $$", "exit 100", "a; b", "code 21");
    check("exit 0", "exit 0", "", "code 20");
}

#[test]
fn bp_detection_runs_once_however_many_groups_name_it() {
    let count = "echo x >> count";
    let packs = [
        pack("a").detect(count),
        pack("no").detect("exit 100"),
        pack("m").without_programs().rest(&toml_order("a no; a")),
    ];
    let site = Site::new("a no; m no; m", &packs);
    assert_eq!(site.build().shown(), "a");
    assert_eq!(site.said("count"), "x\n");
}

#[test]
fn bp_detection_runs_side_by_side_within_and_across_groups() {
    // Each of the two ends only when the other has begun.
    let meet = |own: &str, other: &str| {
        format!("touch {own}; until [ -e {other} ]; do read -t 0.01 <> <(:) || true; done")
    };
    for order in ["a b", "a no; b"] {
        let packs = [
            pack("a").detect(&meet("a", "b")),
            pack("b").detect(&meet("b", "a")),
            pack("no").detect("exit 100"),
        ];
        let built = Site::new(order, &packs).build();
        assert!(["a b", "b"].contains(&built.shown().as_str()), "{}", built.log);
    }
}

#[test]
fn bp_detection_arguments_and_plan_file() {
    let detect = r#"
        [ $# = 2 ] && [ "$PWD" = "$(dirname "$1")/workspace" ]
        [ -f "$2" ] && [ ! -s "$2" ] && [ "$(stat -c %a "$2")" = 600 ]
        [ "$CNB_BUILD_PLAN_PATH" = "$2" ] && [ "$CNB_PLATFORM_DIR" = "$1" ]"#;
    let site = Site::new("a", &[pack("a").detect(detect)]);
    let ran = site.build();
    assert_eq!(ran.shown(), "a", "{}", ran.log);
    assert_eq!(site.build().shown(), "a", "also the second time");
}

#[test]
fn pl_detector_says_what_each_answered_when_all_failed() {
    let packs = [
        pack("a").detect("echo looked for x; exit 100"),
        pack("b").detect("echo boom >&2; exit 3"),
    ];
    let ran = Site::new("a; b", &packs).build();
    for line in ["a@1: does not recognise this app", "    looked for x", "b@1: failed", "    boom"]
    {
        assert!(ran.log.contains(line), "{}", ran.log);
    }
    let failed = ran.failed();
    assert_eq!(failed.code, Code::DetectErrors);
    assert!(failed.reason.contains("b@1: bin/detect ended with exit code 3"), "{failed:?}");
}

#[test]
fn bp_detection_a_daemon_left_behind_holds_nothing() {
    let site = Site::new("a", &[pack("a").detect("sleep 100 & echo done")]);
    assert_eq!(site.build().shown(), "a");
}

#[test]
fn pl_detector_targets() {
    let check = |rest: &str, expected: &str| {
        let site = Site::new("a", &[pack("a").api("0.12").rest(rest)]);
        assert_eq!(site.build().shown(), expected, "{rest}");
    };
    check("[[stacks]]\nid = \"*\"", "a");
    check("[[stacks]]\nid = \"io.buildpacks.stacks.jammy\"", "a");
    check("[[stacks]]\nid = \"io.buildpacks.stacks.bionic\"", "code 21");
    check("[[targets]]\nos = \"linux\"\narch = \"arm64\"", "code 21");
    check(
        "[[targets]]\nos = \"linux\"\n[[targets.distros]]\nname = \"debian\"\nversion = \"13\"",
        "a",
    );
    check("[[targets]]\n[[targets.distros]]\nname = \"ubuntu\"\nversion = \"24.04\"", "code 21");
}

#[test]
fn bp_execution_environment_of_buildpacks() {
    let check = |api: &str, listed: &str, expected: &str| {
        let own = pack("a").api(api).identity(&format!("exec-env = {listed}"));
        assert_eq!(Site::new("a", &[own]).build().shown(), expected, "{api} {listed}");
    };
    check("0.12", "[\"test\"]", "code 20");
    let other = || pack("b").api("0.12").identity("[[buildpack.exec-env]]\nname = \"test\"");
    let site = Site::new("a b", &[pack("a"), other()]);
    assert_eq!(site.build().shown(), "a", "its group goes on without it");
    check("0.12", "[\"test\", \"production\"]", "a");
    check("0.12", "[\"*\"]", "a");
    check("0.11", "[\"test\"]", "a"); // the key has no meaning yet
}

#[test]
fn bp_order_resolution_with_real_buildpacks() {
    let packs = || {
        [
            pack("yes"),
            pack("also"),
            pack("no").detect("exit 100"),
            pack("m").without_programs().rest(&toml_order("no yes; no? also")),
            pack("n").without_programs().rest(&toml_order("no; no yes")),
        ]
    };
    let check = |order: &str, expected: &str| {
        assert_eq!(Site::new(order, &packs()).build().shown(), expected, "{order}");
    };
    check("m", "also");
    check("yes m", "yes also");
    check("n? yes", "yes");
    check("n; yes", "yes");
    check("yes@1", "yes");
    check("yes@2", "code 22");
    check("yes; yes@2", "yes"); // nobody came to the second group
}

#[test]
fn bp_order_resolution_takes_the_newest_version() {
    let say =
        |version: &str| pack("a").version(version).build(&format!("echo {version} > version"));
    let site = Site::new("a", &[say("1.9.0"), say("1.10.0"), say("1.10.0-rc1")]);
    site.build().built();
    assert_eq!(site.said("version"), "1.10.0\n");
}

#[test]
fn bp_api_versions() {
    let check = |api: &str, order: &str, expected: &str| {
        let site = Site::new(order, &[pack("a").api(api), pack("b")]);
        assert_eq!(site.build().shown(), expected, "{api}");
    };
    for api in ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12"] {
        check(api, "a", "a");
    }
    check("0.6", "a", "code 12");
    check("0.13", "a", "code 12");
    check("1.0", "a", "code 12");
    check("0.13", "b; a", "b"); // a builder may hold what is never asked
}

#[test]
fn pl_system_buildpacks() {
    let packs = [pack("a"), pack("pre").detect("exit 100"), pack("post")];
    let site = Site::new("a", &packs);
    let system = |text: &str| std::fs::write(site.roots.cnb.join("system.toml"), text).unwrap();
    system(
        "[[system.pre.buildpacks]]\nid = \"pre\"\noptional = true\n[[system.post.buildpacks]]\nid = \"post\"\n",
    );
    assert_eq!(site.build().shown(), "a post");
    system("[[system.pre.buildpacks]]\nid = \"pre\"\n");
    assert_eq!(site.build().shown(), "code 20");
}
