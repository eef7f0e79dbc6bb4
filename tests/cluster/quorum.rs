//! Most of three machines that keep the records are lost: visitors are served by the one that is left, nothing can be
//! changed, which is said, what ends there is started again, and nothing is lost when others are back.

use std::time::{Duration, Instant};

use crate::{
    APP,
    server::{says, until},
    three::{NAMES, Three},
};

#[test]
fn while_most_machines_are_lost_visitors_are_served_and_nothing_is_changed() {
    let mut three = Three::join(None);
    three.promote();
    three.run(&["nodes", "label", "edge-1", "saved=yes"]).ok();
    // What is handed to instances at their start is to be handed to them again.
    three.run(&["secrets", "set", "WORD=hush", "-a", APP]).ok();
    three.until_each_runs_it();
    println!("--- the one that leads is lost, and another");
    most_are_lost(&mut three, "edge-2", &["nodes", "label", "edge-1", "lost=yes"]);
    let leader = three.leader();
    // The daemons that handed it over are gone.
    three.run(&["restart", "-a", APP]).ok();
    three.until_each_runs_it();
    println!("--- those that do not lead are lost");
    most_are_lost(&mut three, leader, &["restart", "-a", APP]);
}

/// All but this one are lost, and come back one after the other; this change is not made meanwhile.
fn most_are_lost(three: &mut Three, left: &'static str, change: &[&str]) {
    for name in NAMES {
        three.instance(name);
    }
    let lost: Vec<_> = NAMES.into_iter().filter(|name| *name != left).collect();
    for name in &lost {
        three.kill9(name);
    }
    let killed = Instant::now();
    let mut longest = Duration::ZERO;
    until("it knows that nobody leads", || {
        longest = longest.max(shown_within(three, left));
        three.says_on(left).ok().filter(|said| said.contains("no other is heard of"))
    });
    println!("{:?} until {left} knew that nobody leads", killed.elapsed());
    let asked = Instant::now();
    let told = three.run(change).ended(1);
    says(&told, &["no other is heard of", "hint: ", "more than half of the machines"]);
    println!("{:?} until it was said that nobody leads", asked.elapsed());
    longest = longest.max(shown_within(three, left));
    println!("{left} showed its visitors the app all the time, after {longest:?} at most");
    let revived = ended_is_started_again(three, left);

    // Its daemon begins anew, and nobody tells it anything.
    three.kill9(left);
    let begun = Instant::now();
    three.start(left);
    three.until_shows(left);
    println!("{:?} until the daemon of {left} served that began anew alone", begun.elapsed());

    three.start(lost[0]);
    let back = Instant::now();
    let nodes = three.user.nodes(&three.stage.server);
    println!("{:?} until `paas` was answered when {} was back", back.elapsed(), lost[0]);
    let labels = &nodes.iter().find(|one| one["name"] == "edge-1").unwrap()["labels"];
    assert_eq!((&labels["saved"], &labels["lost"]), (&"yes".into(), &().into()), "{labels}");
    three.until_does(&["nodes", "label", "edge-2", "saved=too"]);
    let there = three.instances(left);
    assert!(there.contains(&revived), "who leads keeps what runs: {revived:?}, not {there:?}");
    three.start(lost[1]);
    for name in NAMES {
        three.until_up(name);
    }
    three.until_each_runs_it();
}

/// What the app runs in on this machine is killed, and runs again, as another process.
fn ended_is_started_again(three: &Three, left: &str) -> (String, u64) {
    let (container, process) = three.instance(left);
    three.kill_container(left, &container);
    let killed = Instant::now();
    three.until_shows(left);
    println!(
        "{:?} until {left} showed the app again when its container was killed",
        killed.elapsed()
    );
    let revived = three.instance(left);
    assert!(revived.0 == container && revived.1 != process, "{revived:?} after {process}");
    revived
}

/// How long a visitor of one waits for the app, which it is to show.
fn shown_within(three: &Three, name: &str) -> Duration {
    let begun = Instant::now();
    let answer = three.get(name).unwrap();
    assert_eq!((answer.status, answer.text()), (200, three.page.clone()));
    begun.elapsed()
}
