//! Keys whose byte order is their natural order: texts end with a mark, numbers are big-endian.
//! So all records of one app stand side by side, version 9 before version 10, and a shorter key
//! is the prefix of every longer one that begins with it. Keys are never decoded; a record
//! carries its own parts.

/// The bytes a key is stored under.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBytes(Vec<u8>);

/// Something a record is found by, or, when shorter, the prefix of many.
pub trait Key {
    /// Adds this key's parts, in the order they sort by.
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes;

    /// The whole key.
    fn bytes(&self) -> KeyBytes {
        self.append_to(KeyBytes::default())
    }
}

impl KeyBytes {
    /// Adds a text and its end mark. The two lowest bytes are escaped, so that no text can pass
    /// for the end of another; the order of texts is kept.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        for byte in text.bytes() {
            match byte {
                END | ESCAPE => self.0.extend([ESCAPE, byte + 1]),
                plain => self.0.push(plain),
            }
        }
        self.0.push(END);
        self
    }

    /// Adds a number, big-endian.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Key for str {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        bytes.text(self)
    }
}

impl Key for String {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        bytes.text(self)
    }
}

impl Key for u64 {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        bytes.number(*self)
    }
}

/// The only key of a table with one record, and the prefix of every key.
impl Key for () {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        bytes
    }
}

impl<K: Key + ?Sized> Key for &K {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        (*self).append_to(bytes)
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        self.1.append_to(self.0.append_to(bytes))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn append_to(&self, bytes: KeyBytes) -> KeyBytes {
        self.2.append_to((&self.0, &self.1).append_to(bytes))
    }
}

const END: u8 = 0;
const ESCAPE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{Key, KeyBytes};

    fn bytes(key: impl Key) -> KeyBytes {
        key.bytes()
    }

    #[test]
    fn numbers_sort_as_numbers_within_their_app() {
        assert!(bytes(("blog", 9_u64)) < bytes(("blog", 10_u64)));
        assert!(bytes(("blog", u64::MAX)) < bytes(("blog2", 0_u64)));
        assert!(bytes(("a\0b", 0_u64)) < bytes(("a\u{1}", 0_u64)));
    }

    #[test]
    fn a_shorter_key_is_a_prefix_of_its_own_only() {
        let prefix = bytes("blog");
        assert!(bytes(("blog", 1_u64)).as_slice().starts_with(prefix.as_slice()));
        assert!(!bytes(("blog2", 1_u64)).as_slice().starts_with(prefix.as_slice()));
        assert!(!bytes(("blog\0x", 1_u64)).as_slice().starts_with(prefix.as_slice()));
    }
}
