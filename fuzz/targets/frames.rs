//! Frames of HTTP/2: the same breach at the same byte, however they arrive.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frames].concat();
    let whole = proxy::fuzzing::frames(&bytes, bytes.len());
    for piece in [1, 5, 9, 64] {
        assert_eq!(proxy::fuzzing::frames(&bytes, piece), whole, "in pieces of {piece}");
    }
    let (breach, passed, _) = whole;
    assert_eq!(breach.is_none(), passed == bytes.len(), "all is let through, or something is wrong");
});
