//! What may befall one of three machines that keep the records while the other two are well: its daemon is upgraded,
//! its disk is full, it hangs.

use std::{
    fs::{self, File},
    io::Write,
    process::Command,
    slice,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    APP,
    disk::Disk,
    ends::Ends,
    server::until,
    three::{NAMES, Three},
    traffic::Traffic,
    user::User,
};

#[test]
fn one_of_three_is_upgraded_or_full_or_hangs_and_nothing_saved_is_lost() {
    let mut three = Three::join(Some(Disk::new(64)));
    three.promote();
    nobody_notices_that_the_leader_hands_over(&mut three);
    the_others_go_on_without_one_whose_disk_is_full(&mut three);
    a_leader_that_hung_acknowledges_nothing_of_its_own(&three);
}

fn nobody_notices_that_the_leader_hands_over(three: &mut Three) {
    let visitors = Traffic::to(&three.stage.server, APP);
    for turn in ["first", "second", "third"] {
        let begun = Instant::now();
        three.stage.server.upgrade();
        three.until_does(&["nodes", "label", "box", &format!("upgraded={turn}")]);
        println!("{:?} until the leader's successor had saved something", begun.elapsed());
        assert_eq!(three.leader(), "box");
    }
    assert!(three.stage.server.ended().success());
    assert_eq!(visitors.all_were_answered(), slice::from_ref(&three.page));
    assert_eq!(three.leader(), "box");
}

fn the_others_go_on_without_one_whose_disk_is_full(three: &mut Three) {
    let ballast = three.one.disk().unwrap().folder().join("ballast");
    let mut file = File::create(&ballast).unwrap();
    let mut saved = 0;
    until("edge-1 takes no part, however often it tries", || {
        // What its daemon gives back is taken, too.
        fill(&mut file);
        saved += 1;
        three.run(&["nodes", "label", "edge-2", &format!("saved={saved}")]).ok();
        let tried = three.one.log().matches("the edge goes on without records").count();
        (tried > 2).then_some(())
    });
    println!("{saved} changes were saved while the disk of one was full");
    assert_eq!(three.leader(), "box");

    drop(file);
    fs::remove_file(ballast).unwrap();
    let freed = Instant::now();
    three.until_up("edge-1");
    println!("{:?} until it was there again when it had space", freed.elapsed());
    // Nothing is saved now that it does not save, too.
    three.kill9("edge-2");
    three.until_does(&["nodes", "label", "edge-1", "saved=yes"]);
    println!("{:?} until something was saved by it", freed.elapsed());
    three.start("edge-2");
    for name in NAMES {
        three.until_up(name);
    }
}

/// Takes all the space that there is.
fn fill(file: &mut File) {
    for size in [64 * 1024, 1024, 1] {
        while file.write_all(&vec![1; size]).and_then(|()| file.sync_data()).is_ok() {}
    }
}

fn a_leader_that_hung_acknowledges_nothing_of_its_own(three: &Three) {
    let server = &three.stage.server;
    let near = User::of(server, three.one.port().address(), &three.admin);
    let (saved, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let count = || saved.lock().unwrap().len();
    let led = three.leader();
    assert_eq!(led, "box");
    std::thread::scope(|scope| {
        let _ends = Ends(&over);
        scope.spawn(|| save_at_the_hung_one(three, &saved, &over));
        until("something was saved", || (count() > 0).then_some(()));
        signal(server.pid(), "-STOP");
        let hung = Instant::now();
        near.run(server, &["nodes", "label", "edge-2", "hung=yes"]).ok();
        println!("{:?} until something was saved when the leader hung", hung.elapsed());
        let next = near.leader(server);
        assert_ne!(next, "box");
        near.until_is(server, "box", "down");
        for name in ["edge-1", "edge-2"] {
            three.until_shows(name);
        }
        let before = count();
        signal(server.pid(), "-CONT");
        let woken = Instant::now();
        near.until_is(server, "box", "up");
        println!("{:?} until it followed when it went on", woken.elapsed());
        assert_eq!(near.leader(server), next);
        until("something is saved by way of it", || (count() > before + 1).then_some(()));
    });
    let nodes = three.user.nodes(server);
    let is_there = |label: &str| nodes.iter().any(|one| one["labels"][label] == "yes");
    assert!(is_there("hung"));
    let saved = saved.into_inner().unwrap();
    assert!(saved.iter().all(|label| is_there(label)), "{saved:?} were acknowledged: {nodes:?}");
    three.until_shows("box");
}

/// Asks the machine that hangs, and no other, to save one thing after another, and notes what it has acknowledged.
fn save_at_the_hung_one(three: &Three, saved: &Mutex<Vec<String>>, over: &AtomicBool) {
    let (server, at) = (&three.stage.server, three.stage.bed.address());
    for (number, node) in (0..MOST).zip(NAMES.iter().cycle()) {
        let label = format!("l{number}");
        let change = ["nodes", "label", node, &format!("{label}=yes")];
        if three.admin.run_at(server, at, &change).code == 0 {
            saved.lock().unwrap().push(label);
        }
        if over.load(Relaxed) {
            return;
        }
    }
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Nodes have no room for more labels.
const MOST: usize = 84;
