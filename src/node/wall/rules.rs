//! What the rules of a wall are: lines as `iptables-restore` reads them. Pure.
//!
//! What is not refused is not accepted either: it goes on to whatever rules the machine has besides.
//! A refusal is said (a reset, "port unreachable") and not left to a timeout, so that a program that
//! looks for a service of a cloud, and falls back on something else, does so at once.

use std::net::{IpAddr, SocketAddr};

use super::{
    Family, Plan, Reached,
    found::{Chains, Table, emptied},
};
use crate::{
    model::opening::{Opening, Transport},
    node::ways::POOL,
};

/// Our chains of a table, whole; `None` if there are to be none.
pub(super) fn rules(
    chains: &Chains,
    (family, table): (Family, Table),
    plan: &Plan,
) -> Option<Vec<String>> {
    match table {
        Table::Filter => Some(closed(chains, family, plan, plan.reached.as_ref()?)),
        Table::Nat => gate(chains, plan),
    }
}

/// What leads to whoever carries. It comes from there with the address that it was sent from.
fn gate(chains: &Chains, plan: &Plan) -> Option<Vec<String>> {
    let (carrier, pool) = (plan.carrier?, pool());
    let lead = |bridge: &String| {
        let what = format!("-i {bridge} -d {pool} -p tcp");
        format!("-A {} {what} -j DNAT --to-destination {carrier}", chains.carried)
    };
    Some([emptied(&chains.carried)].into_iter().chain(plan.bridges.iter().map(lead)).collect())
}

fn closed(chains: &Chains, family: Family, plan: &Plan, reached: &Reached) -> Vec<String> {
    let Chains { arriving, to_machine, leaving, to_metadata, .. } = chains;
    let all = chains.all(Table::Filter);
    let mut lines: Vec<String> = all.into_iter().map(emptied).collect();
    for bridge in &plan.bridges {
        lines.push(format!("-A {arriving} -i {bridge} -j {to_machine}"));
        lines.push(format!("-A {leaving} -i {bridge} -j {to_metadata}"));
    }
    let mut pass = |chain: &str, what: &str| lines.push(format!("-A {chain} {what} -j RETURN"));
    // Answers to the edge, to health checks and to whatever else this machine began.
    pass(to_machine, "-m conntrack --ctstate RELATED,ESTABLISHED");
    // No service: a ping, and with IPv6 what makes neighbours find each other.
    pass(to_machine, family.icmp());
    for address in reached.resolvers.iter().filter(|address| family.has(**address)) {
        for transport in [Transport::Udp, Transport::Tcp] {
            let question = destination(SocketAddr::new(*address, DNS), transport);
            pass(to_machine, &question);
            // In some clouds a metadata address answers for names too.
            pass(to_metadata, &question);
        }
    }
    for carrier in plan.carrier.iter().filter(|_| family == Family::V4) {
        pass(to_machine, &destination(SocketAddr::V4(*carrier), Transport::Tcp));
    }
    let edge = reached.public.edge.iter().map(|at| (at, Transport::Tcp));
    let dns = reached.public.dns.iter();
    let dns = dns.flat_map(|at| [(at, Transport::Udp), (at, Transport::Tcp)]);
    for (at, transport) in edge.chain(dns).filter(|(at, _)| is_public(family, at.ip())) {
        pass(to_machine, &destination(*at, transport));
    }
    for Opening { transport, first, last } in &reached.openings {
        let ports = if first == last { first.to_string() } else { format!("{first}:{last}") };
        pass(to_machine, &format!("-p {transport} -m {transport} --dport {ports}"));
    }
    let mut refuse = |chain: &str, what: &str| {
        lines.push(format!("-A {chain}{what} -p tcp -j REJECT --reject-with tcp-reset"));
        lines.push(format!("-A {chain}{what} -j REJECT"));
    };
    refuse(to_machine, "");
    for address in family.metadata() {
        refuse(to_metadata, &format!(" -d {address}"));
    }
    if family == Family::V4 {
        // What is not carried leads nowhere, and is not to look for it in the world.
        refuse(to_metadata, &format!(" -d {}", pool()));
    }
    lines
}

fn pool() -> String {
    let (address, bits) = POOL;
    format!("{address}/{bits}")
}

/// What goes to this port; on every address of the machine if it is listened on all of them.
fn destination(at: SocketAddr, transport: Transport) -> String {
    let port = format!("-p {transport} -m {transport} --dport {}", at.port());
    if at.ip().is_unspecified() { port } else { format!("-d {} {port}", at.ip()) }
}

/// Whether it can be reached from elsewhere by this kind of address. A socket for all addresses of
/// IPv6 has none of IPv4's: the edge and the DNS server ask for that.
fn is_public(family: Family, address: IpAddr) -> bool {
    family.has(address) && !address.is_loopback()
}

impl Family {
    fn icmp(self) -> &'static str {
        match self {
            Self::V4 => "-p icmp",
            Self::V6 => "-p ipv6-icmp",
        }
    }

    /// Where clouds tell a machine its passwords: the link-local addresses of IPv4, and those that
    /// clouds chose besides (Alibaba's; Amazon's and Google's for IPv6).
    fn metadata(self) -> &'static [&'static str] {
        match self {
            Self::V4 => &["169.254.0.0/16", "100.100.100.200/32"],
            Self::V6 => &["fd00:ec2::254/128", "fd20:ce::254/128"],
        }
    }
}

const DNS: u16 = 53;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::wall::Public;

    fn plan() -> Plan {
        Plan {
            bridges: vec!["pak3f90000+".to_owned(), "br-1a2b3c4d5e6f".to_owned()],
            carrier: Some("10.210.0.1:7653".parse().unwrap()),
            reached: Some(reached()),
        }
    }

    fn reached() -> Reached {
        Reached {
            resolvers: ["10.210.0.1", "169.254.169.253", "fd00::53"]
                .map(|address| address.parse().unwrap())
                .to_vec(),
            public: Public {
                edge: ["0.0.0.0:80", "203.0.113.7:443", "127.0.0.1:8080", "[::]:80"]
                    .map(|at| at.parse().unwrap())
                    .to_vec(),
                dns: vec!["0.0.0.0:53".parse().unwrap()],
            },
            openings: ["5432", "8000-8010/udp"].map(|text| text.parse().unwrap()).to_vec(),
        }
    }

    #[track_caller]
    fn check(part: (Family, Table), plan: &Plan, expected: &str) {
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(rules(&chains, part, plan).unwrap(), expected);
    }

    #[test]
    fn what_stands_for_an_instance_is_led_to_whoever_carries() {
        check(
            (Family::V4, Table::Nat),
            &plan(),
            ":PAAS-k3f9-CARRY - [0:0]
             -A PAAS-k3f9-CARRY -i pak3f90000+ -d 198.18.0.0/15 -p tcp -j DNAT --to-destination 10.210.0.1:7653
             -A PAAS-k3f9-CARRY -i br-1a2b3c4d5e6f -d 198.18.0.0/15 -p tcp -j DNAT --to-destination 10.210.0.1:7653",
        );
    }

    #[test]
    fn what_is_not_wanted_has_no_rules() {
        let plan = Plan { carrier: None, reached: None, ..plan() };
        let chains = Chains::of(&"k3f9".parse().unwrap());
        for part in
            [(Family::V4, Table::Nat), (Family::V4, Table::Filter), (Family::V6, Table::Filter)]
        {
            assert_eq!(rules(&chains, part, &plan), None);
        }
    }

    #[test]
    fn of_this_machine_containers_reach_what_is_there_for_them() {
        check(
            (Family::V4, Table::Filter),
            &plan(),
            ":PAAS-k3f9-IN - [0:0]
             :PAAS-k3f9-HOST - [0:0]
             :PAAS-k3f9-FWD - [0:0]
             :PAAS-k3f9-META - [0:0]
             -A PAAS-k3f9-IN -i pak3f90000+ -j PAAS-k3f9-HOST
             -A PAAS-k3f9-FWD -i pak3f90000+ -j PAAS-k3f9-META
             -A PAAS-k3f9-IN -i br-1a2b3c4d5e6f -j PAAS-k3f9-HOST
             -A PAAS-k3f9-FWD -i br-1a2b3c4d5e6f -j PAAS-k3f9-META
             -A PAAS-k3f9-HOST -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
             -A PAAS-k3f9-HOST -p icmp -j RETURN
             -A PAAS-k3f9-HOST -d 10.210.0.1 -p udp -m udp --dport 53 -j RETURN
             -A PAAS-k3f9-META -d 10.210.0.1 -p udp -m udp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -d 10.210.0.1 -p tcp -m tcp --dport 53 -j RETURN
             -A PAAS-k3f9-META -d 10.210.0.1 -p tcp -m tcp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -d 169.254.169.253 -p udp -m udp --dport 53 -j RETURN
             -A PAAS-k3f9-META -d 169.254.169.253 -p udp -m udp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -d 169.254.169.253 -p tcp -m tcp --dport 53 -j RETURN
             -A PAAS-k3f9-META -d 169.254.169.253 -p tcp -m tcp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -d 10.210.0.1 -p tcp -m tcp --dport 7653 -j RETURN
             -A PAAS-k3f9-HOST -p tcp -m tcp --dport 80 -j RETURN
             -A PAAS-k3f9-HOST -d 203.0.113.7 -p tcp -m tcp --dport 443 -j RETURN
             -A PAAS-k3f9-HOST -p udp -m udp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -p tcp -m tcp --dport 53 -j RETURN
             -A PAAS-k3f9-HOST -p tcp -m tcp --dport 5432 -j RETURN
             -A PAAS-k3f9-HOST -p udp -m udp --dport 8000:8010 -j RETURN
             -A PAAS-k3f9-HOST -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-HOST -j REJECT
             -A PAAS-k3f9-META -d 169.254.0.0/16 -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-META -d 169.254.0.0/16 -j REJECT
             -A PAAS-k3f9-META -d 100.100.100.200/32 -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-META -d 100.100.100.200/32 -j REJECT
             -A PAAS-k3f9-META -d 198.18.0.0/15 -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-META -d 198.18.0.0/15 -j REJECT",
        );
    }

    #[test]
    fn ipv6_is_closed_where_nothing_is_offered_by_it() {
        let reached = Reached {
            resolvers: vec!["10.210.0.1".parse().unwrap()],
            public: Public { edge: vec!["0.0.0.0:80".parse().unwrap()], dns: Vec::new() },
            openings: Vec::new(),
        };
        let bridges = vec!["pak3f90000+".to_owned()];
        let plan = Plan { bridges, reached: Some(reached), ..plan() };
        check(
            (Family::V6, Table::Filter),
            &plan,
            ":PAAS-k3f9-IN - [0:0]
             :PAAS-k3f9-HOST - [0:0]
             :PAAS-k3f9-FWD - [0:0]
             :PAAS-k3f9-META - [0:0]
             -A PAAS-k3f9-IN -i pak3f90000+ -j PAAS-k3f9-HOST
             -A PAAS-k3f9-FWD -i pak3f90000+ -j PAAS-k3f9-META
             -A PAAS-k3f9-HOST -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
             -A PAAS-k3f9-HOST -p ipv6-icmp -j RETURN
             -A PAAS-k3f9-HOST -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-HOST -j REJECT
             -A PAAS-k3f9-META -d fd00:ec2::254/128 -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-META -d fd00:ec2::254/128 -j REJECT
             -A PAAS-k3f9-META -d fd20:ce::254/128 -p tcp -j REJECT --reject-with tcp-reset
             -A PAAS-k3f9-META -d fd20:ce::254/128 -j REJECT",
        );
    }

    #[test]
    fn what_listens_for_ipv6_alone_opens_nothing_of_ipv4() {
        let reached = Reached { openings: Vec::new(), ..reached() };
        let plan = Plan { reached: Some(reached), ..plan() };
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let opened = rules(&chains, (Family::V6, Table::Filter), &plan).unwrap().join("\n");
        assert_eq!(opened.matches("--dport 80 ").count(), 1, "{opened}");
        assert_eq!(opened.matches("--dport 443 ").count(), 0, "{opened}");
        assert_eq!(opened.matches("-d fd00::53 ").count(), 4, "{opened}");
    }
}
