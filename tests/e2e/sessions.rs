//! Programs beside an app's own: talked to over the real line, in the real container.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use crate::{
    http::Request,
    server::{Output, Server, run, says, until},
    sources,
};

/// Some megabytes that no compression and no text mode survives.
pub(crate) fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(5 << 20).collect()
}

pub(crate) fn exec(server: &Server, arguments: &[&str]) -> Command {
    let mut command = server.command(&[&["exec", "-a", "app"], arguments].concat());
    command.stdin(Stdio::null());
    command
}

fn shell(server: &Server, script: &str) -> Output {
    run(&mut exec(server, &["--", "sh", "-c", script]))
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

/// How many programs of an app's container have `word` among their arguments.
pub(crate) fn programs(server: &Server, word: &str) -> usize {
    let containers = server.containers();
    let listed = containers.iter().map(|container| {
        let path = format!("/v1.41/containers/{}/top", container.id);
        let answer = crate::docker::ask("GET", &path).json();
        let rows = answer["Processes"].as_array().cloned().unwrap_or_default();
        rows.iter().filter(|row| row.to_string().contains(word)).count()
    });
    listed.sum()
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn programs_run_beside_an_app() {
    let mut server = Server::start();
    server.deploy("app", sources::example("static-site").path()).ok();
    exit_codes_and_environment(&server);
    bytes_both_ways(&server);
    a_slow_reader_holds_the_program_back(&server);
    at_a_terminal(&server);
    a_port_is_reached(&server);
    nobody_is_left_behind(&mut server);
}

fn exit_codes_and_environment(server: &Server) {
    says(&shell(server, "echo out; echo err >&2; exit 7").ended(7), &["out\n", "err\n"]);
    shell(server, "kill -KILL $$").ended(137);
    says(&run(&mut exec(server, &["--", "no-such-program"])).ended(127), &["no-such-program"]);
    let told = shell(server, "echo $PORT $PAAS_APP $PAAS_PROCESS; cd && pwd").ok();
    says(&told, &["8080 app web.1"]);
    // Words are words.
    let told = run(&mut exec(server, &["web.1", "--", "printf", "%s|", "a b", "$PORT", ""])).ok();
    assert_eq!(told, "a b|$PORT||");
    let told = run(&mut exec(server, &["web.9", "--", "true"])).ended(125);
    says(&told, &["error:", "no instance of app called web.9 runs", "hint:", "web.1"]);
    server.paas(&["exec", "-a", "app"]).ended(2);
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["exec in web.1: sh -c", "exec in web.1 ended with code 7", "session"]);
}

fn bytes_both_ways(server: &Server) {
    let sent = noise();
    assert!(filter(&mut exec(server, &["-T", "--", "cat"]), &sent) == sent, "not the same bytes");
    // Input that nobody reads is in nobody's way, and its end is heard.
    assert_eq!(filter(&mut exec(server, &["--", "echo", "deaf"]), &sent[..1 << 20]), b"deaf\n");
    assert_eq!(filter(&mut exec(server, &["--", "wc", "-c"]), b"12345"), b"5\n");
}

fn a_slow_reader_holds_the_program_back(server: &Server) {
    let before = resident(server.pid());
    let mut child = exec(server, &["--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut some = [0; 4096];
    for _ in 0..40 {
        stdout.read_exact(&mut some).unwrap();
        std::thread::sleep(Duration::from_millis(25));
    }
    let after = resident(server.pid());
    assert!(after < before + (24 << 20), "from {before} to {after} bytes");
    // A signal is not behind what nobody reads, and the program is gone with its client.
    end(&mut child, Signal::TERM);
    until("`yes` is gone", || (programs(server, "yes") == 0).then_some(()));
}

pub(crate) fn end(child: &mut Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    child.wait().unwrap();
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

fn at_a_terminal(server: &Server) {
    let (mut typed, shown) = terminal(41, 133);
    let before = tcgetattr(&shown).unwrap();
    let script = "trap 'echo resized' WINCH; tty; until test \"$(stty size)\" = '41 133'; do :; done; \
                  echo sized; while :; do stty size; sleep 0.1; done";
    let mut command = exec(server, &["--", "sh", "-c", script]);
    let same = || Stdio::from(shown.try_clone().unwrap());
    let mut child = command.stdin(same()).stdout(same()).stderr(same()).spawn().unwrap();
    let mut screen = String::new();
    let mut wait_for = |typed: &mut File, text: &str| {
        let mut piece = [0; 1024];
        while !screen.contains(text) {
            let count = typed.read(&mut piece).unwrap();
            screen.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    };
    wait_for(&mut typed, "sized\r\n");
    resize(&shown, 50, 150);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Whoever has no controlling terminal is not told by the kernel.
    kill_process(pid, Signal::WINCH).unwrap();
    wait_for(&mut typed, "50 150\r\n");
    assert!(screen.contains("/dev/pts/"), "{screen}");
    typed.write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "Ctrl-C is the program's");
    let after = tcgetattr(&shown).unwrap();
    assert_eq!(after.local_modes, before.local_modes, "the terminal is as it was");
    assert_eq!(after.input_modes, before.input_modes);
}

fn a_port_is_reached(server: &Server) {
    let mut tunnel = server.command(&["tunnel", "-a", "app", "web.1", "8080", "--local", "0"]);
    let mut tunnel = tunnel.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tunnel.stdout.take().unwrap()).lines();
    let at: SocketAddr = lines.next().unwrap().unwrap().parse().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let page = Request::get("app.localhost", "/about").over_tcp(at.port());
                let page = page.unwrap();
                assert_eq!(page.status, 200);
                assert_eq!(page.text(), server.page("app", "/about"));
            });
        }
    });
    end(&mut tunnel, Signal::INT);
    let told = server.paas(&["tunnel", "-a", "app", "web.1", "81"]).ended(1);
    says(&told, &["web.1 cannot be reached at port 81", "hint:"]);
    says(&server.paas(&["events", "-a", "app"]).ok(), &["tunnel to port 8080 of web.1"]);
}

fn nobody_is_left_behind(server: &mut Server) {
    // A client that is killed: SIGHUP, and SIGKILL for who does not listen.
    let stubborn = "trap '' HUP; sleep 7531 & sleep 7531";
    let mut child = exec(server, &["--", "sh", "-c", stubborn]).spawn().unwrap();
    until("it runs", || (programs(server, "7531") >= 2).then_some(()));
    end(&mut child, Signal::KILL);
    until("it is gone", || (programs(server, "7531") == 0).then_some(()));
    let events = || server.paas(&["events", "-a", "app"]).ok();
    until("that is on record", || events().contains("its user was gone").then_some(()));
    // A daemon that is killed: the next one ends what it finds.
    let mut child = exec(server, &["--", "sleep", "7532"]).spawn().unwrap();
    until("it runs", || (programs(server, "7532") == 1).then_some(()));
    server.kill9();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    server.start_again(&[]);
    until("it is gone", || (programs(server, "7532") == 0).then_some(()));
    server.until_runs("app", &["web.1"]);
}
