//! A name and password that every request must bring (RFC 7617).
//!
//! Not a login: there is no session, and the edge knows digests, not passwords. Every digest is
//! compared to its last byte, whether an earlier one fitted or not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::policy::Password;
use crate::refusal::Refusal;
use crate::rules::Asked;

/// Whether the request brings one of the names with its password.
pub(crate) fn check(password: &Password, asked: &Asked<'_>) -> Result<(), Refusal> {
    if admits(password, asked.fields("authorization")) {
        return Ok(());
    }
    Err(Refusal::Password { challenge: challenge(&password.realm) })
}

fn admits<'a>(password: &Password, mut fields: impl Iterator<Item = &'a [u8]>) -> bool {
    // Of two fields an app might read the other one.
    match (fields.next(), fields.next()) {
        (Some(value), None) => credentials(value).is_some_and(|given| fits(password, &given)),
        (None, _) | (Some(_), Some(_)) => false,
    }
}

/// The `name:password` of a `Basic` value.
fn credentials(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, token) = value.split_at_checked("Basic".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic") || !token.starts_with(b" ") {
        return None;
    }
    let given = STANDARD.decode(token.trim_ascii()).ok()?;
    given.contains(&b':').then_some(given)
}

fn fits(password: &Password, given: &[u8]) -> bool {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(password.key.bytes()) else { return false };
    hmac.update(given);
    let digest = hmac.finalize().into_bytes();
    let any = |fits: Choice, known: &[u8; 32]| fits | known.ct_eq(digest.as_slice());
    password.digests.iter().fold(Choice::from(0), any).into()
}

/// The value of `WWW-Authenticate`: what could end the quoted text or the line is left out of it.
fn challenge(realm: &str) -> Box<str> {
    let plain = |letter: &char| !letter.is_control() && !matches!(letter, '"' | '\\');
    let realm: String = realm.chars().filter(plain).collect();
    format!("Basic realm=\"{realm}\", charset=\"UTF-8\"").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Key;

    fn digest(text: &str) -> [u8; 32] {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().into()
    }

    fn check(values: &[&str], expected: bool) {
        let password = Password {
            realm: "staging".into(),
            key: Key::new([7; 32]),
            digests: vec![digest("ann:secret"), digest("bob:pass:word"), digest("é:ü")],
        };
        let fields = values.iter().map(|value| value.as_bytes());
        assert_eq!(admits(&password, fields), expected, "{values:?}");
    }

    #[test]
    fn names_and_passwords_are_let_in_and_nothing_else() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for good in ["ann:secret", "bob:pass:word", "é:ü"] {
            check(&[&basic(good)], true);
        }
        let ann = basic("ann:secret");
        check(&[&ann.replace("Basic ", "bAsIc   ")], true);
        for bad in ["", ":", "ann", "ann:", "ann:Secret", "ann:secret ", "ann:secret\0", "bob:pass"]
        {
            check(&[&basic(bad)], false);
        }
        check(&[], false);
        check(&["Basic"], false);
        check(&["Basic !!!"], false);
        check(&["Bearer ann:secret"], false);
        check(&[&ann.replace("Basic ", "Basic")], false);
        check(&[&ann, &ann], false);
    }

    #[test]
    fn a_realm_cannot_leave_its_quotes() {
        let expected = "Basic realm=\"a b, x=c\", charset=\"UTF-8\"";
        assert_eq!(&*challenge("a b\", x=\"c\r\n\\"), expected);
    }
}
