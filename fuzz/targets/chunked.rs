//! Chunked bodies: the same data however the bytes arrive, and the same again when written anew.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = proxy::fuzzing::chunked(bytes, bytes.len().max(1));
    for piece in [1, 7] {
        assert_eq!(proxy::fuzzing::chunked(bytes, piece), whole, "in pieces of {piece}");
    }
    let rewritten = proxy::fuzzing::rewritten(bytes);
    assert_eq!(rewritten.is_some(), whole.is_some(), "both readers accept the same");
    if let (Some(rewritten), Some((data, _))) = (rewritten, whole) {
        let (again, length) = proxy::fuzzing::chunked(&rewritten, usize::MAX).expect("our own");
        assert_eq!((again, length), (data, rewritten.len()));
    }
});
