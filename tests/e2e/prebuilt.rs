//! Images that are there already, as apps: deployed, replaced under the same name, gone back to.
//!
//! Also how tests make images without a registry: of busybox and a page.

use std::{fs, path::Path, process::Command};

use crate::{
    docker,
    server::{Server, says, until},
};

/// Makes an image in Docker that answers with `page` on port 8081, as root and by busybox alone.
pub(crate) fn import(name: &str, page: &str, changes: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    for folder in ["bin", "www", "tmp"] {
        fs::create_dir(root.path().join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.path().join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.path().join("bin/sh")).unwrap();
    fs::write(root.path().join("www/index.html"), page).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tar = tar::Builder::new(file.reopen().unwrap());
    tar.follow_symlinks(false);
    tar.append_dir_all(".", root.path()).unwrap();
    tar.finish().unwrap();
    let mut command = Command::new("docker");
    command.arg("import").args(changes);
    run(command.args(["--change", COMMAND, "--change", "EXPOSE 8081"]).arg(file.path()).arg(name));
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Takes a name of a test's own away when the test is over, also a failed one.
pub(crate) struct Named(pub(crate) String);

impl Drop for Named {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", &self.0]).output();
    }
}

fn deploy(server: &Server, folder: &Path, image: &str) -> crate::server::Output {
    server.paas(&["deploy", folder.to_str().unwrap(), "-a", "shop", "--image", image])
}

#[test]
fn an_image_becomes_an_app_that_is_rolled_back_after_its_name_is_gone() {
    let server = Server::start();
    let image = Named(format!("paas-test-{}:it", server.installation()));
    let folder = tempfile::tempdir().unwrap();
    import(&image.0, "one\n", &[]);
    server.paas(&["apps", "create", "shop"]).ok();
    let told = deploy(&server, folder.path(), &image.0).ok();
    says(
        &told,
        &["found in this server's Docker", "port 8081", "which the image exposes", "as root"],
    );
    assert_eq!(server.page("shop", "/"), "one\n");

    import(&image.0, "two\n", &[]);
    fs::write(folder.path().join("Procfile"), "worker: sleep 1000\n").unwrap();
    deploy(&server, folder.path(), &image.0).ok();
    assert_eq!(server.page("shop", "/"), "two\n", "the name means another image now");
    server.until_runs("shop", &["web.1", "worker.1"]);
    // Dangling, the first image would be gone but for the release.
    let users = run(Command::new("docker").args(["image", "inspect", "-f", "{{.Id}}", &image.0]));
    run(Command::new("docker").args(["image", "rm", &image.0]));
    server.paas(&["rollback", "-a", "shop"]).ok();
    assert_eq!(server.page("shop", "/"), "one\n");

    let named = format!("[build]\nimage = \"{}\"\n[process.web]\nport = 9000\n", image.0);
    fs::write(folder.path().join("paas.toml"), named + "command = \"httpd -f -p $PORT -h /www\"\n")
        .unwrap();
    let told = server.deploy("shop", folder.path()).ended(1);
    says(&told, &["is not in this server's Docker, and cannot be pulled", "hint:", "docker pull"]);
    run(Command::new("docker").args(["tag", users.trim(), &image.0]));
    let told = server.deploy("shop", folder.path()).ok();
    says(&told, &["port 9000 (paas.toml or fly.toml)"]);
    assert_eq!(server.page("shop", "/"), "two\n");

    let told = server.paas(&["rebase", "-a", "shop"]).ended(1);
    let because = "no buildpacks made the image that serves";
    says(&told, &["shop stays on its base image", because, "hint: build it anew"]);
    assert_eq!(server.page("shop", "/"), "two\n");

    let asleep = format!("[build]\nimage = \"{}\"\n[process.web]\nscale = 0\n", image.0);
    fs::write(folder.path().join("paas.toml"), asleep).unwrap();
    let told = server.deploy("shop", folder.path());
    assert_eq!(told.stdout, "", "there is no address to go to");
    says(&told.ok(), &["is released", "`web` has the scale 0", "hint: `paas scale web=1 -a shop`"]);

    server.paas(&["destroy", "shop", "--confirm", "shop"]).ok();
    until("what was made is gone", || {
        docker::images(&server.installation()).is_empty().then_some(())
    });
    run(Command::new("docker").args(["image", "inspect", &image.0]));
}

const COMMAND: &str = r#"CMD ["/bin/busybox", "httpd", "-f", "-p", "8081", "-h", "/www"]"#;
