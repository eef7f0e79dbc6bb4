//! A cookie that binds a client to an upstream without telling which.
//!
//! Its value is a tag of the upstream and a tag of the side it is on (the canary's or the others'),
//! both HMACs: nobody can make one up or read one, and when the upstream is gone the side is still
//! known, so that a client who tries out a canary goes on doing so. It chooses nobody. The
//! invariant: an app never sees this cookie, whoever sent it and however often.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::arrival::Secure;
use crate::field::Extra;
use crate::policy::{Key, Sticky};
use crate::pool::Side;
use crate::table::{ServiceName, UpstreamId};

/// The binding of one service, with the tags of all its upstreams made beforehand.
#[derive(Debug)]
pub(crate) struct Binding {
    cookie: Box<str>,
    key: Key,
    service: ServiceName,
    tags: Vec<(Tag, Side, UpstreamId)>,
}

/// What a client's cookie says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bond {
    To(UpstreamId),
    /// To an upstream that is gone; it was on this side.
    Side(Side),
    None,
}

/// The first 128 bits of an HMAC-SHA-256: more than can be guessed.
type Tag = [u8; 16];

impl Binding {
    /// `None` if the cookie's name is not one that a field may carry.
    pub(crate) fn new(sticky: &Sticky, service: &ServiceName) -> Option<Self> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = &sticky.cookie;
        (!name.is_empty() && name.bytes().all(token)).then(|| Self {
            cookie: name.clone(),
            key: sticky.key.clone(),
            service: service.clone(),
            tags: Vec::new(),
        })
    }

    pub(crate) fn know(&mut self, upstream: &UpstreamId, side: Side) {
        let tag = self.tag("upstream", &[upstream.as_str().as_bytes()]);
        self.tags.push((tag, side, upstream.clone()));
    }

    /// What the cookies of a request say: the first that says anything.
    pub(crate) fn read(&self, head: &[u8]) -> Bond {
        let values = fields(head).filter_map(cookies).flat_map(crumbs);
        let ours = values.filter_map(|crumb| value_of(crumb, &self.cookie));
        ours.map(|value| self.bond(value)).find(|bond| *bond != Bond::None).unwrap_or(Bond::None)
    }

    fn bond(&self, value: &[u8]) -> Bond {
        let Some((tag, side)) = tags(value) else { return Bond::None };
        // All are compared, in constant time: how long it takes says nothing about a near miss.
        let mut found = None;
        for (known, _, upstream) in &self.tags {
            if bool::from(known.ct_eq(&tag)) {
                found = Some(upstream);
            }
        }
        if let Some(upstream) = found {
            return Bond::To(upstream.clone());
        }
        let is = |wanted| -> Choice { self.side_tag(&tag, wanted).ct_eq(&side) };
        let (canary, main) = (is(Side::Canary), is(Side::Main));
        if canary.into() {
            Bond::Side(Side::Canary)
        } else if main.into() {
            Bond::Side(Side::Main)
        } else {
            Bond::None
        }
    }

    /// Appends the field that binds a client to this upstream.
    pub(crate) fn put_set_cookie(
        &self,
        upstream: &UpstreamId,
        secure: Secure,
        out: &mut Vec<Extra>,
    ) {
        let Some((tag, side, _)) = self.tags.iter().find(|(_, _, id)| id == upstream) else {
            return;
        };
        let mut value = String::with_capacity(64);
        for byte in tag.iter().chain(&self.side_tag(tag, *side)) {
            // Writing to a `String` cannot fail.
            let _ = write!(value, "{byte:02x}");
        }
        let secure = if secure == Secure::Yes { "; Secure" } else { "" };
        let cookie = &self.cookie;
        let value = format!("{cookie}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
        out.push(Extra { name: "Set-Cookie", value });
    }

    /// Appends a line of a request's head without this cookie.
    pub(crate) fn put_line(&self, line: &[u8], out: &mut Vec<u8>) {
        let ours = |crumb: &&[u8]| value_of(crumb, &self.cookie).is_some();
        match cookies(line) {
            Some(value) if crumbs(value).any(|crumb| ours(&crumb)) => {
                let rest: Vec<&[u8]> = crumbs(value).filter(|crumb| !ours(crumb)).collect();
                if !rest.is_empty() {
                    out.extend_from_slice(b"Cookie: ");
                    out.extend_from_slice(&rest.join(&b"; "[..]));
                    out.extend_from_slice(b"\r\n");
                }
            }
            Some(_) | None => out.extend_from_slice(line),
        }
    }

    fn side_tag(&self, upstream: &Tag, side: Side) -> Tag {
        let side = match side {
            Side::Main => &b"main"[..],
            Side::Canary => &b"canary"[..],
        };
        self.tag("side", &[upstream, side])
    }

    /// A tag for one purpose over parts whose ends are certain.
    fn tag(&self, purpose: &str, parts: &[&[u8]]) -> Tag {
        let mut tag = Tag::default();
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.bytes()) else { return tag };
        for part in [purpose.as_bytes(), self.service.as_str().as_bytes()].iter().chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        tag.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        tag
    }
}

/// The lines of a head behind the first.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split_inclusive(|byte| *byte == b'\n').skip(1)
}

/// The value of a `Cookie` field's line.
fn cookies(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(b"Cookie:".len())?;
    name.eq_ignore_ascii_case(b"Cookie:").then(|| value.trim_ascii())
}

fn crumbs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|crumb| !crumb.is_empty())
}

/// The value of a crumb, if it is a cookie of this name. Names keep their case (RFC 6265); a name
/// alone is a cookie without a value.
fn value_of<'a>(crumb: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = crumb.iter().position(|byte| *byte == b'=').unwrap_or(crumb.len());
    let (found, value) = crumb.split_at_checked(at)?;
    (found.trim_ascii() == name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

/// The two tags of a value: 64 hexadecimal digits.
fn tags(value: &[u8]) -> Option<(Tag, Tag)> {
    let (tag, side) = value.split_at_checked(32)?;
    Some((tag_of(tag)?, tag_of(side)?))
}

fn tag_of(digits: &[u8]) -> Option<Tag> {
    let number = u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // A sign would be taken too.
    let plain = digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
    plain.then(|| number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(key: u8, service: &str, main: &[&str], canary: &[&str]) -> Binding {
        let sticky = Sticky { cookie: "paas".into(), key: Key::new([key; 32]) };
        let mut binding = Binding::new(&sticky, &ServiceName::new(service)).unwrap();
        for id in main {
            binding.know(&UpstreamId::new(*id), Side::Main);
        }
        for id in canary {
            binding.know(&UpstreamId::new(*id), Side::Canary);
        }
        binding
    }

    fn value(binding: &Binding, id: &str) -> String {
        let mut out = Vec::new();
        binding.put_set_cookie(&UpstreamId::new(id), Secure::No, &mut out);
        let [Extra { value, .. }] = &out[..] else { panic!("not one cookie: {out:?}") };
        value.strip_prefix("paas=").unwrap().split(';').next().unwrap().to_owned()
    }

    fn read(binding: &Binding, cookies: &str) -> Bond {
        binding.read(format!("GET / HTTP/1.1\r\nHost: a\r\n{cookies}\r\n").as_bytes())
    }

    #[test]
    fn a_cookie_names_an_upstream_of_its_service_only() {
        let app = binding(1, "app", &["a", "b"], &["c"]);
        let field = |value: &str| format!("Cookie: x=1; paas={value}; y=2\r\n");
        for id in ["a", "b", "c"] {
            let field = field(&value(&app, id));
            assert_eq!(read(&app, &field), Bond::To(UpstreamId::new(id)));
            assert_eq!(read(&binding(2, "app", &["a", "b"], &["c"]), &field), Bond::None);
            assert_eq!(read(&binding(1, "other", &["a", "b"], &["c"]), &field), Bond::None);
        }
    }

    #[test]
    fn the_side_outlives_the_upstream() {
        let before = binding(1, "app", &["a"], &["c"]);
        let after = binding(1, "app", &["b"], &["d"]);
        let bond = |id: &str| read(&after, &format!("cookie: paas={}\r\n", value(&before, id)));
        assert_eq!(bond("a"), Bond::Side(Side::Main));
        assert_eq!(bond("c"), Bond::Side(Side::Canary));
    }

    #[test]
    fn hostile_values_say_nothing_and_hide_nothing() {
        let app = binding(1, "app", &["a"], &[]);
        let good = value(&app, "a");
        let long = "f".repeat(4000);
        for bad in ["", "=", "\"", "+", &good[1..], &long, &format!("{good}0"), "\u{e9}", "a b"] {
            assert_eq!(read(&app, &format!("Cookie: paas={bad}\r\n")), Bond::None, "{bad}");
            let several = format!("Cookie: paas={bad}; paas\r\nCookie: paas={good}\r\n");
            assert_eq!(read(&app, &several), Bond::To(UpstreamId::new("a")), "{bad}");
        }
        assert_eq!(read(&app, &format!("Cookie: PAAS={good}\r\n")), Bond::None);
        assert_eq!(read(&app, &format!("X-Cookie: paas={good}\r\n")), Bond::None);
    }

    fn check(cookies: &str, expected: &str) {
        let mut out = Vec::new();
        let head =
            |cookies: &str| format!("GET /?Cookie: paas=1 HTTP/1.1\r\n{cookies}A: b\r\n\r\n");
        let binding = binding(1, "app", &[], &[]);
        for line in head(cookies).as_bytes().split_inclusive(|byte| *byte == b'\n') {
            binding.put_line(line, &mut out);
        }
        assert_eq!(String::from_utf8(out).unwrap(), head(expected));
    }

    #[test]
    fn the_app_does_not_see_it() {
        check("", "");
        check("Cookie: a=1; b=paas=2\r\n", "Cookie: a=1; b=paas=2\r\n");
        check("Cookie: paas=1\r\n", "");
        check("cookie: a=1;paas=2 ; b=3; paas=\r\n", "Cookie: a=1; b=3\r\n");
        check("Cookie: a=1\r\nCookie: paas=1\r\nCookie: b=2\r\n", "Cookie: a=1\r\nCookie: b=2\r\n");
        check("Cookie: paas =1; xpaas=2\r\n", "Cookie: xpaas=2\r\n");
        check("Cookie: paas; a=1\r\n", "Cookie: a=1\r\n");
    }

    #[test]
    fn a_name_that_no_field_may_carry_binds_nobody() {
        for name in ["", "a b", "a=b", "a\r\nb", "a;b"] {
            let sticky = Sticky { cookie: name.into(), key: Key::new([1; 32]) };
            assert!(Binding::new(&sticky, &ServiceName::new("app")).is_none());
        }
    }
}
