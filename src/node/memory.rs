//! What a node was told last, kept for a daemon that begins while its control is away.
//!
//! It is what the edge routes by and presents, the directory, the public names, the roster, whose containers its engine is about,
//! which of them are to end, and who leads. The keys of certificates are in it. A machine that leads others keeps what
//! it tells them, since it may be one of them next.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{feed::FromControl, leading::Leader, orders::Wish};
use crate::model::{ContainerId, Roster};

/// What was told. It is stored: fields are only added.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    told: FromControl,
    /// Whose containers these are; without the images that are needed, which only a control knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    wish: Option<Wish>,
    /// Who led last.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<Leader>,
    /// The containers here that are to end, as long as there are any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    told_to_end: BTreeSet<ContainerId>,
}

/// Where what is told is remembered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notes(watch::Sender<Arc<Memory>>);

impl Notes {
    /// Begins with what an earlier daemon remembered; and what is remembered from now on.
    pub fn from(memory: Memory) -> (Self, watch::Receiver<Arc<Memory>>) {
        let (notes, memory) = watch::channel(Arc::new(memory));
        (Self(notes), memory)
    }

    /// What the edge was told, and is not told any more.
    pub(super) fn told(&self) -> FromControl {
        self.0.borrow().told.clone()
    }

    /// Whose containers the engine is about, if that is known.
    pub(super) fn wish(&self) -> Option<Wish> {
        self.0.borrow().wish.clone()
    }

    /// Who led last, if anybody but the machine of the joining ever did.
    pub(super) fn leader(&self) -> Option<Leader> {
        self.0.borrow().leader.clone()
    }

    /// The containers of this machine that are to end.
    pub(super) fn told_to_end(&self) -> BTreeSet<ContainerId> {
        self.0.borrow().told_to_end.clone()
    }

    /// The roster that was told last.
    pub fn roster(&self) -> Arc<Roster> {
        self.0.borrow().told.roster.clone().unwrap_or_default()
    }

    /// This one leads.
    pub(super) fn led_by(&self, leader: &Leader) {
        let leader = Some(leader.clone());
        self.0.send_if_modified(|memory| {
            let news = memory.leader != leader;
            if news {
                Arc::make_mut(memory).leader = leader;
            }
            news
        });
    }

    /// This machine leads, and its containers are those of an installation.
    pub fn leads(&self, leader: &Leader, installation: &str) {
        self.led_by(leader);
        // As a node it has an engine that is nobody else's.
        let (installation, engine) = (installation.to_owned(), String::new());
        self.wish_for(&Wish { installation, engine, images: None });
    }

    /// The edge is told this, which takes the place of what it was told of the same.
    pub(super) fn tell(&self, news: &FromControl) {
        let FromControl { table, certificates, directory, roster, names } = news.clone();
        self.0.send_modify(|memory| {
            let told = &mut Arc::make_mut(memory).told;
            told.table = table.or(told.table.take());
            told.certificates = certificates.or(told.certificates.take());
            told.directory = directory.or(told.directory.take());
            told.roster = roster.or(told.roster.take());
            told.names = names.or(told.names.take());
        });
    }

    /// The engine is told this.
    pub(super) fn wish_for(&self, wish: &Wish) {
        let wish = Some(Wish { images: None, ..wish.clone() });
        self.0.send_if_modified(|memory| {
            let news = memory.wish != wish;
            if news {
                Arc::make_mut(memory).wish = wish;
            }
            news
        });
    }

    /// A container of this machine is to end.
    pub(super) fn tell_to_end(&self, id: &ContainerId) {
        self.0.send_if_modified(|memory| {
            let news = !memory.told_to_end.contains(id);
            if news {
                Arc::make_mut(memory).told_to_end.insert(id.clone());
            }
            news
        });
    }

    /// Forgets those of them that are not there any more.
    pub(super) fn keep_told_to_end(&self, there: impl Fn(&ContainerId) -> bool) {
        self.0.send_if_modified(|memory| {
            let news = !memory.told_to_end.iter().all(&there);
            if news {
                Arc::make_mut(memory).told_to_end.retain(there);
            }
            news
        });
    }
}

#[cfg(test)]
mod tests {
    use proxy::Table;

    use super::*;
    use crate::model::PublicNames;

    fn table(generation: u64) -> FromControl {
        let table = Arc::new(Table { generation, ..Table::default() });
        FromControl { table: Some(table), ..FromControl::default() }
    }

    #[test]
    fn what_is_told_again_takes_the_place_of_what_was_told() {
        let (notes, memory) = Notes::from(Memory::default());
        notes.tell(&table(1));
        let roster = Some(Arc::new(Roster::default()));
        notes.tell(&FromControl { roster, ..FromControl::default() });
        let names = Some(Arc::new(PublicNames { serial: 5, ..PublicNames::default() }));
        notes.tell(&FromControl { names, ..FromControl::default() });
        notes.tell(&table(2));
        let leader = Leader { name: "edge-1".parse().unwrap(), term: 7 };
        notes.led_by(&leader);
        let (installation, engine) = ("k3f90".to_owned(), "an engine".to_owned());
        notes.wish_for(&Wish { installation, engine, images: Some([].into()) });
        let ending = ["a", "b"].map(|id| ContainerId(id.to_owned()));
        for id in &ending {
            notes.tell_to_end(id);
        }
        notes.keep_told_to_end(|id| id.0 == "b");

        let kept = serde_json::to_vec(&**memory.borrow()).unwrap();
        let (notes, _) = Notes::from(serde_json::from_slice(&kept).unwrap());
        let told = notes.told();
        assert_eq!(told.table.map(|table| table.generation), Some(2));
        assert_eq!(told.names.map(|names| names.serial), Some(5));
        assert!(told.roster.is_some() && told.certificates.is_none() && told.directory.is_none());
        let wish = notes.wish().unwrap();
        assert_eq!((wish.installation.as_str(), wish.images), ("k3f90", None));
        assert_eq!(notes.leader(), Some(leader));
        assert_eq!(notes.told_to_end(), ending.into_iter().skip(1).collect());
    }

    #[test]
    fn what_an_older_daemon_kept_is_read() {
        let (notes, _) = Notes::from(serde_json::from_str("{}").unwrap());
        assert!(notes.told().table.is_none() && notes.told().names.is_none());
        assert!(notes.wish().is_none());
        assert!(
            notes.told_to_end().is_empty()
                && notes.leader().is_none()
                && notes.roster().0.is_empty()
        );
    }
}
