//! `git push` over SSH by the real git and ssh: what it deploys, whom it refuses, and what else there is
//! not.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::{
    server::{Output, Server, Setup, run, says, until},
    sources,
};

/// A server, keys, and somebody's repository.
struct World {
    server: Server,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let settings = vec![("PAAS_SSH", "127.0.0.1:0".to_owned())];
        let server = Server::starting(Setup { settings, ..Setup::default() });
        server.until_ready();
        let world = Self { server, folder: sources::folder(&[("index.html", "one")]) };
        for kind in ["ed25519", "ecdsa", "rsa", "dropped", "unknown"] {
            let mut make = Command::new("ssh-keygen");
            let type_of = if matches!(kind, "ecdsa" | "rsa") { kind } else { "ed25519" };
            make.args(["-q", "-t", type_of, "-N", "", "-C", kind, "-f"]).arg(world.key(kind));
            run(&mut make).ok();
        }
        world.paas(&["apps", "create", "site"]).ok();
        world.git(&["init", "--quiet", "--initial-branch=main"]).ok();
        world
    }

    fn key(&self, kind: &str) -> PathBuf {
        self.server.home().join(kind)
    }

    fn paas(&self, arguments: &[&str]) -> Output {
        let mut command = self.server.command(arguments);
        run(command.env("HOME", self.server.home()).current_dir(self.folder.path()))
    }

    /// The options of an `ssh` that knows this world and no other, and presents this key.
    fn options(&self, key: &str) -> String {
        let home = self.server.home().display();
        format!(
            "-F /dev/null -i {home}/{key} -o IdentitiesOnly=yes -o IdentityAgent=none \
             -o BatchMode=yes -o UserKnownHostsFile={home}/.ssh/known_hosts \
             -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"
        )
    }

    fn ssh(&self, key: &str, more: &[&str], command: &[&str]) -> Output {
        let mut ssh = Command::new("ssh");
        ssh.args(self.options(key).split(' ')).args(["-p", &self.port()]).args(more);
        run(ssh.arg("anyone@localhost").args(command).stdin(Stdio::null()))
    }

    fn port(&self) -> String {
        self.paas(&["keys", "host", "--json"]).json()["port"].to_string()
    }

    fn git(&self, arguments: &[&str]) -> Output {
        run(&mut self.git_command(self.folder.path(), "ed25519", arguments))
    }

    fn git_command(&self, folder: &Path, key: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.server.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_SSH_COMMAND", format!("ssh {}", self.options(key)));
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "me").env(format!("GIT_{role}_EMAIL"), "me@x");
        }
        command
    }

    fn commit(&self, path: &str, text: &str) {
        sources::write(self.folder.path(), path, text);
        self.git(&["add", "--all"]).ok();
        self.git(&["commit", "--quiet", "--message", path]).ok();
    }

    /// A push that goes on meanwhile, and what it says.
    fn pushing(&self, what: &str) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut command =
            self.git_command(self.folder.path(), "ed25519", &["push", "--progress", "paas", what]);
        let mut push = command.stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(push.stderr.take().unwrap()).lines().map_while(Result::ok);
        (push, told)
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).ok().trim().to_owned()
    }

    fn kept(&self, name: &str) -> String {
        let listed = self.git(&["ls-remote", "paas", name]).ok();
        listed.split_whitespace().next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        let repository = self.server.data().join("apps/site/git");
        until("nothing of the push is left", || {
            let names = fs::read_dir(&repository).unwrap().flatten();
            let left = names.filter(|n| n.file_name().to_string_lossy().starts_with("incoming-"));
            (left.count() == 0).then_some(())
        });
    }
}

#[test]
fn a_push_over_ssh_deploys_and_there_is_nothing_else() {
    let mut world = World::new();
    world.commit("index.html", "one");
    for key in ["ed25519", "ecdsa", "rsa", "dropped"] {
        let told = world.paas(&["keys", "add", &format!("{}.pub", world.key(key).display())]).ok();
        says(&told, &[&format!("Pushes with {key} are allowed: SHA256:")]);
    }
    let told = world.paas(&["keys", "add", world.key("rsa").to_str().unwrap()]).ended(1);
    says(&told, &["it is a private key", "hint: add the file beside it"]);
    says(
        &world.paas(&["git", "remote", "--ssh", "--trust", "-a", "site"]).ok(),
        &["Added SHA256:"],
    );

    let told = world.git(&["push", "paas", "main"]).ok();
    says(&told, &["remote: -----> Building", "site v1 serves", "http://site."]);
    world.commit("index.html", "two");
    let began = Instant::now();
    world.git(&["push", "paas", "main"]).ok();
    println!("a push of one line over SSH: {:?}", began.elapsed());
    assert_eq!(world.server.page("site", "/"), "two");
    let began = Instant::now();
    sources::write(world.folder.path(), "index.html", "three");
    world.paas(&["deploy"]).ok();
    println!("a deploy of one line: {:?}", began.elapsed());
    world.git(&["checkout", "--quiet", "index.html"]).ok();

    // A build that fails; the whole of a large push; a clone; each kind of key.
    let two = world.head();
    world.commit("paas.toml", "app = \"site\"\n[process.web\n");
    let told = world.git(&["push", "paas", "main"]).ended(1);
    says(&told, &["paas.toml", "v3 serves on, untouched", "[remote rejected]", "the build failed"]);
    world.nothing_is_left();
    assert_eq!(world.kept("main"), two);
    world.git(&["reset", "--quiet", "--hard", &two]).ok();
    let noise = (0_u32..600_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes());
    world.commit("noise.txt", &hex::encode(noise.collect::<Vec<_>>()));
    world.git(&["push", "--quiet", "paas", "HEAD:refs/heads/large"]).ok();
    assert_eq!(world.kept("large"), world.head());
    world.git(&["reset", "--quiet", "--hard", &two]).ok();
    let url = world.git(&["remote", "get-url", "paas"]).ok().trim().to_owned();
    for (key, version) in [("ecdsa", "2"), ("rsa", "0")] {
        let to = world.server.home().join(format!("clone-{key}"));
        let version = format!("protocol.version={version}");
        let arguments = ["-c", &version, "clone", "--quiet", &url, to.to_str().unwrap()];
        run(&mut world.git_command(world.server.home(), key, &arguments)).ok();
        assert_eq!(fs::read_to_string(to.join("index.html")).unwrap(), "two");
    }
    refused(&world, &url);
    turns(&world);
    over_the_end(&mut world);
}

/// Keys that are not known, and everything that is not git's.
fn refused(world: &World, url: &str) {
    says(&world.paas(&["keys", "remove", "dropped"]).ok(), &["allowed no more"]);
    for key in ["dropped", "unknown"] {
        let mut list = world.git_command(world.server.home(), key, &["ls-remote", url]);
        says(&run(&mut list).ended(128), &["Permission denied (publickey)"]);
    }
    says(&world.ssh("ed25519", &["-T"], &[]).ended(1), &["hello root", "there is no shell here"]);
    let told = world.ssh("ed25519", &["-tt"], &[]).ended(255);
    says(&told, &["PTY allocation request failed"]);
    says(&world.ssh("ed25519", &[], &["ls", "/"]).ended(1), &["only `git push`", "hint: "]);
    let told = world.ssh("ed25519", &["-s"], &["sftp"]).ended(255);
    says(&told, &["subsystem request failed"]);
    let edge = format!("127.0.0.1:{}", world.server.edge());
    let told = world.ssh("ed25519", &["-W", &edge], &[]).ended(255);
    says(&told, &["stdio forwarding failed"]);
    let reverse = format!("0:{edge}");
    let strict = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &reverse];
    says(&world.ssh("ed25519", &strict, &[]).ended(255), &["remote port forwarding failed"]);
    for command in ["git-receive-pack 'nothing.git'", "git-upload-pack '../../etc'"] {
        let told = world.ssh("ed25519", &[], &[command]).ended(1);
        says(&told, &["error: ", "hint: "]);
    }
}

/// A release that takes over when somebody gives it up, which is never.
const ENDLESS: &str = "app = \"site\"\n[deploy]\nrelease = \"sleep 600\"\n";

/// What deploys waits for its turn, and says for whom; what is only kept does not.
fn turns(world: &World) {
    let two = world.head();
    world.commit("paas.toml", ENDLESS);
    let (mut first, mut told) = world.pushing("main");
    assert!(told.any(|line| line.contains("-----> Release")), "it is being released");
    world.git(&["push", "paas", "main:refs/heads/kept"]).ok();
    assert!(first.try_wait().unwrap().is_none(), "a branch that is only kept did not wait");
    world.git(&["reset", "--quiet", "--hard", &two]).ok();
    world.commit("index.html", "after");
    let (mut second, mut waiting) = world.pushing("main");
    let whom = "waiting for the push of root, which began";
    assert!(waiting.any(|line| line.contains(whom)), "the second waits");
    world.paas(&["deploys", "cancel", "-a", "site"]).ok();
    let told: Vec<_> = told.collect();
    assert!(!first.wait().unwrap().success(), "{told:#?}");
    let waited: Vec<_> = waiting.collect();
    assert!(second.wait().unwrap().success(), "{waited:#?}");
    assert_eq!(world.server.page("site", "/"), "after");
}

/// A daemon that hands over, and one that dies in the middle: the port and the key stay, and nothing else.
fn over_the_end(world: &mut World) {
    let head = world.head();
    world.commit("paas.toml", ENDLESS);
    let (mut push, mut told) = world.pushing("main");
    assert!(told.any(|line| line.contains("-----> Release")), "it is being released");
    world.server.upgrade();
    assert!(told.any(|line| line.contains("hands over to its next version")), "it is told so");
    assert!(!push.wait().unwrap().success());
    assert_eq!(world.kept("main"), head, "the successor answers, at the same port with its key");
    world.paas(&["deploys", "cancel", "-a", "site"]).ok();
    world.git(&["reset", "--quiet", "--hard", &head]).ok();
    world.server.kill9();
    world.server.start_again(&[("PAAS_FAULT", "git.deployed")]);
    world.server.until_ready();
    world.paas(&["git", "remote", "--ssh", "--trust", "-a", "site"]).ok();
    world.commit("index.html", "at the end");
    assert_ne!(world.git(&["push", "paas", "main"]).code, 0);
    world.server.ended();
    world.server.start_again(&[]);
    world.server.until_ready();
    world.paas(&["git", "remote", "--ssh", "--trust", "-a", "site"]).ok();
    world.nothing_is_left();
    assert_eq!(world.kept("main"), head);
    says(&world.git(&["push", "paas", "main"]).ok(), &["no changes"]);
    assert_eq!(world.server.page("site", "/"), "at the end");
}
