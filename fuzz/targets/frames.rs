//! Frames of HTTP/2: the same breach however they arrive, and never the end of what breaks a rule.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frames].concat();
    let (breach, passed, unreadable) = proxy::fuzzing::frames(&bytes, bytes.len());
    assert_eq!(breach.is_none(), passed == bytes.len(), "all is let through, or something is wrong");
    for piece in [1, 5, 9, 64] {
        let (same, reached, same_doubt) = proxy::fuzzing::frames(&bytes, piece);
        assert_eq!(same, breach, "in pieces of {piece}");
        // A small piece ends sooner behind the byte that is wrong than a large one does.
        assert!(reached <= passed, "in pieces of {piece}");
        if breach.is_none() {
            assert_eq!((reached, same_doubt), (passed, unreadable), "in pieces of {piece}");
        }
    }
});
