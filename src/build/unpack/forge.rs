//! Writes archives as an attacker would, entry by entry, for tests.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

/// Writes archives that no well-behaved program would.
#[derive(Default, Clone)]
pub(super) struct Forge(pub(super) Vec<u8>);

impl Forge {
    pub(super) fn entry(self, kind: EntryType, name: &[u8], link: &[u8], contents: &[u8]) -> Self {
        self.sized(kind, name, link, contents, contents.len() as u64)
    }

    pub(super) fn sized(
        mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        body: &[u8],
        size: u64,
    ) -> Self {
        let mut header = Header::new_gnu();
        let fields = header.as_gnu_mut().unwrap();
        fields.name[..name.len()].copy_from_slice(name);
        fields.linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_mode(0o6755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(7);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(super) fn file(self, name: &str, contents: &[u8]) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), b"", contents)
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name.as_bytes(), target.as_bytes(), b"")
    }

    pub(super) fn pax(self, key: &str, value: &[u8]) -> Self {
        let mut length = key.len() + value.len() + 4;
        while length != key.len() + value.len() + 3 + length.to_string().len() {
            length += 1;
        }
        let record = [format!("{length} {key}=").as_bytes(), value, b"\n"].concat();
        self.entry(EntryType::XHeader, b"PaxHeaders/x", b"", &record)
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    pub(super) fn gzip(self) -> Vec<u8> {
        gzip(&self.end())
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
