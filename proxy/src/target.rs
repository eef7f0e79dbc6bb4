//! The target of a request line, in its three forms (RFC 9112 section 3.2).
//!
//! It decodes nothing: what is routed by is what is sent. CONNECT is not served, so there is no
//! authority form.

use crate::head::Malformed;

/// A request target, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'b> {
    /// The authority of an absolute form.
    pub(crate) authority: Option<&'b str>,
    /// What goes to the upstream: an absolute path with its query, or `*`.
    pub(crate) path: &'b str,
    /// Put before `path`: an absolute form may leave the path out.
    pub(crate) prefix: &'static str,
}

impl<'b> Target<'b> {
    pub(crate) fn parse(text: &'b str, method: &str) -> Result<Self, Malformed> {
        if !text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b'#') {
            return Err(Malformed::Target);
        }
        if text.starts_with('/') {
            return Ok(Self { authority: None, path: text, prefix: "" });
        }
        if text == "*" && method == "OPTIONS" {
            return Ok(Self { authority: None, path: text, prefix: "" });
        }
        Self::absolute(text, method)
    }

    fn absolute(text: &'b str, method: &str) -> Result<Self, Malformed> {
        let (scheme, rest) = text.split_once("://").ok_or(Malformed::Target)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(Malformed::Target);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let prefix = match path {
            // RFC 9112 section 3.2.4: OPTIONS of a whole server, seen through a proxy.
            "" if method == "OPTIONS" => "*",
            path if path.starts_with('/') => "",
            _ => "/",
        };
        Ok(Self { authority: Some(authority), path, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, text: &str, expected: Result<(Option<&str>, &str), Malformed>) {
        let found = Target::parse(text, method);
        let found = found.map(|t| (t.authority, format!("{}{}", t.prefix, t.path)));
        assert_eq!(found, expected.map(|(a, p)| (a, p.to_owned())), "{method} {text}");
    }

    #[test]
    fn targets_are_taken_apart() {
        check("GET", "/a?b", Ok((None, "/a?b")));
        check("OPTIONS", "*", Ok((None, "*")));
        check("GET", "http://h:1/a", Ok((Some("h:1"), "/a")));
        check("GET", "HTTP://h?q", Ok((Some("h"), "/?q")));
        check("GET", "http://h", Ok((Some("h"), "/")));
        check("OPTIONS", "http://h", Ok((Some("h"), "*")));
        check("GET", "*", Err(Malformed::Target));
        check("GET", "a", Err(Malformed::Target));
        check("GET", "ftp://h/", Err(Malformed::Target));
        check("GET", "/a#b", Err(Malformed::Target));
        check("GET", "/\u{e9}", Err(Malformed::Target));
    }
}
