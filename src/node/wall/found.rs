//! What there is of a wall in a family's rules, as `iptables-save` prints them, and the script that
//! makes of it what is wanted. Pure.

use crate::engine::docker::InstallationId;

/// One of the kernel's tables of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// What is let through.
    Filter,
    /// What is led elsewhere than it was meant.
    Nat,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        }
    }
}

/// The names of an installation's chains, in the order of a packet's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chains {
    /// What arrives at this machine, from wherever.
    pub(super) arriving: String,
    /// What a container sends to this machine.
    pub(super) to_machine: String,
    /// What this machine passes on, from wherever.
    pub(super) leaving: String,
    /// What a container sends elsewhere, among which is what no container is to know or to reach.
    pub(super) to_metadata: String,
    /// What a container sends to an address that stands for an instance.
    pub(super) carried: String,
}

impl Chains {
    /// A name of a chain has 28 characters at most, and an installation's 16.
    pub(super) fn of(installation: &InstallationId) -> Self {
        let name = |end: &str| format!("PAAS-{installation}-{end}");
        Self {
            arriving: name("IN"),
            to_machine: name("HOST"),
            leaving: name("FWD"),
            to_metadata: name("META"),
            carried: name("CARRY"),
        }
    }

    /// All of a table; who leads to another comes before it.
    pub(super) fn all(&self, table: Table) -> Vec<&str> {
        match table {
            Table::Filter => {
                vec![&self.arriving, &self.to_machine, &self.leaving, &self.to_metadata]
            }
            Table::Nat => vec![&self.carried],
        }
    }

    /// The rules in others' chains that lead to ours, as they are to be: Docker leaves its chain for
    /// users alone when it puts its own rules before all others again. Without that chain it has put
    /// none of this family.
    fn hooks(&self, table: Table, docker: bool) -> Vec<Hook> {
        let passing = if docker { DOCKER_USER } else { FORWARD };
        let hooks = match table {
            Table::Filter => vec![(INPUT, &self.arriving), (passing, &self.leaving)],
            Table::Nat => vec![(PREROUTING, &self.carried)],
        };
        let hook = |(from, to): (&str, &String)| Hook { from: from.to_owned(), to: to.clone() };
        hooks.into_iter().map(hook).collect()
    }
}

/// What of a table of a family matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    table: Table,
    /// Which of our chains there are.
    chains: Vec<String>,
    /// The rules in them.
    rules: Vec<String>,
    /// The rules elsewhere that lead to them.
    hooks: Vec<Hook>,
    /// Whether Docker has a chain for users' rules.
    docker: bool,
    /// Whether it has one that keeps networks apart.
    apart: bool,
}

/// A rule of one of the kernel's chains, or of Docker's for users, that leads to one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hook {
    from: String,
    to: String,
}

impl Found {
    /// Finds it in what was printed.
    pub(super) fn read(chains: &Chains, table: Table, saved: &str) -> Self {
        let ours = chains.all(table);
        let is_ours = |name: &str| ours.contains(&name);
        let (chains, rules, hooks) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = Self { table, chains, rules, hooks, docker: false, apart: false };
        for line in saved.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                [chain, ..] if chain.starts_with(':') => {
                    let name = chain.trim_start_matches(':');
                    found.docker |= name == DOCKER_USER;
                    found.apart |= name == DOCKER_APART;
                    found.chains.extend(is_ours(name).then(|| name.to_owned()));
                }
                ["-A", chain, ..] if is_ours(chain) => found.rules.push(line.to_owned()),
                ["-A", from, "-j", to] if is_ours(to) => {
                    found.hooks.push(Hook { from: (*from).to_owned(), to: (*to).to_owned() });
                }
                _ => {}
            }
        }
        found
    }

    /// What makes the rules these, and has them led to once.
    ///
    /// Whenever Docker makes a network it takes the rule that leads to those which keep networks apart
    /// away, and puts it back before all others a moment later. So ours leads there, too.
    pub(super) fn script(&self, chains: &Chains, rules: &[String]) -> String {
        let wanted = chains.hooks(self.table, self.docker);
        let mut lines = rules.to_vec();
        lines.extend(self.apart.then(|| format!("-A {} -j {DOCKER_APART}", chains.to_metadata)));
        let mut there: Vec<&Hook> = Vec::new();
        for hook in &self.hooks {
            if wanted.contains(hook) && !there.contains(&hook) {
                there.push(hook);
            } else {
                lines.push(hook.deleted());
            }
        }
        for Hook { from, to } in wanted.iter().filter(|hook| !there.contains(hook)) {
            lines.push(format!("-I {from} 1 -j {to}"));
        }
        self.transaction(&lines)
    }

    /// What takes all of it away; `None` if there is nothing.
    pub(super) fn removal(&self, chains: &Chains) -> Option<String> {
        if self.chains.is_empty() {
            return None;
        }
        // A chain must be empty to go, and those that are not there are made for the moment.
        let ours = chains.all(self.table);
        let mut lines: Vec<String> = ours.iter().map(|chain| emptied(chain)).collect();
        lines.extend(self.hooks.iter().map(Hook::deleted));
        lines.extend(ours.iter().map(|chain| format!("-X {chain}")));
        Some(self.transaction(&lines))
    }

    /// All of it or nothing.
    fn transaction(&self, lines: &[String]) -> String {
        format!("*{}\n{}\nCOMMIT\n", self.table.name(), lines.join("\n"))
    }
}

/// The line that makes a chain, or empties it.
pub(super) fn emptied(chain: &str) -> String {
    format!(":{chain} - [0:0]")
}

impl Hook {
    fn deleted(&self) -> String {
        format!("-D {} -j {}", self.from, self.to)
    }
}

const INPUT: &str = "INPUT";
const FORWARD: &str = "FORWARD";
const PREROUTING: &str = "PREROUTING";
const DOCKER_USER: &str = "DOCKER-USER";
const DOCKER_APART: &str = "DOCKER-ISOLATION-STAGE-1";

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done about `saved` for rules that are one chain's name.
    #[track_caller]
    fn check(saved: &str, expected: &str) {
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let script =
            Found::read(&chains, Table::Filter, saved).script(&chains, &["(rules)".to_owned()]);
        let lines: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(script.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_machine_with_docker_gets_two_rules_that_lead_to_ours() {
        check(
            ":INPUT ACCEPT [7:9]\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A INPUT -j OTHER\n",
            "*filter
             (rules)
             -I INPUT 1 -j PAAS-k3f9-IN
             -I DOCKER-USER 1 -j PAAS-k3f9-FWD
             COMMIT",
        );
    }

    #[test]
    fn networks_stay_apart_while_docker_makes_another() {
        check(
            ":DOCKER-USER - [0:0]
             :DOCKER-ISOLATION-STAGE-1 - [0:0]
             -A INPUT -j PAAS-k3f9-IN
             -A DOCKER-USER -j PAAS-k3f9-FWD",
            "*filter
             (rules)
             -A PAAS-k3f9-META -j DOCKER-ISOLATION-STAGE-1
             COMMIT",
        );
    }

    #[test]
    fn a_family_that_docker_leaves_alone_is_led_from_the_kernels_chain() {
        check(
            ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n",
            "*filter
             (rules)
             -I INPUT 1 -j PAAS-k3f9-IN
             -I FORWARD 1 -j PAAS-k3f9-FWD
             COMMIT",
        );
    }

    #[test]
    fn what_leads_to_ours_stays_where_it_is_and_is_there_once() {
        check(
            ":DOCKER-USER - [0:0]
             -A INPUT -j PAAS-other-IN
             -A INPUT -j PAAS-k3f9-IN
             -A INPUT -j PAAS-k3f9-IN
             -A FORWARD -j PAAS-k3f9-FWD
             -A DOCKER-USER -j PAAS-k3f9-FWD
             -A DOCKER-USER -j RETURN",
            "*filter
             (rules)
             -D INPUT -j PAAS-k3f9-IN
             -D FORWARD -j PAAS-k3f9-FWD
             COMMIT",
        );
    }

    #[test]
    fn what_is_removed_is_ours_and_whole() {
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let removal = |saved: &str| Found::read(&chains, Table::Filter, saved).removal(&chains);
        assert_eq!(removal(":INPUT ACCEPT [0:0]\n:PAAS-k3f90-IN - [0:0]\n"), None);
        let script =
            removal(":PAAS-k3f9-IN - [0:0]\n-A INPUT -j PAAS-k3f9-IN\n-A INPUT -j PAAS-other-IN\n");
        let expected = "*filter\n:PAAS-k3f9-IN - [0:0]\n:PAAS-k3f9-HOST - [0:0]\n\
             :PAAS-k3f9-FWD - [0:0]\n:PAAS-k3f9-META - [0:0]\n-D INPUT -j PAAS-k3f9-IN\n\
             -X PAAS-k3f9-IN\n-X PAAS-k3f9-HOST\n-X PAAS-k3f9-FWD\n-X PAAS-k3f9-META\nCOMMIT\n";
        assert_eq!(script.as_deref(), Some(expected));
    }

    #[test]
    fn what_leads_elsewhere_is_in_a_table_of_its_own() {
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let saved = ":PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DOCKER\n";
        let found = Found::read(&chains, Table::Nat, saved);
        assert_eq!(
            found.script(&chains, &["(rules)".to_owned()]),
            "*nat\n(rules)\n-I PREROUTING 1 -j PAAS-k3f9-CARRY\nCOMMIT\n"
        );
        assert_eq!(found.removal(&chains), None);
        let saved = ":PAAS-k3f9-CARRY - [0:0]\n-A PREROUTING -j PAAS-k3f9-CARRY\n";
        assert_eq!(
            Found::read(&chains, Table::Nat, saved).removal(&chains).as_deref(),
            Some(
                "*nat\n:PAAS-k3f9-CARRY - [0:0]\n-D PREROUTING -j PAAS-k3f9-CARRY\n\
                 -X PAAS-k3f9-CARRY\nCOMMIT\n"
            )
        );
    }

    #[test]
    fn a_rule_less_or_more_is_another_find() {
        let chains = Chains::of(&"k3f9".parse().unwrap());
        let whole = ":PAAS-k3f9-IN - [0:0]\n-A INPUT -j PAAS-k3f9-IN\n-A PAAS-k3f9-IN -i a -j X\n";
        let found = Found::read(&chains, Table::Filter, whole);
        let others = format!("{whole}-A INPUT -j ACCEPT\n:OTHER - [1:2]\n");
        assert_eq!(Found::read(&chains, Table::Filter, &others), found, "others' rules are theirs");
        for gone in whole.lines() {
            let rest = whole.replace(gone, "");
            assert_ne!(Found::read(&chains, Table::Filter, &rest), found, "{gone}");
        }
    }
}
