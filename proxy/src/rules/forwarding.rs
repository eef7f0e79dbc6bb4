//! The last changes to a head before it goes to an upstream: what a way, a password and a
//! cookie of the edge take away.
//!
//! The head is one of ours, so its lines are well formed. Most heads are passed on untouched.

use crate::field::put;
use crate::rules::asked::{lines, value};
use crate::site::Forwarded;
use crate::venue::Way;

/// Appends the head for the upstream, as `way` wants it.
pub(crate) fn put_head(way: &Way, head: &[u8], out: &mut Vec<u8>) {
    let stripped = stripped(way);
    let password = way.target.service.policy.password.is_some();
    let binding = way.target.pool.binding();
    if stripped.is_none() && !password && binding.is_none() {
        out.extend_from_slice(head);
        return;
    }
    for (number, line) in lines(head).enumerate() {
        match stripped {
            Some(prefix) if number == 0 => put_line(prefix, line, out),
            // The name and password are the edge's: an app that saw them could leak them.
            _ if password && value(line, "authorization").is_some() => {}
            _ => match binding {
                Some(binding) => binding.put_line(line, out),
                None => out.extend_from_slice(line),
            },
        }
    }
    if let Some(prefix) = stripped {
        put(out, "X-Forwarded-Prefix", prefix.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// A path as the upstream will see it, as far as it is below the way's prefix.
pub(super) fn as_forwarded<'p>(way: &Way, path: &'p str) -> &'p str {
    stripped(way).and_then(|prefix| path.strip_prefix(prefix)).unwrap_or(path)
}

/// What is taken away from paths.
fn stripped(way: &Way) -> Option<&str> {
    match way.forwarded {
        Forwarded::Stripped if !way.prefix.is_empty() => Some(&way.prefix),
        Forwarded::Stripped | Forwarded::Whole => None,
    }
}

/// A request line without the prefix of its path: `/api/x` becomes `/x`, `/api?q` becomes `/?q`.
fn put_line(prefix: &str, line: &[u8], out: &mut Vec<u8>) {
    let blank = memchr::memchr(b' ', line).map_or(0, |at| at + 1);
    let (method, target) = line.split_at_checked(blank).unwrap_or((line, &[]));
    out.extend_from_slice(method);
    // `*` is about the whole site and has no prefix to lose.
    let rest = target.strip_prefix(prefix.as_bytes()).unwrap_or(target);
    if !matches!(rest.first(), Some(b'/' | b'*')) {
        out.push(b'/');
    }
    out.extend_from_slice(rest);
}
