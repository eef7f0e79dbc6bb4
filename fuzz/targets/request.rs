//! Request heads: whatever a client sends, an upstream sees one well-formed request or none.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "message.rs"]
mod message;

fuzz_target!(|bytes: &[u8]| {
    let Some(forwarded) = proxy::fuzzing::request(bytes) else { return };
    let head = message::Head::read(&forwarded);
    let first: Vec<&str> = head.first.split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else { panic!("request line {:?}", head.first) };
    assert!(!method.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(head.count("host"), 1, "exactly one host");
    assert!(head.count("content-length") + head.count("transfer-encoding") <= 1, "one length");
    // What we wrote, we would accept: nothing in it can be read in two ways.
    // Only with the fields that we add there may be more of them than we take.
    let again = head.fields.len() > 100 || proxy::fuzzing::request(&forwarded).is_some();
    assert!(again, "not accepted when sent again");
});
