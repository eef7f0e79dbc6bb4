//! Bills of materials: Buildpack specification, "Software-Bill-of-Materials".

use std::path::Path;

use crate::site::{Site, pack};

const FORMATS: &str =
    "sbom-formats = [\"application/vnd.cyclonedx+json\", \"application/spdx+json;version=2.3\"]";

#[test]
fn bp_sbom_goes_where_its_subject_goes() {
    let build = "cd \"$1\"; mkdir one two; printf '[types]\\nlaunch=true\\nbuild=true\\n' > one.toml; \
        printf '[types]\\ncache=true\\n' > two.toml; for it in one two launch build none; do \
        echo $it > $it.sbom.cdx.json; done; echo s > launch.sbom.spdx.json";
    let site = Site::new("acme/a", &[pack("acme/a").identity(FORMATS).build(build)]);
    site.build().built();
    let root = site.roots.layers.join("sbom");
    let mut found = Vec::new();
    list(&root, &root, &mut found);
    assert_eq!(
        found,
        [
            "build/acme_a/one/sbom.cdx.json",
            "build/acme_a/sbom.cdx.json",
            "cache/acme_a/two/sbom.cdx.json",
            "launch/acme_a/one/sbom.cdx.json",
            "launch/acme_a/sbom.cdx.json",
            "launch/acme_a/sbom.spdx.json",
        ]
    );
}

#[test]
fn bp_sbom_formats_must_be_declared() {
    let check = |identity: &str, file: &str, code: &str| {
        let build = format!("echo {{}} > \"$1/{file}\"");
        let ran = Site::new("a", &[pack("a").identity(identity).build(&build)]).build();
        assert_eq!(ran.shown(), code, "{identity} {file}");
    };
    check(FORMATS, "launch.sbom.cdx.json", "a");
    check(FORMATS, "launch.sbom.spdx.json", "a");
    check(FORMATS, "launch.sbom.syft.json", "code 52");
    check("", "build.sbom.cdx.json", "code 52");
    check("", "launch.sbom.other.json", "a");
}

#[test]
fn pl_restorer_bills_come_back_with_their_layers_and_no_others() {
    let build = "cd \"$1\"; if [ -e x.toml ]; then ls *.sbom.* > \"$OLDPWD/found\"; fi; mkdir -p x y; \
        printf '[types]\\nlaunch=true\\ncache=true\\n' > x.toml; printf '[types]\\nbuild=true\\n' > y.toml; \
        [ -e x.sbom.cdx.json ] || for it in x y launch build; do echo $it > $it.sbom.cdx.json; done";
    let site = Site::new("a", &[pack("a").identity(FORMATS).build(build)]);
    let first = site.build().built();
    let again = site.build_after(Some(first.remembered())).built();
    assert_eq!(site.said("found"), "x.sbom.cdx.json\n");
    // What was restored and left alone is published again; a failed build takes nothing away.
    assert!(site.roots.layers.join("sbom/launch/a/x/sbom.cdx.json").exists());
    let failing = site.roots.cnb.join("buildpacks/a/1/bin/build");
    let text = std::fs::read_to_string(&failing).unwrap();
    std::fs::write(&failing, "#!/bin/sh\nexit 1\n").unwrap();
    site.build_after(Some(again.remembered())).failed();
    std::fs::write(&failing, text).unwrap();
    site.build_after(Some(again.remembered())).built();
    assert!(site.roots.layers.join("sbom/launch/a/x/sbom.cdx.json").exists());
}

fn list(root: &Path, dir: &Path, found: &mut Vec<String>) {
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    found.sort();
}
