//! What to say of an address that somebody else has: who, and how to get it from them.

use std::{io, net::SocketAddr};

use crate::{
    daemon::error::RunError,
    dns,
    node::{Holder, Transports, holders},
};

/// An address that is taken, by whom, and with which setting another one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    at: SocketAddr,
    setting: &'static str,
    by: Holder,
}

impl Taken {
    /// What kept the daemon from starting, if it is a program that can be found.
    pub(super) fn of(error: &RunError) -> Option<Self> {
        let (at, source, setting, transports) = match error {
            RunError::Dns(dns::BindError::Listen { at, source }) => {
                (*at, source, "dns", Transports::TcpAndUdp)
            }
            RunError::Edge { setting, source: proxy::BindError::Listen { address, source } } => {
                (*address, source, *setting, Transports::Tcp)
            }
            RunError::Ssh { at, source } => (*at, source, "ssh", Transports::Tcp),
            RunError::Listen { at, source } => {
                (at.split_once("://")?.1.parse().ok()?, source, "api", Transports::Tcp)
            }
            _ => return None,
        };
        if source.kind() != io::ErrorKind::AddrInUse {
            return None;
        }
        let by = holders(at, transports).into_iter().next()?;
        Some(Self { at, setting, by })
    }

    /// Who has it.
    pub(super) fn by(&self) -> String {
        format!("{} has it (process {})", self.by.name, self.by.pid)
    }

    /// What to do.
    pub(super) fn hint(&self) -> String {
        let Self { at, setting, by } = self;
        let other =
            |port| format!("choose another: --{setting} {}", SocketAddr::new(at.ip(), port));
        let elsewhere = match (*setting, at.port()) {
            // Nobody in the world asks at another port.
            ("dns", port) => {
                format!("choose an address of this machine that is free: --dns ADDRESS:{port}")
            }
            ("ssh", _) => other(2222),
            (_, 80) => other(8080),
            (_, 443) => other(8443),
            _ => format!("choose another address with --{setting}"),
        };
        match by.name.as_str() {
            "systemd-resolve" | "systemd-resolved" => format!(
                "let systemd-resolved only use port 53 no more: `mkdir -p /etc/systemd/resolved.conf.d \
                 && printf '[Resolve]\\nDNSStubListener=no\\n' > /etc/systemd/resolved.conf.d/paas.conf \
                 && systemctl restart systemd-resolved`; or {elsewhere}"
            ),
            "docker-proxy" => format!(
                "a container publishes the port: `docker ps --filter publish={}` shows it; stop it, \
                 or {elsewhere}",
                at.port()
            ),
            "paas" => {
                format!("another server runs: `systemctl status paas`; stop it, or {elsewhere}")
            }
            name if SERVICES.contains(&name) => {
                format!("if nobody needs it: `systemctl disable --now {name}`; or {elsewhere}")
            }
            _ => format!("`ps -fp {}` shows what it is; stop it, or {elsewhere}", by.pid),
        }
    }
}

/// Programs that have these ports on many machines, under the names of their units.
const SERVICES: [&str; 12] = [
    "apache2",
    "bind9",
    "caddy",
    "dnsmasq",
    "haproxy",
    "httpd",
    "lighttpd",
    "named",
    "nginx",
    "pdns_server",
    "traefik",
    "unbound",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at: &str, setting: &'static str, name: &str, expected: &[&str]) {
        let by = Holder { name: name.to_owned(), pid: 812 };
        let taken = Taken { at: at.parse().unwrap(), setting, by };
        assert_eq!(taken.by(), format!("{name} has it (process 812)"));
        for part in expected {
            assert!(taken.hint().contains(part), "{}", taken.hint());
        }
    }

    #[test]
    fn each_program_gets_the_advice_that_fits() {
        let free = "--dns ADDRESS:53";
        check("127.0.0.53:53", "dns", "systemd-resolve", &["DNSStubListener=no", free]);
        check("0.0.0.0:53", "dns", "dnsmasq", &["systemctl disable --now dnsmasq", free]);
        check("0.0.0.0:80", "http", "nginx", &["disable --now nginx", "--http 0.0.0.0:8080"]);
        check("[::]:443", "https", "apache2", &["disable --now apache2", "--https [::]:8443"]);
        check("0.0.0.0:80", "http", "docker-proxy", &["docker ps --filter publish=80"]);
        check("0.0.0.0:7200", "api", "python3", &["`ps -fp 812`", "with --api"]);
    }

    #[test]
    fn only_an_address_in_use_is_looked_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let error = |kind: io::ErrorKind| RunError::Listen { at: at.clone(), source: kind.into() };
        let taken = Taken::of(&error(io::ErrorKind::AddrInUse)).unwrap();
        assert_eq!(taken.by.pid, std::process::id());
        assert_eq!(Taken::of(&error(io::ErrorKind::PermissionDenied)), None);
    }
}
