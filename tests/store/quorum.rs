//! Records that three machines keep: real disks, and cables that are cut.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what failed by failing"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use paas::store::{
    OpenError, Record, Schema, Store, StoreError, StoreOptions, View,
    quorum::{Carrier, ELECTION, Member, Seat, Standing, Unheard},
};
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{
    cell::{self, Cell},
    upgrade,
};

/// Which machine is which: its number among the members is one more.
const NAMES: [&str; 3] = ["one", "two", "three"];

/// What the first machine has saved before anybody else kept records.
const BEFORE: u64 = 0;

/// What connects the machines.
#[derive(Debug, Clone, Default)]
struct Cables {
    seats: Arc<Mutex<BTreeMap<String, Arc<Seat>>>>,
    cut: Arc<Mutex<BTreeSet<String>>>,
}

/// The end of them at one machine.
#[derive(Debug)]
struct End {
    name: String,
    cables: Cables,
}

impl Carrier for End {
    fn ask(
        &self,
        member: Member,
        question: Vec<u8>,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, Unheard>> {
        let (name, member, cables) = (self.name.clone(), member.name, self.cables.clone());
        Box::pin(async move {
            let whole = || {
                let cut = cables.cut.lock().unwrap();
                !cut.contains(&name) && !cut.contains(&member)
            };
            let unheard = || Unheard(format!("{member} is not heard from {name}"));
            if !whole() {
                return Err(unheard());
            }
            let seat = cables.seats.lock().unwrap().get(&member).cloned().ok_or_else(unheard)?;
            let answer = tokio::time::timeout(patience, seat.answer(&question)).await;
            let answer = answer.map_err(|_| unheard())?.map_err(|_| unheard())?;
            if whole() { Ok(answer) } else { Err(unheard()) }
        })
    }
}

/// A machine.
struct Machine {
    folder: tempfile::TempDir,
    store: Option<Store>,
}

struct Stage {
    cables: Cables,
    machines: Vec<Machine>,
}

impl Stage {
    /// Three machines of which the first keeps the records alone.
    async fn alone() -> Self {
        let machine = || Machine { folder: tempfile::tempdir().unwrap(), store: None };
        let machines = (0..3).map(|_| machine()).collect();
        let mut stage = Self { cables: Cables::default(), machines };
        stage.start(0, true).await;
        stage
    }

    /// Three that keep the records.
    async fn set() -> Self {
        let mut stage = Self::alone().await;
        stage.leader_of(&[0]).await;
        stage.store(0).save(1).await.unwrap();
        for index in [1, 2] {
            stage.start(index, false).await;
        }
        stage.seat(0).admit(newcomers()).await.unwrap();
        stage
    }

    async fn start(&mut self, index: usize, founder: bool) {
        let folder = self.machines[index].folder.path().to_owned();
        let store = tokio::task::spawn_blocking({
            let folder = folder.join("store");
            move || cell::open(&folder)
        });
        let store = store.await.unwrap();
        if founder {
            store.save(BEFORE).await.unwrap();
        }
        let end = End { name: NAMES[index].to_owned(), cables: self.cables.clone() };
        let own = (index as u64 + 1, member(index));
        let log = folder.join("quorum");
        let seat = Seat::take(&store, &log, own, Arc::new(end), founder).await.unwrap();
        self.cables.seats.lock().unwrap().insert(NAMES[index].to_owned(), Arc::new(seat));
        self.machines[index].store = Some(store);
    }

    /// Ends a machine's part, as far as one process can: nobody hears of it any more, and its disk is let go.
    async fn end(&mut self, index: usize) {
        let seat = self.cables.seats.lock().unwrap().remove(NAMES[index]).unwrap();
        until("nobody asks it", || Arc::strong_count(&seat) == 1).await;
        Arc::into_inner(seat).unwrap().leave().await;
        self.machines[index].store.take().unwrap().close().await;
    }

    /// Leaves the records to one, which has led since the beginning.
    async fn dismiss_all_but(&self, index: usize) {
        let others = [1, 2, 3].into_iter().filter(|id| *id != index as u64 + 1);
        self.seat(index).dismiss(others.collect()).await.unwrap();
    }

    fn seat(&self, index: usize) -> Arc<Seat> {
        self.cables.seats.lock().unwrap()[NAMES[index]].clone()
    }

    fn store(&self, index: usize) -> &Store {
        self.machines[index].store.as_ref().unwrap()
    }

    fn cut(&self, index: usize) {
        self.cables.cut.lock().unwrap().insert(NAMES[index].to_owned());
    }

    fn mend(&self, index: usize) {
        self.cables.cut.lock().unwrap().remove(NAMES[index]);
    }

    fn leads(&self, index: usize) -> bool {
        matches!(*self.seat(index).standing().borrow(), Standing::Leads { .. })
    }

    /// Waits until one of these leads.
    async fn leader_of(&self, among: &[usize]) -> usize {
        let leader = || among.iter().copied().find(|index| self.leads(*index));
        until("somebody leads", || leader().is_some()).await;
        leader().unwrap()
    }

    /// Waits until a machine has a cell.
    async fn until_has(&self, index: usize, number: u64) {
        let store = self.store(index);
        until(&format!("{} has {number}", NAMES[index]), || {
            store.snapshot().get::<Cell>(&number).unwrap().is_some()
        })
        .await;
    }
}

fn newcomers() -> BTreeMap<u64, Member> {
    [(2, member(1)), (3, member(2))].into()
}

fn member(index: usize) -> Member {
    Member { name: NAMES[index].to_owned(), ..Member::default() }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_mins(2), "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

trait Saves {
    async fn save(&self, number: u64) -> Result<(), StoreError>;
}

impl Saves for Store {
    async fn save(&self, number: u64) -> Result<(), StoreError> {
        self.transact(move |tx| tx.put(&Cell { number, text: "saved".to_owned() })).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_outlives_whoever_led() {
    let mut stage = Stage::set().await;
    let first = stage.leader_of(&[0, 1, 2]).await;
    stage.store(first).save(2).await.unwrap();
    stage.end(first).await;
    let left: Vec<usize> = (0..3).filter(|index| *index != first).collect();
    let second = stage.leader_of(&left).await;
    assert!(stage.store(second).snapshot().get::<Cell>(&2).unwrap().is_some());
    stage.store(second).save(3).await.unwrap();

    // Whoever was away has all when it is back.
    stage.start(first, false).await;
    stage.until_has(first, 3).await;
    for index in 0..3 {
        stage.until_has(index, 1).await;
        stage.until_has(index, BEFORE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_saves_nothing_and_follows_when_it_is_back() {
    let stage = Stage::set().await;
    let first = stage.leader_of(&[0, 1, 2]).await;
    stage.cut(first);
    let refused = stage.store(first).save(7).await.unwrap_err();
    let text = refused.to_string();
    assert!(
        matches!(refused, StoreError::Undecided { .. } | StoreError::Elsewhere { .. }),
        "{text}"
    );
    assert!(!stage.leads(first));
    let left: Vec<usize> = (0..3).filter(|index| *index != first).collect();
    let second = stage.leader_of(&left).await;
    stage.store(second).save(8).await.unwrap();
    stage.mend(first);
    stage.until_has(first, 8).await;
    for index in 0..3 {
        assert!(stage.store(index).snapshot().get::<Cell>(&7).unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leads_goes_on_leading_while_others_are_admitted_and_dismissed() {
    let mut stage = Stage::alone().await;
    stage.leader_of(&[0]).await;
    let mut standing = stage.seat(0).standing();
    standing.mark_unchanged();
    let first = stage.seat(0);
    let unheard = first.admit(newcomers());
    let unheard = tokio::time::timeout(Duration::from_secs(1), unheard).await;
    assert!(unheard.is_err(), "nobody is there yet");
    stage.store(0).save(1).await.unwrap();
    for index in [1, 2] {
        stage.start(index, false).await;
    }
    stage.seat(0).admit(newcomers()).await.unwrap();
    assert_eq!(stage.seat(0).members().len(), 3);
    stage.store(0).save(2).await.unwrap();
    stage.cut(2);
    stage.seat(0).dismiss([3].into()).await.unwrap();
    stage.store(0).save(3).await.unwrap();
    assert_eq!(stage.seat(0).members().len(), 2);
    assert!(!standing.has_changed().unwrap(), "{:?}", standing.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_deposes_nobody_when_it_is_back() {
    let stage = Stage::set().await;
    let leader = stage.leader_of(&[0, 1, 2]).await;
    let away = (leader + 1) % 3;
    stage.until_has(away, 1).await;
    let mut standing = stage.seat(leader).standing();
    standing.mark_unchanged();
    stage.cut(away);
    let cut = Instant::now();
    let alone = stage.seat(away).standing();
    let nobody = Standing::Follows { leader: None };
    until("it knows of no leader", || *alone.borrow() == nobody).await;
    until("it would have stood", || cut.elapsed() > 3 * ELECTION).await;
    stage.mend(away);
    stage.store(leader).save(9).await.unwrap();
    stage.until_has(away, 9).await;
    assert!(!standing.has_changed().unwrap(), "{:?}", standing.borrow());
}

/// What a later binary has besides.
#[derive(Debug, Serialize, Deserialize)]
struct More {}

impl Record for More {
    const TABLE: &'static str = "more";
    const VERSION: u32 = 1;
    type Key = ();

    fn key(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_does_not_bring_the_records_to_another_version() {
    let mut stage = Stage::set().await;
    stage.until_has(1, 1).await;
    stage.end(1).await;
    let folder = stage.machines[1].folder.path().join("store");
    let refused = upgrade::open_v3(&folder).unwrap_err();
    assert!(matches!(refused, OpenError::Shared { table: "cells" }), "{refused}");
    assert!(refused.hint().unwrap().contains("`paas nodes demote`"));

    // A table that is new changes nothing that the others have: it is still on the same commit as they.
    let before = *stage.store(0).changes().borrow();
    let schema = Schema::default().with::<Cell>().with::<cell::Last>().with::<More>();
    let later = Store::open(&folder, StoreOptions { schema, now: cell::noon() }).unwrap();
    assert_eq!(*later.changes().borrow(), before);
    later.close().await;
    stage.dismiss_all_but(0).await;
    stage.end(0).await;
    let folder = stage.machines[0].folder.path().join("store");
    upgrade::open_v3(&folder).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_never_lead_and_nothing_is_lost_whatever_happens() {
    let mut stage = Stage::set().await;
    let mut random = rand::rng();
    let mut saved = BTreeSet::new();
    for round in 0..6_u64 {
        let victim = *[0, 1, 2].choose(&mut random).unwrap();
        let dies = rand::random_bool(0.5);
        if dies {
            stage.end(victim).await;
        } else {
            stage.cut(victim);
        }
        let left: Vec<usize> = (0..3).filter(|index| *index != victim).collect();
        for number in 100 * (round + 1)..100 * (round + 1) + 10 {
            let leader = stage.leader_of(&left).await;
            if stage.store(leader).save(number).await.is_ok() {
                saved.insert(number);
            }
            let leaders = left.iter().filter(|index| stage.leads(**index)).count();
            assert!(leaders <= 1, "{leaders} lead");
        }
        if dies {
            stage.start(victim, false).await;
        } else {
            stage.mend(victim);
        }
    }
    assert!(saved.len() > 50, "{} were saved", saved.len());
    for index in 0..3 {
        for number in &saved {
            stage.until_has(index, *number).await;
        }
    }
}
