//! The source tree of an image that was pushed: `.paas/image/` with `parts`, the digests of its
//! configuration and of its layers, lowest first, one a line, and the blobs themselves, each named by its
//! digest. So a push waits for its build, is kept and is swept as every upload.
//!
//! The blobs are links of those that were pushed: nothing is copied, and nothing that happens to the one
//! happens to the other.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::{
    build::{
        folder::Folder,
        unpack::{Index, Source, UnpackError},
        uploads::BuildFolders,
    },
    model::{AppName, BlobDigest, ByteSize},
};

/// What an image consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Its configuration.
    pub config: BlobDigest,
    /// Its layers as they were sent, lowest first.
    pub layers: Vec<BlobDigest>,
}

impl Parts {
    /// Makes the tree at the new folder `into`, of blobs in the folder `from`.
    pub fn lay_out(&self, from: &Path, into: &Path) -> Result<Source, UnpackError> {
        self.link(from, into).map_err(|error| UnpackError::write(IMAGE.as_bytes(), error))
    }

    fn link(&self, from: &Path, into: &Path) -> io::Result<Source> {
        let image = into.join(IMAGE);
        let blobs = image.join(BLOBS);
        fs::create_dir_all(&blobs)?;
        let mut bytes = 0;
        let all: BTreeSet<&BlobDigest> = [&self.config].into_iter().chain(&self.layers).collect();
        for digest in &all {
            let place = blobs.join(digest.file_name());
            fs::hard_link(from.join(digest.file_name()), &place)?;
            bytes += fs::metadata(&place)?.len();
        }
        let lines = [&self.config].into_iter().chain(&self.layers);
        let text: String = lines.flat_map(|digest| [digest.as_str(), "\n"]).collect();
        fs::write(image.join(PARTS), &text)?;
        // Not the configuration's, which one says of layers that came damaged, and of the right ones later.
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&text)));
        let digest = digest.parse().expect("64 hexadecimal digits are a digest");
        let files = all.len() as u64;
        Ok(Source { digest, bytes: ByteSize(bytes), files, index: Index::default() })
    }
}

/// An image in its tree.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) parts: Parts,
    blobs: Folder,
}

impl Image {
    /// Of a tree that has one.
    pub(super) fn open(source: &Path) -> io::Result<Self> {
        let image = Folder::open(source)?.below(IMAGE.as_ref())?;
        let mut text = String::new();
        image.file(PARTS.as_ref())?.0.take(MAX_PARTS).read_to_string(&mut text)?;
        let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let lines = text.lines().map(|line| line.parse().map_err(malformed));
        let mut all = lines.collect::<io::Result<Vec<BlobDigest>>>()?.into_iter();
        let config = all.next().ok_or(io::ErrorKind::InvalidData)?;
        let parts = Parts { config, layers: all.collect() };
        Ok(Self { parts, blobs: image.folder(BLOBS.as_ref())? })
    }

    /// Opens one of its blobs.
    pub(super) fn blob(&self, digest: &BlobDigest) -> io::Result<File> {
        Ok(self.blobs.file(digest.file_name().as_ref())?.0)
    }

    /// Its configuration.
    pub(super) fn config(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.blob(&self.parts.config)?.take(MAX_CONFIG).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Whether a tree is an image that was pushed.
pub(in crate::build) fn is_image(root: &Folder) -> bool {
    root.below(IMAGE.as_ref()).is_ok()
}

impl BuildFolders {
    /// The blobs of the images of an app that wait or were built last; who pushes the next need not send
    /// them again.
    pub fn pushed_blobs(&self, app: &AppName) -> BTreeSet<BlobDigest> {
        let trees = fs::read_dir(self.uploads(app)).into_iter().flatten().flatten();
        let folders = trees.map(|tree| tree.path().join(IMAGE).join(BLOBS));
        let blobs = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        blobs.filter_map(|blob| BlobDigest::of_file(blob.file_name().to_str()?)).collect()
    }
}

const IMAGE: &str = ".paas/image";
const PARTS: &str = "parts";
const BLOBS: &str = "blobs";
/// Some hundred digests.
const MAX_PARTS: u64 = 64 << 10;
/// As large as a manifest may be.
const MAX_CONFIG: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_what_was_pushed_and_nothing_else_is_read() {
        let home = tempfile::tempdir().unwrap();
        let name = |number: u64| -> BlobDigest { format!("sha256:{number:064x}").parse().unwrap() };
        let from = home.path().join("blobs");
        fs::create_dir(&from).unwrap();
        for (number, text) in [(1, "{}"), (2, "layer")] {
            fs::write(from.join(name(number).file_name()), text).unwrap();
        }
        // One layer may be there twice: an empty one often is.
        let parts = Parts { config: name(1), layers: vec![name(2), name(2)] };
        let folders = BuildFolders::new(home.path());
        let app = "shop".parse().unwrap();
        let incoming = folders.incoming(&app).unwrap();
        let source = parts.lay_out(&from, incoming.path()).unwrap();
        assert_eq!((source.bytes, source.files), (ByteSize(7), 2));
        incoming.keep(&source).unwrap();
        fs::remove_dir_all(&from).unwrap();

        let tree = folders.source(&app, &source.digest);
        let image = Image::open(&tree).unwrap();
        assert_eq!((&image.parts, image.config().unwrap().as_slice()), (&parts, &b"{}"[..]));
        assert_eq!(folders.pushed_blobs(&app), [name(1), name(2)].into());
        fs::write(tree.join(IMAGE).join(PARTS), "sha256:../../x\n").unwrap();
        assert_eq!(Image::open(&tree).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_blob_that_is_gone_is_an_error_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folders = BuildFolders::new(home.path());
        let config: BlobDigest = format!("sha256:{:064x}", 1).parse().unwrap();
        let incoming = folders.incoming(&"shop".parse().unwrap()).unwrap();
        let tree = incoming.path().to_owned();
        let parts = Parts { config, layers: Vec::new() };
        let lost = parts.lay_out(home.path(), &tree).unwrap_err();
        assert!(matches!(lost, UnpackError::Write { .. }), "{lost:?}");
        drop(incoming);
        assert!(!tree.exists());
    }
}
