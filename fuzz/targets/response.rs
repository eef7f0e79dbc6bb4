//! Response heads: whatever an upstream sends, a client sees one well-formed head or none.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "message.rs"]
mod message;

fuzz_target!(|bytes: &[u8]| {
    let Some(forwarded) = proxy::fuzzing::response(bytes) else { return };
    let head = message::Head::read(&forwarded);
    let status = head.first.strip_prefix("HTTP/1.1 ").expect("our own version");
    assert!(status.len() >= 4 && status.is_char_boundary(3));
    assert!(status[..3].bytes().all(|byte| byte.is_ascii_digit()), "status {status:?}");
    assert!(head.count("content-length") + head.count("transfer-encoding") <= 1, "one length");
    // Only with the fields that we add there may be more of them than we take.
    let again = head.fields.len() > 100 || proxy::fuzzing::response(&forwarded).is_some();
    assert!(again, "not accepted when sent again");
});
