//! A file or folder of this machine as a tar, under another name if it is to have one.

use std::{
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

/// Writes it to `out`, gzipped, as `name`. Links stay links; owners become the user that apps run as.
pub(crate) fn send(from: &Path, name: &Path, out: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
    archive.follow_symlinks(false);
    add(&mut archive, from, name)?;
    archive.into_inner()?.finish()?.flush()
}

fn add(archive: &mut tar::Builder<impl Write>, from: &Path, name: &Path) -> io::Result<()> {
    let metadata = from.symlink_metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(&metadata, tar::HeaderMode::Complete);
    header.set_uid(APP_USER);
    header.set_gid(APP_USER);
    if metadata.is_symlink() {
        header.set_size(0);
        return archive.append_link(&mut header, name, std::fs::read_link(from)?);
    }
    if metadata.is_dir() {
        header.set_size(0);
        archive.append_data(&mut header, name, io::empty())?;
        let mut inside: Vec<_> = std::fs::read_dir(from)?.collect::<io::Result<_>>()?;
        inside.sort_by_key(std::fs::DirEntry::file_name);
        return inside
            .iter()
            .try_for_each(|entry| add(archive, &entry.path(), &name.join(entry.file_name())));
    }
    if metadata.is_file() {
        let file = std::fs::File::open(from)?;
        // A file that grows is sent as long as it was, and one that shrinks is an error.
        let exactly = Exactly { file, left: metadata.len() };
        header.set_size(metadata.len());
        return archive.append_data(&mut header, name, exactly);
    }
    // Sockets, pipes and devices mean nothing elsewhere.
    Ok(())
}

/// So many bytes of a file, or an error.
struct Exactly {
    file: std::fs::File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = io::Read::read(&mut self.file, buffer.get_mut(..most).unwrap_or_default())?;
        if count == 0 && most > 0 {
            return Err(io::Error::other("the file shrank while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The user and group that images of a build run as.
const APP_USER: u64 = 1000;
