//! A Dockerfile as text: which arguments it declares, and a copy of it whose stages carry labels. Pure.
//!
//! Labels after each `FROM` are inherited by every image and container that a build makes on its way,
//! which is how ours are told from the user's, and by which a step's limits find it. So that nobody
//! takes them away, they are said again after each `LABEL` that might name one. Not here: what the instructions mean.

use std::collections::{BTreeMap, BTreeSet};

/// A Dockerfile with labels put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::build) struct Labelled {
    /// The whole text.
    pub(in crate::build) text: String,
    /// The numbers of the lines that were put in, from 1.
    added: Vec<usize>,
}

impl Labelled {
    /// The line of the user's own file that line `number` of ours is.
    pub(super) fn original(&self, number: usize) -> usize {
        number - self.added.iter().filter(|added| **added <= number).count()
    }
}

/// Puts the labels after each `FROM`, and after what might change them. Their keys and values must need no quoting.
pub(in crate::build) fn label(text: &str, labels: &BTreeMap<String, String>) -> Labelled {
    let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let line = format!("LABEL {}\n", pairs.join(" "));
    let mut out = Labelled { text: String::new(), added: Vec::new() };
    let mut number = 0;
    for instruction in instructions(text) {
        out.text.push_str(instruction.text);
        number += instruction.text.lines().count();
        if instruction.word.eq_ignore_ascii_case("FROM") || may_name_ours(&instruction) {
            if !out.text.ends_with('\n') {
                out.text.push('\n');
            }
            out.text.push_str(&line);
            number += 1;
            out.added.push(number);
        }
    }
    out
}

/// Whether it is a `LABEL` whose keys are not plainly others: quoting and variables count as they could
/// come out.
fn may_name_ours(instruction: &Instruction<'_>) -> bool {
    let plain: String = instruction
        .text
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '\\' | '`') && !c.is_whitespace())
        .collect();
    instruction.word.eq_ignore_ascii_case("LABEL")
        && (plain.contains("paas.") || plain.contains('$'))
}

/// The names that `ARG` declares.
pub(super) fn arguments(text: &str) -> BTreeSet<String> {
    let declared = instructions(text).into_iter().filter(|it| it.word.eq_ignore_ascii_case("ARG"));
    let words = declared.flat_map(|it| it.text.split_whitespace().skip(1));
    let names = words.map(|word| word.split('=').next().unwrap_or(word).to_owned());
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).collect()
}

/// An instruction with the lines that go on with it, or a comment or an empty line.
struct Instruction<'a> {
    word: &'a str,
    text: &'a str,
}

fn instructions(text: &str) -> Vec<Instruction<'_>> {
    let escape = escape(text);
    let mut all = Vec::new();
    let (mut begin, mut end, mut goes_on) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        end += line.len();
        let plain = line.trim();
        let comment = plain.is_empty() || plain.starts_with('#');
        // A comment between the lines of an instruction does not end it.
        goes_on = if comment { goes_on } else { plain.ends_with(escape) };
        if !goes_on {
            let text = text.get(begin..end).unwrap_or_default();
            let word = text.split_whitespace().next().unwrap_or_default();
            all.push(Instruction { word: word.trim_start_matches('\u{feff}'), text });
            begin = end;
        }
    }
    if let Some(rest) = text.get(begin..).filter(|rest| !rest.is_empty()) {
        all.push(Instruction {
            word: rest.split_whitespace().next().unwrap_or_default(),
            text: rest,
        });
    }
    all
}

/// What a line ends with that goes on: a backslash, unless a directive at the top says a backtick.
fn escape(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    for directive in directives {
        let Some((key, value)) = directive.split_once('=') else { break };
        if key.trim().eq_ignore_ascii_case("escape") {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) -> Labelled {
        let labels = [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d".to_owned())].into();
        let labelled = label(text, &labels);
        assert_eq!(labelled.text.replace("LABEL a=b c=d\n", "+\n"), expected, "{text}");
        labelled
    }

    #[test]
    fn labels_stand_after_each_from() {
        check("FROM x\nRUN y\n", "FROM x\n+\nRUN y\n");
        check("FROM x", "FROM x\n+\n");
        check("RUN echo FROM\n# FROM x\n", "RUN echo FROM\n# FROM x\n");
        check("from \\\n  x\nRUN a \\\n# no\n FROM\n", "from \\\n  x\n+\nRUN a \\\n# no\n FROM\n");
        check(
            "# escape=`\nFROM `\nx\nRUN \\\nFROM y\n",
            "# escape=`\nFROM `\nx\n+\nRUN \\\nFROM y\n+\n",
        );
        check("FROM x\nLABEL a=b\nRUN y\n", "FROM x\n+\nLABEL a=b\nRUN y\n");
        for label in
            ["paas.role=x", "a=b \"paas\".app=c", "pa\\as.app=c", "$KEY=x", "a=b \\\n paas.app=x"]
        {
            let text = format!("FROM x\nLABEL {label}\nRUN y\n");
            check(&text, &text.replace("FROM x\n", "FROM x\n+\n").replace("RUN", "+\nRUN"));
        }
        let two = check(
            "FROM a AS b\nRUN c\nFROM d\nWRONG\n",
            "FROM a AS b\n+\nRUN c\nFROM d\n+\nWRONG\n",
        );
        assert_eq!([1, 3, 4, 6].map(|number| two.original(number)), [1, 2, 3, 4]);
    }

    #[test]
    fn declared_arguments_are_known() {
        let text = "ARG A=1\nFROM x\narg B\nARG C=$A \\\n D\nRUN ARG E\n";
        assert_eq!(arguments(text).into_iter().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    }
}
