//! Layers as they are sent: plain, gzip, zstd; damaged, swapped, too large.

use std::{
    fs,
    io::{Read, Seek, Write},
    path::Path,
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Parts, inflate::*, tree::Image};
use crate::{
    build::uploads::BuildFolders,
    model::{BlobDigest, ByteSize},
    telemetry::chain,
};

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// The tree of an image with these blobs as its layers.
fn image(home: &Path, layers: &[Vec<u8>]) -> Image {
    let from = home.join("blobs");
    fs::create_dir_all(&from).unwrap();
    let keep = |bytes: &[u8]| {
        let name: BlobDigest = digest(bytes).parse().unwrap();
        fs::write(from.join(name.file_name()), bytes).unwrap();
        name
    };
    let layers = layers.iter().map(|layer| keep(layer)).collect();
    let parts = Parts { config: keep(b"{}"), layers };
    let folders = BuildFolders::new(home);
    let incoming = folders.incoming(&"shop".parse().unwrap()).unwrap();
    let source = parts.lay_out(&from, incoming.path()).unwrap();
    incoming.keep(&source).unwrap();
    Image::open(&folders.source(&"shop".parse().unwrap(), &source.digest)).unwrap()
}

fn bounds(home: &Path, limit: u64) -> Bounds {
    let (spool, limit) = (home.to_owned(), ByteSize(limit));
    Bounds { spool, limit, reserve: ByteSize(0), stop: CancellationToken::new() }
}

#[test]
fn layers_come_out_as_they_were_however_they_are_compressed() {
    let home = tempfile::tempdir().unwrap();
    let plain = [b"zero".as_slice(), b"one", b"two", b"three"];
    // Some compressors write a layer in several members.
    let members = [gzip(b"thr"), gzip(b"ee")].concat();
    let image = image(home.path(), &[plain[0].to_vec(), gzip(plain[1]), zstd(plain[2]), members]);
    let diff_ids = plain.map(digest);
    let Inflated { layers, blobs } =
        inflate(&image, &diff_ids, 1, &bounds(home.path(), 100)).unwrap();
    let told: Vec<_> = layers.iter().map(|layer| (layer.diff_id.clone(), layer.size)).collect();
    assert_eq!(told, plain.map(|bytes| (digest(bytes), bytes.len() as u64)));
    let texts: Vec<String> = blobs
        .iter()
        .map(|blob| {
            let (mut file, mut text) = (&*blob.file, String::new());
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        })
        .collect();
    assert_eq!(texts, ["one", "two", "three"], "what Docker has is not written");
}

#[test]
fn a_layer_that_is_damaged_another_or_too_large_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let check = |layer: Vec<u8>, limit: u64, expected: &str| {
        let image = image(home.path(), &[layer]);
        let refused = inflate(&image, &[digest(b"layer")], 0, &bounds(home.path(), limit));
        let told = chain(&refused.unwrap_err());
        assert!(told.contains(expected), "{told}");
    };
    let whole = gzip(b"layer");
    check(whole[..whole.len() - 9].to_vec(), 100, "cannot be unpacked");
    check([&zstd(b"layer")[..8], b"xxxx"].concat(), 100, "cannot be unpacked");
    check(gzip(b"other"), 100, "is not what its configuration says");
    check(gzip(&[0; 10_000]), 9_999, "larger than");
}

#[test]
fn whoever_is_told_to_stop_stops() {
    let home = tempfile::tempdir().unwrap();
    let image = image(home.path(), &[b"layer".to_vec()]);
    let bounds = bounds(home.path(), 100);
    bounds.stop.cancel();
    let ended = inflate(&image, &[digest(b"layer")], 0, &bounds).unwrap_err();
    assert!(matches!(ended, crate::build::BuildError::Cancelled));
}
