//! The examples, deployed as a new user deploys them; each does what its README says.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    docker::{self, Container},
    server::{Server, Setup, says, until},
    sources,
    traffic::Traffic,
};

#[test]
fn small_examples_become_apps_that_answer() {
    let server = Server::start();
    for (example, answer) in [
        ("node-hello", "Hello from node-hello!\n"),
        ("static-site", "<!doctype html>"),
        ("web-and-worker", "Hello from the web process!\n"),
    ] {
        let told = server.deploy(example, sources::example(example).path());
        says(&told.stdout, &[&format!("http://{example}.localhost:{}", server.edge())]);
        says(&told.ok(), &["Release v1", "image size", "web.1 ready", "serves", "in all"]);
        let page = server.page(example, "/");
        assert!(page.to_lowercase().starts_with(&answer.to_lowercase()), "{page}");
    }

    let missing = server.get("static-site", "/no/such/page");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.text(), include_str!("../../examples/static-site/public/404.html"));
    assert_eq!(server.get("static-site", "/home").status, 301);
    let style = server.get("static-site", "/style.css");
    assert!(style.header("content-type").unwrap().starts_with("text/css"), "{style:?}");
    assert!(style.header("etag").is_some(), "{style:?}");

    server.until_runs("web-and-worker", &["web.1", "worker.1"]);
    let logs = server.paas(&["logs", "-a", "web-and-worker", "-p", "worker"]).ok();
    says(&logs, &["worker.1", "worker: started"]);
    assert!(!logs.contains("listening"), "{logs}");

    let unknown = server.get("nobody", "/");
    assert_eq!(unknown.status, 404);
    says(&unknown.text(), &["nobody.localhost"]);
}

#[test]
fn a_slow_start_is_waited_for_while_the_old_release_serves() {
    let server = Server::start();
    let slow = sources::example("slow-start");
    server.api("POST", "/v1/apps", br#"{"name":"slow-start"}"#);
    server.paas(&["config", "set", "START_SECONDS=1", "-a", "slow-start"]).ok();
    server.deploy("slow-start", slow.path()).ok();
    let first = "Hello, after 1 seconds of preparation!\n";
    assert_eq!(server.page("slow-start", "/"), first);

    let traffic = Traffic::to(&server, "slow-start");
    let told = server.paas(&["config", "set", "START_SECONDS=4", "-a", "slow-start"]).ok();
    says(&told, &["Setting START_SECONDS and restarting slow-start... done, v2"]);
    let second = "Hello, after 4 seconds of preparation!\n";
    assert_eq!(server.page("slow-start", "/"), second);
    assert_eq!(traffic.all_were_answered(), [first, second]);
}

#[test]
fn dependencies_come_from_the_registries_of_this_machine() {
    // It is not told where they are, and asks npm and pip.
    let settings = ["NPM_CONFIG_REGISTRY", "PIP_INDEX_URL"].map(|name| (name, String::new()));
    let server = Server::starting(Setup { settings: settings.to_vec(), ..Setup::default() });
    server.until_ready();
    for (example, cold) in [
        ("node-express", &["npm ci"] as &[&str]),
        ("python-flask", &["gunicorn", "app:app"]),
        ("go-http", &["go"]),
    ] {
        let told = server.deploy(example, sources::example(example).path()).ok();
        says(&told, cold);
        assert_eq!(server.page(example, "/"), format!("Hello from {example}!\n"));
        says(&server.page(example, "/up"), &["ok"]);
    }

    let changed = sources::example("node-express");
    let script = std::fs::read_to_string(changed.path().join("server.js")).unwrap();
    sources::write(changed.path(), "server.js", &script.replace("Hello from", "Good day from"));
    let traffic = Traffic::to(&server, "node-express");
    let told = server.deploy("node-express", changed.path()).ok();
    says(&told, &["used again", "node-express v2 serves"]);
    assert_eq!(server.page("node-express", "/"), "Good day from node-express!\n");
    let pages = traffic.all_were_answered();
    assert_eq!(pages.len(), 2, "{pages:?}");
}

#[test]
fn other_package_managers_and_frameworks_are_built_as_they_are() {
    let server = Server::start();
    server.api("POST", "/v1/apps", br#"{"name":"python-django"}"#);
    server.paas(&["config", "set", "SECRET_KEY=for-a-test", "-a", "python-django"]).ok();
    for (example, built, answer) in [
        (
            "deno-http",
            &["deno install --frozen", "deno run --allow-net"] as &[&str],
            "Hello from deno-http!",
        ),
        ("node-bun", &["bun install", "bun index.ts"], "Hello from node-bun!"),
        ("node-workspaces", &["in apps/web", "npm prune"], "Hello from node-workspaces!"),
        ("node-vite", &["is for development", "serving dist"], "Hello from node-vite!"),
        ("aptfile", &["figlet"], "Hello from aptfile!"),
        ("python-django", &["collectstatic", "gunicorn was added"], "Hello from python-django!"),
    ] {
        let told = server.deploy(example, sources::example(example).path()).ok();
        says(&told, built);
        says(&server.page(example, "/"), &[answer]);
    }
    says(&server.page("python-django", "/static/style.css"), &["sans-serif"]);
    // The browser's app knows the path; no runtime is there to answer.
    says(&server.page("node-vite", "/a/path/of/the/app"), &["Hello from node-vite!"]);
}

#[test]
fn java_is_compiled_by_a_kit_and_run_without_it() {
    let server = Server::start();
    let app = sources::example("java-maven");
    let offline = "[build.env]\nMAVEN_ARGS = \"-o -Dmaven.repo.local=/usr/share/maven-repo\"\n";
    sources::write(app.path(), "paas.toml", offline);
    let told = server.deploy("java-maven", app.path()).ok();
    says(&told, &["version 21 of Debian", "$ mvn", "java -jar target/java-maven-1.0.0.jar"]);
    assert_eq!(server.page("java-maven", "/"), "Hello from java-maven!\n");
    let there = |container: &Container, file: &str| {
        let path = format!("/v1.41/containers/{}/archive?path=/usr/bin/{file}", container.id);
        docker::ask("GET", &path).status
    };
    let mut serving = server.containers();
    serving.retain(|container| !container.name.contains("build"));
    assert_eq!(serving.len(), 1, "{serving:?}");
    for container in serving {
        assert_eq!((there(&container, "java"), there(&container, "javac")), (200, 404));
    }
}

#[test]
fn ruby_and_php_run_on_debians_packages() {
    let server = Server::start();
    let (install, serve) = ("bundle install --local", "php-server --root public --front index.php");
    for (example, built) in [
        ("ruby-bundler", ["Gemfile says ruby \"~> 3.3\"", install, "bundle exec ruby app.rb"]),
        ("php-composer", ["with bcmath, which the app asks for", "composer install", serve]),
    ] {
        says(&server.deploy(example, sources::example(example).path()).ok(), &built);
        assert_eq!(server.page(example, "/"), format!("Hello from {example}!\n"));
        assert_eq!(server.page(example, "/up"), "ok\n");
    }
    // An extension of PHP; a file beside the script; the script for a path without a file.
    assert_eq!(server.page("php-composer", "/sum"), "100000000000000000000\n");
    says(&server.page("php-composer", "/style.css"), &["sans-serif"]);
    let missing = server.get("php-composer", "/no/such/page");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.text(), "There is no page at /no/such/page.\n");

    for (example, file) in
        [("ruby-bundler", "app.rb"), ("php-composer", "packages/greeting/src/Greeting.php")]
    {
        let changed = sources::example(example);
        let text = std::fs::read_to_string(changed.path().join(file)).unwrap();
        let text = text.replace("\"ok\\n\"", "\"yes\\n\"").replace("Hello from", "Good day from");
        sources::write(changed.path(), file, &text);
        let traffic = Traffic::to(&server, example);
        server.deploy(example, changed.path()).ok();
        traffic.all_were_answered();
    }
    assert_eq!(server.page("ruby-bundler", "/up"), "yes\n");
    assert_eq!(server.page("php-composer", "/"), "Good day from php-composer!\n");
}

#[test]
fn a_conversation_goes_through_the_edge_and_ends_politely_at_a_deploy() {
    let server = Server::start();
    server.deploy("websocket-chat", sources::example("websocket-chat").path()).ok();
    says(&server.page("websocket-chat", "/"), &["<html"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connect = || async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.edge()));
            let url = "ws://websocket-chat.localhost/chat";
            tokio_tungstenite::client_async(url, stream.await.unwrap()).await.unwrap().0
        };
        let (mut anna, mut bert) = (connect().await, connect().await);
        anna.send(Message::text("good day")).await.unwrap();
        for one in [&mut anna, &mut bert] {
            assert_eq!(one.next().await.unwrap().unwrap(), Message::text("good day"));
        }
        // A conversation counts as a request under way: it may last until the drain is over.
        let wish = "[deploy]\ndrain = \"1s\"\nwatch = \"200ms\"\n";
        let folder = sources::example("websocket-chat");
        sources::write(folder.path(), "paas.toml", wish);
        server.deploy("websocket-chat", folder.path()).ok();
        server.paas(&["restart", "-a", "websocket-chat", "--detach"]).ok();
        let goodbye = loop {
            match anna.next().await.unwrap().unwrap() {
                Message::Close(frame) => break frame.unwrap(),
                other => drop(other),
            }
        };
        assert_eq!(u16::from(goodbye.code), 1001, "{goodbye:?}");
        let mut carla = connect().await;
        carla.send(Message::text("anybody?")).await.unwrap();
        assert_eq!(carla.next().await.unwrap().unwrap(), Message::text("anybody?"));
    });
}

#[test]
fn a_crash_on_boot_fails_at_once_and_the_old_release_serves_on() {
    let server = Server::start();
    let crashes = sources::example("crashes-on-boot");
    let told = server.deploy("greeter", crashes.path()).ended(1);
    says(&told, &["web.1 exited with code 1", "GREETING is not set", "hint:", "nothing served"]);
    assert_eq!(server.get("greeter", "/").status, 503);

    // As its README says, except that a failed release is not tried again by setting a variable.
    server.paas(&["config", "set", "GREETING=Hello", "-a", "greeter"]).ok();
    server.deploy("greeter", crashes.path()).ok();
    assert_eq!(server.page("greeter", "/"), "Hello\n");

    let before = server.containers();
    let traffic = Traffic::to(&server, "greeter");
    let told = server.paas(&["config", "unset", "GREETING", "-a", "greeter"]).ended(1);
    says(&told, &["web.1 exited with code 1", "GREETING is not set", "serves on"]);
    assert_eq!(traffic.all_were_answered(), ["Hello\n"]);
    until("only what served before is left", || (server.containers() == before).then_some(()));
    says(&server.paas(&["events", "-a", "greeter"]).ok(), &["exited with code 1", "serves on"]);
}

#[test]
fn an_app_that_ignores_sigterm_is_killed_at_its_deadline_and_nobody_notices() {
    let server = Server::start();
    let stubborn = sources::example("ignores-sigterm");
    sources::write(stubborn.path(), "paas.toml", "[process.web]\nstop_timeout = \"2s\"\n");
    server.deploy("stubborn", stubborn.path()).ok();
    let old = server.containers();

    let traffic = Traffic::to(&server, "stubborn");
    sources::write(stubborn.path(), "new.txt", "a change");
    server.deploy("stubborn", stubborn.path()).ok();
    until("the old instance is killed", || {
        let now = server.containers();
        (now.len() == 1 && now != old).then_some(())
    });
    assert_eq!(traffic.all_were_answered(), ["Hello from an app that will not leave!\n"]);
    let logs = server.paas(&["logs", "-a", "stubborn", "--release", "v1"]).ok();
    says(&logs, &["SIGTERM: ignored"]);
}
