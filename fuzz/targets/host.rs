//! Hosts and patterns: one spelling each, which reads as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy::{Host, Pattern};

fuzz_target!(|text: &str| {
    if let Some(host) = proxy::fuzzing::host(text) {
        assert_eq!(host, host.to_ascii_lowercase());
        assert_eq!(Host::parse(&host).expect("its own spelling").as_str(), host);
    }
    if let Ok(pattern) = text.parse::<Pattern>() {
        let spelled = pattern.to_string();
        assert_eq!(spelled.parse::<Pattern>().expect("its own spelling"), pattern);
    }
});
