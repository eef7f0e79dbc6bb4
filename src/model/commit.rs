//! Commits, branches and refs of git, as far as records and messages speak of them. Who holds one of
//! these names may hand it to git as an argument: none begins with a dash or has a meaning beyond itself.

use serde::{Deserialize, Serialize};

use super::name::{Grammar, Name};

/// A commit's id: 40 hexadecimal digits in lower case.
pub type CommitId = Name<CommitGrammar>;

/// A branch's name without `refs/heads/`, and as well a tag's or a commit's beginning: whatever can
/// be asked for in one word. Nothing that git would calculate, such as `main~3`.
pub type Branch = Name<BranchGrammar>;

/// The full name of a branch or a tag: `refs/heads/main`, `refs/tags/v1`.
pub type RefName = Name<RefGrammar>;

/// What a build was made of, where git brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Which.
    pub id: CommitId,
    /// The branch or tag that led to it.
    pub reference: Option<Branch>,
    /// The first line of its message, shortened to [`MAX_SUBJECT`] characters.
    pub subject: String,
}

impl Commit {
    /// The commit as people call it: `1a2b3c4 of main`.
    pub fn called(&self) -> String {
        match &self.reference {
            Some(reference) => format!("{} of {reference}", self.id.short()),
            None => self.id.short().to_owned(),
        }
    }
}

impl CommitId {
    /// The seven digits that people use.
    pub fn short(&self) -> &str {
        self.as_str().get(..SHORT).unwrap_or_default()
    }
}

impl Branch {
    /// Its full name.
    pub fn to_ref(&self) -> RefName {
        format!("{HEADS}{self}").parse().expect("what a branch may be called, a ref may")
    }
}

impl RefName {
    /// The branch that it is.
    pub fn branch(&self) -> Option<Branch> {
        self.as_str().strip_prefix(HEADS)?.parse().ok()
    }

    /// What people call it: the name of the branch or the tag.
    pub fn called(&self) -> &str {
        let text = self.as_str();
        text.strip_prefix(HEADS).or_else(|| text.strip_prefix(TAGS)).unwrap_or(text)
    }
}

/// See [`CommitId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommitGrammar {}

impl Grammar for CommitGrammar {
    const KIND: &'static str = "commit id";

    fn check(text: &str) -> Result<(), &'static str> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let valid = text.len() == 40 && text.bytes().all(digit);
        valid.then_some(()).ok_or("40 hexadecimal digits in lower case")
    }
}

/// See [`Branch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BranchGrammar {}

impl Grammar for BranchGrammar {
    const KIND: &'static str = "branch name";

    fn check(text: &str) -> Result<(), &'static str> {
        let valid = (1..=MAX_BRANCH).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && text != "@"
            && text.chars().all(may_stand)
            && text.split('/').all(is_part);
        valid.then_some(()).ok_or(
            "1 to 200 bytes as git allows them: no white space, none of `~^:?*[\\`, no `..`, no part \
             that begins with `.` or ends with `.lock`",
        )
    }
}

/// See [`RefName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefGrammar {}

impl Grammar for RefGrammar {
    const KIND: &'static str = "ref";

    fn check(text: &str) -> Result<(), &'static str> {
        let short = text.strip_prefix(HEADS).or_else(|| text.strip_prefix(TAGS));
        match short {
            Some(short) => BranchGrammar::check(short),
            None => Err("only branches (refs/heads/) and tags (refs/tags/) are kept"),
        }
    }
}

fn is_part(part: &str) -> bool {
    let locks = part.len() >= LOCK.len() && part.ends_with(LOCK);
    !part.is_empty() && !part.starts_with('.') && !locks
}

/// Neither what git forbids nor what would turn a line on a screen around.
fn may_stand(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !c.is_whitespace() && !turns && !"~^:?*[\\".contains(c)
}

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const LOCK: &str = ".lock";
const SHORT: usize = 7;
const MAX_BRANCH: usize = 200;

/// The longest subject that is kept, in characters.
pub const MAX_SUBJECT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_what_is_none() {
        for good in ["main", "feature/x-1", "v1.2", "größe", "a", "1a2b3c4"] {
            assert!(good.parse::<Branch>().is_ok(), "{good}");
            assert_eq!(good.parse::<Branch>().unwrap().to_ref().called(), good);
        }
        for bad in [
            "",
            "-x",
            "--upload-pack=x",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "x:y",
            ".a",
            "a/.b",
            "a/",
            "/a",
            "a//b",
            "x.lock",
            "a.lock/b",
            "@",
            "a@{1}",
            "a.",
            "a\u{7f}",
            "a\nb",
            "a\u{202e}b",
            "a\\b",
            "a?",
            "a*",
            "a[",
        ] {
            assert!(bad.parse::<Branch>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(201).parse::<Branch>().is_err());
    }

    #[test]
    fn refs_are_branches_and_tags() {
        let check = |text: &str| text.parse::<RefName>().ok().map(|name| name.branch().is_some());
        assert_eq!(check("refs/heads/main"), Some(true));
        assert_eq!(check("refs/tags/v1"), Some(false));
        for bad in ["HEAD", "refs/notes/x", "refs/heads/", "refs/heads/../../config", "main"] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }

    #[test]
    fn commits_are_called_by_seven_digits() {
        let id: CommitId = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let reference = Some("main".parse().unwrap());
        let commit = Commit { id, reference, subject: "one".to_owned() };
        assert_eq!(commit.called(), "0123456 of main");
        assert!("0123456789ABCDEF0123456789abcdef01234567".parse::<CommitId>().is_err());
    }
}
