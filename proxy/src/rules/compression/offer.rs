//! Which coding a client would like best (RFC 9110 section 12.5.3).
//!
//! It knows nothing of responses. Weights are kept in thousandths, the precision that they have.

/// A coding that the edge writes, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// As it stands in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip")
    }
}

/// What compression there may be for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The service does not want any.
    Off,
    /// The client does not want any.
    Plain,
    /// This is what the client likes best.
    In(Coding),
}

impl Offer {
    /// Reads all `Accept-Encoding` values of a request.
    pub(crate) fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut weights = Weights::default();
        for part in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            weights.read(part);
        }
        match weights.best() {
            Some(coding) => Self::In(coding),
            None => Self::Plain,
        }
    }
}

/// What was said of each coding; `None` is nothing.
#[derive(Default)]
struct Weights {
    codings: [Option<u16>; Coding::ALL.len()],
    identity: Option<u16>,
    others: Option<u16>,
}

impl Weights {
    fn read(&mut self, part: &[u8]) {
        let mut parameters = part.split(|byte| *byte == b';');
        let name = parameters.next().unwrap_or_default().trim_ascii();
        let weight = parameters.find_map(|parameter| {
            let parameter = parameter.trim_ascii();
            let rest = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
            // What is no number is taken for a refusal: plain is always right.
            Some(thousandths(rest).unwrap_or(0))
        });
        let weight = Some(weight.unwrap_or(1000));
        for (coding, own) in Coding::ALL.iter().zip(&mut self.codings) {
            if coding.is_named(name) {
                *own = weight;
            }
        }
        if name == b"*" {
            self.others = weight;
        } else if name.eq_ignore_ascii_case(b"identity") {
            self.identity = weight;
        }
    }

    fn best(&self) -> Option<Coding> {
        // Not said, no compression is fine, but anything that was said is finer.
        let mut best = (None, self.identity.unwrap_or(0));
        for (coding, own) in Coding::ALL.iter().zip(self.codings) {
            let weight = own.or(self.others).unwrap_or(0);
            let ties = best.0.is_none() && weight == best.1 && weight > 0;
            if weight > best.1 || ties {
                best = (Some(*coding), weight);
            }
        }
        best.0
    }
}

/// `0.5` as 500. RFC 9110 section 12.4.2: at most three digits behind the point, at most one.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, part) = match text {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', part @ ..] if part.len() <= 3 => (whole, part),
        _ => return None,
    };
    let digits = [Some(whole), part.first(), part.get(1), part.get(2)];
    let mut number = 0;
    for digit in digits {
        let digit = digit.map_or(Some(0), |digit| char::from(*digit).to_digit(10))?;
        number = number * 10 + u16::try_from(digit).ok()?;
    }
    (number <= 1000).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<Coding>) {
        let offer = Offer::read(values.iter().map(|value| value.as_bytes()));
        assert_eq!(offer, expected.map_or(Offer::Plain, Offer::In), "{values:?}");
    }

    #[test]
    fn the_client_weighs_and_the_edge_breaks_ties() {
        use Coding::{Brotli, Gzip, Zstd};
        check(&["gzip, deflate, br, zstd"], Some(Zstd));
        check(&["gzip, deflate, br"], Some(Brotli));
        check(&["gzip"], Some(Gzip));
        check(&["X-GZIP"], Some(Gzip));
        check(&["zstd;q=0.1, br;q=0.2, gzip;q=0.9"], Some(Gzip));
        check(&["gzip;q=0.5", "br;q=0.500"], Some(Brotli));
        check(&["*"], Some(Zstd));
        check(&["zstd;q=0, *;q=0.001"], Some(Brotli));
        check(&["gzip;Q=1.0 , *;q=0"], Some(Gzip));
        check(&["gzip ; q=0.5, identity;q=0.5"], Some(Gzip));
        check(&["identity;q=0, gzip;q=0.001"], Some(Gzip));
        check(&["gzip;level=9"], Some(Gzip));
    }

    #[test]
    fn plain_is_what_nobody_objects_to() {
        for values in [
            &[][..],
            &[""],
            &["identity"],
            &["deflate, compress"],
            &["gzip;q=0"],
            &["gzip;q=0.000"],
            &["*;q=0"],
            &["identity;q=1, gzip;q=0.5"],
            &["identity;q=1, *;q=0.5"],
            &["identity;q=0"],
            &["gzip;q=2"],
            &["gzip;q=x"],
            &["gzip;q=0.1234"],
            &["gzip;q="],
            &["gzipped"],
        ] {
            check(values, None);
        }
    }
}
