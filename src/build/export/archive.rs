//! The tar that Docker loads: an OCI layout and a `docker save` archive in one.
//!
//! Docker's classic store reads `manifest.json`, its containerd store reads `index.json`; both find
//! the same blobs. Blobs that the engine has may be left out: both stores then only note that they
//! know them. Invariant: the archive is streamed; no copy of a layer is made for it.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::tarball::{Attributes, Tarball};
use crate::{
    build::{folder::Owner, workspace::Known},
    model::ImageId,
};

/// An image: its configuration and layers, lowest first.
#[derive(Debug)]
pub(crate) struct Archive {
    configuration: Vec<u8>,
    manifest: Vec<u8>,
    name: String,
    layers: Vec<Known>,
}

/// A layer whose bytes are sent along.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    /// What it is.
    pub(crate) known: Known,
    /// Its tar.
    pub(crate) file: Arc<File>,
}

impl Archive {
    /// Of a configuration, for an image to be called `name` (`repository:tag`).
    pub(crate) fn new(configuration: Vec<u8>, layers: Vec<Known>, name: String) -> Self {
        let blobs = layers.iter().map(
            |layer| json!({ "mediaType": LAYER, "digest": layer.diff_id, "size": layer.size }),
        );
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(&configuration),
                "size": configuration.len(),
            },
            "layers": blobs.collect::<Vec<_>>(),
        });
        Self { configuration, manifest: manifest.to_string().into_bytes(), name, layers }
    }

    /// The names under which an engine may know the image: the configuration's digest in the
    /// classic store, the manifest's in containerd's.
    pub(crate) fn ids(&self) -> [ImageId; 2] {
        [&self.configuration, &self.manifest]
            .map(|bytes| digest(bytes).parse().expect("a sha256 digest is an image id"))
    }

    /// What it is to be called, `repository:tag`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The layers, lowest first.
    pub(crate) fn layers(&self) -> &[Known] {
        &self.layers
    }

    /// The archive as a stream, with the given blobs in it and no others.
    pub(crate) fn stream(&self, blobs: Vec<Blob>) -> BoxStream<'static, io::Result<Bytes>> {
        let head = self.head();
        piped(move |out| write(&head, &blobs, out))
    }

    /// All but the layers.
    fn head(&self) -> Vec<(String, Vec<u8>)> {
        let layers: Vec<_> = self.layers.iter().map(|layer| blob(&layer.diff_id)).collect();
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": digest(&self.manifest),
                "size": self.manifest.len(),
                "annotations": {
                    "io.containerd.image.name": format!("docker.io/{}", self.name),
                    "org.opencontainers.image.ref.name": tag,
                },
            }],
        });
        let docker = json!([{
            "Config": blob(&digest(&self.configuration)),
            "RepoTags": [self.name],
            "Layers": layers,
        }]);
        vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
            ("manifest.json".to_owned(), docker.to_string().into_bytes()),
            (blob(&digest(&self.manifest)), self.manifest.clone()),
            (blob(&digest(&self.configuration)), self.configuration.clone()),
        ]
    }
}

/// What `write` writes, on a thread of its own, as a stream of pieces.
pub(in crate::build) fn piped(
    write: impl FnOnce(Sending) -> io::Result<()> + Send + 'static,
) -> BoxStream<'static, io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PENDING);
    tokio::task::spawn_blocking(move || {
        let out = Sending { sender: sender.clone(), buffer: Vec::with_capacity(CHUNK) };
        if let Err(error) = write(out) {
            // If nobody listens any more there is nobody to tell.
            let _ = sender.blocking_send(Err(error));
        }
    });
    stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
    .boxed()
}

fn write(head: &[(String, Vec<u8>)], blobs: &[Blob], out: Sending) -> io::Result<()> {
    let plain = Attributes { owner: Owner::ROOT, mode: 0o644 };
    let mut tarball = Tarball::new(out);
    for folder in ["blobs", "blobs/sha256"] {
        tarball.folder(folder.as_bytes(), Attributes::ROOT)?;
    }
    for (path, bytes) in head {
        tarball.file(path.as_bytes(), plain, bytes.len() as u64, bytes.as_slice())?;
    }
    for Blob { known, file } in blobs {
        let mut file: &File = file;
        file.rewind()?;
        let path = blob(&known.diff_id);
        tarball.file(path.as_bytes(), plain, known.size, file.take(known.size))?;
    }
    tarball.finish().map(|_| ())
}

fn blob(digest: &str) -> String {
    digest.replacen("sha256:", "blobs/sha256/", 1)
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Writes into the stream, in pieces.
pub(in crate::build) struct Sending {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CHUNK: usize = 256 << 10;
/// Pieces between the writer and Docker; when full, the writer waits.
const PENDING: usize = 4;
