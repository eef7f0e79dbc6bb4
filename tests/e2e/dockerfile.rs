//! Apps with a Dockerfile: built by Docker, like any other from there on.

use std::{fs, process::Command};

use crate::{
    prebuilt::{Named, import, run},
    server::{Server, says, until},
    sources,
};

const DOCKERFILE: &str = r#"ARG BASE
FROM $BASE AS words
ARG WORD
RUN busybox echo "$WORD" > /www/index.html

FROM $BASE
COPY --from=words /www /www
COPY . /src
RUN busybox ls -A /src > /www/ls && busybox cat /src/text > /www/text
EXPOSE 8081
USER 1234
"#;

fn manifest(base: &str, word: &str, more: &str) -> String {
    format!("[build]\n{more}\n[build.args]\nBASE = \"{base}\"\nWORD = \"{word}\"\n")
}

/// The stages that no image is made of, nor another stage.
fn stages(server: &Server) -> Vec<String> {
    let own = format!("label=paas.installation={}", server.installation());
    let mut list = Command::new("docker");
    list.args(["image", "ls", "-q", "--filter", "dangling=true", "--filter", &own]);
    run(&mut list).lines().map(str::to_owned).collect()
}

#[test]
fn a_dockerfile_becomes_an_app_and_leaves_nothing_behind() {
    let server = Server::start();
    let base = Named(format!("paas-test-{}:base", server.installation()));
    import(&base.0, "base\n", &[]);
    let app = sources::folder(&[
        ("Dockerfile", DOCKERFILE),
        (".dockerignore", "*\n!text\n"),
        ("Procfile", "worker: busybox sleep 1000\n"),
        ("text", "first\n"),
        ("secret", "not for the image\n"),
        ("paas.toml", &manifest(&base.0, "hello", "")),
    ]);
    let told = server.deploy("app", app.path()).ok();
    says(
        &told,
        &["Building with Dockerfile", "builder = \"buildpacks\"", "RUN busybox ls", "as `1234`"],
    );
    assert!(!told.contains("LABEL"), "{told}");
    assert_eq!(server.page("app", "/"), "hello\n");
    assert_eq!(server.page("app", "/ls"), "text\n", "neither what is ignored nor what is ours");
    server.until_runs("app", &["web.1", "worker.1"]);

    fs::write(app.path().join("text"), "second\n").unwrap();
    let told = server.deploy("app", app.path()).ok();
    says(&told, &["as in an earlier build"]);
    assert_eq!(server.page("app", "/text"), "second\n");
    let before = stages(&server).len();
    for word in ["new", "newer"] {
        sources::write(app.path(), "paas.toml", &manifest(&base.0, word, ""));
        server.deploy("app", app.path()).ok();
        assert_eq!(server.page("app", "/"), format!("{word}\n"));
    }
    assert_eq!((before, stages(&server).len()), (1, 1), "no stage of an earlier build is left");

    sources::write(app.path(), "Dockerfile", "ARG BASE\nFROM $BASE\nRUN echo why; exit 3\n");
    let told = server.deploy("app", app.path()).ended(1);
    says(&told, &["`RUN echo why; exit 3` failed", "code 3", "why", "hint:"]);
    sources::write(app.path(), "Dockerfile", "ARG BASE\nFROM $BASE\nNO\n");
    says(&server.deploy("app", app.path()).ended(1), &["the Dockerfile is wrong", "line 3"]);
    sources::write(app.path(), "paas.toml", &manifest(&base.0, "", "timeout = \"2s\""));
    sources::write(app.path(), "Dockerfile", "ARG BASE\nFROM $BASE\nRUN busybox sleep 600\n");
    let told = server.deploy("app", app.path()).ended(1);
    says(&told, &["did not end within 2 s", "hint: allow more"]);
    let steps =
        || server.containers().into_iter().filter(|it| !it.name.starts_with("paas-")).count();
    assert_eq!(steps(), 0, "a step that was given up does not run on");
    assert_eq!(server.page("app", "/"), "newer\n", "what ran goes on");

    let example = sources::example("dockerfile");
    sources::write(example.path(), "paas.toml", &manifest(&base.0, "", ""));
    server.deploy("app", example.path()).ok();
    assert_eq!(server.page("app", "/"), "Hello from dockerfile!\n");
}

#[test]
fn a_step_does_not_outlive_the_daemon() {
    let mut server = Server::start();
    let base = Named(format!("paas-test-{}:base", server.installation()));
    import(&base.0, "base\n", &[]);
    let text = format!("FROM {}\nRUN busybox sleep 600\n", base.0);
    let app = sources::folder(&[("docker/web", &text)]);
    server.paas(&["apps", "create", "app"]).ok();
    let folder = app.path().to_str().unwrap();
    let deploy = ["deploy", folder, "-a", "app", "-d", "--dockerfile", "docker/web"];
    server.paas(&deploy).ok();
    until("a step runs", || server.containers().iter().any(|it| it.running).then_some(()));
    server.kill9();
    until("no step runs", || server.containers().is_empty().then_some(()));
}

/// A step that looks like somebody else's, as far as its author can say so.
const FLOOD: &str =
    "RUN i=0; while busybox [ $i -lt 300 ]; do busybox sleep 600 & i=$((i+1)); done; wait";
/// Forty megabytes each, the first of them in a layer of its own.
const WRITES: &str = "RUN busybox dd if=/dev/zero of=/a bs=1M count=40\nRUN busybox dd if=/dev/zero of=/b bs=1M count=40 && busybox sleep 600";
const HOLES: &str = "RUN for n in 1 2 3 4 5 6 7 8; do busybox truncate -s 60M /$n; done";

#[test]
fn a_dockerfile_is_held_to_the_limits_of_every_build() {
    let server = Server::start();
    let base = Named(format!("paas-test-{}:base", server.installation()));
    import(&base.0, "base\n", &[]);
    let disk = "took more than its 64 MiB of the server's disk";
    let more_disk = "hint: allow more in paas.toml: [build] disk = \"128m\"";
    for (limit, steps, told) in [
        (
            "pids = 32",
            format!("LABEL paas.role=image \"paas\".app=other\n{FLOOD}"),
            ["ran out of processes and threads (limit 32)", "[build] pids = 64"],
        ),
        ("disk = \"64m\"", WRITES.to_owned(), [disk, more_disk]),
        ("disk = \"64m\"", "RUN busybox truncate -s 1000G /a".to_owned(), [disk, more_disk]),
        ("disk = \"64m\"", HOLES.to_owned(), [disk, more_disk]),
        (
            "memory = \"64m\"",
            "RUN busybox tail /dev/zero".to_owned(),
            ["was killed, most likely for its memory (limit 64 MiB)", "memory = \"128m\""],
        ),
    ] {
        let app = sources::folder(&[
            ("Dockerfile", &format!("FROM {}\n{steps}\n", base.0)),
            ("paas.toml", &format!("[build]\n{limit}\n")),
        ]);
        says(&server.deploy("app", app.path()).ended(1), &told);
        until(&format!("{limit}: no step is left"), || {
            let mut all = server.containers().into_iter();
            all.all(|it| it.name.starts_with("paas-")).then_some(())
        });
    }

    // One that no Dockerfile makes any more needs no stages.
    let app = sources::folder(&[(
        "Dockerfile",
        &format!("FROM {0} AS a\nRUN busybox touch /a\nFROM {0}\nCOPY --from=a /a /\n", base.0),
    )]);
    server.deploy("app", app.path()).ok();
    assert!(!stages(&server).is_empty());
    let image = sources::folder(&[("paas.toml", &format!("[build]\nimage = \"{}\"\n", base.0))]);
    server.deploy("app", image.path()).ok();
    until("its stages are swept", || stages(&server).is_empty().then_some(()));
}
