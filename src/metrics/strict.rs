//! A reader of the text format that forgives nothing, for tests. Written from the format's
//! description and not from our writer.

use std::collections::{BTreeMap, BTreeSet};

/// Every series with its value. Panics at the first line that is not as the format wants it.
pub(super) fn parse(text: &str) -> BTreeMap<String, String> {
    assert!(text.ends_with('\n') && !text.contains('\r'), "lines end in a line feed");
    let mut families = BTreeSet::new();
    let mut current: Option<(String, String)> = None;
    let mut help = None;
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').expect(line);
            assert!(!words.is_empty() && families.insert(name.to_owned()), "{line}");
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert_eq!(help.take().as_deref(), Some(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            current = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let (family, kind) = current.as_ref().expect("a family before its samples");
            check_series(series, family, kind);
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            assert!(samples.insert(series.to_owned(), value.to_owned()).is_none(), "twice: {line}");
        }
    }
    check_histograms(&samples);
    samples
}

fn check_series(series: &str, family: &str, kind: &str) {
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect(series)),
        None => (series, ""),
    };
    assert!(is_name(name), "{series}");
    let suffix = name.strip_prefix(family).expect(series);
    match kind {
        "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{series}"),
        _ => assert_eq!(suffix, "", "{series}"),
    }
    let names = label_names(labels);
    assert_eq!(names.contains("le"), suffix == "_bucket", "{series}");
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Walks `a="b",c="d"` letter by letter.
fn label_names(mut labels: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while !labels.is_empty() {
        let (name, rest) = labels.split_once("=\"").expect(labels);
        assert!(is_name(name) && !name.contains(':') && names.insert(name.to_owned()), "{labels}");
        let mut end = None;
        let mut escaped = false;
        for (at, letter) in rest.char_indices() {
            match letter {
                _ if escaped => {
                    assert!(['\\', '"', 'n'].contains(&letter), "{labels}");
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let rest = &rest[end.expect(labels) + 1..];
        labels = match rest.strip_prefix(',') {
            Some(more) => {
                assert!(!more.is_empty(), "a comma at the end");
                more
            }
            None => {
                assert_eq!(rest, "");
                rest
            }
        };
    }
    names
}

/// Buckets grow, end in `+Inf`, and agree with the count.
fn check_histograms(samples: &BTreeMap<String, String>) {
    let mut buckets: BTreeMap<String, Vec<(f64, u64)>> = BTreeMap::new();
    for (series, value) in samples {
        let Some((name, labels)) = series.split_once("_bucket{") else { continue };
        let (others, bound) = labels.rsplit_once("le=\"").unwrap();
        let bound = bound.strip_suffix("\"}").unwrap().parse().unwrap();
        let others = others.trim_end_matches(',');
        let of = if others.is_empty() { name.to_owned() } else { format!("{name}{{{others}}}") };
        buckets.entry(of).or_default().push((bound, value.parse().unwrap()));
    }
    for (of, mut counts) in buckets {
        counts.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(counts.is_sorted_by_key(|(_, count)| *count), "{of}: {counts:?}");
        let (bound, all) = *counts.last().unwrap();
        assert!(bound.is_infinite(), "{of}");
        let series = |suffix: &str| match of.split_once('{') {
            Some((name, labels)) => format!("{name}{suffix}{{{labels}"),
            None => format!("{of}{suffix}"),
        };
        assert_eq!(samples[&series("_count")], all.to_string(), "{of}");
        assert!(samples.contains_key(&series("_sum")), "{of}");
    }
}
