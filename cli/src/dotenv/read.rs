//! Reads `.env` files: `KEY=value`, `export`, comments, three ways to quote, and the JSON that
//! `paas config --json` prints.
//!
//! Unquoted: to the end of the line or to ` #`, without the white space around, and literally.
//! `'…'`: literally, over several lines if need be. `"…"`: the same, with `\n`, `\r`, `\t`, `\"`,
//! `\\`, `\$` and `` \` ``. Quoted pieces may follow each other, as in a shell: `'it'\''s'`.

use std::{collections::BTreeMap, fmt};

/// Why a text is not config, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct Fault {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) problem: Problem,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no `=`.
    NoValue,
    /// What stands before `=` is no name.
    Name(String),
    /// A quote that began here does not end.
    Open(char),
    /// Something follows a closing quote.
    After,
    /// It begins like JSON and is none, or its values are not text.
    Json(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue => f.write_str("there is no `=`; a line is `KEY=value`"),
            Self::Name(name) => {
                let short: String = name.chars().take(40).collect();
                write!(f, "`{}` is no name: letters, digits and `_`", short.escape_debug())
            }
            Self::Open(quote) => write!(f, "the quote {quote} that begins here does not end"),
            Self::After => f.write_str("only a comment may follow a closing quote"),
            Self::Json(why) => write!(f, "not an object of texts: {why}"),
        }
    }
}

/// Reads config. Where a name is set twice the last one counts.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let mut values = BTreeMap::new();
    let mut cursor = Cursor { rest: text, line: 1 };
    while !cursor.rest.is_empty() {
        if let Some((key, value)) = cursor.assignment()? {
            values.insert(key, value);
        }
    }
    Ok(values)
}

fn json(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let fault = |fault: serde_json::Error| Fault {
        line: fault.line(),
        problem: Problem::Json(fault.to_string()),
    };
    // An app may have an only variable called `values`; then that is a text and not an object.
    match serde_json::from_str::<BTreeMap<String, String>>(text) {
        Ok(values) => Ok(values),
        Err(first) => match serde_json::from_str::<api::Config>(text) {
            Ok(config) => Ok(config.values),
            Err(_) => Err(fault(first)),
        },
    }
}

/// Where the reader is.
struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl Cursor<'_> {
    /// Reads one line, or as many as its quotes hold together.
    fn assignment(&mut self) -> Result<Option<(String, String)>, Fault> {
        let line = self.rest.lines().next().unwrap_or_default();
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            self.skip_line();
            return Ok(None);
        }
        let Some((left, _)) = line.split_once('=') else {
            return Err(self.fault(Problem::NoValue));
        };
        let key = left.trim();
        let key = key.strip_prefix("export").map_or(key, |rest| {
            if rest.starts_with([' ', '\t']) { rest.trim_start() } else { key }
        });
        if !is_name(key) {
            return Err(self.fault(Problem::Name(key.to_owned())));
        }
        let key = key.to_owned();
        self.advance(left.len() + 1);
        let value = self.rest.trim_start_matches([' ', '\t']);
        if !value.starts_with(['\'', '"']) {
            return Ok(Some((key, self.bare())));
        }
        self.advance(self.rest.len() - value.len());
        Ok(Some((key, self.quoted()?)))
    }

    fn bare(&mut self) -> String {
        let line = self.rest.lines().next().unwrap_or_default();
        // Without white space before it, `#` is part of the value, as in a shell.
        let comment = line.find(" #").into_iter().chain(line.find("\t#")).min();
        let value = comment.and_then(|at| line.get(..at)).unwrap_or(line).trim().to_owned();
        self.skip_line();
        value
    }

    /// Pieces in quotes that follow each other without a gap.
    fn quoted(&mut self) -> Result<String, Fault> {
        let mut value = String::new();
        loop {
            match self.rest.chars().next() {
                Some('\'') => self.single(&mut value)?,
                Some('"') => self.double(&mut value)?,
                Some('\\') => {
                    self.advance(1);
                    let escaped = self.rest.chars().next().ok_or(self.fault(Problem::After))?;
                    value.push(escaped);
                    self.advance(escaped.len_utf8());
                }
                _ => break,
            }
        }
        let tail = self.rest.lines().next().unwrap_or_default();
        let comment = tail.trim_start();
        let separate = comment.len() < tail.len();
        if !(comment.is_empty() || (separate && comment.starts_with('#'))) {
            return Err(self.fault(Problem::After));
        }
        self.skip_line();
        Ok(value)
    }

    fn single(&mut self, value: &mut String) -> Result<(), Fault> {
        self.advance(1);
        let end = self.rest.find('\'').ok_or(self.fault(Problem::Open('\'')))?;
        value.push_str(self.rest.get(..end).unwrap_or_default());
        self.advance(end + 1);
        Ok(())
    }

    fn double(&mut self, value: &mut String) -> Result<(), Fault> {
        let open = self.fault(Problem::Open('"'));
        self.advance(1);
        loop {
            let c = self.rest.chars().next().ok_or_else(|| open.clone())?;
            self.advance(c.len_utf8());
            match c {
                '"' => return Ok(()),
                '\\' => {
                    let next = self.rest.chars().next().ok_or_else(|| open.clone())?;
                    self.advance(next.len_utf8());
                    match next {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        't' => value.push('\t'),
                        '"' | '\\' | '$' | '`' => value.push(next),
                        other => value.extend(['\\', other]),
                    }
                }
                c => value.push(c),
            }
        }
    }

    fn skip_line(&mut self) {
        self.advance(self.rest.find('\n').map_or(self.rest.len(), |at| at + 1));
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }

    fn fault(&self, problem: Problem) -> Fault {
        Fault { line: self.line, problem }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected =
            expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(read(text), Ok(expected), "{text}");
    }

    fn refuse(text: &str, expected: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_usual_files_are_read() {
        check(
            "# comment\n\nA=1\n  export B = two words \nexport=x\n",
            &[("A", "1"), ("B", "two words"), ("export", "x")],
        );
        check(
            "A=http://x/#top # comment\r\nB=#\r\nC= # none\r\nD=C:\\dir",
            &[("A", "http://x/#top"), ("B", "#"), ("C", ""), ("D", "C:\\dir")],
        );
        check(
            "A='$HOME \\n' # c\nB=\"x\\ny \\$Z \\q\"\nC='it'\\''s'",
            &[("A", "$HOME \\n"), ("B", "x\ny $Z \\q"), ("C", "it's")],
        );
        check(
            "KEY='-----BEGIN\nabc=\n-----END'\nB=\"a\nb\"\n",
            &[("KEY", "-----BEGIN\nabc=\n-----END"), ("B", "a\nb")],
        );
        check("A=1\nA=2\n", &[("A", "2")]);
        check("{\"values\": \"x\"}", &[("values", "x")]);
        check("\u{feff}A=1", &[("A", "1")]);
    }

    #[test]
    fn faults_have_their_line() {
        refuse("A=1\nB\n", "line 2: there is no `=`; a line is `KEY=value`");
        refuse("A='x\ny'\n2B=1", "line 3: `2B` is no name: letters, digits and `_`");
        refuse("A=1\nB='x\ny\n", "line 2: the quote ' that begins here does not end");
        refuse("\n\nB=\"x\\", "line 3: the quote \" that begins here does not end");
        refuse("A='x'y", "line 1: only a comment may follow a closing quote");
    }
}
