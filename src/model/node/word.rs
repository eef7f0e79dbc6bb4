//! The text of a join token: one word that holds all that a stranger machine needs to reach the control,
//! to believe it and to be believed.
//!
//! `paasj_<id>_<secret>_<rest>`: the id and the secret are hexadecimal digits and go to the control; the
//! rest is base64url and does not. In it, in this order: the version 1, when the token ends, the
//! fingerprint of the API's authority, and one to [`MOST`] addresses of the API. A word is read whole or not
//! at all, and what was read is written as the same word again.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::model::{Timestamp, TokenId};

/// What a join token says to the machine that is to join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinWord {
    /// Its public half.
    pub id: TokenId,
    /// Its secret half.
    pub secret: [u8; 32],
    /// Until when it may be used.
    pub expires_at: Timestamp,
    /// SHA-256 of the certificate of the API's authority.
    pub fingerprint: [u8; 32],
    /// Where the API is, the likeliest first; never none.
    pub api: Vec<SocketAddr>,
}

/// Why a text is no join token. The text is secret and so not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWord {
    /// Something else altogether.
    #[error("a join token begins with `paasj_`, as `paas nodes token` prints it")]
    Form,
    /// Part of it is missing, or changed.
    #[error("it is damaged: part of it is missing or was changed")]
    Damaged,
    /// From another `paas`.
    #[error("it was made by a newer paas")]
    Newer,
}

impl JoinWord {
    /// What proves to the control that this machine may join.
    pub fn proof(&self) -> String {
        format!("{PREFIX}_{}_{}", self.id, hex::encode(self.secret))
    }

    /// The id and the secret of a word, or of its [`proof`](Self::proof).
    pub fn halves(text: &str) -> Option<(TokenId, &str)> {
        let mut parts = text.splitn(4, '_');
        let (PREFIX, id, secret) = (parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        let digits = |text: &str, count| text.len() == count && text.bytes().all(is_digit);
        (digits(id, 8) && digits(secret, 64)).then(|| (TokenId(id.to_owned()), secret))
    }

    fn rest(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.expires_at.as_millis().to_be_bytes());
        bytes.extend(self.fingerprint);
        for address in self.api.iter().take(MOST) {
            match address.ip() {
                IpAddr::V4(ip) => {
                    bytes.push(4);
                    bytes.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    bytes.push(6);
                    bytes.extend(ip.octets());
                }
            }
            bytes.extend(address.port().to_be_bytes());
        }
        bytes
    }
}

impl FromStr for JoinWord {
    type Err = InvalidWord;

    fn from_str(text: &str) -> Result<Self, InvalidWord> {
        let text = text.trim();
        if !text.starts_with("paasj_") {
            return Err(InvalidWord::Form);
        }
        if text.len() > LONGEST {
            return Err(InvalidWord::Damaged);
        }
        let (id, digits) = Self::halves(text).ok_or(InvalidWord::Damaged)?;
        let mut secret = [0; 32];
        hex::decode_to_slice(digits, &mut secret).map_err(|_| InvalidWord::Damaged)?;
        let rest = text.splitn(4, '_').nth(3).ok_or(InvalidWord::Damaged)?;
        let rest = URL_SAFE_NO_PAD.decode(rest).map_err(|_| InvalidWord::Damaged)?;
        let mut rest = rest.as_slice();
        match take::<1>(&mut rest)? {
            [VERSION] => {}
            [0] => return Err(InvalidWord::Damaged),
            [_] => return Err(InvalidWord::Newer),
        }
        let expires_at = Timestamp::from_millis(i64::from_be_bytes(take(&mut rest)?));
        let fingerprint = take(&mut rest)?;
        let mut api = Vec::new();
        while !rest.is_empty() {
            api.push(address(&mut rest)?);
        }
        let sane = (1..=MOST).contains(&api.len());
        sane.then_some(Self { id, secret, expires_at, fingerprint, api })
            .ok_or(InvalidWord::Damaged)
    }
}

/// One address of those that follow; the unspecified one, and port 0, reach nobody.
fn address(bytes: &mut &[u8]) -> Result<SocketAddr, InvalidWord> {
    let ip = match take::<1>(bytes)? {
        [4] => IpAddr::from(take::<4>(bytes)?),
        [6] => IpAddr::from(take::<16>(bytes)?),
        [_] => return Err(InvalidWord::Damaged),
    };
    let port = u16::from_be_bytes(take(bytes)?);
    let reaches = !ip.is_unspecified() && !ip.is_multicast() && port != 0;
    reaches.then_some(SocketAddr::new(ip, port)).ok_or(InvalidWord::Damaged)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], InvalidWord> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or(InvalidWord::Damaged)?;
    *bytes = rest;
    Ok(*first)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

impl fmt::Display for JoinWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.proof(), URL_SAFE_NO_PAD.encode(self.rest()))
    }
}

impl fmt::Debug for JoinWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinWord({}, …)", self.id)
    }
}

const PREFIX: &str = "paasj";
const VERSION: u8 = 1;
/// Addresses of the API in a word; a machine has few, and a word is to fit into a line or two.
const MOST: usize = 8;
/// The longest word, in characters, with room to spare.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(api: &[&str]) -> JoinWord {
        JoinWord {
            id: TokenId("0011aabb".to_owned()),
            secret: [7; 32],
            expires_at: Timestamp::from_millis(1_790_000_000_123),
            fingerprint: [0xfa; 32],
            api: api.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_word_is_one_word_and_says_the_same_again() {
        let word = word(&["203.0.113.7:8443", "[2001:db8::7]:8443"]);
        let text = word.to_string();
        assert!(
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
            "{text}"
        );
        assert_eq!(text.parse(), Ok(word.clone()));
        assert_eq!(format!(" {text}\n").parse(), Ok(word.clone()), "copied with what is around it");
        let (id, secret) = JoinWord::halves(&text).unwrap();
        assert_eq!((id, secret), (word.id.clone(), "07".repeat(32).as_str()));
        assert_eq!(JoinWord::halves(&word.proof()), JoinWord::halves(&text));
        assert_eq!(format!("{word:?}"), "JoinWord(0011aabb, …)");
    }

    #[test]
    fn a_word_that_lost_a_part_is_refused() {
        let text = word(&["203.0.113.7:8443"]).to_string();
        for length in 0..text.len() {
            assert!(text[..length].parse::<JoinWord>().is_err(), "cut after {length}");
        }
        for more in ["A", "AAAA", "_", "=", " x"] {
            assert!(format!("{text}{more}").parse::<JoinWord>().is_err(), "{more:?} at its end");
        }
    }

    #[test]
    fn what_is_no_word_is_refused_and_says_why() {
        let good = word(&["203.0.113.7:8443"]);
        let head = good.proof();
        let with = |rest: Vec<u8>| {
            format!("{head}_{}", URL_SAFE_NO_PAD.encode(rest)).parse::<JoinWord>().unwrap_err()
        };
        let rest = good.rest();
        let changed = |at: usize, byte: u8| {
            let mut rest = rest.clone();
            rest[at] = byte;
            rest
        };
        assert_eq!(with(changed(0, 2)), InvalidWord::Newer);
        assert_eq!(with(changed(0, 0)), InvalidWord::Damaged);
        assert_eq!(with(changed(41, 5)), InvalidWord::Damaged, "a family that is none");
        assert_eq!(with(rest[..41].to_vec()), InvalidWord::Damaged, "no address");
        for nobody in ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "203.0.113.7:0"] {
            assert_eq!(with(word(&[nobody]).rest()), InvalidWord::Damaged, "{nobody}");
        }
        let nine = [&rest[..41], &rest[41..].repeat(MOST + 1)].concat();
        assert_eq!(with(nine), InvalidWord::Damaged, "too many");
        for text in ["", "paas_0011aabb_00", "paasj", "PAASJ_", "https://box:8443"] {
            assert_eq!(text.parse::<JoinWord>(), Err(InvalidWord::Form), "{text}");
        }
        let long = format!("paasj_{}", "a".repeat(1 << 20));
        assert_eq!(long.parse::<JoinWord>(), Err(InvalidWord::Damaged));
        let upper = head.replace("0011aabb", "0011AABB");
        assert_eq!(JoinWord::halves(&upper), None);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_as_it_was(text in "paasj_[0-9a-f]{8}_[0-9a-f]{64}_[A-Za-z0-9_-]{60,90}") {
            if let Ok(word) = text.parse::<JoinWord>() {
                prop_assert_eq!(word.to_string(), text);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "(paasj_)?\\PC{0,200}") {
            let _ = text.parse::<JoinWord>();
            let _ = JoinWord::halves(&text);
        }
    }
}
