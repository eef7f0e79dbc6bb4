//! Apps that cannot work: the deploy says what failed, because of what, and what to do; nothing of
//! the attempt is left, and what served before serves on.

use std::path::Path;

use crate::{
    docker,
    server::{Server, says, until},
    sources,
    traffic::Traffic,
};

/// What is wrong in a folder, and what must be said of it.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    told: &'static [&'static str],
}

const PACKAGE: &str = r#"{"name":"app","private":true,"scripts":{"start":"node app.js"}}"#;
const APP: &str = "require('http').createServer((q, s) => s.end('no\\n')).listen(process.env.PORT)";

const CASES: &[Case] = &[
    Case {
        name: "no start command",
        files: &[("package.json", r#"{"name":"app","private":true}"#), ("lib.js", "")],
        told: &["does not say how it starts", "hint: npm pkg set scripts.start"],
    },
    Case {
        name: "nothing that is recognised",
        files: &[("notes.txt", "nothing to run")],
        told: &["hint:", "Procfile"],
    },
    Case {
        name: "syntax error in the manifest",
        files: &[("package.json", PACKAGE), ("app.js", APP), ("paas.toml", "[process.web\n")],
        told: &["paas.toml", "line 1"],
    },
    Case {
        name: "unknown key in the manifest",
        files: &[
            ("package.json", PACKAGE),
            ("app.js", APP),
            ("paas.toml", "[process.web]\nmemroy = \"64m\"\n"),
        ],
        told: &["memroy", "did you mean `memory`?"],
    },
    Case {
        name: "bad Procfile",
        files: &[("package.json", PACKAGE), ("app.js", APP), ("Procfile", "web node app.js\n")],
        told: &["Procfile line 1", "has no `:`", "hint:"],
    },
    Case {
        name: "a dependency that does not exist",
        files: &[
            (
                "package.json",
                r#"{"name":"app","private":true,"scripts":{"start":"node app.js"},"dependencies":{"@paas-no-such-scope/no-such-package":"^1.0.0"}}"#,
            ),
            ("app.js", APP),
        ],
        told: &["no-such-package", "404", "hint:"],
    },
    Case {
        name: "a Node version that does not exist",
        files: &[
            (
                "package.json",
                r#"{"name":"app","private":true,"scripts":{"start":"node app.js"},"engines":{"node":"99.x"}}"#,
            ),
            ("app.js", APP),
        ],
        told: &["99", "nearest", "hint:"],
    },
    Case {
        name: "another port",
        files: &[
            ("package.json", PACKAGE),
            ("app.js", "require('http').createServer((q, s) => s.end('no')).listen(3456)"),
        ],
        told: &["web.1 listens on", ":3456", "0.0.0.0:$PORT", "hint:", "PORT"],
    },
    Case {
        name: "the loopback address",
        files: &[
            ("package.json", PACKAGE),
            (
                "app.js",
                "require('http').createServer((q, s) => s.end('no'))\n\
                 .listen(process.env.PORT, '127.0.0.1')",
            ),
        ],
        told: &["web.1 listens on 127.0.0.1:8080", "hint:", "0.0.0.0"],
    },
    Case {
        name: "more memory than its limit",
        files: &[
            ("package.json", PACKAGE),
            ("app.js", "const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))"),
            ("paas.toml", "[process.web]\nmemory = \"64m\"\n"),
        ],
        told: &["web.1 ran out of memory", "64", "hint:", "[process.web]"],
    },
];

#[test]
fn what_cannot_work_is_explained_and_leaves_nothing() {
    let server = Server::start();
    server.deploy("app", sources::server("one").path()).ok();
    let before = left(&server);
    let traffic = Traffic::to(&server, "app");
    for case in CASES {
        println!("--- {}", case.name);
        let told = server.deploy("app", sources::folder(case.files).path()).ended(1);
        println!("{told}");
        says(&told, case.told);
        says(&told, &["error:", "v1 serves on, untouched"]);
        until(&format!("{}: nothing is left", case.name), || {
            (left(&server) == before).then_some(())
        });
    }
    assert_eq!(traffic.all_were_answered(), ["one\n"]);
    let status = server.paas(&["apps", "--json"]).json();
    assert_eq!(status[0]["state"], "running");
    assert_eq!(status[0]["release"], "v1");

    // And a good one after all the bad ones is nothing special.
    server.deploy("app", sources::server("two").path()).ok();
    assert_eq!(server.page("app", "/"), "two\n");
}

/// Containers and networks in Docker, and uploads under way in the data folder. (A whole upload
/// stays for a while, so that an equal one finds it.)
fn left(server: &Server) -> (Vec<docker::Container>, usize, Vec<String>) {
    let networks = docker::networks(&server.installation());
    let networks = networks.iter().filter(|name| !name.contains("--")).count();
    (server.containers(), networks, uploads(&server.data().join("apps")))
}

fn uploads(apps: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for app in std::fs::read_dir(apps).into_iter().flatten().flatten() {
        let uploads = std::fs::read_dir(app.path().join("uploads"));
        for entry in uploads.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.extend(Some(name).filter(|name| name.starts_with("incoming-")));
        }
    }
    found
}
