//! One request to a site: which file, which validator, what when there is none.

use std::convert::Infallible;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use tower_http::services::ServeDir;

use super::etag::Etags;

/// What a path without a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `404.html` if there is one, and status 404.
    NotFound,
    /// `index.html` and status 200.
    Index,
}

/// A folder that is served.
#[derive(Debug, Clone)]
pub(super) struct Site {
    root: PathBuf,
    missing: Missing,
    etags: Arc<Etags>,
}

/// A response's body.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Site {
    /// A site.
    pub(super) fn new(root: PathBuf, missing: Missing) -> Self {
        Self { root, missing, etags: Arc::default() }
    }

    /// Answers a request.
    pub(super) async fn answer(self, mut request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if is_hidden(request.uri().path()) {
            return self.not_found(request).await;
        }
        // Times are the same in every deploy; only the content tells.
        request.headers_mut().remove(IF_MODIFIED_SINCE);
        let asked = request.headers().get(IF_NONE_MATCH).cloned();
        let path = file_of(&self.root, request.uri().path());
        let response = serve(&self.root, bare(&request)).await;
        if response.status() == StatusCode::NOT_FOUND {
            return self.not_found(request).await;
        }
        self.validated(response, path, asked.as_ref()).await
    }

    async fn not_found(self, request: Request<Incoming>) -> Response<Body> {
        let (file, status) = match self.missing {
            Missing::NotFound => ("404.html", StatusCode::NOT_FOUND),
            Missing::Index => ("index.html", StatusCode::OK),
        };
        let mut other = bare(&request);
        *other.uri_mut() = hyper::Uri::from_static(match self.missing {
            Missing::NotFound => "/404.html",
            Missing::Index => "/index.html",
        });
        other.headers_mut().clear();
        let mut response = serve(&self.root, other).await;
        if response.status() != StatusCode::OK {
            return plain(StatusCode::NOT_FOUND);
        }
        *response.status_mut() = status;
        let path = self.root.join(file);
        let asked = request.headers().get(IF_NONE_MATCH).filter(|_| status == StatusCode::OK);
        self.validated(response, path, asked).await
    }

    /// Adds the content's validator, and answers "not modified" where the browser has it.
    async fn validated(
        self,
        mut response: Response<Body>,
        path: PathBuf,
        asked: Option<&HeaderValue>,
    ) -> Response<Body> {
        response.headers_mut().remove(LAST_MODIFIED);
        if !response.status().is_success() && response.status() != StatusCode::NOT_FOUND {
            return response;
        }
        // Reading a large file would hold up every other request of this thread.
        let etags = Arc::clone(&self.etags);
        let etag = tokio::task::spawn_blocking(move || etags.of(&path)).await;
        let Some(etag) = etag.ok().and_then(Result::ok) else { return response };
        if asked.and_then(|it| it.to_str().ok()).is_some_and(|it| matches(it, &etag)) {
            response = plain_body(StatusCode::NOT_MODIFIED);
        }
        if let Ok(value) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, value);
            // Browsers keep files and ask each time whether they are current.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        response
    }
}

impl Service<Request<Incoming>> for Site {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let site = self.clone();
        Box::pin(async move { Ok(site.answer(request).await) })
    }
}

async fn serve(root: &Path, request: Request<Empty<Bytes>>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    match ServeDir::new(root).try_call(request).await {
        Ok(response) => response.map(BodyExt::boxed_unsync),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            plain(StatusCode::NOT_FOUND)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cannot serve {path}: {error}");
            plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The request without its body, which a file server has no use for.
fn bare(request: &Request<Incoming>) -> Request<Empty<Bytes>> {
    let mut copy = Request::new(Empty::new());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    copy
}

/// The file behind a path that `ServeDir` found; it has checked the path.
fn file_of(root: &Path, path: &str) -> PathBuf {
    let decoded = decode(path);
    let file = root.join(decoded.trim_start_matches('/'));
    if file.is_dir() { file.join("index.html") } else { file }
}

/// Whether a part of the path begins with a dot: `.git` and `.env` are no part of a site,
/// `.well-known` is.
fn is_hidden(path: &str) -> bool {
    decode(path).split('/').any(|part| part.starts_with('.') && part != ".well-known")
}

/// Resolves `%20` and its like.
fn decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn matches(asked: &str, etag: &str) -> bool {
    asked.split(',').map(|it| it.trim().trim_start_matches("W/")).any(|it| it == etag || it == "*")
}

fn plain_body(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = format!("{status}\n");
    let body = http_body_util::Full::from(text).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_are_no_part_of_a_site() {
        for path in ["/.env", "/.git/config", "/a/.x", "/%2eenv", "/%2e%2e/x"] {
            assert!(is_hidden(path), "{path}");
        }
        assert!(!is_hidden("/.well-known/acme") && !is_hidden("/a.b/c"));
    }

    #[test]
    fn validators_match_as_browsers_send_them() {
        assert!(matches("W/\"a\", \"b\"", "\"b\"") && matches("W/\"a\"", "\"a\""));
        assert!(matches("*", "\"a\"") && !matches("\"a\"", "\"b\""));
    }
}
