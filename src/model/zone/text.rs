//! What a record says, as text: written as in zone files, read from what a person types.

use std::{
    fmt::{self, Write},
    str::FromStr,
};

use super::{
    DnsData, MAX_TEXT,
    name::{MAX_NAME, is_label},
};

/// Why a text is not a record's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// A type that we do not serve.
    #[error(
        "there are no records of the type `{0}` here; A, AAAA, CNAME, MX, TXT, SRV, CAA and NS"
    )]
    Kind(String),
    /// A type whose data looks otherwise.
    #[error("a record of the type {kind} is written like `{example}`")]
    Data {
        /// The type.
        kind: &'static str,
        /// What one looks like.
        example: &'static str,
    },
}

impl DnsData {
    /// Reads a type in any case, and data as zone files have it. Names are in full, and a final dot
    /// may be left away.
    pub fn parse(kind: &str, text: &str) -> Result<Self, InvalidRecord> {
        let upper = kind.to_ascii_uppercase();
        let (kind, example) = *KINDS
            .iter()
            .find(|(known, _)| *known == upper)
            .ok_or_else(|| InvalidRecord::Kind(kind.chars().take(20).collect()))?;
        read(kind, text.trim())
            .filter(|data| data.check().is_ok())
            .ok_or(InvalidRecord::Data { kind, example })
    }

    /// Whether it is within the bounds of its type, wherever it came from.
    pub fn check(&self) -> Result<(), InvalidRecord> {
        let valid = match self {
            Self::A { address } => !address.is_unspecified() && !address.is_multicast(),
            Self::Aaaa { address } => !address.is_unspecified() && !address.is_multicast(),
            Self::Cname { target } | Self::Ns { target } => is_host(target),
            // A single dot says that there is no mail here (RFC 7505), and no such service.
            Self::Mx { exchange, .. } => is_host(exchange) || exchange == ".",
            Self::Srv { target, .. } => is_host(target) || target == ".",
            Self::Txt { text } => text.len() <= MAX_TEXT && !text.contains('\0'),
            Self::Caa { tag, value, .. } => {
                (1..=15).contains(&tag.len())
                    && tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                    && value.len() <= 255
                    && value.bytes().all(|b| (b' '..=b'~').contains(&b))
            }
        };
        let example = KINDS.iter().find(|(kind, _)| *kind == self.kind());
        let (kind, example) = example.copied().unwrap_or(("", ""));
        if valid { Ok(()) } else { Err(InvalidRecord::Data { kind, example }) }
    }
}

impl fmt::Display for DnsData {
    /// The data as zone files write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A { address } => address.fmt(f),
            Self::Aaaa { address } => address.fmt(f),
            Self::Cname { target } | Self::Ns { target } => f.write_str(target),
            Self::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            Self::Txt { text } => quoted(f, text),
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            Self::Caa { flags, tag, value } => {
                write!(f, "{flags} {tag} ")?;
                quoted(f, value)
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    f.write_str(&text.replace('\\', "\\\\").replace('"', "\\\""))?;
    f.write_char('"')
}

fn read(kind: &str, text: &str) -> Option<DnsData> {
    let mut words = text.split_ascii_whitespace();
    let data = match kind {
        "A" => DnsData::A { address: number(words.next())? },
        "AAAA" => DnsData::Aaaa { address: number(words.next())? },
        "CNAME" => DnsData::Cname { target: host(words.next())? },
        "NS" => DnsData::Ns { target: host(words.next())? },
        "MX" => DnsData::Mx { preference: number(words.next())?, exchange: host(words.next())? },
        "SRV" => DnsData::Srv {
            priority: number(words.next())?,
            weight: number(words.next())?,
            port: number(words.next())?,
            target: host(words.next())?,
        },
        "CAA" => {
            let (flags, rest) = text.split_once(' ')?;
            let (tag, value) = rest.trim_start().split_once(' ')?;
            let value = unquoted(value.trim())?;
            return Some(DnsData::Caa { flags: flags.parse().ok()?, tag: tag.to_owned(), value });
        }
        _ => return Some(DnsData::Txt { text: unquoted(text)? }),
    };
    words.next().is_none().then_some(data)
}

fn number<T: FromStr>(word: Option<&str>) -> Option<T> {
    word?.parse().ok()
}

fn host(word: Option<&str>) -> Option<String> {
    let lower = word?.to_ascii_lowercase();
    Some(
        lower
            .strip_suffix('.')
            .filter(|rest| !rest.is_empty())
            .map_or(lower.clone(), str::to_owned),
    )
}

/// A text between quotes, which `\` may take the meaning of; a text without is itself.
fn unquoted(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let mut read = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    loop {
        match letters.next()? {
            '\\' => read.push(letters.next()?),
            '"' => return letters.next().is_none().then_some(read),
            letter => read.push(letter),
        }
    }
}

fn is_host(name: &str) -> bool {
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

/// The types, and what each looks like.
const KINDS: [(&str, &str); 8] = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("CNAME", "www.example.com"),
    ("MX", "10 mail.example.com"),
    ("TXT", "v=spf1 -all"),
    ("SRV", "10 5 5060 sip.example.com"),
    ("CAA", "0 issue \"letsencrypt.org\""),
    ("NS", "ns1.example.net"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (kind, text) in KINDS {
            let data = DnsData::parse(kind, text).unwrap();
            assert_eq!(
                DnsData::parse(kind, &data.to_string()).as_ref(),
                Ok(&data),
                "{kind} {text}"
            );
        }
        let hard = DnsData::Txt { text: r#"a "b" \ c"#.to_owned() };
        assert_eq!(DnsData::parse("txt", &hard.to_string()), Ok(hard));
        assert_eq!(
            DnsData::parse("cname", "WWW.Example.com.").unwrap().to_string(),
            "www.example.com"
        );
    }

    #[test]
    fn what_is_wrong_says_how_it_is_written() {
        for (kind, text) in [
            ("A", "1.2.3"),
            ("A", "::1"),
            ("A", "1.2.3.4 5"),
            ("A", "0.0.0.0"),
            ("CNAME", "a b"),
            ("CNAME", "."),
            ("MX", "mail.example.com"),
            ("SRV", "1 2 70000 a"),
            ("CAA", "0 issue"),
            ("CAA", "300 issue x"),
            ("TXT", "\"open"),
            ("NS", ""),
        ] {
            let error = DnsData::parse(kind, text).unwrap_err().to_string();
            assert!(error.contains("is written like"), "{kind} {text}: {error}");
        }
        assert!(matches!(DnsData::parse("HINFO", "x"), Err(InvalidRecord::Kind(_))));
    }
}
