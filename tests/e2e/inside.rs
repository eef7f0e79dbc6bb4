//! What a user does in an instance, wherever that runs: programs, with a terminal and without, ports, files.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Instant,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use crate::{
    http::Request,
    server::{DEADLINE, Output, Server, run, says, until},
};

/// An instance that somebody is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inside<'a> {
    pub(crate) server: &'a Server,
    pub(crate) app: &'a str,
    /// For example `web.1`.
    pub(crate) instance: &'a str,
}

impl Inside<'_> {
    /// A program in it, with nothing to read.
    pub(crate) fn exec(self, arguments: &[&str]) -> Command {
        let exec = ["exec", "-a", self.app, self.instance];
        let mut command = self.server.command(&[&exec, arguments].concat());
        command.stdin(Stdio::null());
        command
    }

    fn shell(self, script: &str) -> Output {
        run(&mut self.exec(&["--", "sh", "-c", script]))
    }

    pub(crate) fn programs_end_with_their_codes(self) {
        let told = self.shell("echo out; echo err >&2; exit 7").ended(7);
        says(&told, &["out\n", "err\n"]);
        self.shell("kill -KILL $$").ended(137);
        says(&run(&mut self.exec(&["--", "no-such-program"])).ended(127), &["no-such-program"]);
        says(&run(&mut self.exec(&["--", "/etc"])).ended(126), &["/etc"]);
        let told = self.shell("echo $PORT $PAAS_APP $PAAS_PROCESS; cd && pwd").ok();
        says(&told, &[&format!("8080 {} {}", self.app, self.instance)]);
        // Words are words.
        let told = run(&mut self.exec(&["--", "printf", "%s|", "a b", "$PORT", ""])).ok();
        assert_eq!(told, "a b|$PORT||");
    }

    pub(crate) fn bytes_go_both_ways(self) {
        let sent = noise();
        assert!(filter(&mut self.exec(&["-T", "--", "cat"]), &sent) == sent, "not the same bytes");
        // Input that nobody reads is in nobody's way, and its end is heard.
        assert_eq!(filter(&mut self.exec(&["--", "echo", "deaf"]), &sent[..1 << 20]), b"deaf\n");
        assert_eq!(filter(&mut self.exec(&["--", "wc", "-c"]), b"12345"), b"5\n");
    }

    pub(crate) fn terminals_are_those_of_whoever_types(self) {
        let (mut typed, shown) = terminal(41, 133);
        let mut screen = Screen::of(typed.try_clone().unwrap());
        let before = tcgetattr(&shown).unwrap();
        let script = "trap 'echo resized' WINCH; tty; until test \"$(stty size)\" = '41 133'; do :; done; \
                      echo settled; while :; do stty size; sleep 0.1; done";
        let mut command = self.exec(&["--", "sh", "-c", script]);
        let same = || Stdio::from(shown.try_clone().unwrap());
        let mut child = command.stdin(same()).stdout(same()).stderr(same()).spawn().unwrap();
        screen.until_it_shows("/dev/pts/");
        screen.until_it_shows("settled\r\n");
        resize(&shown, 50, 150);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        // Whoever has no controlling terminal is not told by the kernel.
        kill_process(pid, Signal::WINCH).unwrap();
        screen.until_it_shows("50 150\r\n");
        typed.write_all(b"\x03").unwrap();
        let ended = until("the program ends", || child.try_wait().unwrap());
        assert_eq!(ended.code(), Some(130), "Ctrl-C is the program's");
        let after = tcgetattr(&shown).unwrap();
        assert_eq!(after.local_modes, before.local_modes, "the terminal is as it was");
        assert_eq!(after.input_modes, before.input_modes);
    }

    /// `path` of the app, by everybody who comes through a tunnel, is what its visitors get.
    pub(crate) fn a_port_is_reached(self, port: &str, path: &str) {
        let Self { server, app, instance } = self;
        let mut tunnel = server.command(&["tunnel", "-a", app, instance, port, "--local", "0"]);
        let mut tunnel = tunnel.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(tunnel.stdout.take().unwrap()).lines();
        let at: SocketAddr = lines.next().unwrap().unwrap().parse().unwrap();
        let page = server.page(app, path);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let here = Request::get(&format!("{app}.localhost"), path).over_tcp(at.port());
                    let here = here.unwrap();
                    assert_eq!((here.status, here.text()), (200, page.clone()));
                });
            }
        });
        end(&mut tunnel, Signal::INT);
        let told = server.paas(&["tunnel", "-a", app, instance, "81"]).ended(1);
        says(&told, &[&format!("{instance} cannot be reached at port 81"), "hint:"]);
        let events = server.paas(&["events", "-a", app]).ok();
        says(&events, &[&format!("tunnel to port {port} of {instance}")]);
    }

    pub(crate) fn copies_go_both_ways(self) {
        let Self { server, app, instance } = self;
        let folder = server.home().join("folder");
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::create_dir_all(server.home().join("empty")).unwrap();
        fs::write(folder.join("deep/noise"), noise()).unwrap();
        let copy = |from: &str, to: &str| server.paas(&["cp", from, to, "-a", app]);
        let there = |path: &str| format!("{instance}:{path}");
        copy(folder.to_str().unwrap(), &there("/tmp/")).ok();
        let told = self.shell("cd /tmp/folder && wc -c <deep/noise && id -u").ok();
        says(&told, &["5242880"]);
        let back = server.home().join("back");
        copy(&there("/tmp/folder"), back.to_str().unwrap()).ok();
        assert!(fs::read(back.join("deep/noise")).unwrap() == noise(), "not the same bytes");
        let none = format!("{instance} has no /no/such");
        says(&copy(&there("/no/such"), "x").ended(1), &[&none, "hint:"]);
        says(&copy("empty", &there("/no/such/")).ended(1), &[&none, "hint:"]);
        assert!(!server.home().join("x").exists());
    }
}

/// Some megabytes that no compression and no text mode survives.
pub(crate) fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(5 << 20).collect()
}

/// Runs a command with that as its input, and answers what it wrote.
fn filter(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        // A program that does not listen ends while it is being told.
        scope.spawn(move || stdin.write_all(input).ok());
        stdout.read_to_end(&mut output).unwrap();
    });
    assert!(child.wait().unwrap().success());
    output
}

pub(crate) fn end(child: &mut Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    until("the program ends", || child.try_wait().unwrap());
}

/// What a terminal shows.
struct Screen {
    pieces: Receiver<Vec<u8>>,
    shown: String,
}

impl Screen {
    fn of(mut typed: File) -> Self {
        let (to, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 1024];
            while let Ok(count) = typed.read(&mut piece)
                && to.send(piece[..count].to_vec()).is_ok()
            {}
        });
        Self { pieces, shown: String::new() }
    }

    #[track_caller]
    fn until_it_shows(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }
}

/// A terminal: the side of whoever types, and the side of the program.
fn terminal(rows: u16, columns: u16) -> (File, OwnedFd) {
    let typed = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&typed).unwrap();
    unlockpt(&typed).unwrap();
    let name = ptsname(&typed, Vec::new()).unwrap().into_string().unwrap();
    let shown = File::options().read(true).write(true).open(name).unwrap();
    resize(&shown, rows, columns);
    (File::from(typed), OwnedFd::from(shown))
}

fn resize(terminal: impl AsFd, rows: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
        .unwrap();
}
