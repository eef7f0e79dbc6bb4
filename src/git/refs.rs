//! The branches and tags of a repository, and how they are told to a client that wants to push.

use std::collections::BTreeMap;

use super::{GitError, pkt, repository::ZERO, tool::Tool};
use crate::model::{CommitId, RefName};

/// All branches and tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs(BTreeMap<RefName, CommitId>);

impl Refs {
    pub(super) async fn read(tool: &Tool) -> Result<Self, GitError> {
        let arguments =
            ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"];
        let answer = tool.run(&arguments).await?;
        let text = String::from_utf8_lossy(&answer);
        let entries = text.lines().map(|line| {
            let (id, name) = line.split_once(' ')?;
            Some((name.parse().ok()?, id.parse().ok()?))
        });
        let refs: Option<BTreeMap<_, _>> = entries.collect();
        refs.map(Self).ok_or(GitError::Strange { what: "for-each-ref" })
    }

    /// What a ref points at.
    pub fn at(&self, name: &RefName) -> Option<&CommitId> {
        self.0.get(name)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = (&RefName, &CommitId)> {
        self.0.iter()
    }

    /// What a client that wants to push is told first.
    pub fn advertise(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let nothing = (ZERO, "capabilities^{}");
        let all = self.0.iter().map(|(name, id)| (id.as_str(), name.as_str()));
        let first = self.0.is_empty().then_some(nothing);
        for (index, (id, name)) in first.into_iter().chain(all).enumerate() {
            let line = if index == 0 {
                format!("{id} {name}\0{ABILITIES}\n")
            } else {
                format!("{id} {name}\n")
            };
            pkt::write(&mut bytes, line.as_bytes());
        }
        bytes.extend_from_slice(pkt::FLUSH);
        bytes
    }

    /// The same as an answer over HTTP, which names the service before it.
    pub fn advertise_over_http(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        pkt::write(&mut bytes, b"# service=git-receive-pack\n");
        bytes.extend_from_slice(pkt::FLUSH);
        bytes.extend(self.advertise());
        bytes
    }

    #[cfg(test)]
    pub(super) fn of(refs: &[(&str, &str)]) -> Self {
        Self(refs.iter().map(|(name, id)| (name.parse().unwrap(), id.parse().unwrap())).collect())
    }
}

/// The refs that a repository may have, and that one push may change.
pub(super) const MAX_REFS: usize = 5000;

/// What is offered. Not `quiet`: git asks for it wherever its output is no terminal, and the log of a CI
/// run is where a failed deploy is read.
const ABILITIES: &str = concat!(
    "report-status delete-refs side-band-64k atomic ofs-delta object-format=sha1 agent=paas/",
    env!("CARGO_PKG_VERSION")
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_the_refs_and_what_is_offered() {
        let told = |refs: &Refs| String::from_utf8(refs.advertise()).unwrap();
        let empty = told(&Refs::default());
        assert!(empty.contains(" capabilities^{}\0report-status "), "{empty}");
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let refs = told(&Refs::of(&[("refs/heads/main", &a), ("refs/tags/v1", &b)]));
        assert!(refs.get(4..).unwrap().starts_with(&format!("{a} refs/heads/main\0report")));
        assert!(refs.ends_with(&format!("003a{b} refs/tags/v1\n0000")), "{refs}");
        let http = Refs::default().advertise_over_http();
        assert!(http.starts_with(b"001f# service=git-receive-pack\n0000"));
    }
}
