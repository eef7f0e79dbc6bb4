//! One root filesystem as a tar: its identity, its size, and the packages in it.
//!
//! Read once, when it is made; the identity is what Docker calls the layer's diff id.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// A root filesystem, ready to be loaded as one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    /// The uncompressed tar.
    pub tar: PathBuf,
    /// `sha256:` and the hex digest of the tar.
    pub diff_id: String,
    /// Bytes of the tar.
    pub size: u64,
    /// Debian packages and their versions.
    pub packages: BTreeMap<String, String>,
}

impl Rootfs {
    /// Reads a tar from end to end.
    pub(crate) fn read(tar: &Path) -> io::Result<Self> {
        let file = File::open(tar)?;
        let size = file.metadata()?.len();
        let mut hashed = Hashed { file, hash: Sha256::new() };
        let packages = packages(BufReader::with_capacity(BUFFER, &mut hashed))?;
        io::copy(&mut hashed, &mut io::sink())?;
        let diff_id = format!("sha256:{}", hex::encode(hashed.hash.finalize()));
        Ok(Self { tar: tar.to_owned(), diff_id, size, packages })
    }
}

/// Hashes every byte that is read.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Finds dpkg's list in the tar, reading no further than needed.
fn packages(from: impl Read) -> io::Result<BTreeMap<String, String>> {
    for entry in tar::Archive::new(from).entries()? {
        let entry = entry?;
        if entry.path()?.ends_with("var/lib/dpkg/status") {
            let mut text = String::new();
            entry.take(LARGEST_LIST).read_to_string(&mut text)?;
            return Ok(installed(&text));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the tar holds no Debian packages"))
}

fn installed(status: &str) -> BTreeMap<String, String> {
    let stanzas = status.split("\n\n").filter_map(|stanza| {
        let field = |name| stanza.lines().find_map(|line| line.strip_prefix(name));
        Some((field("Package: ")?.to_owned(), field("Version: ")?.to_owned()))
    });
    stanzas.collect()
}

const BUFFER: usize = 1024 * 1024;
const LARGEST_LIST: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_packages_and_its_digest() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut tar = tar::Builder::new(file.as_file());
        let status = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n\
            Package: tzdata\nDescription: x\n Package: no\nVersion: 2026a\n";
        let mut header = tar::Header::new_gnu();
        header.set_size(status.len() as u64);
        tar.append_data(&mut header, "./var/lib/dpkg/status", status.as_slice()).unwrap();
        tar.append_data(&mut header, "./zzz", status.as_slice()).unwrap();
        tar.into_inner().unwrap();
        let rootfs = Rootfs::read(file.path()).unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!(rootfs.diff_id, format!("sha256:{}", hex::encode(Sha256::digest(&bytes))));
        assert_eq!(rootfs.size, bytes.len() as u64);
        assert_eq!(rootfs.packages["tzdata"], "2026a");
        assert_eq!(rootfs.packages.len(), 2);
    }
}
