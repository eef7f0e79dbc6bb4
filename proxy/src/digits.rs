//! Numbers as text, for heads.
//!
//! Not a formatter: `write!` takes some hundred instructions for a number, and a head has about ten.

/// The digits of the largest `u64`.
const MOST: usize = 20;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Room for the digits of any number.
pub(crate) type Digits = [u8; MOST];

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(decimal(number, &mut [0; MOST]));
}

/// The decimal digits of a number.
pub(crate) fn decimal(mut number: u64, text: &mut Digits) -> &[u8] {
    let mut length = 0;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + low(number % 10);
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    text.get(MOST - length..).unwrap_or_default()
}

/// Appends a number below 100 in two digits.
pub(crate) fn put_two(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&[b'0' + low(number / 10 % 10), b'0' + low(number % 10)]);
}

/// The 32 hexadecimal digits of a number.
pub(crate) fn hex(number: u128) -> [u8; 32] {
    let mut text = [b'0'; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(number.to_be_bytes()) {
        let digit = |nibble: u8| HEX.get(usize::from(nibble & 15)).copied().unwrap_or_default();
        *pair = [digit(byte >> 4), digit(byte)];
    }
    text
}

fn low(number: u64) -> u8 {
    number.to_le_bytes().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_the_library_writes_them() {
        for number in [0, 7, 10, 99, 100, 65_535, 1_700_000_000_123, u64::MAX] {
            assert_eq!(written(|out| put_number(out, number)), number.to_string());
        }
        assert_eq!(written(|out| put_two(out, 0)), "00");
        assert_eq!(written(|out| put_two(out, 59)), "59");
        for number in [0, 1 << 100 | 0xab, u128::MAX] {
            assert_eq!(written(|out| out.extend(hex(number))), format!("{number:032x}"));
        }
    }
}
