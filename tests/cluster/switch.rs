//! A machine is lost in the middle of a switch from one release to another, which all instances make at once.

use std::time::Instant;

use serde_json::Value;

use crate::{
    collector::Collector,
    machine::Machine,
    once::{SHADE, listed},
    server::{Output, until},
    three::Three,
    traffic::Traffic,
};

/// Lost is one that has instances of the new release: first before any visitor sees that, then when they all do and the
/// old ones stand by. Whatever becomes of the release, it is all of it, and no visitor of another edge fails.
pub(crate) fn nobody_notices_that_a_machine_is_lost_in_a_switch(
    three: &Three,
    collector: &Collector,
) {
    let leads_first = three.leader() == "edge-1";
    let (name, lost, leader) = if leads_first {
        ("edge-2", &three.two, &three.one)
    } else {
        ("edge-1", &three.one, &three.two)
    };
    let switch = Switch { three, collector, name, lost, leader };
    collector.admit_only(&[]);
    let starting = ["NAP=0", "COLOUR=blue", "GATED=yes"];
    switch.is_cut("before the switch", &starting, || switch.until_ready_before_all_are());
    switch.is_cut("after the switch", &["COLOUR=green", "GATED="], || switch.until_watched());
}

struct Switch<'a> {
    three: &'a Three,
    collector: &'a Collector,
    /// Which machine is lost.
    name: &'a str,
    lost: &'a Machine,
    /// The one that leads.
    leader: &'a Machine,
}

impl Switch<'_> {
    /// Releases this, and cuts the cable when it is time.
    fn is_cut(&self, when: &str, change: &[&str], until_then: impl Fn()) {
        let before = self.page();
        let here = ([127, 0, 0, 1], self.three.stage.server.edge()).into();
        let visitors = [here, self.leader.edge()].map(|edge| Traffic::at(edge, SHADE));
        let (told, cut): (Output, _) = std::thread::scope(|scope| {
            let set = [&["config", "set"], change].concat();
            let told = scope.spawn(move || self.three.run(&[&set[..], &["-a", SHADE]].concat()));
            until_then();
            self.lost.port().cut();
            let cut = Instant::now();
            self.collector.admit_all();
            (told.join().unwrap(), cut)
        });
        let over = until("the rollout is over", || {
            let newest = self.newest();
            ["done", "failed"].iter().any(|phase| newest["phase"] == **phase).then_some(newest)
        });
        println!(
            "a machine was lost {when}: `paas config set` ended with {}, the rollout was {} after {:?} ({})",
            told.code,
            over["phase"],
            cut.elapsed(),
            over["reason"]
        );
        let after = self.page();
        let is_whole = (over["phase"] == "done") == (after != before);
        assert!(is_whole, "{after} after {before}, and it is {over}");
        self.lost.port().mend();
        self.three.until_up(self.name);
        for visitor in visitors {
            let seen = visitor.all_were_answered();
            let turns = if after == before { [1, 3] } else { [2, 2] };
            assert!(turns.contains(&seen.len()), "{seen:?}, from {before} to {after}");
            assert_eq!((&seen[0], seen.last()), (&before, Some(&after)), "{seen:?}");
        }
    }

    fn page(&self) -> String {
        self.three.stage.server.page(SHADE, "/")
    }

    fn newest(&self) -> Value {
        listed(self.three, &["deploys"])[0].clone()
    }

    /// The instances of the newest release.
    fn taking_over(&self) -> Vec<Value> {
        let release = self.newest()["release"].clone();
        let shown = listed(self.three, &["ps"]).into_iter();
        shown.filter(|one| one["release"] == release).collect()
    }

    /// Waits until those on the machine are ready, and no others.
    fn until_ready_before_all_are(&self) {
        let there = until("all of the new have begun", || {
            let new = self.taking_over();
            let there: Vec<_> = new.iter().filter(|one| one["node"] == *self.name).collect();
            let name = |one: &&Value| one["name"].as_str().unwrap().to_owned();
            (self.newest()["phase"] == "starting" && new.len() == 3 && !there.is_empty())
                .then(|| there.iter().map(name).collect::<Vec<_>>())
        });
        self.collector.admit_only(&there);
        until("those of the machine are ready", || self.are_ready_there().then_some(()));
        assert_eq!(self.newest()["phase"], "starting");
    }

    /// Waits until all of the new serve, and one of them there.
    fn until_watched(&self) {
        until("the new serve, and one of them there", || {
            (self.newest()["phase"] == "watching" && self.are_ready_there()).then_some(())
        });
    }

    /// Whether there are some of the new on the machine, and all of them are ready.
    fn are_ready_there(&self) -> bool {
        let mut new = self.taking_over();
        new.retain(|one| one["node"] == *self.name);
        !new.is_empty() && new.iter().all(|one| one["health"] == "ready")
    }
}
