//! Buildpacks that we did not write, from an upload to a running image with the labels by which
//! other tools know it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::world::World;

/// Writes a page, a layer with a variable, and a bill of materials.
const BUILD: &str = r#"#!/usr/bin/env bash
set -eu
[ "$CNB_STACK_ID" = io.buildpacks.stacks.trixie ] && [ "$CNB_TARGET_DISTRO_NAME" = debian ]
layers=$1
mkdir -p "$layers/words/env.launch"
printf foreign > "$layers/words/env.launch/WORD"
printf '[types]\nlaunch = true\ncache = true\n[metadata]\nn = 1\n' > "$layers/words.toml"
echo '{}' > "$layers/words.sbom.cdx.json"
# A layer that changes with the app, and one above it that is asked for again without its contents.
mkdir -p "$layers/changing"
cp marker "$layers/changing"
printf '[types]\nlaunch = true\n' > "$layers/changing.toml"
if [ -e "$layers/lasting.toml" ]; then [ ! -e "$layers/lasting" ]; else
  mkdir "$layers/lasting"
  date +%N > "$layers/lasting/when"
fi
printf '[types]\nlaunch = true\n' > "$layers/lasting.toml"
printf '[metadata]\nkept = "yes"\n' > "$layers/store.toml"
cat > "$layers/launch.toml" <<'EOF'
[[labels]]
key = "made.by"
value = "acme"
[[processes]]
type = "web"
default = true
command = ["bash", "-c"]
args = ["mkdir /tmp/s; echo Hello, $WORD > /tmp/s/index.html; cd /tmp/s; exec python3 -m http.server $PORT"]
EOF
"#;

const DESCRIPTOR: &str = "api = \"0.11\"\n[buildpack]\nid = \"acme/words\"\nversion = \"1.0\"\n\
    sbom-formats = [\"application/vnd.cyclonedx+json\"]\n[[targets]]\nos = \"linux\"\n";

pub(crate) fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes the image of a buildpackage in Docker and saves it, as `paas deploy --buildpack IMAGE` does.
fn save_package(tag: &str, file: &Path) {
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("cnb/buildpacks/acme_words/1.0");
    program(&home.join("bin/detect"), "#!/bin/sh\ntest -e marker\n");
    program(&home.join("bin/build"), BUILD);
    fs::write(home.join("buildpack.toml"), DESCRIPTOR).unwrap();
    let layer = tempfile::NamedTempFile::new().unwrap();
    let mut tar = tar::Builder::new(layer.reopen().unwrap());
    tar.append_dir_all(".", root.path()).unwrap();
    tar.finish().unwrap();
    let label =
        r#"LABEL io.buildpacks.buildpackage.metadata='{"id":"acme/words","version":"1.0"}'"#;
    let docker = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    docker(&["import", "--change", label, layer.path().to_str().unwrap(), tag]);
    docker(&["image", "save", "--output", file.to_str().unwrap(), tag]);
    docker(&["image", "rm", tag]);
}

fn inspect(image: &str) -> serde_json::Value {
    let output = Command::new("docker").args(["image", "inspect", image]).output().unwrap();
    let mut found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    found.remove(0)
}

/// A label that holds JSON.
fn parsed(label: &serde_json::Value) -> serde_json::Value {
    serde_json::from_str(label.as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_buildpack_makes_an_image_that_answers() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(".paas/buildpacks/0000");
    program(&own.join("bin/detect"), "#!/bin/sh\ntest -e marker\n");
    program(&own.join("bin/build"), BUILD);
    fs::write(own.join("buildpack.toml"), DESCRIPTOR).unwrap();
    fs::write(folder.path().join("marker"), "").unwrap();
    fs::write(folder.path().join("package.json"), "{}").unwrap();
    let source = world.source("one", folder.path());
    let first = world.build("foreign", &source).await.artifact();
    assert!(world.answer("foreign", &first).await.ends_with("Hello, foreign\n"));
    let again = world.build("foreign", &source).await.artifact();
    assert_eq!(again, first, "the same source gives the same image");
    fs::write(folder.path().join("marker"), "another").unwrap();
    let source = world.source("changed", folder.path());
    let changed = world.build("foreign", &source).await.artifact();
    assert!(world.answer("foreign", &changed).await.ends_with("Hello, foreign\n"));
    let shas = |image: &str| {
        let labels = &inspect(image)["Config"]["Labels"];
        let layers = parsed(&labels["io.buildpacks.lifecycle.metadata"]);
        let sha = |name: &str| layers["buildpacks"][0]["layers"][name]["sha"].clone();
        (sha("changing"), sha("lasting"))
    };
    let (before, after) = (shas(first.image.as_str()), shas(changed.image.as_str()));
    assert_ne!(before.0, after.0);
    assert_eq!(before.1, after.1, "a layer is used again above one that changed");

    let inspected = inspect(first.image.as_str());
    let labels = &inspected["Config"]["Labels"];
    let label = |name: &str| parsed(&labels[name]);
    assert_eq!(labels["made.by"], "acme");
    assert_eq!(labels["io.buildpacks.stack.id"], "io.buildpacks.stacks.trixie");
    let lifecycle = label("io.buildpacks.lifecycle.metadata");
    let layer = &lifecycle["buildpacks"][0]["layers"]["words"];
    assert_eq!(lifecycle["buildpacks"][0]["key"], "acme/words");
    assert_eq!(lifecycle["buildpacks"][0]["store"]["metadata"]["kept"], "yes");
    assert_eq!(
        (&layer["launch"], &layer["build"], &layer["data"]["n"]),
        (&true.into(), &false.into(), &1.into())
    );
    let layers = inspected["RootFS"]["Layers"].as_array().unwrap();
    for sha in [&layer["sha"], &lifecycle["sbom"]["sha"], &lifecycle["app"][0]["sha"]] {
        assert!(layers.contains(sha), "{sha} {lifecycle}");
    }
    assert!(layers.contains(&lifecycle["runImage"]["topLayer"]));
    let build = label("io.buildpacks.build.metadata");
    assert_eq!(build["buildpacks"][0]["id"], "acme/words");
    assert_eq!(build["processes"][0]["buildpackID"], "acme/words");
    assert_eq!(build["buildpack-default-process-type"], "web");

    let package = folder.path().join(".paas/buildpacks/0001.cnb");
    let tag = format!("paas-test-buildpackage:{}", world.installation);
    save_package(&tag, &package);
    fs::remove_dir_all(&own).unwrap();
    let source = world.source("two", folder.path());
    let told = world.build("foreign", &source).await;
    assert!(told.log.iter().any(|line| line == "Building with acme/words@1.0"), "{:?}", told.log);
    assert!(world.answer("foreign", &told.artifact()).await.ends_with("Hello, foreign\n"));
    world.end().await;
}

/// Installs a program as buildpacks do that know nothing of us: apt as the user, in folders of its own.
const APT: &str = r#"#!/usr/bin/env bash
set -eu
own=$1/apt
mkdir -p "$own/cache/archives/partial" "$own/state/lists/partial" "$own/parts" "$own/deb"
cat /etc/apt/sources.list > "$own/sources.list"
cp /etc/apt/sources.list.d/* "$own/parts"
apt="apt-get -q -o debug::nolocking=true -o dir::cache=$own/cache -o dir::state=$own/state"
apt="$apt -o dir::etc::sourcelist=$own/sources.list -o dir::etc::sourceparts=$own/parts"
$apt update
$apt -y -d install --reinstall figlet
dpkg -x "$own"/cache/archives/figlet_*.deb "$own/deb"
"$own/deb/usr/bin/figlet-figlet" -d "$own/deb/usr/share/figlet" "by apt"
cat > "$1/launch.toml" <<'EOF'
[[processes]]
type = "web"
command = ["true"]
EOF
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_buildpack_may_call_apt_by_itself() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(".paas/buildpacks/0000");
    program(&own.join("bin/detect"), "#!/bin/sh\n");
    program(&own.join("bin/build"), APT);
    fs::write(own.join("buildpack.toml"), DESCRIPTOR).unwrap();
    let source = world.source("one", folder.path());
    let told = world.build("foreign", &source).await;
    println!("{:?}\n{}", told.took, told.log.join("\n"));
    let letters = told.log.iter().any(|line| line.contains(r"|_.__/ \__, |"));
    assert!(letters, "{:?}", told.log);
    told.artifact();
    world.end().await;
}
