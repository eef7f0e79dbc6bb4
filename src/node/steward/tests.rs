//! What goes from one machine to another, on two folders and the fake engine.

use std::{fs, io};

use futures_util::StreamExt;

use super::*;
use crate::engine::fake::Fake;

struct Machine {
    home: tempfile::TempDir,
    steward: Steward<Fake>,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folders = VolumeFolders::new(home.path());
        let steward = Steward::new(Fake::new(Timestamp::default()), folders, ByteSize(0));
        Self { home, steward }
    }

    /// A file of the volume, or of what belongs to it.
    fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.home.path().join("volumes/shop/data").join(name))
    }

    async fn act(&self, act: Act) -> Acted {
        let (app, name) = names();
        self.steward.act((&app, &name), act).await.unwrap()
    }

    async fn give(&self) -> Lading {
        let (app, name) = names();
        self.steward.give((&app, &name), Parcel::Whole).await.unwrap()
    }

    async fn take(&self, pieces: Pieces) -> Result<(), StewardError> {
        let (app, name) = names();
        self.steward.take((&app, &name), Room::Whole, pieces).await
    }
}

fn names() -> (AppName, VolumeName) {
    ("shop".parse().unwrap(), "data".parse().unwrap())
}

#[tokio::test]
async fn a_volume_goes_to_another_machine_with_its_snapshots() {
    let (from, to) = (Machine::new(), Machine::new());
    let (app, name) = names();
    let data = from.steward.folders().open(&app, &name).unwrap();
    fs::write(data.join("file"), "old").unwrap();
    let copied = from.act(Act::Copy(CopyTo::Snapshot(SnapshotNumber(1)), [].into())).await;
    assert!(matches!(copied, Acted::Done(Some(_))), "{copied:?}");
    fs::write(data.join("file"), "new").unwrap();
    assert_eq!(from.act(Act::IsFree).await, Acted::Done(None));

    // What breaks off changes nothing, and neither does what ends before its end.
    let lading = from.give().await;
    assert!(lading.expected.is_some());
    let breaks = futures_util::stream::iter([Err(io::Error::other("the link is cut"))]);
    to.take(lading.pieces.take(1).chain(breaks).boxed()).await.unwrap_err();
    let short = from.give().await.pieces.map(|piece| piece.map(|it| it.slice(..it.len() / 2)));
    to.take(short.boxed()).await.unwrap_err();
    assert!(to.read("data/file").is_err());

    for _ in 0..2 {
        to.take(from.give().await.pieces).await.unwrap();
        assert_eq!(to.read("data/file").unwrap(), "new");
        assert_eq!(to.read("snapshots/s1/file").unwrap(), "old");
    }
    assert_eq!(from.act(Act::Discard).await, Acted::Done(None));
    assert!(from.read("data/file").is_err());
    assert_eq!(to.act(Act::Fetch(SnapshotNumber(1))).await, Acted::Done(None));
    assert_eq!(to.act(Act::Swap(SnapshotNumber(2))).await, Acted::Done(None));
    assert_eq!(to.read("data/file").unwrap(), "old");
    assert_eq!(to.read("snapshots/s2/file").unwrap(), "new");
}

#[tokio::test]
async fn a_volume_that_nobody_has_used_yet_goes_as_well() {
    let (from, to) = (Machine::new(), Machine::new());
    to.take(from.give().await.pieces).await.unwrap();
    assert!(to.home.path().join("volumes/shop/data/data").is_dir());
    // On a node none begins.
    let node = Machine::new();
    let steward = node.steward.clone().of_node();
    let (app, name) = names();
    let of = (&app, &name);
    steward.give(of, Parcel::Whole).await.unwrap_err();
    let copied = steward.act(of, Act::Copy(CopyTo::Snapshot(SnapshotNumber(1)), [].into())).await;
    assert!(matches!(copied, Err(StewardError::Nothing)), "{copied:?}");
    assert!(!node.home.path().join("volumes").exists());
    // Whoever sends it dies before its first byte.
    let (writer, nothing) = pieces();
    drop(writer);
    to.take(nothing).await.unwrap_err();
    assert!(to.home.path().join("volumes/shop/data/data").is_dir());
}
