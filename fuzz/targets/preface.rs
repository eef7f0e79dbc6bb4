//! The PROXY protocol: a preface ends where it ends, whatever stands behind it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(length) = proxy::fuzzing::preface(bytes) else { return };
    assert!(length <= bytes.len(), "no byte was read that is not there");
    assert_eq!(proxy::fuzzing::preface(&bytes[..length]), Some(length), "alone");
    assert_eq!(proxy::fuzzing::preface(&bytes[..length - 1]), None, "cut short");
});
