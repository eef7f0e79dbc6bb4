//! The list of points is the list of points: what stands in the code is in it, and the other way
//! round. That each of them is passed, in a deploy, an upgrade, a rotation or a push, is shown by dying
//! there.

use std::{collections::BTreeSet, fs, path::Path};

use paas::faults::{
    BACKUPS, COUNCIL, CRON, POINTS, PUSH, RUNS, SEALING, UPGRADE, VARIANTS, VOLUMES,
};

#[test]
fn every_point_in_the_code_is_on_the_list() {
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let points =
        [POINTS, UPGRADE, SEALING, VARIANTS, VOLUMES, BACKUPS, RUNS, CRON, PUSH, COUNCIL].concat();
    let listed: BTreeSet<String> = points.iter().map(ToString::to_string).collect();
    assert_eq!(found, listed);
    assert_eq!(listed.len(), points.len(), "a point is listed twice");
}

/// The names of the points in all files below a folder.
fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let calls = text.split("faults::point(\"").skip(1);
        found.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
}
