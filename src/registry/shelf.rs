//! The blobs of one app that were pushed: `<data>/apps/<app>/pushed`, gone with the app.
//!
//! Below it `blobs/` has what is whole, each named by its digest, and `arriving/` what is on its way. An
//! image that is deployed has links of its blobs, so nothing here is needed to build it; what stays here
//! need not be sent again. Invariant: a blob gets its name when it is on the disk, whole and checked.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use super::{
    arriving::{Arriving, MAX_BLOB, UploadId},
    manifest::MAX_MANIFEST,
};
use crate::{
    clock,
    model::{AppName, BlobDigest},
};

/// An app's blobs.
#[derive(Debug, Clone)]
pub struct Shelf {
    blobs: PathBuf,
    arriving: PathBuf,
}

/// Why a blob is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Another request brings it at this moment.
    #[error("another request is bringing this upload")]
    Busy,
    /// There are too many.
    #[error("{MAX_ARRIVING} uploads of this app are under way already")]
    Crowded,
    /// It is too large.
    #[error("a blob is {MAX_BLOB} at most")]
    TooLarge,
    /// It is something else.
    #[error("what came is {found}")]
    Mismatch {
        /// What it is.
        found: BlobDigest,
    },
    /// The disk did not do its part.
    #[error("what is pushed cannot be kept")]
    Disk(#[from] io::Error),
}

impl Shelf {
    /// Of the data folder at `data`; nothing need be there.
    pub fn of(data: &Path, app: &AppName) -> Self {
        let home = data.join("apps").join(app.as_str()).join("pushed");
        Self { blobs: home.join("blobs"), arriving: home.join("arriving") }
    }

    /// The folder of blobs, each a file that [`BlobDigest::file_name`] names.
    pub fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// The size of a blob, if it is here. Whoever asks is about to need it: its age begins anew.
    pub fn size(&self, digest: &BlobDigest) -> io::Result<Option<u64>> {
        let Some(file) = self.open(digest)? else { return Ok(None) };
        file.set_modified(clock::system())?;
        Ok(Some(file.metadata()?.len()))
    }

    /// A blob that is a manifest; of one that is something larger, the beginning.
    pub fn manifest(&self, digest: &BlobDigest) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(digest)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(MAX_MANIFEST as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Keeps bytes that came in one piece.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobDigest, ShelfError> {
        fs::create_dir_all(&self.arriving)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.arriving)?;
        file.write_all(bytes)?;
        let digest = digest(bytes);
        self.take(file.as_file(), file.path(), &digest)?;
        Ok(digest)
    }

    /// Has a blob of another app be this one's too; whether that one has it.
    pub fn borrow(&self, other: &Self, digest: &BlobDigest) -> io::Result<bool> {
        if other.size(digest)?.is_none() {
            return Ok(false);
        }
        fs::create_dir_all(&self.blobs)?;
        match fs::hard_link(other.place(digest), self.place(digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(&self.blobs)?.sync_all().map(|()| true),
        }
    }

    /// Begins an upload.
    pub fn begin(&self) -> Result<UploadId, ShelfError> {
        fs::create_dir_all(&self.arriving)?;
        if fs::read_dir(&self.arriving)?.count() >= MAX_ARRIVING {
            return Err(ShelfError::Crowded);
        }
        let id = UploadId::new();
        Arriving::begin(&self.arriving.join(id.to_string()))?;
        Ok(id)
    }

    /// Goes on with an upload, if it is there.
    pub fn resume(&self, id: &UploadId) -> Result<Option<Arriving>, ShelfError> {
        Arriving::open(self.arriving.join(id.to_string()))
    }

    /// Removes the blobs that are not among `wanted` and that nobody asked for lately, and uploads that
    /// went no further.
    pub fn sweep(&self, wanted: &BTreeSet<BlobDigest>, now: SystemTime) {
        let wanted: BTreeSet<String> = wanted.iter().map(BlobDigest::file_name).collect();
        for (folder, after) in [(&self.blobs, UNWANTED), (&self.arriving, SILENT)] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let touched = entry.metadata().and_then(|metadata| metadata.modified());
                let old = touched.is_ok_and(|at| now.duration_since(at).is_ok_and(|it| it > after));
                let is_wanted = entry.file_name().to_str().is_some_and(|it| wanted.contains(it));
                if old
                    && !is_wanted
                    && let Err(error) = fs::remove_file(entry.path())
                {
                    tracing::warn!(path = %entry.path().display(), %error, "cannot remove a file");
                }
            }
        }
    }

    /// Gives a file that is checked its place.
    pub(super) fn take(
        &self,
        file: &File,
        path: &Path,
        digest: &BlobDigest,
    ) -> Result<(), ShelfError> {
        fs::create_dir_all(&self.blobs)?;
        file.sync_all()?;
        fs::rename(path, self.place(digest))?;
        Ok(File::open(&self.blobs)?.sync_all()?)
    }

    fn open(&self, digest: &BlobDigest) -> io::Result<Option<File>> {
        match File::open(self.place(digest)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn place(&self, digest: &BlobDigest) -> PathBuf {
        self.blobs.join(digest.file_name())
    }
}

/// What bytes are called.
pub fn digest(bytes: &[u8]) -> BlobDigest {
    let text = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    text.parse().expect("64 hexadecimal digits are a digest")
}

/// Uploads of one app at the same time; Docker begins five.
const MAX_ARRIVING: usize = 100;
/// An upload to which nothing was added for so long has been given up.
const SILENT: Duration = Duration::from_hours(1);
/// From the moment at which a client hears that a layer is here to its manifest, which comes when the
/// slowest layer has come.
const UNWANTED: Duration = Duration::from_hours(6);

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(home: &Path, app: &str) -> Shelf {
        Shelf::of(home, &app.parse().unwrap())
    }

    #[test]
    fn an_upload_goes_on_where_it_ended_and_is_believed_only_as_a_whole() {
        let home = tempfile::tempdir().unwrap();
        let here = shelf(home.path(), "shop");
        let (id, wanted) = (here.begin().unwrap(), digest(b"hello world"));
        let mut first = here.resume(&id).unwrap().unwrap();
        first.write(b"hello ").unwrap();
        assert!(matches!(here.resume(&id), Err(ShelfError::Busy)));
        drop(first);
        let mut second = here.resume(&id).unwrap().unwrap();
        assert_eq!(second.received(), 6);
        second.write(b"world").unwrap();
        second.keep(&wanted, &here).unwrap();
        assert_eq!(here.size(&wanted).unwrap(), Some(11));
        assert_eq!(here.manifest(&wanted).unwrap().unwrap(), b"hello world");
        assert!(here.resume(&id).unwrap().is_none());

        let id = here.begin().unwrap();
        let mut wrong = here.resume(&id).unwrap().unwrap();
        wrong.write(b"hello World").unwrap();
        let Err(ShelfError::Mismatch { found }) = wrong.keep(&digest(b"x"), &here) else {
            panic!()
        };
        assert_eq!(found, digest(b"hello World"));
        assert!(here.resume(&id).unwrap().is_none() && here.size(&found).unwrap().is_none());
    }

    #[test]
    fn a_blob_that_is_lent_outlives_its_first_owner() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (shelf(home.path(), "one"), shelf(home.path(), "two"));
        let layer = one.put(b"layer").unwrap();
        assert!(two.borrow(&one, &layer).unwrap() && two.borrow(&one, &layer).unwrap());
        assert!(!two.borrow(&one, &digest(b"other")).unwrap());
        fs::remove_dir_all(home.path().join("apps/one")).unwrap();
        assert_eq!(two.manifest(&layer).unwrap().unwrap(), b"layer");
    }

    #[test]
    fn what_nobody_wants_goes_when_it_is_old() {
        let home = tempfile::tempdir().unwrap();
        let here = shelf(home.path(), "shop");
        let [wanted, unwanted] = [b"wanted".as_slice(), b"other"].map(|it| here.put(it).unwrap());
        let id = here.begin().unwrap();
        let is_there = |digest| here.manifest(digest).unwrap().is_some();
        let keep = [wanted.clone()].into();
        let (now, minute) = (clock::system(), Duration::from_mins(1));
        here.sweep(&keep, now + minute);
        assert!(is_there(&unwanted) && here.resume(&id).unwrap().is_some());
        here.sweep(&keep, now + SILENT + minute);
        assert!(is_there(&unwanted) && here.resume(&id).unwrap().is_none());
        here.sweep(&keep, now + UNWANTED + minute);
        assert!(!is_there(&unwanted) && is_there(&wanted));
    }

    #[test]
    fn uploads_are_bounded() {
        let home = tempfile::tempdir().unwrap();
        let here = shelf(home.path(), "shop");
        for _ in 0..MAX_ARRIVING {
            here.begin().unwrap();
        }
        assert!(matches!(here.begin(), Err(ShelfError::Crowded)));
    }
}
