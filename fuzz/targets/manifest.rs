//! `[http]` of `paas.toml`: whatever stands there is refused with the line it is on, or is something
//! that the edge can do.
//!
//! Only the model is built, not the daemon around it.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use model::{HttpSettings, manifest::Manifest};

#[allow(dead_code, unused_imports, reason = "most of the model has nothing to do with manifests")]
#[path = "../../src/model/mod.rs"]
mod model;

fuzz_target!(|section: &str| {
    let text = format!("[http]\n{section}");
    let read = Manifest::parse(&text);
    let with_more = Manifest::parse(&format!("{text}\n# the end"));
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(error) => {
            let said = error.to_string();
            let line = said.strip_prefix("paas.toml line ").expect("every error has its place");
            let line: usize = line.split(':').next().unwrap().parse().expect("a number");
            assert!(line >= 1 && line <= text.split('\n').count(), "{said}");
            return;
        }
    };
    assert_eq!(with_more.expect("a comment changes nothing"), manifest);
    let http = &manifest.http;
    if let Some(rate) = http.rate {
        assert!(rate.requests > 0 && rate.burst > 0 && !rate.per.is_zero(), "{rate:?}");
    }
    if let Some(hsts) = http.hsts {
        assert!(hsts <= Duration::from_hours(24 * 366 * 2), "{hsts:?}");
    }
    assert_ne!(http.max_in_flight, Some(0));
    for (status, file) in &manifest.pages {
        assert!((400..=599).contains(status), "{status}");
        let inside = !file.starts_with('/') && file.split('/').all(|step| step != "..");
        assert!(inside && !file.is_empty(), "{file:?}");
    }
    // It is stored with the release, and has to come back as it was.
    let stored = serde_json::to_string(http).expect("it can be stored");
    assert_eq!(&serde_json::from_str::<HttpSettings>(&stored).expect("it comes back"), http);
});
