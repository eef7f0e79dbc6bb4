//! One request to a site: which file, which validator, what when there is none.

use std::convert::Infallible;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, VARY,
};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode, Uri};
use tower_http::services::ServeDir;

use super::etag::Etags;
use super::rules::{HEADERS, REDIRECTS, Rules, Turn};

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
    rules: Arc<Rules>,
    etags: Arc<Etags>,
}

/// A response's body.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Site {
    /// A site.
    pub(super) fn new(root: PathBuf, missing: Missing, rules: Rules) -> Self {
        Self { root, missing, rules: Arc::new(rules), etags: Arc::default() }
    }

    /// Answers a request.
    pub(super) async fn answer(self, mut request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let asked = request.uri().path().to_owned();
        let mut response = self.clone().found(&mut request).await;
        for (name, value) in self.rules.fields(&asked) {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    /// The answer, before the site's own headers.
    async fn found(self, request: &mut Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if is_hidden(&path) {
            return self.not_found(request).await;
        }
        // Times are the same in every deploy; only the content tells.
        request.headers_mut().remove(IF_MODIFIED_SINCE);
        let file = resolve(&self.root, &path);
        if let Some(Turn { to, status }) = self.rules.turn(&decode(&path), file.is_some()) {
            return match StatusCode::from_u16(status) {
                Ok(status) if status.is_redirection() => away(status, &to, request.uri().query()),
                Ok(status) => self.instead(request, &to, status).await,
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
            };
        }
        let Some(file) = file else { return self.not_found(request).await };
        let response = serve(&self.root, bare(request, &file.uri)).await;
        if response.status() == StatusCode::NOT_FOUND {
            return self.not_found(request).await;
        }
        let asked = request.headers().get(IF_NONE_MATCH).cloned();
        self.validated(response, file.path, asked.as_ref(), &path).await
    }

    async fn not_found(self, request: &Request<Incoming>) -> Response<Body> {
        match self.missing {
            Missing::NotFound => self.instead(request, "/404.html", StatusCode::NOT_FOUND).await,
            Missing::Index => self.instead(request, "/index.html", StatusCode::OK).await,
        }
    }

    /// Another file than the one that was asked for, whole.
    async fn instead(
        self,
        request: &Request<Incoming>,
        path: &str,
        status: StatusCode,
    ) -> Response<Body> {
        let Some(file) = resolve(&self.root, path).filter(|_| !is_hidden(path)) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let mut other = bare(request, &file.uri);
        for whole in [RANGE, IF_RANGE] {
            other.headers_mut().remove(whole);
        }
        let mut response = serve(&self.root, other).await;
        if response.status() != StatusCode::OK {
            return plain(StatusCode::NOT_FOUND);
        }
        *response.status_mut() = status;
        let asked = request.headers().get(IF_NONE_MATCH).filter(|_| status == StatusCode::OK);
        self.validated(response, file.path, asked, path).await
    }

    /// Adds the content's validator, and answers "not modified" where the browser has it.
    async fn validated(
        self,
        mut response: Response<Body>,
        mut path: PathBuf,
        asked: Option<&HeaderValue>,
        shown: &str,
    ) -> Response<Body> {
        response.headers_mut().remove(LAST_MODIFIED);
        if !response.status().is_success() && response.status() != StatusCode::NOT_FOUND {
            return response;
        }
        // A compressed copy is other content, with a validator of its own.
        let copies = ["br", "gz"].map(|end| with_ending(&path, end));
        let encoded = response.headers().get(CONTENT_ENCODING).and_then(|it| it.to_str().ok());
        let ending = match encoded {
            Some("br") => Some("br"),
            Some("gzip") => Some("gz"),
            _ => None,
        };
        if copies.iter().any(|copy| copy.is_file()) {
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(ending) = ending {
            path = with_ending(&path, ending);
        }
        // Reading a large file would hold up every other request of this thread.
        let etags = Arc::clone(&self.etags);
        let etag = tokio::task::spawn_blocking(move || etags.of(&path)).await;
        let Some(etag) = etag.ok().and_then(Result::ok) else { return response };
        if asked.and_then(|it| it.to_str().ok()).is_some_and(|it| matches(it, &etag)) {
            let vary = response.headers_mut().remove(VARY);
            response = plain_body(StatusCode::NOT_MODIFIED);
            if let Some(vary) = vary {
                response.headers_mut().insert(VARY, vary);
            }
        }
        if let Ok(value) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, value);
            // Browsers keep files and ask each time whether they are current.
            let kept = if is_fingerprinted(shown) { FOR_EVER } else { "no-cache" };
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(kept));
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
    let mut dir = ServeDir::new(root).precompressed_br().precompressed_gzip();
    match dir.try_call(request).await {
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

/// The request for another path, without its body, which a file server has no use for.
fn bare(request: &Request<Incoming>, uri: &Uri) -> Request<Empty<Bytes>> {
    let mut copy = Request::new(Empty::new());
    request.method().clone_into(copy.method_mut());
    uri.clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    copy
}

/// Sends the browser elsewhere, with its query unless the rule brings one.
fn away(status: StatusCode, to: &str, query: Option<&str>) -> Response<Body> {
    let query = query.filter(|_| !to.contains('?')).map_or(String::new(), |it| format!("?{it}"));
    let Ok(location) = HeaderValue::from_str(&format!("{to}{query}")) else {
        return plain(StatusCode::NOT_FOUND);
    };
    let mut response = plain_body(status);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// A file of the site.
struct Found {
    /// As the file server is asked for it.
    uri: Uri,
    path: PathBuf,
}

/// The file behind a path: itself, the index of a folder, or `about.html` for `/about`.
fn resolve(root: &Path, path: &str) -> Option<Found> {
    let decoded = decode(path);
    let inside = !decoded.split('/').any(|part| part == "..") && !decoded.contains('\0');
    let file = root.join(decoded.trim_matches('/'));
    if !inside || RULES.contains(&decoded.trim_matches('/')) {
        return None;
    }
    if file.is_file() && !decoded.ends_with('/') {
        return Some(Found { uri: path.parse().ok()?, path: file });
    }
    let index = file.join("index.html");
    if index.is_file() {
        return Some(Found { uri: path.parse().ok()?, path: index });
    }
    let page = with_ending(&file, "html");
    let uri = format!("{}.html", path.trim_end_matches('/'));
    let named = !decoded.trim_matches('/').is_empty() && page.is_file();
    named.then_some(Found { uri: uri.parse().ok()?, path: page })
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Whether frameworks name the file by its content, so that it never changes.
fn is_fingerprinted(path: &str) -> bool {
    const FOLDERS: [&str; 4] = ["/_next/static/", "/_astro/", "/_nuxt/", "/_app/immutable/"];
    if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return true;
    }
    // Vite's `/assets/index-BX3kq2Zw.js`.
    let name = path.strip_prefix("/assets/").and_then(|it| it.split('.').next());
    let hash = name.and_then(|name| name.get(name.len().checked_sub(9)?..)?.strip_prefix('-'));
    hash.is_some_and(|it| {
        it.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            && it.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    })
}

/// For files whose name changes with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Read by us, not part of the site.
const RULES: [&str; 2] = [REDIRECTS, HEADERS];

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
    fn only_names_with_a_hash_are_kept_for_ever() {
        for path in ["/assets/index-BX3kq2Zw.js", "/_astro/x.css", "/_next/static/a/b.js"] {
            assert!(is_fingerprinted(path), "{path}");
        }
        for path in ["/assets/logo.svg", "/assets/some-thinglike.js", "/app-BX3kq2Zw.js"] {
            assert!(!is_fingerprinted(path), "{path}");
        }
    }

    #[test]
    fn validators_match_as_browsers_send_them() {
        assert!(matches("W/\"a\", \"b\"", "\"b\"") && matches("W/\"a\"", "\"a\""));
        assert!(matches("*", "\"a\"") && !matches("\"a\"", "\"b\""));
    }
}
