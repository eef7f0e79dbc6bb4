//! Buildpacks of somebody else, from the command line to the page.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    server::{Server, says},
    sources,
};

/// A buildpack that takes what has a file `marker`, and answers with `word`.
fn write(folder: &Path, id: &str, word: &str) {
    let text = format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1\"\n");
    sources::write(folder, "buildpack.toml", &text);
    let launch = format!(
        "mkdir /tmp/s; echo {word} > /tmp/s/index.html; cd /tmp/s; exec python3 -m http.server $PORT"
    );
    let build = format!(
        "#!/bin/sh\ncat > \"$1/launch.toml\" <<'EOF'\n[[processes]]\ntype = \"web\"\ndefault = true\n\
         command = [\"bash\", \"-c\", \"{launch}\"]\nEOF\n"
    );
    for (name, text) in
        [("bin/detect", "#!/bin/sh\ntest -e marker || exit 100\n"), ("bin/build", &build)]
    {
        sources::write(folder, name, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.join(name), mode).unwrap();
    }
}

#[test]
fn a_foreign_buildpack_is_named_when_deploying_or_in_the_manifest() {
    let server = Server::start();
    let app = sources::folder(&[("marker", "")]);
    let foreign = tempfile::tempdir().unwrap();
    write(foreign.path(), "acme/words", "named");
    server.paas(&["apps", "create", "app"]).ok();
    let (folder, pack) = (app.path().to_str().unwrap(), foreign.path().to_str().unwrap());
    let deploy = ["deploy", folder, "-a", "app", "--buildpack", pack];
    server.paas(&deploy).ok();
    assert_eq!(server.page("app", "/"), "named\n");
    says(&server.paas(&deploy).ok(), &["no changes"]);

    write(&app.path().join("own"), "acme/own", "configured");
    let manifest = "[build]\nbuildpacks = [\"./own\", \"paas/procfile\"]\n";
    sources::write(app.path(), "paas.toml", manifest);
    sources::write(app.path(), "Procfile", "clock: sleep infinity\n");
    server.deploy("app", app.path()).ok();
    assert_eq!(server.page("app", "/"), "configured\n");
    server.until_runs("app", &["clock.1", "web.1"]);

    fs::remove_file(app.path().join("marker")).unwrap();
    let told = server.deploy("app", app.path()).ended(1);
    says(&told, &["acme/own@1", "hint:", "exit code 20 of the buildpacks' lifecycle"]);
    says(&server.paas(&["builds", "-a", "app", "--json"]).ok(), &["\"code\": 20"]);
    let told = server.paas(&["deploy", folder, "-a", "app", "--builder", "no.such.invalid/b:1"]);
    let expected = [
        "the builder image no.such.invalid/b:1 is not in this server's Docker",
        "hint: make this work on the server: `docker pull no.such.invalid/b:1`",
        "exit code 32",
    ];
    says(&told.ended(1), &expected);
    let told = server.paas(&["deploy", folder, "-a", "app", "--buildpack", "/etc"]).ended(2);
    says(&told, &["/etc is not a buildpack", "hint:"]);
    assert_eq!(server.page("app", "/"), "configured\n", "what ran goes on");
}
