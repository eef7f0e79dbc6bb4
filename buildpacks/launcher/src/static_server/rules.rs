//! `_redirects` and `_headers` of a site, in the form that Netlify documents.
//!
//! What that form has and we do not (conditions by country, language or role, query parameters,
//! other hosts on the left, proxying to other hosts) is refused with its line, at the build: a rule
//! that is quietly skipped is a page that is quietly missing. Pure, except for reading the two files.

use std::path::Path;

use hyper::header::{HeaderName, HeaderValue};

use crate::spec::read_small;

/// The rules of a site.
#[derive(Debug, Default)]
pub struct Rules {
    redirects: Vec<Redirect>,
    headers: Vec<Headers>,
}

/// What is wrong with a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} line {line}: {what}")]
pub struct RuleError {
    file: &'static str,
    line: usize,
    what: String,
}

/// One line of `_redirects`.
#[derive(Debug)]
struct Redirect {
    from: Pattern,
    to: String,
    status: u16,
    /// Whether it counts even where there is a file.
    force: bool,
}

/// The headers of one path.
#[derive(Debug)]
struct Headers {
    path: Pattern,
    fields: Vec<(HeaderName, HeaderValue)>,
}

/// What a path leads to instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// A path of the site, or an address for the browser.
    pub(super) to: String,
    /// 200 and 404: the file there is served with that status. Else the browser is sent there.
    pub(super) status: u16,
}

/// A path with `:names` and a `*` at its end.
#[derive(Debug)]
struct Pattern(Vec<String>);

pub(super) const REDIRECTS: &str = "_redirects";
pub(super) const HEADERS: &str = "_headers";
/// The most rules: each request looks at them one after the other.
const MAX_RULES: usize = 1000;

impl Rules {
    /// Reads both files of the folder, where they are.
    pub fn read(root: &Path) -> Result<Self, RuleError> {
        let text = |name| read_small(&root.join(name)).unwrap_or_default();
        let redirects = redirects(&text(REDIRECTS))?;
        Ok(Self { redirects, headers: headers(&text(HEADERS))? })
    }

    /// How many rules there are, for the build's log.
    pub fn counts(&self) -> (usize, usize) {
        (self.redirects.len(), self.headers.len())
    }

    /// Where a path leads, by the first rule for it; those that are forced come before files.
    pub(super) fn turn(&self, path: &str, is_file: bool) -> Option<Turn> {
        self.redirects.iter().filter(|it| it.force || !is_file).find_map(|rule| {
            let values = rule.from.matches(path)?;
            let mut to = rule.to.clone();
            for (name, value) in &values {
                to = to.replace(&format!(":{name}"), value);
            }
            Some(Turn { to, status: rule.status })
        })
    }

    /// The headers of a path.
    pub(super) fn fields(&self, path: &str) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        let of_path = self.headers.iter().filter(|it| it.path.matches(path).is_some());
        of_path.flat_map(|it| &it.fields)
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.strip_prefix('/')?.split('/').map(str::to_owned).collect();
        let inner = parts.get(..parts.len().saturating_sub(1)).unwrap_or_default();
        (!inner.iter().any(|part| part.contains('*'))).then_some(Self(parts))
    }

    /// The values of the names; a slash at the end makes no difference.
    fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let trimmed = path.trim_matches('/');
        let mut rest: Vec<&str> = trimmed.split('/').collect();
        rest.reverse();
        let mut values = Vec::new();
        for pattern in &self.0 {
            if pattern == "*" {
                rest.reverse();
                values.push(("splat".to_owned(), rest.join("/")));
                return Some(values);
            }
            match (pattern.strip_prefix(':'), rest.pop()) {
                (Some(name), Some(part)) if !part.is_empty() => {
                    values.push((name.to_owned(), part.to_owned()));
                }
                (None, Some(part)) if part == pattern => {}
                // `/about/` in the file is `/about`.
                (None, None) if pattern.is_empty() => {}
                _ => return None,
            }
        }
        rest.is_empty().then_some(values)
    }
}

fn redirects(text: &str) -> Result<Vec<Redirect>, RuleError> {
    let mut rules = Vec::new();
    for (line, words) in lines(text) {
        let fault = |what: String| RuleError { file: REDIRECTS, line, what };
        let words: Vec<&str> = words.split_whitespace().collect();
        let (from, to, rest) = match words.as_slice() {
            [from, to, rest @ ..] => (*from, *to, rest),
            _ => return Err(fault("a rule has two parts: FROM TO".into())),
        };
        let pattern = Pattern::parse(from).ok_or_else(|| {
            fault(format!("`{from}` is no path such as /old, /blog/:name or /docs/*"))
        })?;
        if to.contains('=') && !to.starts_with('/') && !to.contains("://") {
            return Err(fault("query parameters on the left are not supported".into()));
        }
        let (status, force) = match rest.first() {
            None => (301, false),
            Some(word) => {
                let number = word.trim_end_matches('!').parse();
                (number.unwrap_or(0), word.ends_with('!'))
            }
        };
        let conditions = rest.get(1..).unwrap_or_default();
        if !conditions.is_empty() {
            return Err(fault(format!(
                "conditions such as `{}` are not supported",
                conditions.join(" ")
            )));
        }
        let inside = to.starts_with('/');
        match status {
            200 | 404 if inside => {}
            200 | 404 => return Err(fault(format!("`{to}` is on another host: we do not proxy"))),
            301 | 302 | 303 | 307 | 308 if inside || to.contains("://") => {}
            301 | 302 | 303 | 307 | 308 => {
                return Err(fault(format!("`{to}` is neither a path nor an address")));
            }
            _ => {
                return Err(fault("the status is one of 200, 301, 302, 303, 307, 308, 404".into()));
            }
        }
        if rules.len() == MAX_RULES {
            return Err(fault(format!("there are more than {MAX_RULES} rules")));
        }
        rules.push(Redirect { from: pattern, to: to.to_owned(), status, force });
    }
    Ok(rules)
}

fn headers(text: &str) -> Result<Vec<Headers>, RuleError> {
    let mut rules: Vec<Headers> = Vec::new();
    for (line, words) in lines(text) {
        let fault = |what: String| RuleError { file: HEADERS, line, what };
        if !words.starts_with([' ', '\t']) {
            let path = Pattern::parse(words.trim()).ok_or_else(|| {
                fault(format!("`{}` is no path such as /* or /docs/*", words.trim()))
            })?;
            if rules.len() == MAX_RULES {
                return Err(fault(format!("there are more than {MAX_RULES} rules")));
            }
            rules.push(Headers { path, fields: Vec::new() });
            continue;
        }
        let Some(rule) = rules.last_mut() else {
            return Err(fault("a path comes first, as in `/*`".into()));
        };
        let field = words.split_once(':').and_then(|(name, value)| {
            let name: HeaderName = name.trim().parse().ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        rule.fields.push(field.ok_or_else(|| {
            fault(format!("`{}` is no header such as `X-Frame-Options: DENY`", words.trim()))
        })?);
    }
    Ok(rules)
}

/// Lines with their numbers, without comments and empty ones.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, path: &str, expected: &str) {
        let rules = Rules { redirects: redirects(rules).unwrap(), headers: Vec::new() };
        let turn = rules.turn(path, false);
        let shown = turn.map_or("none".to_owned(), |it| format!("{} {}", it.status, it.to));
        assert_eq!(shown, expected, "{path}");
    }

    #[test]
    fn paths_lead_where_the_file_says() {
        check("/old /new", "/old", "301 /new");
        check("/old/ /new", "/old", "301 /new");
        check("/old /new", "/old/", "301 /new");
        check("/old /new", "/older", "none");
        check("/blog/:year/:name /posts/:name-:year 302", "/blog/2026/hi", "302 /posts/hi-2026");
        check("/docs/* https://docs.test/:splat", "/docs/a/b", "301 https://docs.test/a/b");
        check("# note\n\n/* /index.html 200", "/any/where", "200 /index.html");
        check("/a /b\n/a /c", "/a", "301 /b");
    }

    #[test]
    fn files_come_first_unless_a_rule_is_forced() {
        let rules = redirects("/a /b\n/c /d 301!").unwrap();
        let rules = Rules { redirects: rules, headers: Vec::new() };
        assert!(rules.turn("/a", true).is_none() && rules.turn("/c", true).is_some());
    }

    #[test]
    fn what_is_not_supported_is_refused_with_its_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(redirects(text).unwrap_err().to_string(), expected);
        };
        check("/a /b\n/a", "_redirects line 2: a rule has two parts: FROM TO");
        check(
            "/ /de 302 Language=de",
            "_redirects line 1: conditions such as `Language=de` are not supported",
        );
        check(
            "/api/* https://x.test/:splat 200",
            "_redirects line 1: `https://x.test/:splat` is on another host: we do not proxy",
        );
        check(
            "/a/*/b /c",
            "_redirects line 1: `/a/*/b` is no path such as /old, /blog/:name or /docs/*",
        );
        check(
            "/a /b 418",
            "_redirects line 1: the status is one of 200, 301, 302, 303, 307, 308, 404",
        );
    }

    #[test]
    fn headers_go_with_their_paths() {
        let text = "/*\n  X-Frame-Options: DENY\n# note\n/docs/*\n  Cache-Control: max-age=60\n";
        let rules = Rules { redirects: Vec::new(), headers: headers(text).unwrap() };
        let shown = |path| rules.fields(path).map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        assert_eq!(shown("/docs/x"), ["x-frame-options", "cache-control"]);
        assert_eq!(shown("/"), ["x-frame-options"]);
        assert!(headers("  X: y").is_err() && headers("/a\n  nonsense").is_err());
    }
}
