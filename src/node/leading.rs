//! Who leads, as this machine knows: whoever keeps the records and said the highest term that it has heard.
//!
//! Several machines may keep the records, and one of them leads at a time. One that did, and was cut off or fell
//! behind, may not know yet that another does. The invariant: this machine never obeys somebody with a term below
//! one that it has heard, nor two with the same; also not after its daemon began anew, since it is noted.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::memory::Notes;
use crate::model::{NodeName, Roster};

/// Who leads. It is stored: fields are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// The machine.
    pub name: NodeName,
    /// With which term: it grows whenever another leads, and is 0 of one that keeps the records alone.
    pub term: u64,
}

/// What is known of who leads. Clones know the same.
#[derive(Debug, Clone)]
pub struct Leading {
    own: NodeName,
    joined: NodeName,
    roster: watch::Receiver<Arc<Roster>>,
    leader: watch::Sender<Leader>,
    denials: watch::Sender<Option<NodeName>>,
    notes: Notes,
}

/// Why somebody is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unled {
    /// It does not say that it leads.
    #[error("nobody is obeyed but who leads, and that is `{}`", .0.name)]
    Silent(Leader),
    /// It led, and another does.
    #[error("`{name}` does not lead any more: `{}` does, with term {}", leader.name, leader.term)]
    Deposed {
        /// Who.
        name: NodeName,
        /// Who does.
        leader: Leader,
    },
    /// It says so with the term of another.
    #[error("`{name}` cannot lead with term {}: `{}` does", leader.term, leader.name)]
    Second {
        /// Who.
        name: NodeName,
        /// Who does.
        leader: Leader,
    },
    /// It is none of those that may.
    #[error("`{name}` cannot lead, since it keeps no records: `{}` does", leader.name)]
    Stranger {
        /// Who.
        name: NodeName,
        /// Who does.
        leader: Leader,
    },
}

impl Leading {
    /// As it is noted; else the machine that this one joined leads. Who else may, the roster says.
    pub fn new(
        own: NodeName,
        joined: NodeName,
        roster: watch::Receiver<Arc<Roster>>,
        notes: Notes,
    ) -> Self {
        let first = || Leader { name: joined.clone(), term: 0 };
        let leader = watch::Sender::new(notes.leader().unwrap_or_else(first));
        Self { own, joined, roster, leader, denials: watch::Sender::new(None), notes }
    }

    /// Who leads.
    pub fn leader(&self) -> Leader {
        self.leader.borrow().clone()
    }

    /// The same; a level that can be waited on.
    pub fn changes(&self) -> watch::Receiver<Leader> {
        self.leader.subscribe()
    }

    /// All others that may lead: whoever keeps the records, as far as is known.
    pub fn candidates(&self) -> BTreeSet<NodeName> {
        let roster = self.roster.borrow().clone();
        let mut all: BTreeSet<_> = roster.keepers().map(|(name, _)| name.clone()).collect();
        if all.is_empty() {
            all.insert(self.joined.clone());
        }
        all.insert(self.leader().name);
        all.remove(&self.own);
        all
    }

    /// Somebody speaks, who has shown this name and says that it leads with this term: whether it does, and is
    /// to be obeyed.
    pub fn hears(&self, name: &NodeName, term: Option<u64>) -> Result<Leader, Unled> {
        let candidates = self.candidates();
        let mut judged = Err(Unled::Silent(self.leader()));
        let news = self.leader.send_if_modified(|leader| {
            judged = judge(leader, (name, term), &candidates);
            match &judged {
                Ok(found) if found != leader => {
                    self.notes.led_by(found);
                    leader.clone_from(found);
                    true
                }
                Ok(_) | Err(_) => false,
            }
        });
        if let (true, Ok(leader)) = (news, &judged) {
            tracing::info!(leader = %leader.name, term = leader.term, "another leads");
        }
        judged
    }

    /// Ends when this one does not lead any more, or not with that term, and says who does.
    pub(super) fn deposed(&self, leader: &Leader) -> impl Future<Output = Unled> + Send + use<> {
        let (mut leaders, before) = (self.changes(), leader.clone());
        async move {
            let after =
                leaders.wait_for(|leader| *leader != before).await.map(|leader| leader.clone());
            match after {
                Ok(leader) => Unled::Deposed { name: before.name, leader },
                // Nobody is left who could hear of another.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Somebody who was asked does not lead.
    pub(super) fn denied(&self, name: &NodeName) {
        self.denials.send_replace(Some(name.clone()));
    }

    /// Who was asked last and does not lead; it changes whenever somebody was.
    pub(super) fn denials(&self) -> watch::Receiver<Option<NodeName>> {
        self.denials.subscribe()
    }
}

/// Who leads after somebody said so, or why it is not obeyed.
fn judge(
    leader: &Leader,
    (name, term): (&NodeName, Option<u64>),
    candidates: &BTreeSet<NodeName>,
) -> Result<Leader, Unled> {
    let known = *name == leader.name;
    // One of an earlier version keeps the records alone and says nothing.
    let Some(term) = term.or_else(|| (known && leader.term == 0).then_some(0)) else {
        return Err(Unled::Silent(leader.clone()));
    };
    let (name, leader) = (name.clone(), leader.clone());
    if !candidates.contains(&name) {
        return Err(Unled::Stranger { name, leader });
    }
    match term.cmp(&leader.term) {
        Ordering::Greater => Ok(Leader { name, term }),
        Ordering::Equal if known => Ok(leader),
        Ordering::Equal => Err(Unled::Second { name, leader }),
        Ordering::Less => Err(Unled::Deposed { name, leader }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{model::Enrolled, node::Memory};

    fn name(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    /// All of these, of which those with a star keep the records.
    pub(in crate::node) fn roster(names: &[&str]) -> Arc<Roster> {
        let enrolled = |keeps| Enrolled {
            address: "203.0.113.9:7600".parse().unwrap(),
            key: "ab".repeat(32).parse().unwrap(),
            keeps,
        };
        let all = names.iter().map(|one| {
            let bare = one.trim_end_matches('*');
            (name(bare), enrolled(bare != *one))
        });
        Arc::new(Roster(all.collect()))
    }

    /// What machine `here`, which joined `box`, knows by this roster.
    pub(in crate::node) fn leading(names: &[&str]) -> Leading {
        let (_, told) = watch::channel(roster(names));
        let (notes, _) = Notes::from(Memory::default());
        Leading::new(name("here"), name("box"), told, notes)
    }

    /// Hears somebody, and says who leads then or why not he.
    fn hears(leading: &Leading, who: &str, term: Option<u64>) -> String {
        match leading.hears(&name(who), term) {
            Ok(Leader { name, term }) => format!("{name} {term}"),
            Err(unled) => unled.to_string(),
        }
    }

    #[test]
    fn whoever_keeps_the_records_and_says_the_highest_term_is_obeyed_and_nobody_else() {
        let leading = leading(&["box*", "edge-1*", "edge-2*", "edge-3", "here"]);
        for (who, term, expected) in [
            ("box", None, "box 0"),
            ("box", Some(0), "box 0"),
            ("edge-1", None, "nobody is obeyed but who leads, and that is `box`"),
            ("edge-1", Some(0), "`edge-1` cannot lead with term 0: `box` does"),
            ("box", Some(3), "box 3"),
            ("box", None, "nobody is obeyed but who leads, and that is `box`"),
            ("edge-1", Some(7), "edge-1 7"),
            ("edge-1", Some(7), "edge-1 7"),
            ("box", Some(3), "`box` does not lead any more: `edge-1` does, with term 7"),
            ("edge-2", Some(7), "`edge-2` cannot lead with term 7: `edge-1` does"),
            ("edge-1", Some(6), "`edge-1` does not lead any more: `edge-1` does, with term 7"),
            ("edge-3", Some(9), "`edge-3` cannot lead, since it keeps no records: `edge-1` does"),
            ("box", Some(9), "box 9"),
        ] {
            assert_eq!(hears(&leading, who, term), expected, "{who} {term:?}");
        }
    }

    #[test]
    fn the_machine_that_was_joined_may_lead_until_a_roster_names_others() {
        let candidates = |names: &[&str], leader: Option<&str>| {
            let leading = leading(names);
            if let Some(leader) = leader {
                leading.leader.send_replace(Leader { name: name(leader), term: 7 });
            }
            let all: Vec<_> = leading.candidates().iter().map(ToString::to_string).collect();
            all.join(" ")
        };
        assert_eq!(candidates(&[], None), "box");
        assert_eq!(candidates(&["edge-1", "here"], None), "box");
        assert_eq!(candidates(&["edge-1*", "edge-2*", "here*"], Some("edge-1")), "edge-1 edge-2");
        assert_eq!(candidates(&["edge-1*", "here"], Some("edge-9")), "edge-1 edge-9");
        assert_eq!(candidates(&["edge-1*", "here*"], Some("here")), "edge-1");
    }

    #[test]
    fn who_led_is_remembered() {
        let (notes, memory) = Notes::from(Memory::default());
        let (_, told) = watch::channel(roster(&["edge-1*", "box*"]));
        let begun = |notes| Leading::new(name("here"), name("box"), told.clone(), notes);
        assert_eq!(hears(&begun(notes), "edge-1", Some(7)), "edge-1 7");
        let (notes, _) = Notes::from(Memory::clone(&memory.borrow()));
        let said = hears(&begun(notes), "box", Some(3));
        assert_eq!(said, "`box` does not lead any more: `edge-1` does, with term 7");
    }
}
