//! One proxy as a process of its own: started on core 0, watched through `/proc`, ended with the
//! contest.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Who takes part, in the order of the table's columns; ratios are to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
    Caddy,
    /// A bare `proxy::Edge`.
    Edge,
    /// The same, with a hundred new tables per second. Not a column.
    Restless,
}

/// The columns.
pub(crate) const COLUMNS: [Kind; 4] = [Kind::Nginx, Kind::Haproxy, Kind::Caddy, Kind::Edge];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Edge => "edge",
            Self::Restless => "edge with new tables",
        }
    }

    fn command(self, origin: SocketAddr, ports: Ports, folder: &Path) -> Command {
        // Reads a configuration from beside this file and writes it, filled in, into the folder.
        let configured = |name: &str, text: &str| {
            let text = text
                .replace("FOLDER", folder.to_str().unwrap())
                .replace("ORIGIN", &origin.to_string())
                .replace("PLAIN", &ports.plain.to_string())
                .replace("TLS", &ports.tls.to_string())
                // `TLS` is also in the names of protocol versions.
                .replace(&format!("{}v1", ports.tls), "TLSv1");
            let file = folder.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        match self {
            Self::Nginx => {
                let file = configured("nginx.conf", include_str!("nginx.conf"));
                command.args(["nginx", "-p"]).arg(folder).arg("-c").arg(file)
            }
            Self::Haproxy => {
                let file = configured("haproxy.cfg", include_str!("haproxy.cfg"));
                command.args(["haproxy", "-q", "-db", "-f"]).arg(file)
            }
            Self::Caddy => {
                let file = configured("Caddyfile", include_str!("Caddyfile"));
                command.env("HOME", folder).args(["caddy", "run", "--adapter", "caddyfile"]);
                command.arg("--config").arg(file)
            }
            Self::Edge | Self::Restless => {
                let swaps = if self == Self::Restless { "100" } else { "0" };
                let ports = [ports.plain.to_string(), ports.tls.to_string()];
                command.arg(std::env::current_exe().unwrap()).args(["edge", &origin.to_string()]);
                command.args(ports).arg(folder).arg(swaps)
            }
        }
        .stdin(Stdio::null());
        command
    }
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    tls: u16,
}

/// A proxy that runs.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    child: Child,
}

impl Contestant {
    /// Starts it and waits until it accepts on both its ports.
    pub(crate) fn start(kind: Kind, origin: SocketAddr, folder: &Path) -> Self {
        let ports = Ports { plain: free_port(), tls: free_port() };
        let mut command = kind.command(origin, ports, folder);
        let log = fs::File::create(folder.join(format!("{}.log", kind.name()))).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let started = Self { kind, plain: local(ports.plain), tls: local(ports.tls), child };
        started.await_ready(folder);
        started
    }

    fn await_ready(&self, folder: &Path) {
        let began = Instant::now();
        while [self.plain, self.tls].iter().any(|at| TcpStream::connect(at).is_err()) {
            if began.elapsed() > Duration::from_secs(10) {
                let log = folder.join(format!("{}.log", self.kind.name()));
                let said = fs::read_to_string(log).unwrap_or_default();
                panic!("{} does not listen; it said:\n{said}", self.kind.name());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processor time that it and its children have used since they were started.
    pub(crate) fn processor_time(&self) -> Duration {
        let mut nanoseconds = 0;
        for process in self.processes() {
            for task in
                fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten()
            {
                let used = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                nanoseconds += first_number(&used);
            }
        }
        Duration::from_nanos(nanoseconds)
    }

    /// Bytes of memory that would be free without it: shared pages are counted in shares.
    pub(crate) fn memory(&self) -> u64 {
        let of = |process: &u32| {
            let text =
                fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
            first_number(line) * 1024
        };
        self.processes().iter().map(of).sum()
    }

    fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(process) = found.get(next) {
            let list = format!("/proc/{process}/task/{process}/children");
            let children = fs::read_to_string(list).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            next += 1;
        }
        found
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // Asked first: nginx's master would otherwise leave its worker behind.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let began = Instant::now();
        while asked.as_ref().is_ok_and(ExitStatus::success)
            && matches!(self.child.try_wait(), Ok(None))
            && began.elapsed() < Duration::from_secs(3)
        {
            thread::sleep(Duration::from_millis(10));
        }
        let _: io::Result<()> = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
