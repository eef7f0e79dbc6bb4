//! Debian packages in base images: asked for by an Aptfile or by anybody's image extension, installed
//! once, found by the app, gone when nobody needs them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use paas::{
    build::{
        Builder,
        variants::{self, InUse},
    },
    clock,
    engine::BuildEngine,
    faults,
};

use crate::{crash::dies_at, foreign::program, forgetful::Forgetful, world::World};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aptfile")
}

/// The last line of the example's name in figlet's letters.
const LETTERS: &str = r"\__,_| .__/ \__|_| |_|_|\___|";

#[tokio::test(flavor = "multi_thread")]
async fn packages_are_installed_once_for_all_apps() {
    let mut world = World::new().await;
    fs::remove_dir_all(&world.settings.variants).unwrap();
    let engine = Forgetful::new(world.docker.clone());
    let builder = Builder::new(engine.clone(), world.settings.clone());
    let source = world.source("one", &example());

    // Two apps at once.
    let (one, mut news) = world.request("hello", &source);
    let (two, mut other) = world.request("shop", &source);
    let (one, two) = tokio::join!(builder.build(one), builder.build(two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(*engine.changes.lock().unwrap(), 2, "the run image and the build image");
    let news = std::iter::from_fn(|| news.try_recv().or_else(|_| other.try_recv()).ok());
    let told = format!("{:?}", news.collect::<Vec<_>>());
    assert!(told.contains("Installing Debian packages into the run image"), "{told}");
    for (app, artifact) in [("hello", &one), ("shop", &two)] {
        let page = world.answer(app, artifact).await;
        assert!(page.contains(LETTERS) && page.ends_with("Hello from aptfile!\n"), "{page}");
    }

    // A third on a server that has them already, twice.
    let told = world.build("third", &source).await;
    println!("{}", told.log.join("\n"));
    assert!(!told.log.iter().any(|line| line.contains("Installing Debian")), "{:?}", told.log);
    let third = told.artifact();
    assert!(world.answer("third", &third).await.contains(LETTERS));
    let again = world.build("third", &source).await;
    println!("the same again: {:?}", again.took);
    assert_eq!(again.artifact(), third);

    // Without the Aptfile it stands on the base images again.
    fs::remove_file(source.join("Aptfile")).unwrap();
    let plain = world.build("third", &source).await.artifact();
    let layers = world.docker.image_layers(&plain.image).await.unwrap().unwrap();
    let extended = world.docker.image_layers(&one.image).await.unwrap().unwrap();
    assert_eq!(layers[0], extended[0], "the base");
    assert!(!layers.contains(&extended[1]), "the packages");

    let wrong = world.app("wrong", &[("Procfile", "web: x"), ("Aptfile", "figlat\n")]);
    let told = world.build("wrong", &wrong).await;
    assert_eq!(told.result.as_ref().unwrap_err().code(), Some(102));
    let failure = told.failure();
    let expected = "Debian has no package `figlat`\nhint: did you mean figlet";
    assert!(failure.starts_with(expected), "{failure}");

    // A container that rests uses its image.
    builder.dismiss(|_| false).await;
    world.builder.dismiss(|_| false).await;
    sweep(&world).await;
    world.end().await;
}

/// They stay as long as an app was built with them, and as long as an image stands on them.
async fn sweep(world: &World) {
    let later = clock::system() + Duration::from_hours(100);
    let left = async || {
        let images = world.docker.images().await.unwrap();
        let used = InUse { apps: &world.settings.apps, images: &images, now: later };
        let removed = variants::sweep(&world.docker, &world.settings.variants, used).await.unwrap();
        let bases = world.docker.images().await.unwrap();
        (removed, bases.iter().filter(|image| image.app.is_none()).count())
    };
    assert_eq!(left().await, (0, 2));
    fs::remove_dir_all(&world.settings.apps).unwrap();
    assert_eq!(left().await, (1, 1), "images stand on the one for running");
    for image in world.docker.images().await.unwrap().iter().filter(|image| image.app.is_some()) {
        world.docker.remove_image(&image.id).await.unwrap();
    }
    assert_eq!(left().await, (1, 0));
}

/// Requires `letters`, which only the extension provides.
const DETECT: &str = "#!/bin/sh\nprintf '[[requires]]\\nname = \"letters\"\\n' > \"$2\"\n";
const BUILD: &str = r#"#!/bin/sh
set -eu
figlet -v > /dev/null && echo "figlet is there to build"
cat > "$1/launch.toml" <<'EOF'
[[processes]]
type = "web"
default = true
command = ["bash", "-c"]
args = ["mkdir /tmp/s; figlet aptfile > /tmp/s/index.html; cd /tmp/s; exec python3 -m http.server $PORT"]
EOF
"#;

const DOCKERFILE: &str = "ARG base_image
FROM ${base_image}
USER root
RUN apt-get update && apt-get install -y --no-install-recommends figlet \\
    && rm -rf /var/lib/apt/lists/*
ARG user_id
USER ${user_id}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_extension_brings_packages_and_nothing_else() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let [extension, buildpack] =
        ["0000", "0001"].map(|name| folder.path().join(".paas/buildpacks").join(name));
    let head = |kind: &str, id: &str| {
        format!("api = \"0.10\"\n[{kind}]\nid = \"{id}\"\nversion = \"1\"\n")
    };
    program(&buildpack.join("bin/detect"), DETECT);
    program(&buildpack.join("bin/build"), BUILD);
    fs::write(buildpack.join("buildpack.toml"), head("buildpack", "acme/banner")).unwrap();
    fs::create_dir_all(extension.join("detect")).unwrap();
    fs::create_dir_all(extension.join("generate")).unwrap();
    fs::write(extension.join("extension.toml"), head("extension", "acme/letters")).unwrap();
    let plan = "[[provides]]\nname = \"letters\"\n";
    fs::write(extension.join("detect/plan.toml"), plan).unwrap();
    for name in ["run.Dockerfile", "build.Dockerfile"] {
        fs::write(extension.join("generate").join(name), DOCKERFILE).unwrap();
    }
    let source = world.source("one", folder.path());
    let told = world.build("foreign", &source).await;
    assert!(told.log.iter().any(|line| line == "figlet is there to build"), "{:?}", told.log);
    let artifact = told.artifact();
    assert!(world.answer("foreign", &artifact).await.contains(LETTERS));
    let image = artifact.image.as_str();
    let inspect = Command::new("docker").args(["image", "inspect", image]).output();
    let inspected: serde_json::Value = serde_json::from_slice(&inspect.unwrap().stdout).unwrap();
    let labels = &inspected[0]["Config"]["Labels"];
    assert_eq!(labels["paas.packages"], "figlet");
    assert_eq!(labels["io.buildpacks.rebasable"], "false");
    let build = labels["io.buildpacks.build.metadata"].as_str().unwrap();
    assert!(build.contains(r#""extensions":[{"id":"acme/letters","version":"1"}]"#), "{build}");

    let more = format!("{DOCKERFILE}COPY secrets /\n");
    fs::write(extension.join("generate/run.Dockerfile"), more).unwrap();
    let source = world.source("two", folder.path());
    let told = world.build("foreign", &source).await;
    assert_eq!(told.result.as_ref().unwrap_err().code(), Some(92));
    let failure = told.failure();
    let expected = "run.Dockerfile of the extension acme/letters@1, line 8: `COPY secrets /`: only";
    assert!(failure.starts_with(expected), "{failure}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn a_daemon_that_died_while_it_installed_begins_again() {
    let world = World::new().await;
    world.source("source", &example());
    lose_one(&world.settings.variants);
    for point in faults::VARIANTS {
        dies_at(&world, point);
        world.builder.sweep().await.unwrap();
        // Docker may still be at a removal that the dead one asked for.
        let started = Instant::now();
        while is_installing(&world) {
            assert!(started.elapsed() < Duration::from_mins(1), "{point}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let mut world = World::at(world.home.clone(), world.installation.clone()).await;
    let source = world.home.join("source");
    let artifact = world.build("shop", &source).await.artifact();
    assert!(world.answer("shop", &artifact).await.contains(LETTERS));
    world.end().await;
}

/// Takes the variants of the run image away, so that they are made anew.
#[cfg(debug_assertions)]
fn lose_one(variants: &Path) {
    for entry in fs::read_dir(variants).unwrap() {
        let folder = entry.unwrap().path();
        let record = fs::read_to_string(folder.join("variant.json")).unwrap();
        if record.contains("\"paas/run:") {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}

/// Whether there is a container in which packages are installed.
#[cfg(debug_assertions)]
fn is_installing(world: &World) -> bool {
    let filter = format!("name=paas-{}.root", world.installation);
    let left = Command::new("docker").args(["ps", "-aq", "--filter", &filter]).output();
    !left.unwrap().stdout.is_empty()
}
