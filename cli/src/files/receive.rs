//! A tar out of an instance becomes a file or folder here.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::{Buf, Bytes};
use tar::EntryType;
use tokio::sync::mpsc;

/// Unpacks an archive of one file or folder as `target`, or into it if that is a folder; where it is in
/// the end.
///
/// It is unpacked beside its place and moved there when it is whole. Names that lead elsewhere, also by
/// way of links in the archive itself, are refused; what is neither file, folder nor link is left out.
pub(crate) fn receive(archive: impl Read, target: &Path) -> io::Result<PathBuf> {
    let within = target.is_dir();
    let parent = if within { Some(target) } else { target.parent() };
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new().prefix(".paas-cp-").tempdir_in(parent)?;
    let root = beside.path().canonicalize()?;
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let known = matches!(
            entry.header().entry_type(),
            EntryType::Regular
                | EntryType::Continuous
                | EntryType::Directory
                | EntryType::Symlink
                | EntryType::Link
        );
        if known && !entry.unpack_in(&root)? {
            let name = entry.path()?.display().to_string();
            return Err(io::Error::other(format!("`{name}` leads out of the archive")));
        }
    }
    let mut tops = fs::read_dir(&root)?.collect::<io::Result<Vec<_>>>()?;
    let (Some(top), true) = (tops.pop(), tops.is_empty()) else {
        return Err(io::Error::other("the archive is not of one file or folder"));
    };
    let place = if within { target.join(top.file_name()) } else { target.to_path_buf() };
    fs::rename(top.path(), &place)?;
    Ok(place)
}

/// What comes over the line, for whoever reads it in a thread of its own.
pub(crate) struct Inflow {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Inflow {
    /// Reads what is sent to the channel; it ends with it.
    pub(crate) fn new(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { pieces, rest: Bytes::new() }
    }
}

impl Read for Inflow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::send;

    fn entry(archive: &mut tar::Builder<Vec<u8>>, name: &str, link: Option<&str>, data: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o4777);
        header.set_size(data.len() as u64);
        header.set_entry_type(EntryType::Regular);
        if let Some(link) = link {
            header.set_entry_type(EntryType::Symlink);
            header.set_link_name(link).unwrap();
        }
        header.set_cksum();
        archive.append(&header, data).unwrap();
    }

    #[track_caller]
    fn check_hostile(entries: &[(&str, Option<&str>)]) {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("canary"), "alive").unwrap();
        fs::create_dir(home.path().join("in")).unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        for (name, link) in entries {
            let data: &[u8] = if link.is_some() { b"" } else { b"dead" };
            entry(&mut archive, name, *link, data);
        }
        let bytes = archive.into_inner().unwrap();
        // Refused, or made harmless: either way nothing outside is touched.
        receive(&*bytes, &home.path().join("in")).ok();
        assert_eq!(fs::read_to_string(home.path().join("canary")).unwrap(), "alive", "{entries:?}");
        let names = fs::read_dir(home.path()).unwrap().count();
        assert_eq!(names, 2, "{entries:?}");
    }

    #[test]
    fn an_instance_writes_nowhere_but_where_it_was_asked_to() {
        check_hostile(&[("../canary", None)]);
        check_hostile(&[("../../canary", None)]);
        check_hostile(&[("a/../../../canary", None)]);
        check_hostile(&[("a", Some("../..")), ("a/canary", None)]);
        check_hostile(&[("a", Some("../../canary")), ("a", None)]);
        check_hostile(&[("..", None)]);
        let absolute = format!("{}/outside", std::env::temp_dir().display());
        check_hostile(&[(absolute.as_str(), None)]);
        assert!(!Path::new(&absolute).exists());
    }

    #[test]
    fn what_is_sent_is_received() {
        let home = tempfile::tempdir().unwrap();
        let from = home.path().join("from");
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/file"), [0, 255, 10]).unwrap();
        std::os::unix::fs::symlink("deep/file", from.join("link")).unwrap();
        let mut bytes = Vec::new();
        send(&from, Path::new("name"), &mut bytes).unwrap();
        let plain = flate2::read::GzDecoder::new(&*bytes);
        let place = receive(plain, &home.path().join("to")).unwrap();
        assert_eq!(place, home.path().join("to"));
        assert_eq!(fs::read(place.join("link")).unwrap(), [0, 255, 10]);
        let plain = flate2::read::GzDecoder::new(&*bytes);
        assert_eq!(receive(plain, &place).unwrap(), place.join("name"));
        let cut = flate2::read::GzDecoder::new(&bytes[..bytes.len() / 2]);
        assert!(receive(cut, &home.path().join("cut")).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "nothing half is left");
    }
}
