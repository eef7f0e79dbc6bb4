//! A store that speaks S3, as small as it can be: it keeps objects in memory, believes no signature before
//! it has made it itself (Signature Version 4, in the query), wants parts as large as Amazon does, gives
//! lists two names at a time, and stumbles now and then.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(crate) const KEY_ID: &str = "AKIATEST";
pub(crate) const SECRET: &str = "a secret/of+40 characters";
pub(crate) const NAME: &str = "my-bucket";

/// A store with one bucket. It ends with the test.
pub(crate) struct Bucket {
    pub(crate) endpoint: String,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Vec<u8>>,
    /// Parts of what is being uploaded.
    uploads: BTreeMap<String, Vec<Vec<u8>>>,
    asked: u32,
}

impl Bucket {
    pub(crate) fn serve() -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { endpoint: format!("http://{}", told.recv().unwrap()), shelf }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.shelf.lock().unwrap().objects.keys().cloned().collect()
    }

    /// How many uploads were begun and neither ended nor given up.
    pub(crate) fn unfinished(&self) -> usize {
        self.shelf.lock().unwrap().uploads.len()
    }
}

async fn answer(State(shelf): State<Arc<Mutex<Shelf>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let host = parts.headers["host"].to_str().unwrap();
    let mut shelf = shelf.lock().unwrap();
    shelf.asked += 1;
    if shelf.asked.is_multiple_of(5) {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    }
    if !signed(&parts.method, path, query, host) {
        return refusal(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let asked: BTreeMap<String, String> = pairs(query).into_iter().collect();
    let Some(key) = path.strip_prefix(&format!("/{NAME}")) else {
        return refusal(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    shelf.act(&parts.method, key.trim_start_matches('/'), &asked, body)
}

impl Shelf {
    fn act(
        &mut self,
        method: &Method,
        key: &str,
        asked: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> Response {
        let upload = asked.get("uploadId");
        match (method.as_str(), upload) {
            ("GET", _) if asked.contains_key("list-type") => self.list(asked),
            ("GET", _) => match self.objects.get(key) {
                Some(bytes) => bytes.clone().into_response(),
                None => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
            },
            ("PUT", Some(id)) => {
                let Some(parts) = self.uploads.get_mut(id) else {
                    return refusal(StatusCode::NOT_FOUND, "NoSuchUpload");
                };
                let number: usize = asked["partNumber"].parse().unwrap();
                parts.resize(parts.len().max(number), Vec::new());
                parts[number - 1] = body;
                ([("etag", format!("\"{id}-{number}\""))], Body::empty()).into_response()
            }
            ("PUT", None) => {
                self.objects.insert(key.to_owned(), body);
                ([("etag", "\"whole\"")], Body::empty()).into_response()
            }
            ("POST", None) => {
                let id = format!("upload-{}", self.asked);
                self.uploads.insert(id.clone(), Vec::new());
                xml(
                    "InitiateMultipartUploadResult",
                    &format!("<Bucket>{NAME}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>"),
                )
            }
            ("POST", Some(id)) => {
                let parts = self.uploads.remove(id).unwrap();
                let text = String::from_utf8(body).unwrap();
                let listed = text.matches("<PartNumber>").count();
                let small = parts.iter().rev().skip(1).any(|part| part.len() < 5 << 20);
                if listed != parts.len() || small {
                    return refusal(StatusCode::BAD_REQUEST, "EntityTooSmall");
                }
                self.objects.insert(key.to_owned(), parts.concat());
                xml("CompleteMultipartUploadResult", "<ETag>\"whole\"</ETag>")
            }
            ("DELETE", Some(id)) => {
                self.uploads.remove(id);
                StatusCode::NO_CONTENT.into_response()
            }
            ("DELETE", None) => {
                self.objects.remove(key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn list(&self, asked: &BTreeMap<String, String>) -> Response {
        let after = asked.get("continuation-token").cloned().unwrap_or_default();
        let fits = |key: &&String| key.starts_with(&asked["prefix"]) && **key > after;
        let mut found = self.objects.keys().filter(fits);
        let page: Vec<&String> = found.by_ref().take(2).collect();
        let mut text = String::new();
        if let (Some(last), Some(_)) = (page.last(), found.next()) {
            write!(text, "<IsTruncated>true</IsTruncated>").unwrap();
            write!(text, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
        } else {
            text.push_str("<IsTruncated>false</IsTruncated>");
        }
        text.push_str("<EncodingType>url</EncodingType>");
        for key in page {
            let key = key.replace('/', "%2F");
            write!(text, "<Contents><Key>{key}</Key></Contents>").unwrap();
        }
        xml("ListBucketResult", &text)
    }
}

/// Whether the query holds the signature that only who has the secret can make.
fn signed(method: &Method, path: &str, query: &str, host: &str) -> bool {
    let mut kept: Vec<&str> = query.split('&').collect();
    kept.retain(|pair| !pair.starts_with("X-Amz-Signature="));
    kept.sort_unstable();
    let asked: BTreeMap<String, String> = pairs(query).into_iter().collect();
    let get = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let (credential, at) = (get("X-Amz-Credential"), get("X-Amz-Date"));
    let Some(scope) = credential.strip_prefix(&format!("{KEY_ID}/")) else { return false };
    let canonical =
        format!("{method}\n{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", kept.join("&"));
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}");
    let first = format!("AWS4{SECRET}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    get("X-Amz-Signature") == hex::encode(mac(&key, &text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text);
    mac.finalize().into_bytes().to_vec()
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if *first == b'%' {
                bytes.extend(hex::decode(&rest[..2]).unwrap());
                rest = &rest[2..];
            } else {
                bytes.push(*first);
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    };
    query.split('&').map(pair).collect()
}

fn xml(name: &str, inner: &str) -> Response {
    let space = "http://s3.amazonaws.com/doc/2006-03-01/";
    format!("<?xml version=\"1.0\"?><{name} xmlns=\"{space}\">{inner}</{name}>").into_response()
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let text = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    (status, text).into_response()
}
