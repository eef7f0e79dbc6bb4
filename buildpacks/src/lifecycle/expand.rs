//! Order resolution: composite buildpacks are replaced by what they are made of.
//!
//! Depth first, left to right, in place. Invariant: ends for any input; a composite that contains
//! itself stops at [`MAX_DEPTH`], a product of groups at [`MAX_GROUPS`].

use super::catalog::Catalog;
use crate::agent::{Code, Failed, Phase};
use crate::spec::{Element, Group};

/// The deepest nesting of composites.
const MAX_DEPTH: usize = 32;
/// The most groups that an order may amount to.
const MAX_GROUPS: usize = 1024;

/// The groups of component buildpacks that the catalogue's order amounts to.
pub(super) fn expand(catalog: &Catalog) -> Result<Vec<Vec<Element>>, Failed> {
    let mut groups = Vec::new();
    for group in &catalog.order.order {
        walk(catalog, &[], &group.group, 0, &mut groups)?;
    }
    Ok(groups)
}

fn walk(
    catalog: &Catalog,
    done: &[Element],
    rest: &[Element],
    depth: usize,
    groups: &mut Vec<Vec<Element>>,
) -> Result<(), Failed> {
    if depth > MAX_DEPTH || groups.len() >= MAX_GROUPS {
        let reason = "the order of buildpacks never ends: a composite contains itself";
        return Err(Failed::new(Code::Detect, Phase::Detect, reason));
    }
    let mut done = done.to_vec();
    let mut rest = rest;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        // The first mention of a buildpack wins.
        if done.iter().any(|element| element.id == first.id) {
            continue;
        }
        let composite = &catalog.find(first)?.descriptor.order;
        if composite.is_empty() {
            done.push(first.clone());
            continue;
        }
        for Group { group } in composite {
            let spliced: Vec<Element> = group.iter().chain(tail).cloned().collect();
            walk(catalog, &done, &spliced, depth + 1, groups)?;
        }
        return if first.optional { walk(catalog, &done, tail, depth + 1, groups) } else { Ok(()) };
    }
    groups.push(done);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes buildpacks (`id` alone, or `id: group; group` for a composite), expands `order`.
    fn check(packs: &[&str], order: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        for pack in packs {
            let (id, groups) = pack.split_once(':').unwrap_or((pack, ""));
            let home = dir.path().join("buildpacks").join(id).join("1");
            fs::create_dir_all(&home).unwrap();
            let head = format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1\"\n");
            fs::write(home.join("buildpack.toml"), head + &toml_order(groups)).unwrap();
        }
        fs::write(dir.path().join("order.toml"), toml_order(order)).unwrap();
        let shown = match expand(&Catalog::open(dir.path()).unwrap()) {
            Ok(groups) => groups.iter().map(|group| show(group)).collect::<Vec<_>>().join("; "),
            Err(failed) => failed.reason,
        };
        assert_eq!(shown, expected);
    }

    fn toml_order(groups: &str) -> String {
        let groups = groups.split(';').filter(|group| !group.trim().is_empty());
        let text = groups.map(|group| {
            let elements = group.split_whitespace().map(|word| {
                let id = word.trim_end_matches('?');
                format!("[[order.group]]\nid = \"{id}\"\noptional = {}\n", word.ends_with('?'))
            });
            format!("[[order]]\n{}", elements.collect::<String>())
        });
        text.collect()
    }

    fn show(group: &[Element]) -> String {
        let word = |e: &Element| format!("{}{}", e.id, if e.optional { "?" } else { "" });
        group.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a1_order_resolution() {
        check(&["a", "b"], "a b?; b", "a b?; b");
        check(&["a", "b", "c", "m: a; b"], "m c", "a c; b c");
        check(&["a", "b", "c", "m: a; b"], "c m?", "c a; c b; c");
        check(&["a", "b", "n: a", "m: n b"], "m a", "a b");
        check(
            &["a", "m: m a"],
            "m",
            "the order of buildpacks never ends: a composite contains itself",
        );
        check(&["a"], "z", "the order names the buildpack z (any version), which is not installed");
    }
}
