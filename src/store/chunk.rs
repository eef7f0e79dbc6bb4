//! How a value lies in sled: in pieces of at most 4 KiB. sled keeps up to 17 neighbours in one
//! page and, when a page passes 128 KiB, writes it to a file of its own **without ever syncing
//! it**; a power cut then leaves a database that does not open. With small pieces and keys
//! ([`MAX_KEY`](super::record::MAX_KEY)) no page comes near that size.
//!
//! A piece's key is `table 0 key index`, the index two bytes; the first piece begins with the
//! number of pieces, so that a missing one is noticed.

use std::collections::BTreeMap;

/// The bytes of one piece.
const PIECE: usize = 4 * 1024;

/// How many pieces a value of this many bytes has.
pub(super) fn count(bytes: usize) -> u16 {
    let pieces = bytes.div_ceil(PIECE).max(1);
    u16::try_from(pieces).unwrap_or(u16::MAX)
}

/// A value's pieces, in order.
pub(super) fn split(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let head = count(value.len()).to_be_bytes().to_vec();
    let empty = value.is_empty().then_some(&[][..]);
    let mut head = Some(head);
    value.chunks(PIECE).chain(empty).map(move |piece| {
        let mut bytes = head.take().unwrap_or_default();
        bytes.extend(piece);
        bytes
    })
}

/// The key of one piece in sled.
pub(super) fn piece_key(table: &str, key: &[u8], index: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(table.len() + key.len() + 3);
    bytes.extend(table.as_bytes());
    bytes.push(0);
    bytes.extend(key);
    bytes.extend(index.to_be_bytes());
    bytes
}

/// Puts pieces together again, in whatever order they come.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    values: BTreeMap<(String, Vec<u8>), BTreeMap<u16, Vec<u8>>>,
}

/// One stored value: table, key, bytes.
pub(super) type Entry = (String, Vec<u8>, Vec<u8>);

impl Joiner {
    /// Takes one piece; `None` if its key is not one of ours.
    pub(super) fn add(&mut self, piece_key: &[u8], piece: &[u8]) -> Option<()> {
        let (name, rest) = split_once(piece_key)?;
        let (key, index) = rest.split_last_chunk::<2>()?;
        let table = String::from_utf8(name.to_vec()).ok()?;
        let pieces = self.values.entry((table, key.to_vec())).or_default();
        pieces.insert(u16::from_be_bytes(*index), piece.to_vec());
        Some(())
    }

    /// The whole values; `None` if a piece is missing.
    pub(super) fn finish(self) -> Option<Vec<Entry>> {
        let whole = |((table, key), pieces)| Some((table, key, join(pieces)?));
        self.values.into_iter().map(whole).collect()
    }
}

fn join(pieces: BTreeMap<u16, Vec<u8>>) -> Option<Vec<u8>> {
    let found = pieces.len();
    let last = pieces.last_key_value().map(|(&index, _)| usize::from(index))?;
    let all: Vec<u8> = pieces.into_values().flatten().collect();
    let (count, value) = all.split_first_chunk::<2>()?;
    let complete = usize::from(u16::from_be_bytes(*count)) == found && last + 1 == found;
    complete.then(|| value.to_vec())
}

fn split_once(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == 0)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::{Joiner, PIECE, count, piece_key, split};

    #[test]
    fn values_of_every_size_come_back() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 64 * 1024] {
            let value: Vec<u8> = (0..=250).cycle().take(size).collect();
            let mut joiner = Joiner::default();
            let pieces: Vec<_> = split(&value).collect();
            assert_eq!(pieces.len(), usize::from(count(size)), "size {size}");
            for index in (0..count(size)).rev() {
                let piece = &pieces[usize::from(index)];
                joiner.add(&piece_key("t", b"k\0", index), piece).expect("our own key");
            }
            assert_eq!(joiner.finish(), Some(vec![("t".into(), b"k\0".to_vec(), value)]));
        }
    }

    #[test]
    fn a_missing_piece_is_noticed() {
        let value = vec![7; 3 * PIECE];
        for missing in 0..3 {
            let mut joiner = Joiner::default();
            for (index, piece) in (0..).zip(split(&value)).filter(|(index, _)| *index != missing) {
                joiner.add(&piece_key("t", b"k", index), &piece).expect("our own key");
            }
            assert_eq!(joiner.finish(), None, "piece {missing}");
        }
    }
}
