//! A volume on its way to another machine, and the cable is cut while its bytes flow.

use std::{
    fs, io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{
    ends::Ends,
    server::{says, until},
    volumes::{KEEPS, Kept},
};

/// It stays where it was, with all that is in it and with who has it, and says why. What is in it, as a digest.
pub(crate) fn a_volume_whose_way_is_cut_stays_whole(kept: &Kept) -> String {
    let server = kept.server();
    let digest = server.page(KEEPS, &format!("/fill/{MEGABYTES}"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = Ends(&over);
        let asking = scope.spawn(|| longest_without_an_answer(kept, &over));
        let moving =
            scope.spawn(|| (kept.volumes(&["move", "data", "--to", "edge-1"]), Instant::now()));
        let arriving = kept.one.data().join("volumes/.arriving");
        let came = until("a part of it is on the other machine", || {
            let came = size(&arriving).unwrap_or_default() >> 20;
            (came >= MEGABYTES / 10).then_some(came)
        });
        kept.one.port().cut();
        let cut = Instant::now();
        let (told, failed) = moving.join().unwrap();
        let told = told.ended(1);
        says(&told, &["the volume data stays as it was", "edge-1", "hint:"]);
        says(&kept.volumes(&["show", "data"]).ok(), &["failed", "edge-1"]);
        println!(
            "a cable was cut when {came} of {MEGABYTES} MB were over: the move was given up {:?} later, for {:?}",
            failed - cut,
            told.lines().find(|line| line.contains("edge-1")).unwrap_or_default()
        );
        let back = until("who has it runs where he ran", || {
            let answer = server.try_get(KEEPS, "/digest").ok()?;
            (answer.status == 200).then(|| answer.text())
        });
        assert_eq!(back, digest);
        says(&server.paas(&["ps", "-a", KEEPS]).ok(), &["box"]);
        over.store(true, Relaxed);
        println!("whoever asked for its page waited {:?} at most", asking.join().unwrap());
    });
    digest
}

/// The same command brings it over.
pub(crate) fn it_comes_over_when_the_cable_is_mended(kept: &Kept, digest: &str) {
    kept.one.port().mend();
    kept.stage.until_is("edge-1", "up");
    let begun = Instant::now();
    kept.volumes(&["move", "data", "--to", "edge-1"]).ok();
    println!("{:?} until the same command had brought it over", begun.elapsed());
    kept.until_says("one");
    println!("{:?} until who has it was there, too", begun.elapsed());
    assert_eq!(kept.server().page(KEEPS, "/digest"), digest);
    kept.until_gone_from("box");
    assert_eq!(size(&kept.one.data().join("volumes/.arriving")).unwrap(), 0);
}

/// Asks for the page twice a second, and says how long there was none at most.
fn longest_without_an_answer(kept: &Kept, over: &AtomicBool) -> Duration {
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !over.load(Relaxed) {
        let answered = kept.server().try_get(KEEPS, "/").is_ok_and(|answer| answer.status == 200);
        if answered {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    longest.max(last.elapsed())
}

/// The bytes of all files in a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        all += if found.is_dir() { size(&entry.path())? } else { found.len() };
    }
    Ok(all)
}

const MEGABYTES: u64 = 200;
