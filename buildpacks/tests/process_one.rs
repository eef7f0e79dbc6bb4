//! The agent as process 1 of a real container, unprivileged, with an app that leaves daemons behind.
//!
//! The image is empty and made here; the host's `/usr` is mounted into it, so nothing is pulled.

#![allow(unused_crate_dependencies, reason = "a test uses a part of the crate's libraries")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use buildpacks::agent::{Frame, Job, Outcome};

/// An image and a container that go when the test ends, however it ends.
struct Docker {
    image: String,
    container: String,
}

impl Drop for Docker {
    fn drop(&mut self) {
        let quietly = |args: &[&str]| {
            let _ = Command::new("docker")
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        };
        quietly(&["rm", "-f", &self.container]);
        quietly(&["rmi", "-f", &self.image]);
    }
}

/// A build that leaves daemons in sessions of their own, holds the log open, and looks at process 1.
const BUILD: &str = r#"#!/bin/sh
setsid sleep 3600 &
setsid sh -c 'sleep 3600 & sleep 3600' &
cat /proc/1/environ >/dev/null 2>&1 && echo "process 1 can be read"
ls /proc/1/fd >/dev/null 2>&1 && echo "the wire can be taken"
echo "SECRET is $SECRET"
"#;

#[test]
fn the_agent_leaves_no_process_behind_and_cannot_be_traced() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["layers", "workspace", "run"] {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let cnb = dir.path().join("cnb");
    buildpacks::cnb::materialise(&cnb, Path::new(env!("CARGO_BIN_EXE_buildpacks")), b"").unwrap();
    foreign(&cnb);
    let socket = dir.path().join("run/agent.sock");
    let daemon = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    let docker = start(dir.path());
    let (stream, _) = daemon.accept().unwrap();
    let mut wire = BufReader::new(stream);
    assert_eq!(frame(&mut wire), Frame::Ready);
    for round in 0..2 {
        let mut job = Job { app: "test".into(), ..Job::default() };
        job.target.os = "linux".into();
        job.env.insert("SECRET".into(), round.to_string());
        wire.get_mut().write_all(&job.encode().unwrap()).unwrap();
        let mut log = Vec::new();
        loop {
            match frame(&mut wire) {
                Frame::Log { line, .. } => log.push(line),
                Frame::Done(outcome) => {
                    assert!(matches!(*outcome, Outcome::Built(_)), "{outcome:?}");
                    break;
                }
                Frame::Phase(_) | Frame::Ready => {}
            }
        }
        assert_eq!(log, [format!("SECRET is {round}")]);
        let processes = output(&["top", &docker.container, "-eo", "pid"]);
        assert_eq!(processes.lines().count(), 2, "a heading and the agent: {processes}");
    }
    drop(wire);
    assert_eq!(
        output(&["wait", &docker.container]),
        "0",
        "the agent ends when the daemon hangs up"
    );
}

fn start(dir: &Path) -> Docker {
    let root = dir.join("root");
    for name in
        ["usr", "etc", "proc", "sys", "dev", "tmp", "layers", "workspace", "platform", "cnb", "run"]
    {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    let tar = dir.join("root.tar");
    let made = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&root).arg(".").status();
    assert!(made.unwrap().success());
    let image = output(&["import", tar.to_str().unwrap()]);
    let mount = |name: &str| format!("{}:/{name}", dir.join(name).display());
    let cnb = format!("{}:ro", mount("cnb"));
    let (layers, workspace, run) = (mount("layers"), mount("workspace"), mount("run"));
    let mut docker = Docker { image: image.clone(), container: String::new() };
    docker.container = output(&[
        "run",
        "--detach",
        "--network",
        "none",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--user",
        "1000:1000",
        "--tmpfs",
        "/platform:uid=1000,gid=1000,mode=0700",
        "--tmpfs",
        "/tmp",
        "--volume",
        "/usr:/usr:ro",
        "--volume",
        &cnb,
        "--volume",
        &layers,
        "--volume",
        &workspace,
        "--volume",
        &run,
        "--entrypoint",
        "/cnb/lifecycle/paas",
        &image,
        "lifecycle-agent",
        "/run/agent.sock",
    ]);
    docker
}

fn foreign(cnb: &Path) {
    let home = cnb.join("buildpacks/acme_stray/1");
    fs::create_dir_all(home.join("bin")).unwrap();
    let descriptor = "api = \"0.10\"\n[buildpack]\nid = \"acme/stray\"\nversion = \"1\"\n";
    fs::write(home.join("buildpack.toml"), descriptor).unwrap();
    for (name, text) in [("detect", "#!/bin/sh\n"), ("build", BUILD)] {
        let path = home.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let order = "[[order]]\n[[order.group]]\nid = \"acme/stray\"\n";
    fs::write(cnb.join("order.toml"), order).unwrap();
}

fn frame(wire: &mut BufReader<UnixStream>) -> Frame {
    let mut line = Vec::new();
    wire.read_until(b'\n', &mut line).unwrap();
    Frame::decode(&line).unwrap()
}

fn output(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
