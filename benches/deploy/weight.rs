//! What an image weighs on its way to another machine: its layers beyond the base image, compressed as
//! registries keep them.

use std::{
    fs::File,
    io::{self, Write},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};

/// Each layer in bytes, lowest first, for an image that Docker has.
pub(crate) fn compressed(image: &str) -> Vec<u64> {
    let saved = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new("docker").args(["save", "-o"]).arg(saved.path()).arg(image).status();
    assert!(status.unwrap().success(), "docker save {image}");
    let mut manifest = String::new();
    each(saved.path(), |name, content| {
        if name == "manifest.json" {
            io::Read::read_to_string(content, &mut manifest).unwrap();
        }
    });
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let layers = manifest[0]["Layers"].as_array().unwrap();
    let own: Vec<&str> = layers.iter().skip(1).filter_map(|layer| layer.as_str()).collect();
    let mut bytes = vec![0; own.len()];
    each(saved.path(), |name, content| {
        if let Some(index) = own.iter().position(|own| *own == name) {
            let mut gzip = GzEncoder::new(Scale(0), Compression::default());
            io::copy(content, &mut gzip).unwrap();
            bytes[index] = gzip.finish().unwrap().0;
        }
    });
    bytes
}

fn each(archive: &std::path::Path, mut look: impl FnMut(&str, &mut dyn io::Read)) {
    let mut archive = tar::Archive::new(File::open(archive).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        look(&name, &mut entry);
    }
}

/// Takes anything and keeps how much it was.
struct Scale(u64);

impl Write for Scale {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
