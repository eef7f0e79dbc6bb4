//! What is promised beside the deploy, on one small app: a `git push` beside a `paas deploy` of the same
//! change, one after the other in each round; a program in a running instance; and the way back while
//! people keep asking.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    figures::{self, Figures},
    repository::World,
    sources,
};

/// Prints the figures of so many rounds.
pub(crate) fn run(rounds: usize) {
    let world = World::new();
    world.paas(&["launch", "-a", "site"]).ok();
    world.commit("index.html", "begin");
    world.git(&["push", "paas", "main"]).ok();
    world.paas(&["deploy"]).ok();
    let mut figures = Figures::default();
    for round in 0..rounds {
        sources::write(world.folder.path(), "index.html", &format!("deployed {round}"));
        figures.time("paas deploy of one line", || world.paas(&["deploy"]).ok());
        world.commit("index.html", &format!("pushed {round}"));
        figures.time("git push of one line", || world.git(&["push", "paas", "main"]).ok());
        figures.time("paas exec -- true", || world.paas(&["exec", "--", "true"]).ok());
    }
    let (asked, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answered = world.server.try_get("site", "/");
                    asked.fetch_add(1, Ordering::Relaxed);
                    if !answered.is_ok_and(|answer| answer.status == 200) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for _ in 0..rounds {
            figures.time("rollback, to the old text", || roll_back(&world));
        }
        over.store(true, Ordering::Relaxed);
    });
    figures::print("beside the deploy", &Figures::default(), &figures);
    let (asked, failed) = (asked.into_inner(), failed.into_inner());
    println!("  {asked} requests were asked during {rounds} rollbacks, {failed} failed\n");
}

/// Goes back and waits for the text of then; the command is left to end by itself.
fn roll_back(world: &World) {
    let before = world.server.page("site", "/");
    world.paas(&["rollback", "--detach"]).ok();
    let began = Instant::now();
    while world.server.page("site", "/") == before {
        assert!(began.elapsed() < Duration::from_mins(1), "it never came back");
    }
}

/// Who keep asking, each as soon as it has been answered.
const CLIENTS: usize = 4;
