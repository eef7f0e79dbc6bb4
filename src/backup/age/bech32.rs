//! Bech32 (BIP 173): how age writes keys, so that a slip of the pen is noticed. Without its limit on the
//! length, as age does it.

/// Bytes as a text that begins with `prefix` and `1`, in lower case.
pub(super) fn encoded(prefix: &str, bytes: &[u8]) -> String {
    let mut values: Vec<u8> = regrouped(bytes, 8, 5, true).unwrap_or_default();
    let sum = polymod(&checked(prefix, &values, &[0; CHECKSUM])) ^ 1;
    values.extend((0..CHECKSUM).rev().map(|place| low(sum >> (5 * place)) & 31));
    let letters = values.iter().filter_map(|value| ALPHABET.get(usize::from(*value)));
    format!("{prefix}1{}", letters.map(|letter| char::from(*letter)).collect::<String>())
}

/// The bytes of such a text, all of it in one case.
pub(super) fn decoded(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    if text != lower && text != text.to_ascii_uppercase() {
        return None;
    }
    let letters = lower.strip_prefix(prefix)?.strip_prefix('1')?.bytes();
    let place = |letter| ALPHABET.iter().position(|known| *known == letter);
    let values: Vec<u8> =
        letters.map(|letter| u8::try_from(place(letter)?).ok()).collect::<Option<_>>()?;
    let data = values.get(..values.len().checked_sub(CHECKSUM)?)?;
    let whole = polymod(&checked(prefix, &values, &[])) == 1;
    regrouped(data, 5, 8, false).filter(|_| whole)
}

/// What the checksum is of.
fn checked(prefix: &str, values: &[u8], end: &[u8]) -> Vec<u8> {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(values.iter().copied()).chain(end.iter().copied()).collect()
}

fn polymod(values: &[u8]) -> u32 {
    values.iter().fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(*value);
        let added = GENERATOR.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
        added.fold(next, |next, (_, generator)| next ^ generator)
    })
}

/// Groups of `from` bits as groups of `to` bits; with `pad` the last one is filled up, without it what is
/// left over must be nothing.
fn regrouped(values: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut groups) = (0_u32, 0_u32, Vec::new());
    for value in values {
        bits = ((bits << from) | u32::from(*value)) & 0xfff;
        held += from;
        while held >= to {
            held -= to;
            groups.push(low(bits >> held) & low((1 << to) - 1));
        }
    }
    let left = low(bits << (to - held)) & low((1 << to) - 1);
    if pad && held > 0 {
        groups.push(left);
    }
    (pad || (held < from && left == 0)).then_some(groups)
}

fn low(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_slip_is_noticed() {
        let bytes: Vec<u8> = (0..32).map(|at| at * 7).collect();
        let text = encoded("age", &bytes);
        assert_eq!(decoded("age", &text), Some(bytes.clone()));
        assert_eq!(decoded("age", &text.to_uppercase()), Some(bytes));
        assert_eq!(decoded("agf", &text), None);
        for at in 4..text.len() {
            let mut slipped = text.clone().into_bytes();
            slipped[at] = if slipped[at] == b'q' { b'p' } else { b'q' };
            assert_eq!(decoded("age", &String::from_utf8(slipped).unwrap()), None, "{at}");
        }
        let mut mixed = text.clone();
        mixed.replace_range(..1, "A");
        for wrong in ["", "age", "age1", "age1qqqqq", "age1b", mixed.as_str()] {
            assert_eq!(decoded("age", wrong), None, "{wrong}");
        }
    }

    /// A vector of BIP 173.
    #[test]
    fn it_is_the_one_of_the_standard() {
        let text = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
        let bytes = decoded("abcdef", text).unwrap();
        assert_eq!(hex::encode(&bytes), "00443214c74254b635cf84653a56d7c675be77df");
        assert_eq!(encoded("abcdef", &bytes), text);
    }
}
