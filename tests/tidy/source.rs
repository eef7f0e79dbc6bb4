//! Rust source as a checker sees it: code without comments and strings, cut into tokens.
//!
//! Deliberately not a parser. It knows just enough of the lexical grammar that a word inside a
//! string or a comment is never taken for code. Invariant: line numbers survive.

/// A piece of code and the line, counted from one, on which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The same text with every comment and every string or character literal turned into spaces.
pub(crate) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let in_word = code.chars().next_back().is_some_and(is_word);
        let opaque = comment(rest).or_else(|| literal(rest, in_word));
        let (piece, tail) = rest.split_at(opaque.unwrap_or(first.len_utf8()));
        match opaque {
            Some(_) => code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => code.push_str(piece),
        }
        rest = tail;
    }
    code
}

/// Words, `::` and single signs, in order. Expects text from [`code_only`].
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, tail) = rest.split_at(length);
            found.push(Token { text, line: index + 1 });
            rest = tail.trim_start();
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes of the comment that `text` starts with. Block comments nest, as Rust's do.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.strip_prefix("/*")?;
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return Some(at);
        }
    }
    Some(text.len())
}

/// Bytes of the string or character literal that `text` starts with. `in_word` says that the
/// character before belongs to a name, so that the `r` of `for` opens no raw string.
fn literal(text: &str, in_word: bool) -> Option<usize> {
    if let Some(body) = text.strip_prefix('"') {
        return Some(1 + escaped_until(body, '"'));
    }
    if let Some(body) = text.strip_prefix('\'') {
        let mut chars = body.chars();
        let is_character = chars.next() == Some('\\') || chars.next() == Some('\'');
        return is_character.then(|| 1 + escaped_until(body, '\''));
    }
    if in_word {
        return None;
    }
    let marks = ["br", "cr", "r"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let body = marks.trim_start_matches('#');
    let hashes = marks.len() - body.len();
    let inside = body.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let closed = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(text.len() - inside.len() + closed)
}

/// Bytes up to and including the closing `quote`, stepping over escapes.
fn escaped_until(body: &str, quote: char) -> usize {
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + quote.len_utf8();
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(&code_only(source)).iter().map(|token| token.text.to_owned()).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(words("a // b\nc"), ["a", "c"]);
        assert_eq!(words("a /* b /* c */ d */ e"), ["a", "e"]);
        assert_eq!(words(r#"a("b \" c") d"#), ["a", "(", ")", "d"]);
        assert_eq!(words(r##"a(r#"b " c"#) d"##), ["a", "(", ")", "d"]);
        assert_eq!(words(r#"a(br"b\") d"#), ["a", "(", ")", "d"]);
        assert_eq!(words(r"a('\'', '/') b"), ["a", "(", ",", ")", "b"]);
    }

    #[test]
    fn lifetimes_and_words_that_end_in_r_are_code() {
        assert_eq!(words("fn f<'a>(x: &'a T)").last().map(String::as_str), Some(")"));
        assert_eq!(words(r#"for"x""#), ["for"]);
        assert_eq!(words("r#type"), ["r", "#", "type"]);
    }

    #[test]
    fn lines_survive() {
        let code = code_only("/* 1\n2 */ a\n\"x\ny\" b::c");
        let lines: Vec<_> = tokens(&code).iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 2), ("b", 4), ("::", 4), ("c", 4)]);
    }
}
