//! Plan resolution: the exact algorithm of the reference, on plain data.
//!
//! Each buildpack offers options; trials go through the combinations depth first, the first option
//! first, and the first combination that resolves wins. A buildpack stays optional only in its
//! last option.

use std::collections::BTreeMap;

use super::catalog::Installed;
use crate::spec::{Entry, Require, Section};

/// A buildpack whose detection passed.
#[derive(Debug, Clone)]
pub(super) struct Candidate<B = Installed> {
    pub(super) buildpack: B,
    pub(super) options: Vec<Section>,
    pub(super) optional: bool,
}

/// The plan: entries in the order of their names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Resolved {
    pub(super) entries: Vec<Entry>,
}

/// The most combinations that are tried: buildpacks have one to four options each.
const MAX_TRIALS: usize = 100_000;

#[derive(Clone)]
struct Choice<'a> {
    candidate: usize,
    section: &'a Section,
    optional: bool,
}

/// The buildpacks that take part and their plan, or nothing if no combination resolves.
pub(super) fn resolve<B: Clone>(candidates: &[Candidate<B>]) -> Option<(Vec<B>, Resolved)> {
    let mut trials = 0;
    let (kept, entries) = descend(candidates, &mut Vec::new(), &mut trials)?;
    let pick = |index: &usize| candidates.get(*index).map(|it| it.buildpack.clone());
    Some((kept.iter().filter_map(pick).collect(), Resolved { entries }))
}

/// Why the first choices of the required candidates are no plan: a sentence for each dependency
/// that has only one of its two sides. For people; [`resolve`] tries more than these.
pub(super) fn stranded<B>(candidates: &[Candidate<B>], name: impl Fn(&B) -> String) -> Vec<String> {
    let mut trial = Vec::new();
    for (candidate, it) in candidates.iter().enumerate().filter(|(_, it)| !it.optional) {
        let section = it.options.first();
        trial.extend(section.map(|section| Choice { candidate, section, optional: false }));
    }
    let names = |places: &[usize]| {
        let named = places.iter().filter_map(|place| candidates.get(*place));
        named.map(|it| name(&it.buildpack)).collect::<Vec<_>>().join(", ")
    };
    let mut sentences = Vec::new();
    for (dependency, line) in &Ledger::of(&trial).entries {
        if !line.early.is_empty() {
            let who = names(&line.early);
            sentences
                .push(format!("{who} requires `{dependency}`, which nothing before it provides"));
        }
        if !line.extra.is_empty() {
            let who = names(&line.extra);
            sentences
                .push(format!("{who} provides `{dependency}`, which nothing after it requires"));
        }
    }
    sentences
}

type Trial = (Vec<usize>, Vec<Entry>);

fn descend<'a, B>(
    candidates: &'a [Candidate<B>],
    chosen: &mut Vec<Choice<'a>>,
    trials: &mut usize,
) -> Option<Trial> {
    let Some(next) = candidates.get(chosen.len()) else {
        *trials += 1;
        return settle(chosen.clone());
    };
    for (index, section) in next.options.iter().enumerate() {
        if *trials >= MAX_TRIALS {
            return None;
        }
        let optional = next.optional && index + 1 == next.options.len();
        chosen.push(Choice { candidate: chosen.len(), section, optional });
        let found = descend(candidates, chosen, trials);
        chosen.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Drops optional buildpacks whose provisions or requirements nobody meets, until all are met.
fn settle(mut trial: Vec<Choice<'_>>) -> Option<Trial> {
    loop {
        let ledger = Ledger::of(&trial);
        let Some(unmet) = ledger.unmet() else {
            if trial.is_empty() {
                return None;
            }
            let kept = trial.iter().map(|choice| choice.candidate).collect();
            return Some((kept, ledger.entries.into_values().map(|line| line.entry).collect()));
        };
        let at = trial.iter().position(|choice| choice.candidate == unmet)?;
        if !trial.get(at)?.optional {
            return None;
        }
        trial.remove(at);
    }
}

#[derive(Default)]
struct Ledger {
    entries: BTreeMap<String, Line>,
}

#[derive(Default)]
struct Line {
    entry: Entry,
    /// Candidates that provide what nobody has required yet.
    extra: Vec<usize>,
    /// Candidates that require what nobody has provided yet.
    early: Vec<usize>,
}

impl Ledger {
    fn of(trial: &[Choice<'_>]) -> Self {
        let mut ledger = Self::default();
        for (place, choice) in trial.iter().enumerate() {
            // Provisions first: a buildpack may satisfy itself.
            for provide in &choice.section.provides {
                let line = ledger.entries.entry(provide.name.clone()).or_default();
                line.extra.push(choice.candidate);
                line.entry.providers.push(place);
            }
            for require in &choice.section.requires {
                ledger.require(choice.candidate, require);
            }
        }
        // What was provided after the last requirement is not part of the plan; if the trial is
        // clean there is no such thing.
        ledger
    }

    fn require(&mut self, candidate: usize, require: &Require) {
        let line = self.entries.entry(require.name.clone()).or_default();
        line.extra.clear();
        if line.entry.providers.is_empty() {
            line.early.push(candidate);
        } else {
            line.entry.requires.push(require.clone());
        }
    }

    /// A candidate that keeps the trial from being clean.
    fn unmet(&self) -> Option<usize> {
        self.entries.values().flat_map(|line| line.early.iter().chain(&line.extra)).min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A candidate is `name[?]: +provided -required | alternative`.
    fn candidate(text: &str) -> Candidate<String> {
        let (name, options) = text.split_once(':').unwrap();
        let section = |words: &str| {
            let mut toml = String::new();
            for word in words.split_whitespace() {
                let (kind, dependency) = word.split_at(1);
                let table = if kind == "+" { "provides" } else { "requires" };
                toml.extend(["[[", table, "]]\nname = \"", dependency, "\"\n"]);
            }
            toml::from_str(&toml).unwrap()
        };
        Candidate {
            buildpack: name.trim_end_matches('?').to_owned(),
            options: options.split('|').map(section).collect(),
            optional: name.ends_with('?'),
        }
    }

    fn check(candidates: &[&str], expected: &str) {
        let candidates: Vec<_> = candidates.iter().map(|text| candidate(text)).collect();
        let shown = resolve(&candidates).map_or("fails".to_owned(), |(group, _)| group.join(" "));
        assert_eq!(shown, expected);
    }

    #[test]
    fn whoever_has_no_counterpart_is_named() {
        let check = |candidates: &[&str], expected: &[&str]| {
            let candidates: Vec<_> = candidates.iter().map(|text| candidate(text)).collect();
            assert_eq!(stranded(&candidates, String::clone), expected);
        };
        check(&["a: +x", "b: -x"], &[]);
        check(&["a: -x"], &["a requires `x`, which nothing before it provides"]);
        check(
            &["a: +x", "b: -y", "c?: +y"],
            &[
                "a provides `x`, which nothing after it requires",
                "b requires `y`, which nothing before it provides",
            ],
        );
    }

    #[test]
    fn bp_phase_1_plan_trials() {
        check(&["a: +x", "b: -x"], "a b");
        check(&["a: -x", "b: +x"], "fails"); // a requirement comes after its provider
        check(&["a: +x -x"], "a"); // a buildpack may satisfy itself
        check(&["a: +x"], "fails"); // provided, never required
        check(&["a?: +x", "b:"], "b"); // an optional one is dropped
        check(&["a?: +x"], "fails"); // an empty trial fails
        check(&["a: +x | +y", "b: -y"], "a b"); // the alternative resolves
        check(&["a?: -x", "b?: +x", "c:"], "c"); // dropping one may strand another
        check(&["a: +x", "b: +x", "c: -x"], "a b c"); // several providers
        check(&["a?: -x | ", "b:"], "a b"); // a later option without requirements
        check(&["a: +x", "b?: -x -z", "c: -x"], "a c");
        check(&["a: +x +y", "b: -x"], "fails"); // one of two provisions is not wanted
        check(&["a: -x +x"], "a"); // also if the requirement is written first
        check(&["a: +x", "b: -x", "c: +x"], "fails"); // provided once more, for nobody
        check(&["a: +x", "b: -x", "c?: +x"], "a b");
    }

    #[test]
    fn bp_phase_1_alternatives_are_tried_in_order() {
        check(&["a: +x | +y | ", "b: -y"], "a b");
        // Only its last alternative leaves an optional buildpack out.
        check(&["a?: +x | +y", "b: -y"], "a b");
        check(&["a?: -x | -y", "b:"], "b");
        check(&["a: +x | +y", "b: -x | -y", "c: -y"], "a b c");
        check(&["a: | +x", "b?: -x"], "a");
    }

    #[test]
    fn bp_phase_1_entries_name_their_providers_and_requirements() {
        let group = ["a: +x", "b: -x", "c: -x"].map(candidate);
        let (_, plan) = resolve(&group).unwrap();
        assert_eq!(plan.entries.len(), 1);
        assert_eq!(plan.entries[0].providers, [0]);
        assert_eq!(plan.entries[0].requires.len(), 2);
    }
}
