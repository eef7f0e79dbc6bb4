//! Buildpacks as strangers write them: in other languages, with other editors, with other habits.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use buildpacks::agent::{Chosen, Code};

use crate::site::{Site, pack};

/// Replaces a program of the buildpack `a` by these bytes.
fn put(site: &Site, name: &str, text: &[u8], mode: u32) {
    let path = site.roots.cnb.join("buildpacks/a/1/bin").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn pl_detector_a_program_that_cannot_be_started() {
    let check = |text: &[u8], mode: u32, reason: &str, hint: &str| {
        let site = Site::new("a", &[pack("a")]);
        put(&site, "detect", text, mode);
        let failed = site.build().failed();
        assert_eq!(failed.code, Code::DetectErrors);
        assert_eq!(failed.reason, format!("a@1: bin/detect could not be run: {reason}"));
        assert!(failed.hint.as_deref().is_some_and(|it| it.starts_with(hint)), "{failed:?}");
        let site = Site::new("a", &[pack("a")]);
        put(&site, "build", text, mode);
        let failed = site.build().failed();
        assert_eq!(failed.code, Code::BuildpackBuild);
        assert_eq!(failed.reason, format!("bin/build of a@1 could not be run: {reason}"));
    };
    check(b"#!/bin/sh\n", 0o644, "it is not executable", "chmod +x bin/detect");
    check(
        b"exit 0\n",
        0o755,
        "it is neither a script with a #! line nor a program for this machine",
        "begin",
    );
    check(
        b"#!/no/such/node\n",
        0o755,
        "the build image has no /no/such/node, which its first line names",
        "begin",
    );
}

#[test]
fn pl_detector_programs_may_be_links() {
    let site = Site::new("a", &[pack("a").build("touch built")]);
    let bin = site.roots.cnb.join("buildpacks/a/1/bin");
    fs::rename(bin.join("detect"), bin.join("main")).unwrap();
    symlink("main", bin.join("detect")).unwrap();
    assert_eq!(site.build().shown(), "a");
}

#[test]
fn bp_files_may_begin_with_a_byte_order_mark_and_have_windows_lines() {
    let toml = "[types]\\r\\nlaunch = true\\r\\n[metadata]\\r\\nk = \\\"v\\\"\\r\\n";
    let write = format!("mkdir \"$1/x\"; printf \"\\xEF\\xBB\\xBF{toml}\" > \"$1/x.toml\"");
    let site = Site::new("a", &[pack("a").build(&write)]);
    let path = site.roots.cnb.join("buildpacks/a/1/buildpack.toml");
    let text = fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
    fs::write(&path, format!("\u{feff}{text}")).unwrap();
    let built = site.build().built();
    assert_eq!(built.layers[0].metadata["k"], "v");
}

#[test]
fn bp_layer_names_are_any_names() {
    let names = ["with space", "größe", "a.b", "-dash", "layer.ignore.me", "UPPER"];
    let layer = |name: &&str| {
        format!(
            "mkdir -p \"$1/{name}/env\"; printf x > \"$1/{name}/env/V.append\"; \
             printf '[types]\\nlaunch = true\\nbuild = true\\ncache = true\\n' > \"$1/{name}.toml\""
        )
    };
    let script = names.iter().map(layer).collect::<Vec<_>>().join("\n");
    let site =
        Site::new("a b", &[pack("a").build(&script), pack("b").build("printf %s \"$V\" > v")]);
    let built = site.build().built();
    let mut expected: Vec<_> = names.map(str::to_owned).to_vec();
    expected.sort();
    let found: Vec<_> = built.layers.iter().map(|layer| layer.name.clone()).collect();
    assert_eq!(found, expected);
    assert_eq!(site.said("v"), "x".repeat(names.len()));
}

#[test]
fn bp_metadata_of_every_type_comes_back() {
    let write = "mkdir \"$1/x\"; cat > \"$1/x.toml\" <<'EOF'\n[types]\ncache = true\n[metadata]\n\
        at = 2024-02-29T12:00:00Z\nno = nan\nn = 9007199254740993\nf = 1.0\n\
        [[metadata.list]]\n\"odd key\" = [true, \"é\"]\nEOF\n";
    let build = format!("if [ -e \"$1/x.toml\" ]; then cat \"$1/x.toml\" > said; else {write}fi");
    let site = Site::new("a", &[pack("a").build(&build)]);
    let first = site.build().built();
    site.build_after(Some(first.remembered())).built();
    assert_eq!(
        site.said("said"),
        "[metadata]\nat = \"2024-02-29T12:00:00Z\"\nf = 1.0\nn = 9007199254740993\nno = \"NaN\"\n\n\
         [[metadata.list]]\n\"odd key\" = [true, \"é\"]\n"
    );
}

#[test]
fn bp_build_output_of_any_kind_is_a_log() {
    let check = |build: &str, lines: usize| {
        let ran = Site::new("a", &[pack("a").build(build)]).build();
        assert_eq!(
            ran.log.lines().filter(|line| !line.starts_with("Building")).count(),
            lines,
            "{build}"
        );
        ran.built();
    };
    check("seq 50000", 50_000);
    check("printf '\\xff\\x00\\xfe'; printf '\\n'", 1);
    check("exec 1>&- 2>&-; true", 0);
    check("read -r line || echo nothing to read", 1);
    check("printf 'no newline'", 1);
    check("for i in 1 2 3; do printf \"$i\\r\"; done", 1);
}

#[test]
fn pl_detector_says_whose_counterpart_is_missing() {
    let needs = pack("a").detect("printf '[[requires]]\\nname = \"node\"\\n' > \"$2\"");
    let mut site = Site::new("", &[needs]);
    site.chosen = vec![Chosen::Named { id: "a".into(), version: None }];
    let failed = site.build().failed();
    assert_eq!(
        failed.reason,
        "the buildpacks that were chosen do not go together: \
         a@1 requires `node`, which nothing before it provides"
    );
    assert!(failed.hint.is_some_and(|hint| hint.contains("--buildpack several times")));
}

#[test]
fn a_procfile_counts_beside_chosen_buildpacks() {
    let procfile = pack("paas/procfile").build("cp Procfile said");
    let mut site = Site::new("a", &[pack("a"), procfile]);
    site.chosen = vec![Chosen::Named { id: "a".into(), version: None }];
    assert_eq!(site.build().shown(), "a");
    site.app("Procfile", "web: x\n");
    assert_eq!(site.build().shown(), "a paas/procfile");
}
