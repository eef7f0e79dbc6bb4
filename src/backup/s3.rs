//! A bucket as the place of backups, at Amazon or at whoever speaks its protocol.
//!
//! The door to rusty-s3, which signs URLs and reads answers; ureq carries them. Invariants: an object that is
//! not finished does not come into being; of its bytes one part is in memory; what may be done twice is
//! tried again when it fails.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    sync::Arc,
    thread,
    time::Duration,
};

use rusty_s3::{
    Bucket, Credentials, S3Action, UrlStyle,
    actions::{CompleteMultipartUploadResponse, CreateMultipartUpload, ListObjectsV2},
};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
    tls::{RootCerts, TlsConfig},
};
use url::Url;

use super::BackupError;
use crate::{clock, model::S3Place};

/// See the module. Clones share their connections.
#[derive(Clone)]
pub(super) struct S3 {
    bucket: Arc<Bucket>,
    credentials: Arc<Credentials>,
    prefix: String,
    agent: Agent,
}

/// An object that is being written, part by part.
pub(super) struct Parts {
    s3: S3,
    key: String,
    /// What is not sent yet.
    part: Vec<u8>,
    /// How much that becomes before it is sent.
    size: usize,
    /// The upload, once there is more than one part.
    begun: Option<Begun>,
}

struct Begun {
    id: String,
    etags: Vec<String>,
}

impl S3 {
    pub(super) fn open(place: &S3Place) -> Result<Self, BackupError> {
        let failed = |text: String| {
            let name = place.bucket.clone();
            BackupError::Place { operation: "opened", name, source: io::Error::other(text) }
        };
        let (endpoint, style) = match &place.endpoint {
            Some(endpoint) => (endpoint.clone(), UrlStyle::Path),
            None => (format!("https://s3.{}.amazonaws.com", place.region), UrlStyle::VirtualHost),
        };
        let endpoint: Url = endpoint.parse().map_err(|error| failed(format!("{error}")))?;
        let bucket = Bucket::new(endpoint, style, place.bucket.clone(), place.region.clone());
        let bucket = bucket.map_err(|error| failed(format!("{error:?}")))?;
        let credentials = Credentials::new(place.key_id.as_str(), secret(place)?);
        let (bucket, credentials) = (Arc::new(bucket), Arc::new(credentials));
        Ok(Self { bucket, credentials, prefix: place.prefix.clone(), agent: agent() })
    }

    pub(super) fn names(&self, under: &str) -> io::Result<Vec<String>> {
        let (mut names, mut token) = (Vec::new(), None::<String>);
        let own = self.key("");
        for _ in 0..MOST_PAGES {
            let mut list = self.bucket.list_objects_v2(Some(&self.credentials));
            list.with_prefix(format!("{own}{under}"));
            if let Some(token) = token.take() {
                list.with_continuation_token(token);
            }
            let text = text(again(|| Self::asked(&list, |url| self.agent.get(url).call()))?)?;
            let page = ListObjectsV2::parse_response(&text).map_err(io::Error::other)?;
            let found = page.contents.into_iter();
            names.extend(found.filter_map(|it| Some(it.key.strip_prefix(&own)?.to_owned())));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        Ok(names)
    }

    pub(super) fn get(&self, name: &str) -> io::Result<impl io::Read + Send + use<>> {
        let key = self.key(name);
        let get = self.bucket.get_object(Some(&self.credentials), &key);
        let answer = again(|| Self::asked(&get, |url| self.agent.get(url).call()))?;
        Ok(answer.into_body().into_reader())
    }

    pub(super) fn create(&self, name: &str, expected: u64) -> Parts {
        let size = usize::try_from(expected / MOST_PARTS).unwrap_or(usize::MAX);
        let (s3, key) = (self.clone(), self.key(name));
        Parts { s3, key, part: Vec::new(), size: size.max(LEAST_PART), begun: None }
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let key = self.key(name);
        let delete = self.bucket.delete_object(Some(&self.credentials), &key);
        again(|| Self::asked(&delete, |url| self.agent.delete(url).call())).map(drop)
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// Signs a request, has it sent, and takes an answer that is a refusal for what it is.
    fn asked<'a>(
        action: &impl S3Action<'a>,
        send: impl FnOnce(&str) -> Result<Response<Body>, ureq::Error>,
    ) -> io::Result<Response<Body>> {
        let now = jiff::Timestamp::from_millisecond(clock::now().as_millis());
        let url = action.sign_with_time(VALID, &now.unwrap_or_default());
        let answer = send(url.as_str()).map_err(|error| match error {
            ureq::Error::Io(error) => error,
            error => io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string()),
        })?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer)) }
    }
}

impl Parts {
    pub(super) fn finish(mut self) -> io::Result<()> {
        let last = std::mem::take(&mut self.part);
        if self.begun.is_none() {
            let put = self.s3.bucket.put_object(Some(&self.s3.credentials), &self.key);
            return again(|| S3::asked(&put, |url| self.s3.agent.put(url).send(&*last))).map(drop);
        }
        self.send(&last)?;
        let Some(Begun { id, etags }) = &self.begun else { return Ok(()) };
        let (bucket, credentials) = (&self.s3.bucket, &self.s3.credentials);
        let etags = etags.iter().map(String::as_str);
        let complete =
            bucket.complete_multipart_upload(Some(credentials), &self.key, id, etags.clone());
        let body = complete.clone().body();
        let answer = again(|| S3::asked(&complete, |url| self.s3.agent.post(url).send(&*body)))?;
        // It may say that all is well before it knows.
        let text = text(answer)?;
        CompleteMultipartUploadResponse::parse(&text).map_err(|_| io::Error::other(said(&text)))?;
        self.begun = None;
        Ok(())
    }

    fn send(&mut self, part: &[u8]) -> io::Result<()> {
        let (s3, key) = (&self.s3, &self.key);
        let (bucket, credentials) = (&s3.bucket, Some(&*s3.credentials));
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => {
                let create = bucket.create_multipart_upload(credentials, key);
                let answer = again(|| S3::asked(&create, |url| s3.agent.post(url).send_empty()))?;
                let answer = CreateMultipartUpload::parse_response(&text(answer)?);
                let id = answer.map_err(io::Error::other)?.upload_id().to_owned();
                self.begun.insert(Begun { id, etags: Vec::new() })
            }
        };
        let number = u16::try_from(begun.etags.len() + 1).map_err(io::Error::other)?;
        let upload = bucket.upload_part(credentials, key, number, &begun.id);
        let answer = again(|| S3::asked(&upload, |url| s3.agent.put(url).send(part)))?;
        let etag = answer.headers().get("etag").and_then(|value| value.to_str().ok());
        let etag = etag.ok_or_else(|| io::Error::other("a part was stored without an ETag"))?;
        begun.etags.push(etag.to_owned());
        Ok(())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size - self.part.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.part.extend_from_slice(taken);
        if self.part.len() == self.size {
            let part = std::mem::take(&mut self.part);
            self.send(&part)?;
            self.part = part;
            self.part.clear();
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Parts {
    /// Parts of what is not finished would be stored, and paid for, for ever.
    fn drop(&mut self) {
        let Some(Begun { id, .. }) = &self.begun else { return };
        let (bucket, credentials) = (&self.s3.bucket, &self.s3.credentials);
        let abort = bucket.abort_multipart_upload(Some(credentials), &self.key, id);
        if let Err(error) = S3::asked(&abort, |url| self.s3.agent.delete(url).call()) {
            tracing::warn!(key = self.key, %error, "parts of an upload are left in the bucket");
        }
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({}/{})", self.bucket.base_url(), self.prefix)
    }
}

fn agent() -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .user_agent(concat!("paas/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_send_body(Some(PART_SENT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(ANSWER));
    config.build().new_agent()
}

/// The secret half of the key, from a file that nobody else reads.
fn secret(place: &S3Place) -> Result<String, BackupError> {
    let path = &place.secret_file;
    let read = || {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            let text = format!("others may read it: `chmod 600 {}`", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        fs::read_to_string(path)
    };
    match read() {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => {
            let name = path.display().to_string();
            Err(BackupError::Entry { operation: "read for the key of backups", name, source })
        }
    }
}

/// Tries what may be done twice again, unless the answer is that it is not to be.
fn again<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for pause in PAUSES {
        match attempt() {
            Err(error) if is_passing(&error) => thread::sleep(pause),
            done => return done,
        }
    }
    attempt()
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    !matches!(
        error.kind(),
        Kind::NotFound | Kind::PermissionDenied | Kind::InvalidInput | Kind::ConnectionRefused
    )
}

fn refusal(answer: Response<Body>) -> io::Error {
    let status = answer.status();
    let said = said(&text(answer).unwrap_or_default());
    let kind = match status {
        StatusCode::NOT_FOUND => io::ErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => io::ErrorKind::PermissionDenied,
        // Patience is asked for, and helps.
        StatusCode::TOO_MANY_REQUESTS => io::ErrorKind::Other,
        status if status.is_server_error() => io::ErrorKind::Other,
        _ => io::ErrorKind::InvalidInput,
    };
    io::Error::new(kind, format!("it answered {status}{said}"))
}

/// The code and the words of a refusal, which is a small piece of XML.
fn said(text: &str) -> String {
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (part, _) = rest.split_once("</")?;
        Some(part.chars().take(LONGEST_WORDS).collect::<String>())
    };
    let parts = [part("Code"), part("Message")];
    let told = parts.into_iter().flatten().map(|part| format!(": {part}"));
    told.collect::<Vec<_>>().concat()
}

fn text(answer: Response<Body>) -> io::Result<String> {
    let mut body = answer.into_body();
    body.with_config().limit(MOST_TEXT).read_to_string().map_err(io::Error::other)
}

/// A signed URL is good for so long: a part that is sent slowly.
const VALID: Duration = Duration::from_hours(1);
const CONNECT: Duration = Duration::from_secs(10);
/// Silence for longer is no answer.
const ANSWER: Duration = Duration::from_mins(2);
/// The longest that a part is under way: 16 MiB at 10 kB a second.
const PART_SENT: Duration = Duration::from_mins(30);
/// Between attempts; a store that stumbles is there again.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(3), Duration::from_secs(15)];
/// Amazon's own bound is 5 MiB, and 10,000 of them.
const LEAST_PART: usize = 16 << 20;
const MOST_PARTS: u64 = 5_000;
/// Of a thousand names each.
const MOST_PAGES: usize = 100;
/// Bytes of an answer that is read whole: a page of names.
const MOST_TEXT: u64 = 4 << 20;
const LONGEST_WORDS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_no_with_is_told() {
        let text = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>The bucket is \
                    not there</Message><BucketName>x</BucketName></Error>";
        assert_eq!(said(text), ": NoSuchBucket: The bucket is not there");
        assert_eq!(said("<html>503</html>"), "");
    }

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let secret_file = home.path().join("secret");
        fs::write(&secret_file, "secret\n").unwrap();
        let place = S3Place {
            bucket: "b".to_owned(),
            prefix: String::new(),
            endpoint: None,
            region: "eu-central-1".to_owned(),
            key_id: "id".to_owned(),
            secret_file: secret_file.clone(),
        };
        fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = crate::telemetry::chain(&S3::open(&place).err().unwrap());
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
        let opened = S3::open(&place).unwrap();
        assert_eq!(opened.credentials.secret(), "secret");
        assert_eq!(format!("{opened:?}"), "S3(https://b.s3.eu-central-1.amazonaws.com//)");
    }
}
