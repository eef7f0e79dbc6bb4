//! Builds against the real Docker, the real stack and the real buildpacks: from a folder to a page.
//! Needs a running dockerd, mmdebstrap, and this machine's own npm registry for the first Node.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what failed by failing")]

mod crash;
#[path = "../e2e/docker.rs"]
#[allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "of what tests ask Docker, these only clean up"
)]
mod docker;
mod extensions;
mod foreign;
mod forgetful;
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "the same")]
mod http;
#[path = "../e2e/kept.rs"]
mod kept;
mod rebase;
mod reproducible;
mod strangers;
mod warm;
mod world;

use std::{fs, path::Path, time::Duration};

use paas::{
    build::{BuildError, Progress, Stage},
    engine::BuildEngine,
    model::ByteSize,
};
use world::{SMALL, World};

const PACKAGE: &str =
    r#"{ "name": "shop", "scripts": { "start": "node app.js", "build": "BUILD" } }"#;

fn package(build: &str) -> String {
    PACKAGE.replace("BUILD", build)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_an_image_that_answers() {
    let mut world = World::new().await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node-hello");
    let source = world.source("one", &example);
    let first = world.build("hello", &source).await;
    println!("first build: {:?}\n{}", first.took, first.log.join("\n"));
    let first = first.artifact();
    assert!(first.size > ByteSize(0) && first.size < SMALL, "{}", first.size);
    assert!(world.answer("hello", &first).await.ends_with("Hello from node-hello!\n"));

    let again = world.build("hello", &source).await;
    println!("the same again: {:?}", again.took);
    assert_eq!(again.artifact(), first);

    let text = fs::read_to_string(example.join("app.js")).unwrap();
    let text = text.replace("Hello from", "Good day from");
    let files = [("app.js", text.as_str()), ("package.json", PACKAGE)];
    let changed = world.app("two", &[files[0], ("package.json", &package("true"))]);
    let changed = world.build("hello", &changed).await;
    println!("one line changed: {:?}", changed.took);
    let changed = changed.artifact();
    assert_ne!(changed.image, first.image);
    assert!(world.answer("hello", &changed).await.ends_with("Good day from node-hello!\n"));

    let usage = world.builder.usage(&"hello".parse().unwrap()).await.unwrap();
    assert!(usage > ByteSize(0) && usage < SMALL, "{usage}");

    // Docker loses all our images: untouched layers have to be sent again.
    for image in world.docker.images().await.unwrap() {
        world.docker.remove_image(&image.id).await.unwrap();
    }
    let resent = world.build("hello", &source).await;
    println!("all sent again: {:?}", resent.took);
    let resent = resent.artifact();
    assert_eq!(resent.image, first.image);
    assert!(world.answer("hello", &resent).await.ends_with("Hello from node-hello!\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_are_installed_once_and_sent_once() {
    let mut world = World::new().await;
    for (example, edited) in [("node-express", "server.js"), ("python-flask", "app.py")] {
        let app = if edited.ends_with("py") { "hello" } else { "shop" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let source = world.source(example, &folder);
        let first = world.build(app, &source).await;
        println!("{example}, cold: {:?}\n{}", first.took, first.log.join("\n"));
        let first = first.artifact();
        let page = world.answer(app, &first).await;
        println!("{page}");

        // The file has another content and so another digest; nothing else changes.
        let path = source.join(edited);
        let comment = if edited.ends_with("py") { "# edited" } else { "// edited" };
        fs::write(&path, fs::read_to_string(&path).unwrap() + comment).unwrap();
        let second = world.build(app, &source).await;
        println!("{example}, one line changed: {:?}\n{}", second.took, second.log.join("\n"));
        let second = second.artifact();
        let one = world.docker.image_layers(&first.image).await.unwrap().unwrap();
        let two = world.docker.image_layers(&second.image).await.unwrap().unwrap();
        assert_eq!(one.len(), two.len());
        assert_eq!(one[..one.len() - 1], two[..two.len() - 1], "only the app's layer is new");
        assert_ne!(one.last(), two.last());
        assert_eq!(world.answer(app, &second).await.lines().last(), page.lines().last());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_takes_nothing_from_the_next() {
    let mut world = World::new().await;
    let app =
        ("app.js", "require('http').createServer((q, s) => s.end('up')).listen(process.env.PORT)");
    // Of the container nothing can be written to that nobody looks at.
    let closed = package("if touch /home/app/x; then exit 9; fi; touch /var/tmp/x /tmp/x");
    let good = world.app("good", &[app, ("package.json", &closed)]);
    let first = world.build("shop", &good).await.artifact();

    let cases = [
        (package("exit 3"), "", "exit"),
        (
            package("node -e 'let a=[];for(;;)a.push(Buffer.alloc(1e7,1))'"),
            "[build]\nmemory = \"128m\"\n",
            "the build ran out of memory (limit 128 MiB)\nhint: allow more in paas.toml: [build] \
             memory = \"256m\"",
        ),
        (
            package("sleep 600"),
            "[build]\ntimeout = \"3s\"\n",
            "the build did not end within 3 s\nhint: allow more in paas.toml: [build] timeout",
        ),
        (
            package("head -c 300M /dev/zero > product; sleep 600"),
            "[build]\ndisk = \"64m\"\n",
            "the build took more than its 64 MiB of the server's disk\nhint: allow more in \
             paas.toml: [build] disk = \"128m\"",
        ),
        (
            package("head -c 300M /dev/zero > /cache/app/.wh.hidden; sleep 600"),
            "[build]\ndisk = \"64m\"\n",
            "the build took more than its 64 MiB",
        ),
        (
            package("for n in $(seq 300); do sleep 600 & done; wait"),
            "[build]\npids = 64\n",
            "the build ran out of processes and threads (limit 64)",
        ),
        (package("true"), "[build]\nmemroy = \"1g\"\n", "did you mean `memory`?"),
        (package("true"), "[process.clock]\nscale = 1\n", "the process `clock`"),
    ];
    for (number, (package, manifest, expected)) in cases.into_iter().enumerate() {
        let files = [app, ("package.json", package.as_str()), ("paas.toml", manifest)];
        let bad = world.app(&format!("bad{number}"), &files);
        let told = world.build("shop", &bad).await;
        let failure = told.failure();
        assert!(failure.contains(expected), "{failure}\ndoes not say: {expected}");
        let usage = world.builder.usage(&"shop".parse().unwrap()).await.unwrap();
        assert!(usage < SMALL, "{expected}: {usage} stay");
        // One in which a build went well may wait, whatever was wrong with the image.
        world.builder.dismiss(|_| false).await;
        assert!(world.docker.builders().await.unwrap().is_empty(), "{expected}");
    }

    let sparse = [app, ("package.json", &*package("truncate -s 1T product"))];
    let sparse = world.app("sparse", &sparse);
    let failure = world.build("shop", &sparse).await.result.unwrap_err();
    assert_eq!(failure.code(), Some(62), "{failure:?}");

    let again = world.build("shop", &good).await.artifact();
    assert_eq!(again, first);
    assert!(world.answer("shop", &again).await.ends_with("up"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_leaves_no_container() {
    let mut world = World::new().await;
    let files = [("app.js", ""), ("package.json", &package("echo begun; sleep 600"))];
    let source = world.app("slow", &files);
    let (request, mut news) = world.request("shop", &source);
    let cancel = request.cancel.clone();
    let building = world.builder.build(request);
    let watching = async {
        while let Some(progress) = news.recv().await {
            if format!("{progress:?}").contains("begun") {
                assert_eq!(world.docker.builders().await.unwrap().len(), 1);
                cancel.cancel();
            }
        }
    };
    let both = async { tokio::join!(building, watching).0 };
    let result = tokio::time::timeout(Duration::from_mins(2), both).await.unwrap();
    assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    assert!(world.docker.builders().await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_cancelled_at_any_stage_takes_nothing_from_the_next() {
    let mut world = World::new().await;
    let page = "require('http').createServer((q, s) => s.end('up')).listen(process.env.PORT)";
    let files = [("app.js", page), ("package.json", &package("true"))];
    let source = world.app("source", &files);
    let whole = world.build("shop", &source).await.artifact();
    for stage in [Stage::Prepare, Stage::Detect, Stage::Build, Stage::Export, Stage::Load] {
        let edited = format!("{page} // {stage:?}");
        let edited = world.app(stage.word(), &[("app.js", &edited), files[1]]);
        let (request, mut news) = world.request("shop", &edited);
        let cancel = request.cancel.clone();
        let watching = async {
            while let Some(progress) = news.recv().await {
                if progress == Progress::Stage(stage) {
                    cancel.cancel();
                }
            }
        };
        let (result, ()) = tokio::join!(world.builder.build(request), watching);
        // Docker may be quicker than the news of its beginning.
        let late = stage == Stage::Load && result.is_ok();
        assert!(late || matches!(result, Err(BuildError::Cancelled)), "{stage:?}: {result:?}");
        // One that waits was not in use, or had built already.
        world.builder.dismiss(|_| false).await;
        assert!(world.docker.builders().await.unwrap().is_empty(), "{stage:?}");
        assert_eq!(world.build("shop", &source).await.artifact(), whole, "{stage:?}");
    }
    assert!(world.answer("shop", &whole).await.ends_with("up"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn builders_of_a_daemon_that_died_are_swept() {
    let mut world = World::new().await;
    let files = [("app.js", ""), ("package.json", &package("echo begun; sleep 600"))];
    let source = world.app("slow", &files);
    let (request, mut news) = world.request("shop", &source);
    let begun = async {
        while let Some(progress) = news.recv().await {
            if format!("{progress:?}").contains("begun") {
                break;
            }
        }
    };
    // A daemon that dies is a build that is dropped where it stands.
    tokio::select! {
        result = world.builder.build(request) => panic!("it ended: {result:?}"),
        () = begun => {}
    }
    assert_eq!(world.builder.sweep().await.unwrap(), 1);
    assert!(world.docker.builders().await.unwrap().is_empty());
    world.end().await;
}
