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
    let mut fields = asked.fields("authorization");
    // Of two fields an app might read the other one.
    let given = match (fields.next(), fields.next()) {
        (Some(value), None) => credentials(value),
        (None, _) | (Some(_), Some(_)) => None,
    };
    match given {
        Some(given) if fits(password, &given) => Ok(()),
        Some(_) | None => Err(Refusal::Password { challenge: challenge(&password.realm) }),
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
    use crate::rules::asked::tests::{ask, from};

    fn digest(text: &str) -> [u8; 32] {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().into()
    }

    fn admits(fields: &str) -> bool {
        let password = Password {
            realm: "a \"b\"\r\n".into(),
            key: Key::new([7; 32]),
            digests: vec![digest("ann:secret"), digest("bob:pass:word"), digest("é:ü")],
        };
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        match ask(&from("192.0.2.1"), &head, |asked| check(&password, asked)) {
            Ok(()) => true,
            Err(Refusal::Password { challenge }) => {
                assert_eq!(&*challenge, "Basic realm=\"a b\", charset=\"UTF-8\"");
                false
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn basic(text: &str) -> String {
        format!("Authorization: Basic {}\r\n", STANDARD.encode(text))
    }

    #[test]
    fn names_and_passwords_are_let_in_and_nothing_else() {
        for good in ["ann:secret", "bob:pass:word", "é:ü"] {
            assert!(admits(&basic(good)), "{good}");
        }
        assert!(admits(&basic("ann:secret").replace("Basic ", "bAsIc   ")));
        for bad in ["", ":", "ann", "ann:", "ann:Secret", "ann:secret ", "ann:secret\0", "bob:pass"]
        {
            assert!(!admits(&basic(bad)), "{bad:?}");
        }
        assert!(!admits(""));
        assert!(!admits("Authorization: Basic\r\n"));
        assert!(!admits("Authorization: Basic !!!\r\n"));
        assert!(!admits("Authorization: Bearer ann:secret\r\n"));
        assert!(!admits(&basic("ann:secret").replace("Basic ", "Basic")));
        assert!(!admits(&[basic("ann:secret"), basic("ann:secret")].concat()));
    }
}
