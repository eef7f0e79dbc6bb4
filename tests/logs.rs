//! Logs as the rest of the daemon uses them: kept, asked for, followed, bounded, and never in the way.

use std::{os::unix::fs::symlink, path::Path};

use futures_util::StreamExt;
use paas::{
    logs::{AppLog, Followed, LogSettings, Logs, Query, Record, Source},
    model::{AppName, BuildNumber, ContainerId, ReleaseVersion, Slot, Timestamp},
};

fn app() -> AppName {
    "shop".parse().unwrap()
}

fn open(folder: &Path) -> Logs {
    let small =
        LogSettings { per_app_bytes: 16 << 10, segment_bytes: 4 << 10, ..LogSettings::default() };
    Logs::open(folder, small).unwrap()
}

fn line(number: u32) -> Record {
    Record {
        at: Timestamp::from_millis(1_790_000_000_000 + i64::from(number)),
        slot: Slot { process: "web".parse().unwrap(), index: 1 },
        release: ReleaseVersion(1),
        source: Source::Out,
        text: number.to_string(),
        container: Some(ContainerId("c0ffee".to_owned())),
    }
}

fn append(log: &AppLog, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| log.append(line(number)));
}

async fn numbers(logs: &Logs, query: Query) -> Vec<u32> {
    let records = logs.query(&app(), query).await.unwrap();
    records.iter().map(|record| record.text.parse().unwrap()).collect()
}

#[tokio::test]
async fn the_last_lines_are_found_across_segments_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path());
    append(&logs.app(&app()).await.unwrap(), 0..60);
    assert_eq!(numbers(&logs, Query::last(50)).await, (10..60).collect::<Vec<_>>());
    drop(logs);
    let logs = open(folder.path());
    append(&logs.app(&app()).await.unwrap(), 60..70);
    assert_eq!(numbers(&logs, Query::last(65)).await, (5..70).collect::<Vec<_>>());
    let since = Query { since: Some(line(68).at), ..Query::last(10) };
    assert_eq!(numbers(&logs, since).await, [68, 69]);
    let contains = Query { contains: Some("7".to_owned()), ..Query::last(3) };
    assert_eq!(numbers(&logs, contains).await, [47, 57, 67]);
}

#[tokio::test]
async fn the_oldest_go_first_and_the_disk_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path());
    let log = logs.app(&app()).await.unwrap();
    for start in (0..5000).step_by(10) {
        append(&log, start..start + 10);
        log.flush();
    }
    let kept = numbers(&logs, Query::last(10_000)).await;
    let oldest = *kept.first().unwrap();
    assert!(oldest > 4000, "{oldest}");
    assert_eq!(kept, (oldest..5000).collect::<Vec<_>>());
    let files = std::fs::read_dir(folder.path().join("shop")).unwrap();
    let size: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= (16 << 10) + (4 << 10), "{size}");
}

#[tokio::test]
async fn a_torn_last_line_is_passed_over_and_repaired() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path());
    append(&logs.app(&app()).await.unwrap(), 0..3);
    drop(logs);
    let file = folder.path().join("shop/1.log");
    let mut torn = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    torn.write_all(br#"{"at":"2026-09-21T14:1"#).unwrap();
    let logs = open(folder.path());
    assert_eq!(numbers(&logs, Query::last(10)).await, [0, 1, 2]);
    append(&logs.app(&app()).await.unwrap(), 3..5);
    assert_eq!(numbers(&logs, Query::last(10)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_every_line_once_whenever_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), LogSettings::default()).unwrap();
    let log = logs.app(&app()).await.unwrap();
    append(&log, 0..100);
    let writer = std::thread::spawn(move || {
        for start in (100..1000).step_by(50) {
            append(&log, start..start + 50);
            std::thread::yield_now();
        }
    });
    let mut followers = Vec::new();
    for _ in 0..10 {
        followers.push(logs.follow(&app(), Query::last(10_000)).await.unwrap());
    }
    writer.join().unwrap();
    for follower in followers {
        let seen: Vec<u32> = follower
            .take(1000)
            .map(|followed| match followed {
                Followed::Line(record) => record.text.parse().unwrap(),
                Followed::Missed(missed) => panic!("{missed} lines missed"),
            })
            .collect()
            .await;
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), LogSettings::default()).unwrap();
    let log = logs.app(&app()).await.unwrap();
    let mut follower = logs.follow(&app(), Query::last(0)).await.unwrap();
    append(&log, 0..5000);
    let Some(Followed::Missed(missed)) = follower.next().await else { panic!("nothing missed") };
    let Some(Followed::Line(next)) = follower.next().await else { panic!("no line") };
    assert_eq!(next.text, missed.to_string(), "it goes on right after the gap");
}

#[tokio::test]
async fn forgetting_ends_the_followers_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path());
    let log = logs.app(&app()).await.unwrap();
    append(&log, 0..3);
    let follower = logs.follow(&app(), Query::last(10)).await.unwrap();
    logs.forget(&app()).await.unwrap();
    append(&log, 3..6);
    log.flush();
    assert_eq!(follower.count().await, 3);
    assert!(!folder.path().join("shop").exists());
    assert!(numbers(&logs, Query::last(10)).await.is_empty());
    logs.forget(&app()).await.unwrap();
}

/// `/dev/full` takes no byte, like a disk that has run out of room.
#[tokio::test]
async fn a_full_disk_loses_lines_counts_them_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop/1.log");
    std::fs::create_dir(folder.path().join("shop")).unwrap();
    symlink("/dev/full", &file).unwrap();
    let logs = open(folder.path());
    let log = logs.app(&app()).await.unwrap();
    append(&log, 0..5);
    log.flush();
    assert_eq!(log.dropped(), 5);
    std::fs::remove_file(&file).unwrap();
    append(&log, 5..6);
    log.flush();
    append(&log, 6..8);
    let records = logs.query(&app(), Query::last(10)).await.unwrap();
    let texts: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
    assert_eq!(
        texts,
        ["5", "5 lines before this one were lost: the disk did not take them", "6", "7"]
    );
    assert_eq!(log.dropped(), 5);
}

#[tokio::test]
async fn a_build_is_followed_to_its_end_and_read_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let logs = open(folder.path());
    let log = logs.start_build(&app(), BuildNumber(7)).unwrap();
    log.append("one\ntwo");
    let follower = logs.follow_build(&app(), BuildNumber(7)).await.unwrap();
    log.append("three");
    log.finish();
    assert_eq!(follower.collect::<Vec<_>>().await, ["one", "two", "three"]);
    assert_eq!(logs.build(&app(), BuildNumber(7)).await.unwrap(), ["one", "two", "three"]);
    let after = logs.follow_build(&app(), BuildNumber(7)).await.unwrap();
    assert_eq!(after.count().await, 3);
    assert!(logs.build(&app(), BuildNumber(8)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_build_that_says_too_much_is_cut_and_old_builds_go() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LogSettings { per_build_bytes: 1024, builds_kept: 2, ..LogSettings::default() };
    let logs = Logs::open(folder.path(), settings).unwrap();
    for number in 1..=3 {
        let log = logs.start_build(&app(), BuildNumber(number)).unwrap();
        (0..1000).for_each(|n| log.append(&format!("line {n}")));
        log.finish();
    }
    let lines = logs.build(&app(), BuildNumber(3)).await.unwrap();
    assert_eq!(lines.last().unwrap(), "(the log is cut here: it is longer than 1 KiB)");
    assert!(lines.len() < 200);
    assert!(logs.build(&app(), BuildNumber(1)).await.unwrap().is_empty());
    assert!(!logs.build(&app(), BuildNumber(2)).await.unwrap().is_empty());
}
