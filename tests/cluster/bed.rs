//! Machines on one machine: a bridge, and behind it a network namespace for each of them.
//!
//! The control stays outside, at the bridge's own address. Invariant: nothing of a bed is left when it is
//! dropped, also by a failing test, and what a killed test left goes with the next one.

use std::{
    fs,
    net::Ipv4Addr,
    process::{Command, Output},
};

/// A bridge that machines can be plugged into.
#[derive(Debug)]
pub(crate) struct Bed {
    number: u8,
}

impl Bed {
    /// A bridge of its own, with a subnet that nobody else has.
    pub(crate) fn make() -> Self {
        sweep();
        let made = (0..=u8::MAX).find(|number| {
            let bridge = bridge(*number);
            // The kernel lets one process make it, whoever else tries.
            ip(&["link", "add", &bridge, "type", "bridge"]).status.success()
        });
        let bed = Self { number: made.unwrap() };
        let bridge = bridge(bed.number);
        done(&ip(&["link", "set", &bridge, "alias", &std::process::id().to_string()]));
        done(&ip(&["address", "add", &format!("{}/24", bed.address()), "dev", &bridge]));
        done(&ip(&["link", "set", &bridge, "up"]));
        done(&iptables("-I", &bridge));
        bed
    }

    /// This machine's address on the bridge.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 97, self.number, 254)
    }

    /// Plugs a machine in.
    pub(crate) fn plug(&self, index: u8) -> Port {
        let port = Port { bed: self.number, index, host: index };
        let (name, outside) = (port.namespace(), port.outside());
        done(&ip(&["netns", "add", &name]));
        let pair =
            ["link", "add", &outside, "type", "veth", "peer", "name", "eth0", "netns", &name];
        done(&ip(&pair));
        done(&ip(&["link", "set", &outside, "master", &bridge(self.number), "up"]));
        let inside = |arguments: &[&str]| done(&ip(&[&["-n", &name], arguments].concat()));
        inside(&["link", "set", "lo", "up"]);
        inside(&["link", "set", "eth0", "up"]);
        port.number();
        port
    }
}

/// Where a machine is plugged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    bed: u8,
    index: u8,
    /// The last part of its address.
    host: u8,
}

impl Port {
    /// The machine's address.
    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 97, self.bed, self.host)
    }

    /// Gives the machine another address.
    pub(crate) fn renumber(&mut self, host: u8) {
        let before = format!("{}/24", self.address());
        done(&ip(&["-n", &self.namespace(), "address", "del", &before, "dev", "eth0"]));
        self.host = host;
        self.number();
    }

    fn number(self) {
        let name = self.namespace();
        let gateway = Ipv4Addr::new(10, 97, self.bed, 254).to_string();
        let inside = |arguments: &[&str]| done(&ip(&[&["-n", &name], arguments].concat()));
        inside(&["address", "add", &format!("{}/24", self.address()), "dev", "eth0"]);
        inside(&["route", "add", "default", "via", &gateway]);
    }

    /// Has a command run on the machine.
    pub(crate) fn on(self, command: &Command) -> Command {
        let mut there = Command::new("nsenter");
        there.arg(format!("--net={}", self.network())).arg(command.get_program());
        there.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            there.current_dir(folder);
        }
        there
    }

    /// The file that is the machine's network.
    pub(crate) fn network(self) -> String {
        format!("/run/netns/{}", self.namespace())
    }

    /// Cuts the cable.
    pub(crate) fn cut(self) {
        done(&ip(&["link", "set", &self.outside(), "down"]));
    }

    /// Mends it.
    pub(crate) fn mend(self) {
        done(&ip(&["link", "set", &self.outside(), "up"]));
    }

    /// Has what this machine and another send each other get lost.
    pub(crate) fn part(self, other: Self) {
        self.lose("add", other);
        other.lose("add", self);
    }

    /// Ends that.
    pub(crate) fn meet(self, other: Self) {
        self.lose("del", other);
        other.lose("del", self);
    }

    fn lose(self, what: &str, other: Self) {
        let to = other.address().to_string();
        done(&ip(&["-n", &self.namespace(), "route", what, "blackhole", &to]));
    }

    fn namespace(self) -> String {
        format!("paas-bed-{}-{}", self.bed, self.index)
    }

    fn outside(self) -> String {
        format!("pbed{}-{}", self.bed, self.index)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        remove(self.number);
    }
}

/// Removes the beds of tests that are no more.
fn sweep() {
    let Ok(links) = fs::read_dir("/sys/class/net") else { return };
    for link in links.filter_map(Result::ok) {
        let name = link.file_name().to_string_lossy().into_owned();
        let Some(number) = name.strip_prefix("pbed").and_then(|number| number.parse().ok()) else {
            continue;
        };
        let owner = fs::read_to_string(link.path().join("ifalias")).unwrap_or_default();
        let owner = owner.trim();
        // One without an owner is being made.
        if !owner.is_empty() && !fs::exists(format!("/proc/{owner}")).unwrap_or(true) {
            remove(number);
        }
    }
}

fn remove(number: u8) {
    let ours = format!("paas-bed-{number}-");
    for namespace in fs::read_dir("/run/netns").into_iter().flatten().filter_map(Result::ok) {
        let name = namespace.file_name().to_string_lossy().into_owned();
        if name.starts_with(&ours) {
            ip(&["netns", "delete", &name]);
        }
    }
    // A network outlives its machine for as long as the kernel has to tell somebody in vain that a connection has
    // ended, and so would the name of its cable.
    let cables = format!("{}-", bridge(number));
    for link in fs::read_dir("/sys/class/net").into_iter().flatten().filter_map(Result::ok) {
        let name = link.file_name().to_string_lossy().into_owned();
        if name.starts_with(&cables) {
            ip(&["link", "delete", &name]);
        }
    }
    iptables("-D", &bridge(number));
    ip(&["link", "delete", &bridge(number)]);
}

fn bridge(number: u8) -> String {
    format!("pbed{number}")
}

/// Docker has the kernel ask the firewall about bridges too, and drops what it does not know.
fn iptables(what: &str, bridge: &str) -> Output {
    let rule = ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"];
    Command::new("iptables").args(["-w", what]).args(rule).output().unwrap()
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
