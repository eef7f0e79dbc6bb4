//! A small HTTP server in the layout of the official sites, with the faults that real ones have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's own server")]

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Page {
    Body(Vec<u8>),
    /// Promises the whole length, sends half, hangs up.
    Truncated(Vec<u8>),
    /// Accepts the request and never answers.
    Silent,
}

/// Paths and how often each was fetched with GET.
#[derive(Default)]
struct State {
    pages: BTreeMap<String, Page>,
    hits: BTreeMap<String, usize>,
    held: Vec<TcpStream>,
}

pub(crate) struct Mirror {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Mirror {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.state.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    pub(crate) fn hits(&self, path: &str) -> usize {
        self.state.lock().unwrap().hits.get(path).copied().unwrap_or_default()
    }

    /// Publishes one Node release as nodejs.org does; the page is the archive's.
    pub(crate) fn publish_node(&self, version: &str, archive: impl FnOnce(Vec<u8>) -> Page) {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let top = format!("node-v{version}-linux-{arch}");
        let tar = tar_gz(&[
            (&format!("{top}/bin/node"), "#!node"),
            (&format!("{top}/lib/node_modules/npm/bin/npm-cli.js"), "npm"),
            (&format!("{top}/include/node/node.h"), "header"),
        ]);
        let index = format!(r#"[{{"version":"v{version}","files":["linux-{arch}"],"lts":false}}]"#);
        let sums = format!("{}  {top}.tar.gz\n", hex::encode(Sha256::digest(&tar)));
        self.put("/node/index.json", Page::Body(index.into()));
        self.put(&format!("/node/v{version}/SHASUMS256.txt"), Page::Body(sums.into()));
        self.put(&format!("/node/v{version}/{top}.tar.gz"), archive(tar));
    }

    pub(crate) fn node_archive(version: &str) -> String {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        format!("/node/v{version}/node-v{version}-linux-{arch}.tar.gz")
    }
}

pub(crate) fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (path, body) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(body.len() as u64);
        tar.append_data(&mut header, path, body.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let mut state = state.lock().unwrap();
    let page = state.pages.get(path).cloned();
    if method == "GET" {
        *state.hits.entry(path.to_owned()).or_default() += 1;
    }
    let (status, body, sent) = match page {
        Some(Page::Body(body)) => ("200 OK", body.clone(), body.len()),
        Some(Page::Truncated(body)) => ("200 OK", body.clone(), body.len() / 2),
        Some(Page::Silent) => {
            state.held.push(stream);
            return None;
        }
        None => ("404 Not Found", Vec::new(), 0),
    };
    drop(state);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    if method == "GET" {
        stream.write_all(&body[..sent]).ok()?;
    }
    Some(())
}
