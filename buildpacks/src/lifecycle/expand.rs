//! Order resolution: composite buildpacks are replaced by what they are made of.
//!
//! Depth first, left to right, in place. A buildpack that cannot be found stays where it is: it
//! fails the build only if detection comes to its group. Invariant: ends for any input; a composite
//! that contains itself stops at [`MAX_DEPTH`], a product of groups at [`MAX_GROUPS`].

use super::builder::reads_procfile;
use super::catalog::Catalog;
use crate::agent::{Code, Failed, Phase};
use crate::spec::{Element, Group, takes_part};

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
    let groups = groups.into_iter().map(|group| surround(catalog, group));
    Ok(groups.flat_map(|group| extended(catalog, group)).take(MAX_GROUPS).collect())
}

/// The group behind each group of extensions. They are all optional, so whatever resolves without
/// them resolves with them; there is no need to try the group alone.
fn extended(catalog: &Catalog, group: Vec<Element>) -> Vec<Vec<Element>> {
    if catalog.order.extensions.is_empty() {
        return vec![group];
    }
    let behind = |Group { group: extensions }: &Group| {
        let own = extensions.iter().filter(|element| takes_part(&element.exec_env));
        own.cloned().map(Element::extension).chain(group.iter().cloned()).collect()
    };
    catalog.order.extensions.iter().map(behind).collect()
}

/// Adds what goes with every group, unless the group has it in a place of its own.
fn surround(catalog: &Catalog, mut group: Vec<Element>) -> Vec<Element> {
    let missing = |side: &[Element], group: &[Element]| -> Vec<Element> {
        let new = |own: &&Element| {
            takes_part(&own.exec_env) && !group.iter().any(|other| other.id == own.id)
        };
        side.iter().filter(new).cloned().collect()
    };
    let mut all = missing(&catalog.pre, &group);
    all.append(&mut group);
    let post = missing(&catalog.post, &all);
    all.extend(post);
    let procfile = catalog.procfile.iter().filter(|_| !all.iter().any(reads_procfile));
    all.extend(procfile.cloned().collect::<Vec<_>>());
    all
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
        if !takes_part(&first.exec_env) || done.iter().any(|element| element.id == first.id) {
            continue;
        }
        let composite = catalog.find(first).ok().map(|installed| &installed.descriptor.order);
        let Some(composite) = composite.filter(|order| !order.is_empty()) else {
            done.push(first.clone());
            continue;
        };
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
    use crate::spec::Project;
    use launcher::Roots;

    /// Writes buildpacks (`id` alone, or `id: group; group` for a composite), expands `order`.
    fn check(packs: &[&str], order: &str, expected: &str) {
        check_with(packs, order, "", expected);
    }

    /// The same with a `system.toml`: what is before the bar goes first, what is after it last.
    fn check_with(packs: &[&str], order: &str, system: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        fs::create_dir_all(&roots.cnb).unwrap();
        for pack in packs {
            let (id, groups) = pack.split_once(':').unwrap_or((pack, ""));
            let home = roots.cnb.join("buildpacks").join(id).join("1");
            fs::create_dir_all(&home).unwrap();
            let head = format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1\"\n");
            fs::write(home.join("buildpack.toml"), head + &toml_order(groups)).unwrap();
        }
        fs::write(roots.cnb.join("order.toml"), toml_order(order)).unwrap();
        let (pre, post) = system.split_once('|').unwrap_or_default();
        let system = toml_side("pre", pre) + &toml_side("post", post);
        fs::write(roots.cnb.join("system.toml"), system).unwrap();
        let catalog = Catalog::open(&roots, &[], &Project::default()).unwrap();
        let shown = match expand(&catalog) {
            Ok(groups) => groups.iter().map(|group| show(group)).collect::<Vec<_>>().join("; "),
            Err(failed) => failed.reason,
        };
        assert_eq!(shown, expected);
    }

    fn toml_order(groups: &str) -> String {
        let groups = groups.split(';').filter(|group| !group.trim().is_empty());
        let group = |group| ["[[order]]\n".to_owned(), toml_elements("order.group", group)];
        groups.flat_map(group).collect()
    }

    fn toml_side(side: &str, elements: &str) -> String {
        toml_elements(&format!("system.{side}.buildpacks"), elements)
    }

    /// `id`, `id?` where optional, `id!` where only for tests.
    fn toml_elements(table: &str, elements: &str) -> String {
        let elements = elements.split_whitespace().map(|word| {
            let id = word.trim_end_matches(['?', '!']);
            let optional = word.ends_with('?');
            let env = if word.ends_with('!') { "exec-env = [\"test\"]\n" } else { "" };
            format!("[[{table}]]\nid = \"{id}\"\noptional = {optional}\nstray = 1\n{env}")
        });
        elements.collect()
    }

    fn show(group: &[Element]) -> String {
        let word = |e: &Element| format!("{}{}", e.id, if e.optional { "?" } else { "" });
        group.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn bp_order_resolution() {
        check(&["a", "b"], "a b?; b", "a b?; b");
        check(&["a", "b", "c", "m: a; b"], "m c", "a c; b c");
        check(&["a", "b", "n: a", "m: n b"], "m a", "a b");
        check(&["a", "b", "c", "n: a; b", "m: n c"], "m", "a c; b c");
        check(&["a", "b", "c", "m: a? b"], "c m", "c a? b");
        check(&[], "z", "z");
    }

    #[test]
    fn bp_order_resolution_an_optional_composite_is_tried_and_left_out() {
        check(&["a", "b", "c", "m: a; b"], "c m?", "c a; c b; c");
        check(&["a", "b", "m: a", "n: b"], "m? n?", "a b; a; b; ");
    }

    #[test]
    fn bp_order_resolution_the_first_of_one_id_wins() {
        check(&["a", "b", "m: a? b"], "a m", "a b");
        check(&["a", "b"], "a? b a", "a? b");
    }

    #[test]
    fn bp_order_resolution_cycles_end() {
        let endless = "the order of buildpacks never ends: a composite contains itself";
        check(&["a", "m: m a"], "m", endless);
        check(&["a", "m: n a", "n: m a"], "a m", endless);
    }

    #[test]
    fn bp_order_resolution_by_execution_environment() {
        check(&["a", "b"], "a! b", "b");
        check(&["a", "b", "m: a! b"], "m", "b");
    }

    #[test]
    fn pl_system_buildpacks_surround_every_group() {
        check_with(&["a", "b", "s", "t"], "a; b?", "s|t", "s a t; s b? t");
        check_with(&["a", "s", "t"], "t a s", "s|t", "t a s");
        check_with(&["a", "s"], "a", "s!|s", "a s");
    }
}
