//! Who is to keep the records beside the machine that leads: what may be asked. Pure: who does, who has joined,
//! and how they are. What comes of it is not a record; the daemon does it.
//!
//! An odd number keeps them. What was saved is what more than half of them have, so that with an even number one
//! machine more can be lost, and no more of them may.

use std::collections::BTreeSet;

use crate::{
    model::{Node, NodeName, NodeState, NodeStates},
    ops::Refusal,
};

/// The machines, as they are when somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Keepers<'a> {
    /// The machine that leads, which is the one that is asked.
    pub leader: &'a NodeName,
    /// Who keeps the records; nobody is named while the leader does alone.
    pub names: &'a BTreeSet<NodeName>,
    /// Those that have joined.
    pub nodes: &'a [Node],
    /// How those are.
    pub states: &'a NodeStates,
}

impl Keepers<'_> {
    /// Who of these has to be promoted for all of them to keep the records: all, or nobody any more.
    pub fn promoted(&self, names: &[NodeName]) -> Result<BTreeSet<NodeName>, Refusal> {
        let meant = self.meant(PROMOTED, names)?;
        let (those, others): (Vec<_>, Vec<_>) = meant.iter().partition(|name| self.keeps(name));
        if others.is_empty() {
            return Ok(BTreeSet::new());
        }
        if !those.is_empty() {
            let why = format!("{} already", they(&those, "keeps", "keep"));
            return Err(Refusal::conflict(PROMOTED, why).hint(command("promote", &others)));
        }
        others.iter().try_for_each(|name| self.check(name))?;
        let after = self.count() + meant.len();
        if after > MOST {
            let why = format!("{} machines keep the records at most", number(MOST));
            let refusal = Refusal::conflict(PROMOTED, why);
            let room = others.get(..MOST.saturating_sub(self.count())).unwrap_or_default();
            return Err(match room {
                [] => refusal.hint("`paas nodes` shows which do"),
                room => refusal.hint(command("promote", room)),
            });
        }
        if after.is_multiple_of(2) {
            let more = self.nodes.iter().map(|node| &node.name);
            let more = more.filter(|name| !self.keeps(name) && self.check(name).is_ok());
            let refusal = Refusal::conflict(PROMOTED, even(after));
            return Err(match another(&others, more) {
                Some(names) => refusal.hint(command("promote", &names)),
                None => refusal.hint("let another machine join first: `paas nodes token`"),
            });
        }
        Ok(meant)
    }

    /// Who of these has to be told that he keeps the records no more: all, also if they do not count already, since whoever
    /// was to tell them may have died.
    pub fn demoted(&self, names: &[NodeName]) -> Result<BTreeSet<NodeName>, Refusal> {
        let meant = self.meant(DEMOTED, names)?;
        if meant.contains(self.leader) {
            return Err(self.leads(DEMOTED));
        }
        let (those, others): (Vec<_>, Vec<_>) = meant.iter().partition(|name| self.keeps(name));
        if those.is_empty() {
            // They may not have been told yet.
            return Ok(meant);
        }
        if !others.is_empty() {
            let why = format!("{} anyway", they(&others, "does not keep", "do not keep"));
            return Err(Refusal::conflict(DEMOTED, why).hint(command("demote", &those)));
        }
        let after = self.count().saturating_sub(meant.len());
        if after.is_multiple_of(2) {
            let refusal = Refusal::conflict(DEMOTED, even(after));
            return Err(match another(&those, self.others()) {
                Some(names) => refusal.hint(command("demote", &names)),
                None => refusal,
            });
        }
        Ok(meant)
    }

    /// Whether a machine that is to be removed has to be dismissed first: whoever is lost and keeps the records
    /// counts as one of them until then.
    pub fn has_to_be_dismissed(&self, name: &NodeName) -> Result<bool, Refusal> {
        let what = format!("{name} was not removed");
        if name == self.leader {
            return Err(self.leads(&what));
        }
        if !self.keeps(name) {
            return Ok(false);
        }
        match self.states.0.get(name) {
            Some(NodeState { down: Some(_), .. }) => Ok(true),
            Some(NodeState { up: Some(_), .. }) => {
                let names = another(&[name], self.others()).unwrap_or_else(|| vec![name]);
                let names = if self.count().is_multiple_of(2) { vec![name] } else { names };
                Err(Refusal::conflict(what, "it keeps the records, and is up")
                    .hint(format!("{} first", command("demote", &names))))
            }
            Some(_) | None => {
                Err(Refusal::conflict(what, "it keeps the records, and was not heard of yet")
                    .hint("`paas nodes` shows when it is up or down"))
            }
        }
    }

    /// Those that are meant: each is there, and named once.
    fn meant(&self, what: &str, names: &[NodeName]) -> Result<BTreeSet<NodeName>, Refusal> {
        let mut meant = BTreeSet::new();
        for name in names {
            if name != self.leader && self.nodes.iter().all(|node| node.name != *name) {
                return Err(Refusal::unknown_node(name));
            }
            if !meant.insert(name.clone()) {
                return Err(Refusal::invalid(what, format!("{name} is named twice")));
            }
        }
        if meant.is_empty() {
            return Err(Refusal::invalid(what, "no machine is named")
                .hint("`paas nodes` lists those that there are"));
        }
        Ok(meant)
    }

    /// Refuses whoever could not keep up.
    fn check(&self, name: &NodeName) -> Result<(), Refusal> {
        let drained = self.nodes.iter().any(|node| node.name == *name && node.drained);
        if drained {
            return Err(Refusal::conflict(PROMOTED, format!("{name} is drained"))
                .hint(format!("`paas nodes undrain {name}` first")));
        }
        let why = match self.states.0.get(name) {
            Some(NodeState { down: Some((_, why)), .. }) => format!("{name} is down: {why}"),
            Some(NodeState { up: Some(_), .. }) => return Ok(()),
            Some(_) | None => format!("{name} was not heard of yet"),
        };
        Err(Refusal::conflict(PROMOTED, why).hint("`paas nodes` shows when it is up"))
    }

    fn leads(&self, what: &str) -> Refusal {
        let refusal = Refusal::conflict(what, format!("{} leads at present", self.leader));
        let others: Vec<&NodeName> = self.others().collect();
        if others.is_empty() {
            return refusal.hint("`paas nodes promote NAME NAME` has others keep the records, too");
        }
        refusal.hint(format!(
            "`systemctl stop paas` on it for ten seconds has another lead; then ask again. {} leaves the records with {} alone",
            command("demote", &others),
            self.leader
        ))
    }

    fn keeps(&self, name: &NodeName) -> bool {
        self.names.contains(name) || name == self.leader
    }

    /// Those that keep the records and do not lead.
    fn others(&self) -> impl Iterator<Item = &NodeName> {
        self.names.iter().filter(|name| *name != self.leader)
    }

    /// How many keep the records.
    fn count(&self) -> usize {
        self.others().count() + 1
    }
}

/// The same names and one more, or one fewer.
fn another<'a>(
    names: &[&'a NodeName],
    mut more: impl Iterator<Item = &'a NodeName>,
) -> Option<Vec<&'a NodeName>> {
    if let Some(one) = more.find(|one| !names.contains(one)) {
        return Some(names.iter().copied().chain([one]).collect());
    }
    let (_, fewer) = names.split_last()?;
    (!fewer.is_empty()).then(|| fewer.to_vec())
}

fn command(verb: &str, names: &[&NodeName]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    format!("`paas nodes {verb} {}`", names.join(" "))
}

/// Says that it is so of one, or that they are so.
fn they(names: &[&NodeName], one: &str, several: &str) -> String {
    let listed: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    format!("{} {} the records", listed.join(", "), if names.len() == 1 { one } else { several })
}

/// Why so many, an even number, are not to keep the records.
fn even(count: usize) -> String {
    match count {
        2 => "two machines that keep the records are worse than one: if either is lost, neither can say what \
              was saved"
            .to_owned(),
        _ => {
            let (count, fewer) = (number(count), number(count.saturating_sub(1)));
            format!("{count} machines that keep the records bear no more losses than {fewer} do")
        }
    }
}

/// A number of machines in words.
fn number(count: usize) -> String {
    let words = ["none", "one", "two", "three", "four", "five", "six", "seven"];
    words.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

const PROMOTED: &str = "nobody was promoted";
const DEMOTED: &str = "nobody was demoted";
/// Machines that keep the records: each change waits for more than half of them.
const MOST: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    /// `box` leads. A machine is `NAME`, and then any of `keeps`, `drained`, `down` and `unheard`.
    struct Machines {
        leader: NodeName,
        names: BTreeSet<NodeName>,
        nodes: Vec<Node>,
        states: NodeStates,
    }

    fn machines(texts: &[&str]) -> Machines {
        let leader: NodeName = "box".parse().unwrap();
        let (mut names, mut states) = (BTreeSet::new(), NodeStates::default());
        let node = |text: &&str| {
            let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
            let (name, now): (NodeName, _) = (name.parse().unwrap(), Timestamp::default());
            if rest.contains("keeps") {
                names.extend([leader.clone(), name.clone()]);
            }
            let state = match rest {
                rest if rest.contains("down") => {
                    NodeState { down: Some((now, "it is silent".into())), ..NodeState::default() }
                }
                rest if rest.contains("unheard") => NodeState::default(),
                _ => NodeState { up: Some(now), ..NodeState::default() },
            };
            states.0.insert(name.clone(), state);
            Node { drained: rest.contains("drained"), ..Node::example(name.as_str()) }
        };
        let nodes = texts.iter().map(node).collect();
        Machines { leader, names, nodes, states }
    }

    /// `promote`, `demote` or `remove`, and names; what comes of it as text.
    #[track_caller]
    fn check(there: &[&str], asked: &str, expected: &str) {
        let Machines { leader, names, nodes, states } = machines(there);
        let keepers = Keepers { leader: &leader, names: &names, nodes: &nodes, states: &states };
        let (verb, asked) = asked.split_once(' ').unwrap();
        let asked: Vec<NodeName> =
            asked.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let done = match verb {
            "promote" => keepers.promoted(&asked),
            "demote" => keepers.demoted(&asked),
            _ => keepers
                .has_to_be_dismissed(&asked[0])
                .map(|lost| asked.iter().filter(|_| lost).cloned().collect()),
        };
        let said = match done {
            Ok(names) => names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(" "),
            Err(refusal) => match &refusal.hint {
                Some(hint) => format!("{refusal}; hint: {hint}"),
                None => refusal.to_string(),
            },
        };
        assert_eq!(said, expected);
    }

    const FOUR: &[&str] = &["a", "b", "c", "d"];
    const THREE: &[&str] = &["box keeps", "a keeps", "b keeps", "c"];

    #[test]
    fn an_odd_number_is_promoted_and_demoted() {
        check(FOUR, "promote b a", "a b");
        check(FOUR, "promote a b c d", "a b c d");
        check(THREE, "demote a b", "a b");
        let two = ["box keeps", "a keeps", "b"];
        check(&two, "promote b", "b");
        check(&two, "demote a", "a");
    }

    #[test]
    fn what_is_so_already_is_not_asked_for_again() {
        check(THREE, "promote a b", "");
        check(THREE, "promote a", "");
        check(FOUR, "promote box", "");
    }

    #[test]
    fn who_does_not_keep_the_records_may_have_to_be_told_once_more() {
        check(THREE, "demote c", "c");
        check(FOUR, "demote a b", "a b");
    }

    #[test]
    fn an_even_number_is_refused_with_the_number_that_is_right() {
        let two = "nobody was promoted: two machines that keep the records are worse than one: if either is \
                   lost, neither can say what was saved; hint: ";
        check(FOUR, "promote b", &format!("{two}`paas nodes promote b a`"));
        check(
            &["a"],
            "promote a",
            &format!("{two}let another machine join first: `paas nodes token`"),
        );
        check(
            &["a", "b down"],
            "promote a",
            &format!("{two}let another machine join first: `paas nodes token`"),
        );
        let four = "nobody was promoted: four machines that keep the records bear no more losses than three do";
        check(&FOUR[..3], "promote a b c", &format!("{four}; hint: `paas nodes promote a b`"));
        let said = "nobody was demoted: two machines that keep the records are worse than one: if either is \
                    lost, neither can say what was saved; hint: `paas nodes demote b a`";
        check(THREE, "demote b", said);
    }

    #[test]
    fn there_is_a_most() {
        let many: Vec<String> = ('a'..='h').map(String::from).collect();
        let names: Vec<&str> = many.iter().map(String::as_str).collect();
        let most = "nobody was promoted: seven machines keep the records at most";
        let room = format!("{most}; hint: `paas nodes promote a b c d e f`");
        check(&names, "promote a b c d e f g h", &room);
        let full: Vec<String> = many[..6].iter().map(|name| format!("{name} keeps")).collect();
        let full: Vec<&str> = full.iter().map(String::as_str).chain(["g", "h"]).collect();
        let full_said = format!("{most}; hint: `paas nodes` shows which do");
        check(&full, "promote g h", &full_said);
    }

    #[test]
    fn names_are_looked_at_first() {
        let unknown =
            "node x: no machine of that name has joined; hint: `paas nodes` lists those that have";
        check(FOUR, "promote a x", unknown);
        check(THREE, "demote a x", unknown);
        check(FOUR, "promote a a", "nobody was promoted: a is named twice");
        let nobody = "no machine is named; hint: `paas nodes` lists those that there are";
        check(FOUR, "promote ", &format!("nobody was promoted: {nobody}"));
        check(FOUR, "demote ", &format!("nobody was demoted: {nobody}"));
        let half =
            "nobody was promoted: a, b keep the records already; hint: `paas nodes promote c`";
        check(THREE, "promote a b c", half);
        let half =
            "nobody was demoted: c does not keep the records anyway; hint: `paas nodes demote a`";
        check(THREE, "demote a c", half);
    }

    #[test]
    fn only_who_is_up_is_promoted() {
        let there = ["a", "b down", "c drained", "d unheard"];
        let shows = "hint: `paas nodes` shows when it is up";
        check(
            &there,
            "promote a b",
            &format!("nobody was promoted: b is down: it is silent; {shows}"),
        );
        check(
            &there,
            "promote a d",
            &format!("nobody was promoted: d was not heard of yet; {shows}"),
        );
        let drained = "nobody was promoted: c is drained; hint: `paas nodes undrain c` first";
        check(&there, "promote a c", drained);
    }

    #[test]
    fn whoever_leads_is_neither_demoted_nor_removed() {
        let hint = "hint: `systemctl stop paas` on it for ten seconds has another lead; then ask again. \
                    `paas nodes demote a b` leaves the records with box alone";
        check(THREE, "demote a box", &format!("nobody was demoted: box leads at present; {hint}"));
        check(THREE, "remove box", &format!("box was not removed: box leads at present; {hint}"));
        let hint = "hint: `paas nodes promote NAME NAME` has others keep the records, too";
        check(FOUR, "remove box", &format!("box was not removed: box leads at present; {hint}"));
    }

    #[test]
    fn whoever_keeps_the_records_is_removed_once_it_is_lost() {
        let there = ["box keeps", "a keeps", "b keeps down", "c keeps unheard", "d keeps", "e"];
        check(&there, "remove b", "b");
        check(&there, "remove e", "");
        let hint = "hint: `paas nodes demote d a` first";
        check(
            &there,
            "remove d",
            &format!("d was not removed: it keeps the records, and is up; {hint}"),
        );
        let unheard = "c was not removed: it keeps the records, and was not heard of yet; hint: `paas nodes` \
                       shows when it is up or down";
        check(&there, "remove c", unheard);
        let hint = "hint: `paas nodes demote a` first";
        let two = ["box keeps", "a keeps"];
        check(
            &two,
            "remove a",
            &format!("a was not removed: it keeps the records, and is up; {hint}"),
        );
    }
}
