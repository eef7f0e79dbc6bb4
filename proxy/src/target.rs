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
    pub(crate) scheme: Scheme,
}

/// The scheme of an absolute form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// That of the connection.
    Unsaid,
    Http,
    Https,
}

impl<'b> Target<'b> {
    pub(crate) fn parse(text: &'b str, method: &str) -> Result<Self, Malformed> {
        if !text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b'#') {
            return Err(Malformed::Target);
        }
        if text.starts_with('/') {
            return Ok(Self::origin(text));
        }
        if text == "*" && method == "OPTIONS" {
            return Ok(Self::origin(text));
        }
        Self::absolute(text, method)
    }

    fn origin(path: &'b str) -> Self {
        Self { authority: None, path, prefix: "", scheme: Scheme::Unsaid }
    }

    fn absolute(text: &'b str, method: &str) -> Result<Self, Malformed> {
        let (scheme, rest) = text.split_once("://").ok_or(Malformed::Target)?;
        let scheme = Scheme::of(scheme)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let prefix = match path {
            // RFC 9112 section 3.2.4: OPTIONS of a whole server, seen through a proxy.
            "" if method == "OPTIONS" => "*",
            path if path.starts_with('/') => "",
            _ => "/",
        };
        Ok(Self { authority: Some(authority), path, prefix, scheme })
    }
}

impl Scheme {
    /// One that is served here.
    pub(crate) fn of(text: &str) -> Result<Self, Malformed> {
        match text {
            text if text.eq_ignore_ascii_case("http") => Ok(Self::Http),
            text if text.eq_ignore_ascii_case("https") => Ok(Self::Https),
            _ => Err(Malformed::Target),
        }
    }
}

/// Whether a program behind us could read the path (the part before `?`) as another one: by
/// resolving `.` and `..` (RFC 3986 section 5.2.4), or by taking an encoded slash, a backslash or a
/// NUL for an end of a segment. It is decoded once, as origins do.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        let mut dots = 0;
        let mut name = true;
        for byte in decoded(segment.as_bytes()) {
            match byte {
                b'/' | b'\\' | 0 => return true,
                b'.' if name => dots += 1,
                // Some servers take what comes behind a semicolon for parameters: `..;x` is `..`.
                b';' if matches!(dots, 1 | 2) && name => return true,
                _ => name = false,
            }
        }
        name && matches!(dots, 1 | 2)
    })
}

/// The bytes of a text with each `%` and its two digits made one. A `%` without digits stays.
fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (&first, more) = rest.split_first()?;
        rest = more;
        if let (b'%', [high, low, after @ ..]) = (first, more)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        Some(first)
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_two_readings_are_known() {
        let ambiguous = [
            "/a/../b",
            "/a/./b",
            "/..",
            "/.",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/%2e",
            "/a%2fb",
            "/a%2F",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a/..;/b",
            "/a/..;x=1",
            "/a/%2e%2e%3bx",
            "/a/../b?q",
        ];
        for path in ambiguous {
            assert!(is_ambiguous(path), "{path}");
        }
        let plain = [
            "/",
            "/a/b",
            "/a.b/..c",
            "/...",
            "/.well-known/x",
            "/a%20b",
            "/a%252e",
            "/a?../%2f",
            "/a;b",
            "/%",
            "/%2",
            "/%zz",
            "*",
            "/a/.../b",
            "/a/..b;c",
        ];
        for path in plain {
            assert!(!is_ambiguous(path), "{path}");
        }
    }

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
