//! The only door to HTTP downloads: blocking, with a deadline and a cap on everything.
//!
//! It knows nothing of what is downloaded. Host proxies (`HTTPS_PROXY`, `NO_PROXY`, …) and the host's own
//! certificate store (`SSL_CERT_FILE`) are honoured. Invariants: the first contact with a place
//! takes at most [`CONTACT`], and its failure is remembered for [`REMEMBERED`]; no byte of a
//! download is used before its digest matched.

use sha2::{Digest as _, Sha256, Sha512};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::tls::{RootCerts, TlsConfig};

/// What a published checksum says the bytes must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// 64 hex digits, as Go, Node and Python's index publish it.
    Sha256(String),
    /// Raw bytes; npm publishes them in base64.
    Sha512(Vec<u8>),
}

/// Why something could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error("{place} did not answer")]
    Unreachable { place: String, source: Box<ureq::Error> },
    #[error("{place} did not answer a moment ago")]
    Remembered { place: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} could not be read")]
    Broken { url: String, source: std::io::Error },
    #[error("{url} is larger than {cap} bytes")]
    TooLarge { url: String, cap: u64 },
    #[error("{url} does not match its published checksum")]
    Checksum { url: String },
    #[error("the download could not be written")]
    Write(#[source] std::io::Error),
}

/// A client that remembers who answers and what they said.
#[derive(Debug)]
pub(crate) struct Web {
    agent: ureq::Agent,
    contacts: Mutex<BTreeMap<String, (Instant, bool)>>,
    pages: Mutex<BTreeMap<String, (Instant, Arc<str>)>>,
}

impl Web {
    pub(crate) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .user_agent(concat!("paas/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(RESPONSE))
            .timeout_per_read(Some(STALL))
            .timeout_global(Some(WHOLE));
        Self {
            agent: config.build().new_agent(),
            contacts: Mutex::default(),
            pages: Mutex::default(),
        }
    }

    /// A text of at most [`PAGE`] bytes, kept for [`FRESH`].
    pub(crate) fn page(&self, url: &str) -> Result<Arc<str>, WebError> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|_, (at, _)| at.elapsed() < FRESH);
        if let Some((_, text)) = pages.get(url) {
            return Ok(Arc::clone(text));
        }
        drop(pages);
        let mut bytes = Vec::new();
        self.copy(url, PAGE, &mut bytes)?;
        let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() < MOST_PAGES {
            pages.insert(url.to_owned(), (Instant::now(), Arc::clone(&text)));
        }
        Ok(text)
    }

    /// Writes a checked download of at most `cap` bytes; on an error the file is worthless.
    pub(crate) fn download(
        &self,
        url: &str,
        checksum: &Checksum,
        cap: u64,
        file: &mut impl Write,
    ) -> Result<(), WebError> {
        let mut checked = Checked { file, sha256: Sha256::new(), sha512: Sha512::new(), checksum };
        self.copy(url, cap, &mut checked)?;
        let same = match checksum {
            Checksum::Sha256(hex) => {
                hex::encode(checked.sha256.finalize()).eq_ignore_ascii_case(hex)
            }
            Checksum::Sha512(raw) => checked.sha512.finalize().as_slice() == raw.as_slice(),
        };
        if same { Ok(()) } else { Err(WebError::Checksum { url: shown(url) }) }
    }

    fn copy(&self, url: &str, cap: u64, out: &mut impl Write) -> Result<(), WebError> {
        self.contact(url)?;
        let answer = self.agent.get(url).call().map_err(|source| unreachable(url, source))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(WebError::Status { url: shown(url), status });
        }
        let mut body = answer.into_body().into_reader().take(cap + 1);
        let mut buffer = vec![0_u8; 256 * 1024];
        let mut total = 0_u64;
        loop {
            let broken = |source| WebError::Broken { url: shown(url), source };
            let count = body.read(&mut buffer).map_err(broken)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            total += bytes.len() as u64;
            if total > cap {
                return Err(WebError::TooLarge { url: shown(url), cap });
            }
            out.write_all(bytes).map_err(WebError::Write)?;
        }
    }

    /// Whether a place answers at all. Any HTTP answer will do; silence is remembered, so that a
    /// closed network costs a build three seconds once and not every time.
    fn contact(&self, url: &str) -> Result<(), WebError> {
        let place = place(url);
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        match contacts.get(&place) {
            Some((_, true)) => return Ok(()),
            Some((_, false)) => return Err(WebError::Remembered { place }),
            None => {}
        }
        drop(contacts);
        let request = self.agent.head(url).config().timeout_global(Some(CONTACT)).build();
        let answer = request.call();
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.insert(place.clone(), (Instant::now(), answer.is_ok()));
        drop(contacts);
        match answer {
            Ok(_) => Ok(()),
            Err(source) => {
                tracing::warn!(place, error = %source, "site not reachable, trying mirrors");
                Err(WebError::Unreachable { place, source: Box::new(source) })
            }
        }
    }
}

/// Hashes what passes through with the one algorithm that is asked for.
struct Checked<'a, W> {
    file: &'a mut W,
    sha256: Sha256,
    sha512: Sha512,
    checksum: &'a Checksum,
}

impl<W: Write> Write for Checked<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        let written = bytes.get(..count).unwrap_or_default();
        match self.checksum {
            Checksum::Sha256(_) => self.sha256.update(written),
            Checksum::Sha512(_) => self.sha512.update(written),
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn unreachable(url: &str, source: ureq::Error) -> WebError {
    WebError::Unreachable { place: place(url), source: Box::new(source) }
}

/// Scheme, host and port of an address, without any password in it.
fn place(url: &str) -> String {
    let url = shown(url);
    let end = url.find("://").map_or(0, |at| at + 3);
    let slash = url.get(end..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| end + at);
    url.get(..slash).unwrap_or(&url).to_owned()
}

/// An address as it may be logged: user and password taken out.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

/// A first contact is noticed as failed within this time; people wait for it.
const CONTACT: Duration = Duration::from_secs(3);
/// How long an answer or a silence is believed.
const REMEMBERED: Duration = Duration::from_mins(5);
/// How long an index is used without asking again.
const FRESH: Duration = Duration::from_mins(10);
const CONNECT: Duration = Duration::from_secs(10);
const RESPONSE: Duration = Duration::from_secs(30);
/// A body that sends nothing for this long is dead.
const STALL: Duration = Duration::from_secs(30);
/// 100 MB over a very slow line.
const WHOLE: Duration = Duration::from_mins(15);
/// npm's own index is 3 MB; Go's full index 4 MB.
const PAGE: u64 = 32 * 1024 * 1024;
const MOST_PAGES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("https://me:pw@host:8/simple/x"), "https://host:8/simple/x");
        assert_eq!(place("http://me:pw@host:8/simple/x"), "http://host:8");
        assert_eq!(place("http://host"), "http://host");
    }
}
