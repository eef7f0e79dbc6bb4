//! Clients and daemons that leave in the middle of a deploy: what goes on without them, what never
//! began, and that nobody after them finds a door locked. And the newest deploy, which ends the others.

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use crate::{
    queue::{begin, gated, open_gate, until_begun},
    server::{Output, Server, says, until},
    sources,
};

/// A client that is not waited for, and what it says.
struct Client {
    process: Child,
    words: PathBuf,
}

impl Client {
    fn deploys(server: &Server, folder: &Path, more: &[(&str, &str)]) -> Self {
        let words = tempfile::NamedTempFile::new_in(server.home()).unwrap().keep().unwrap();
        let mut command = server.command(&["deploy", "-a", "shop"]);
        command.arg(folder).envs(more.iter().copied());
        command.stdout(Stdio::null()).stderr(words.0);
        Self { process: command.spawn().unwrap(), words: words.1 }
    }

    fn words(&self) -> String {
        fs::read_to_string(&self.words).unwrap()
    }

    fn until_says(&self, text: &str) {
        until(text, || self.words().contains(text).then_some(()));
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    fn ended(mut self) -> Output {
        let code = self.process.wait().unwrap().code().unwrap_or(-1);
        Output { stdout: String::new(), stderr: self.words(), code }
    }
}

fn statuses(server: &Server) -> Vec<String> {
    let builds = server.paas(&["builds", "-a", "shop", "--json"]).json();
    let status = |build: &serde_json::Value| build["status"].as_str().unwrap().to_owned();
    builds.as_array().unwrap().iter().rev().map(status).collect()
}

fn until_serves(server: &Server, text: &str) {
    server.until_page("shop", text);
}

#[test]
fn ctrl_c_leaves_a_deploy_going_on_and_the_newest_ends_those_before_it() {
    let server = Server::start();
    server.api("POST", "/v1/apps", br#"{"name":"shop"}"#);
    let (one, two, three) = (gated("one"), sources::server("two"), sources::server("three"));
    let first = Client::deploys(&server, one.path(), &[]);
    first.until_says("begun");
    let waits = Client::deploys(&server, two.path(), &[]);
    waits.until_says("2nd in the queue, behind shop #1");
    waits.until_says("it waits for build 1 of shop by");
    waits.until_says("Ctrl-C stops the watching and leaves it in the queue");
    let leaves = Client::deploys(&server, three.path(), &[]);
    leaves.until_says("3rd in the queue");
    leaves.signal("-INT");
    let back = ["the server goes on by itself", "paas builds follow 3", "paas deploys cancel"];
    says(&leaves.ended().ended(1), &back);
    assert_eq!(statuses(&server), ["running", "queued", "queued"]);

    let site = sources::folder(&[("index.html", "newest")]);
    let folder = site.path().to_str().unwrap();
    server.paas(&["deploy", folder, "--newest", "-a", "shop"]).ok();
    assert_eq!(server.page("shop", "/"), "newest");
    assert_eq!(statuses(&server), ["cancelled", "cancelled", "cancelled", "succeeded"]);
    for client in [first, waits] {
        says(&client.ended().ended(1), &["build 4 is newer", "paas builds follow 4 -a shop"]);
    }
    says(&server.paas(&["builds", "-a", "shop"]).ok(), &["build 4 is newer"]);
    says(&server.paas(&["events", "-a", "shop"]).ok(), &["build 1 cancelled: build 4 is newer"]);

    // Whoever leaves while it is built leaves a build that goes on.
    let five = gated("five");
    let leaves = Client::deploys(&server, five.path(), &[]);
    leaves.until_says("begun");
    leaves.signal("-INT");
    says(&leaves.ended().ended(1), &["paas builds follow 5", "paas deploys cancel -a shop"]);
    open_gate(&server, "shop");
    until_serves(&server, "five\n");
}

/// A line to the server that lets so many bytes of each request pass, and no more until it is opened.
#[derive(Clone)]
struct Sluice {
    path: PathBuf,
    state: Arc<(Mutex<(bool, bool)>, Condvar)>,
}

impl Sluice {
    fn before(server: &Server) -> Self {
        let path = server.home().join("sluice.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let sluice = Self { path, state: Arc::default() };
        let (socket, own) = (server.socket(), sluice.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, mut daemon) =
                    (client.unwrap(), UnixStream::connect(&socket).unwrap());
                let (mut answers, mut back) =
                    (daemon.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let own = own.clone();
                thread::spawn(move || own.pass(&mut client, &mut daemon));
            }
        });
        sluice
    }

    fn pass(&self, client: &mut UnixStream, daemon: &mut UnixStream) {
        let (mut piece, mut passed) = (vec![0; 16 << 10], 0);
        while let Ok(count @ 1..) = client.read(&mut piece) {
            if daemon.write_all(&piece[..count]).is_err() {
                return;
            }
            passed += count;
            if passed > ENOUGH {
                self.change(|state| state.0 = true);
                let (state, changed) = &*self.state;
                let opened = changed.wait_while(state.lock().unwrap(), |state| !state.1).unwrap();
                drop(opened);
            }
        }
        // The client has gone, or said all that it had to say.
        daemon.shutdown(Shutdown::Write).ok();
    }

    fn change(&self, how: impl FnOnce(&mut (bool, bool))) {
        how(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    fn is_full(&self) -> bool {
        self.state.0.lock().unwrap().0
    }
}

/// More than any request but an upload has.
const ENOUGH: usize = 256 << 10;

#[test]
fn an_upload_that_breaks_off_deploys_nothing_and_locks_nothing() {
    let server = Server::start();
    server.api("POST", "/v1/apps", br#"{"name":"shop"}"#);
    let large = sources::folder(&[("index.html", "large")]);
    let mut noise = vec![0; 8 << 20];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    fs::write(large.path().join("noise.bin"), noise).unwrap();
    for (signal, code) in [("-INT", 1), ("-KILL", -1)] {
        let sluice = Sluice::before(&server);
        let line = format!("unix:{}", sluice.path.display());
        let client = Client::deploys(&server, large.path(), &[("PAAS_URL", &line)]);
        until("half of it is sent", || sluice.is_full().then_some(()));
        client.signal(signal);
        let said = client.ended().ended(code);
        if code == 1 {
            says(&said, &["the upload was stopped", "nothing was deployed", "paas deploy -a shop"]);
        }
        sluice.change(|state| state.1 = true);
        let uploads = server.data().join("apps/shop/uploads");
        until("nothing of it is left", || {
            let mut left = fs::read_dir(&uploads).into_iter().flatten();
            left.next().is_none().then_some(())
        });
        assert_eq!(statuses(&server), [""; 0]);
        fs::remove_file(&sluice.path).unwrap();
    }
    server.deploy("shop", large.path()).ok();
    assert_eq!(server.page("shop", "/"), "large");
}

#[test]
fn whoever_dies_with_one_build_running_and_two_waiting_holds_up_nobody() {
    let mut server = Server::start();
    begin(&server, "shop", gated("one").path());
    until_begun(&server, "shop", "1");
    begin(&server, "shop", sources::folder(&[("index.html", "two")]).path());
    let three = sources::folder(&[("index.html", "three")]);
    let watches = Client::deploys(&server, three.path(), &[]);
    watches.until_says("3rd in the queue");
    watches.signal("-KILL");
    watches.ended().ended(-1);
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    until("the first is built again", || (statuses(&server)[0] == "running").then_some(()));
    // The gate of a build that begins anew may be cleared away with what was there before.
    until("the first is built", || {
        open_gate(&server, "shop");
        (statuses(&server)[0] == "succeeded").then_some(())
    });
    until_serves(&server, "three");
    assert_eq!(statuses(&server), ["succeeded"; 3]);
    let releases = server.paas(&["releases", "-a", "shop", "--json"]).json();
    assert_eq!(releases[0]["build"], 3);
}
