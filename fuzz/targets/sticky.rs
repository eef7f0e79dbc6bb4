//! Sticky cookies: nobody is bound by a value that was not signed, and no app sees the cookie.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The one value that the key of the door signs begins with 128 bits nobody guesses; a fuzzer that
// was not given it does not find it.
fuzz_target!(|bytes: &[u8]| {
    // A head, as it is when cookies are looked at.
    let head = [b"GET / HTTP/1.1\r\n", bytes, b"\r\n\r\n"].concat();
    let (bound, rest) = proxy::fuzzing::sticky(&head);
    assert!(!bound, "bound by a forged cookie");
    // Nothing grows but for a blank behind each separator.
    let separators = head.iter().filter(|byte| b":;".contains(byte)).count();
    assert!(rest.len() <= head.len() + separators);
    let (bound, again) = proxy::fuzzing::sticky(&rest);
    assert!(!bound);
    assert_eq!(again, rest, "nothing is left to take away");
});
