//! Builder images of somebody else's: their buildpacks, their user, their run image, by our agent.

use std::{fs, path::Path, process::Command};

use paas::{
    engine::{BuildEngine, ImageEngine},
    model::Artifact,
};

use crate::{foreign::program, world::World};

/// Keeps a count from build to build, and shows whom it runs as.
const BUILD: &str = r#"#!/usr/bin/env bash
set -eu
[ "$CNB_STACK_ID" = acme.stack ] && [ "$CNB_TARGET_DISTRO_NAME" = debian ]
[ "$FROM_OPERATOR" = yes ] && [ -e /cnb/marker ] && [ "$(id -u):$(id -g)" = 1001:1002 ]
[ ! -e /cnb/buildpacks/paas_nodejs ] && touch /cache/mine
mkdir -p "$1/count" "$1/words/env.launch"
echo . >> "$1/count/builds"
echo "build $(wc -l < "$1/count/builds")"
printf '[types]\ncache = true\n' > "$1/count.toml"
printf foreign > "$1/words/env.launch/WORD"
printf '[types]\nlaunch = true\n' > "$1/words.toml"
cat > "$1/launch.toml" <<'EOF'
[[processes]]
type = "web"
default = true
command = ["bash", "-c"]
args = ["mkdir /tmp/s; echo $WORD $(id -u):$(id -g) $(stat -c %u:%g /layers/acme_words/words page) > /tmp/s/index.html; cd /tmp/s; exec python3 -m http.server $PORT"]
EOF
"#;

const ORDER: &str = "[[order]]\n[[order.group]]\nid = \"acme/nothing\"\nversion = \"1\"\n\
    [[order]]\n[[order.group]]\nid = \"acme/words\"\nversion = \"1\"\n";

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes an image of one of ours, a folder `cnb` and more lines.
fn image(tag: &str, from: &str, cnb: Option<&Path>, lines: &str) {
    let context = tempfile::tempdir().unwrap();
    let copy = cnb.map_or("", |_| "COPY cnb /cnb\n");
    if let Some(cnb) = cnb {
        let copied = Command::new("cp").arg("-a").arg(cnb).arg(context.path()).status().unwrap();
        assert!(copied.success());
    }
    fs::write(context.path().join("Dockerfile"), format!("FROM {from}\n{copy}{lines}\n")).unwrap();
    docker(&["build", "-q", "-t", tag, context.path().to_str().unwrap()]);
}

fn write_builder(cnb: &Path, run: &str) {
    for (id, detect, build) in
        [("nothing", "#!/bin/sh\nexit 100\n", "#!/bin/sh\n"), ("words", "#!/bin/sh\n", BUILD)]
    {
        let home = cnb.join(format!("buildpacks/acme_{id}/1"));
        program(&home.join("bin/detect"), detect);
        program(&home.join("bin/build"), build);
        let text = format!("api = \"0.10\"\n[buildpack]\nid = \"acme/{id}\"\nversion = \"1\"\n");
        fs::write(home.join("buildpack.toml"), text).unwrap();
    }
    fs::create_dir_all(cnb.join("build-config/env")).unwrap();
    fs::write(cnb.join("build-config/env/FROM_OPERATOR"), "yes").unwrap();
    fs::write(cnb.join("marker"), "").unwrap();
    fs::write(cnb.join("order.toml"), ORDER).unwrap();
    fs::write(cnb.join("run.toml"), format!("[[images]]\nimage = \"{run}\"\n")).unwrap();
}

/// Puts an image upon what the name of its run image means by now: one layer more.
async fn is_rebased(world: &mut World, source: &Path, first: &Artifact, layers: usize) {
    let (request, _news) = world.request("hello", source);
    let (image, size) = world.builder.rebase(&request, &first.image).await.unwrap();
    assert_eq!(size, first.size);
    let before = world.docker.image_layers(&first.image).await.unwrap().unwrap();
    let after = world.docker.image_layers(&image).await.unwrap().unwrap();
    assert_eq!(after.len(), before.len() + layers);
    let rebased = Artifact { image, ..first.clone() };
    assert!(world.answer("hello", &rebased).await.contains("foreign 1003:1002"));
}

/// An image that is no builder.
async fn is_refused(world: &mut World) {
    let image = &world.settings.run.reference;
    let wrong = [("paas.toml", &*format!("[build]\nbuilder = \"{image}\"\n"))];
    let wrong = world.app("four", &wrong);
    let failure = world.build("wrong", &wrong).await.failure();
    assert!(
        failure.starts_with("the image is not a builder: it has no /cnb/order.toml"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_of_somebody_elses_builds_by_our_agent_on_its_own_images() {
    let mut world = World::new().await;
    let home = tempfile::tempdir().unwrap();
    let cnb = home.path().join("cnb");
    let [builder, labelled, run] =
        ["builder", "labelled", "run"].map(|it| format!("paas-test-{it}:{}", world.installation));
    write_builder(&cnb, &run);
    let user = "ENV CNB_USER_ID=1001 CNB_GROUP_ID=1002 CNB_STACK_ID=acme.stack\nUSER 1001:1002\n\
                LABEL io.buildpacks.base.distro.name=debian";
    image(&builder, world.settings.build.id.as_str(), Some(&cnb), user);
    let files = [("page", "x"), ("paas.toml", &*format!("[build]\nbuilder = \"{builder}\"\n"))];
    let source = world.app("one", &files);

    let told = world.build("hello", &source).await;
    assert_eq!(told.result.as_ref().unwrap_err().code(), Some(32));
    let failure = told.failure();
    let missing = format!(
        "the run image of the builder {builder}, {run} is not in this server's Docker, and cannot be pulled"
    );
    assert!(failure.starts_with(&missing), "{failure}");
    assert!(failure.contains(&format!("hint: make this work on the server: `docker pull {run}`")));

    let of_run = "USER 1003:1002\nENV CNB_STACK_ID=acme.stack\nLABEL acme.base=1 \
                  io.buildpacks.base.distro.name=debian";
    image(&run, world.settings.run.id.as_str(), None, of_run);
    let first = world.build("hello", &source).await;
    println!("{}", first.log.join("\n"));
    assert!(first.log.iter().any(|line| line == "build 1"), "{:?}", first.log);
    let first = first.artifact();
    let page = world.answer("hello", &first).await;
    assert!(page.ends_with("foreign 1003:1002 1001:1002 1001:1002\n"), "{page}");
    let inspected = docker(&["image", "inspect", first.image.as_str()]);
    for expected in ["\"acme.base\": \"1\"", "\"io.buildpacks.stack.id\": \"acme.stack\"", &run] {
        assert!(inspected.contains(expected), "{expected} {inspected}");
    }

    // Warm: the cache comes back, the container rests, and the image is the same.
    assert_eq!(world.docker.builders().await.unwrap().len(), 1, "one rests");
    let again = world.build("hello", &source).await;
    println!("the same again: {:?}", again.took);
    assert!(again.log.iter().any(|line| line == "build 2"), "{:?}", again.log);
    assert_eq!(again.artifact(), first);
    image(&run, world.settings.run.id.as_str(), Some(&cnb), of_run);
    is_rebased(&mut world, &source, &first, 1).await;

    // A label says what apps run on before anything is built; ids are those of the builder.
    let metadata = format!(
        "LABEL io.buildpacks.builder.metadata='{{\"stack\":{{\"runImage\":{{\"image\":\"no.such.invalid/x\",\"mirrors\":[\"{run}\"]}}}}}}'"
    );
    image(&labelled, &builder, None, &metadata);
    let files = [
        ("page", "x"),
        (
            "paas.toml",
            &*format!("[build]\nbuilder = \"{labelled}\"\nbuildpacks = [\"acme/words\"]\n"),
        ),
        ("Procfile", "extra: true\n"),
    ];
    let source = world.app("two", &files);
    let told = world.build("hello", &source).await;
    let line = "Building with acme/words@1, paas/procfile@0.1.0";
    assert!(told.log.iter().any(|it| it == line), "{:?}", told.log);
    assert!(told.log.iter().any(|line| line == "build 3"), "{:?}", told.log);
    let artifact = told.artifact();
    assert!(artifact.processes.contains_key("extra"));
    assert!(world.answer("hello", &artifact).await.contains("foreign 1003:1002"));

    // Back to ours: what was made for another user is of no use, and in nobody's way.
    let files = [("Procfile", "web: cd /tmp; touch index.html; exec python3 -m http.server $PORT")];
    let ours = world.app("three", &files);
    let told = world.build("hello", &ours).await;
    let cleared = |line: &String| line.contains("its layers and caches are gone");
    assert!(told.log.iter().any(cleared), "{:?}", told.log);
    assert!(world.answer("hello", &told.artifact()).await.contains("200"));

    is_refused(&mut world).await;
    world.builder.dismiss(|_| false).await;
    for name in [&labelled, &builder, &run] {
        world.docker.untag(name).await.unwrap();
    }
    world.end().await;
}
