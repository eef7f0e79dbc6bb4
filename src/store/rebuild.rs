//! A new database from the image, in the place of one whose disk has failed.
//!
//! When a sync fails, Linux marks the pages that it could not write as written. Reading them gives
//! what is not on the disk, and no later sync brings it there; a commit that builds on them would
//! be lost with them at a power cut. Nor does the error tell: a disk with less behind it than it
//! promises fails a sync with "disk full". So after any fault nothing is read back: new files are
//! written, and take the old ones' name only when all of it is on the disk.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::image::Image;
use super::journal::{Change, Fault, Journal, sync_parent};
use super::record::Bytes;
use super::schema::Versions;

/// Puts a database with the image's records in the place of `database`, which is closed.
pub(super) fn rebuild(
    database: &Path,
    image: &Image,
    schema: &Versions,
    minutes: Option<&Bytes>,
) -> Result<Journal, Fault> {
    let fresh = database.with_added_extension("rebuilt");
    remove(&fresh)?;
    let replaced = fill(&fresh, image, schema, minutes).and_then(|()| {
        // Two exchanged names are one change: at no moment is there no database.
        let exchanged = renameat_with(CWD, &fresh, CWD, database, RenameFlags::EXCHANGE);
        exchanged.map_err(io::Error::from)?;
        Ok(sync_parent(database)?)
    });
    // Half a database would only take the space that is missing.
    let removed = remove(&fresh);
    replaced?;
    removed?;
    Journal::open(database)
}

/// Makes a database of these records and closes it, because sled knows its folder by name.
fn fill(
    database: &Path,
    image: &Image,
    schema: &Versions,
    minutes: Option<&Bytes>,
) -> Result<(), Fault> {
    let journal = Journal::open(database)?;
    let records: Vec<_> = image.records().collect();
    for batch in records.chunks(BATCH) {
        let changes = batch.iter().map(|(table, key, value)| Change {
            table,
            key,
            value: Some(value),
            old: None,
        });
        journal.commit(changes, image.sequence)?;
    }
    let minutes = minutes.map(|minutes| Change::minutes(minutes, None));
    journal.commit_schema(minutes, schema, image.sequence)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Records in one commit.
const BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::rebuild;
    use crate::store::image::Image;
    use crate::store::journal::{Change, Journal};
    use crate::store::schema::Versions;

    #[test]
    fn the_image_replaces_whatever_was_there() {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let database = home.path().join("sled");
        let old = Journal::open(&database).expect("it opens");
        let lost = Change { table: "t", key: b"lost", value: Some(b"x"), old: None };
        old.commit([lost], 8).expect("it commits");
        drop(old);

        let mut image = Image::default();
        image.sequence = 7;
        for number in 0..600_u32 {
            image.set("t", number.to_be_bytes().as_slice().into(), Some(b"kept".as_slice().into()));
        }
        let journal = rebuild(&database, &image, &Versions::default(), None).expect("it rebuilds");
        let contents = journal.contents().expect("it reads");
        assert_eq!(contents.sequence, 7);
        assert_eq!(contents.entries.len(), 600);
        assert!(contents.entries.iter().all(|(.., value)| value == b"kept"));
        let names = fs::read_dir(home.path()).expect("it lists").count();
        assert_eq!(names, 1, "the old files are gone");
    }
}
