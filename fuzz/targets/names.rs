//! Which site or certificate a name gets: the exact one, else the wildcard of one label, as a naive
//! search over the texts finds it. The first line is the name, the others are patterns.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy::{Host, Pattern};

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let Ok(host) = Host::parse(lines.next().unwrap_or_default()) else { return };
    let patterns: Vec<Pattern> = lines.filter_map(|line| line.parse().ok()).collect();
    let spelled: Vec<String> = patterns.iter().map(Pattern::to_string).collect();
    // The last of equal ones counts.
    let exact = spelled.iter().rposition(|pattern| pattern == host.as_str());
    let parent = host.as_str().split_once('.').map(|(_, parent)| parent);
    let wildcard = |pattern: &String| parent.is_some() && pattern.strip_prefix("*.") == parent;
    let expected = exact.or_else(|| spelled.iter().rposition(wildcard));
    let found = proxy::fuzzing::lookup(&patterns, &host);
    assert_eq!(found, expected, "{host} among {spelled:?}");
    if let Some(pattern) = found.and_then(|index| patterns.get(index)) {
        assert!(pattern.covers(&host), "{pattern} {host}");
    }
});
