//! Pages that were opened on an earlier release still get their files.

use std::path::Path;

use serde_json::Value;

use crate::{
    server::{Server, says, until},
    sources,
};

/// A release that has one file, and says who has not when it is asked for another.
fn write(folder: &Path, name: &str, file: &str, lasts: &str) {
    let script = format!(
        "require('node:http').createServer((request, response) => {{
           const has = request.url === '/assets/{file}.js' || request.url === '/{file}.js';
           response.statusCode = has || request.url === '/' ? 200 : 404;
           response.end(has ? '{name}' : `{name} has no ${{request.url}}`);
         }}).listen(Number(process.env.PORT), '0.0.0.0');\n"
    );
    sources::write(folder, "app.js", &script);
    let http = format!("[http]\nassets = [\"/assets/\"]\nassets_for = \"{lasts}\"\n");
    sources::write(folder, "paas.toml", &format!("{}{http}", sources::WATCHED_BRIEFLY));
}

#[test]
fn the_files_of_an_earlier_release_are_there_until_their_time_is_over() {
    let mut server = Server::start();
    let folder = sources::node("");
    write(folder.path(), "v1", "one", "1h");
    server.deploy("app", folder.path()).ok();
    write(folder.path(), "v2", "two", "1h");
    says(&server.deploy("app", folder.path()).ok(), &["app v2 serves"]);

    let both_are_there = |server: &Server| {
        for (path, status, text) in [
            ("/assets/two.js", 200, "v2"),
            ("/assets/one.js", 200, "v1"),
            ("/assets/none.js", 404, "v2 has no /assets/none.js"),
            ("/one.js", 404, "v2 has no /one.js"),
        ] {
            let answer = server.get("app", path);
            assert_eq!((answer.status, &*answer.text()), (status, text), "{path}");
        }
    };
    both_are_there(&server);
    let lingering = |server: &Server| {
        let shown = server.ps("app");
        let of = |state: &'static str| shown.iter().filter(move |it: &&Value| it["state"] == state);
        let old = of("lingering").next().filter(|_| shown.len() == 2)?.clone();
        of("running").next().map(|_| old)
    };
    let old = until("one of v1 lingers", || lingering(&server));
    assert_eq!((&old["name"], &old["release"]), (&"web.1".into(), &"v1".into()));
    let until_when = old["detail"].as_str().unwrap();
    assert!(until_when.starts_with("for its files, until "), "{old}");

    let containers = server.containers();
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    until("its files are there again", || {
        (server.get("app", "/assets/one.js").text() == "v1").then_some(())
    });
    both_are_there(&server);
    assert_eq!(until("it lingers still", || lingering(&server))["detail"], until_when);
    assert_eq!(server.containers(), containers);

    // What the newest release says counts, for those that were there before it as well.
    write(folder.path(), "v3", "three", "1s");
    server.deploy("app", folder.path()).ok();
    until("nobody lingers any more", || (server.containers().len() == 1).then_some(()));
    for file in ["one", "two"] {
        let answer = server.get("app", &format!("/assets/{file}.js"));
        assert_eq!((answer.status, answer.text()), (404, format!("v3 has no /assets/{file}.js")));
    }
}
