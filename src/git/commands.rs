//! What a push wants: the list of refs to change, with what the client can understand. Read under
//! limits; whether it is allowed is not asked here.

use std::collections::BTreeSet;

use tokio::io::AsyncRead;

use super::{
    pkt::{self, MalformedError, Packet},
    refs::MAX_REFS,
};
use crate::model::CommitId;

/// What a push wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// The refs, in the client's order.
    pub updates: Vec<Update>,
    /// What the client understands.
    pub abilities: Abilities,
    /// Whether the client's clone is shallow.
    pub shallow: bool,
}

/// One ref that is to be made, moved or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its name, which need not be one.
    pub name: String,
    /// What it is, as the client believes; `None` for nothing.
    pub old: Option<CommitId>,
    /// What it is to be; `None` for nothing.
    pub new: Option<CommitId>,
}

/// What a client understands and asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It wants to be told what became of each ref.
    pub report: bool,
    /// It can be told something meanwhile.
    pub sideband: bool,
    /// All refs or none.
    pub atomic: bool,
}

impl Commands {
    /// Reads the list up to its end. What follows it is the pack, if anything is to be made or moved.
    pub async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Self, MalformedError> {
        let mut commands = Self::default();
        let (mut names, mut lines) = (BTreeSet::new(), 0);
        loop {
            let line = match pkt::read(input).await? {
                Packet::Data(line) => line,
                Packet::Flush => return Ok(commands),
                Packet::End if lines == 0 => return Ok(commands),
                Packet::End => return Err(MalformedError::Not("the list of refs has no end")),
            };
            lines += 1;
            if lines > MAX_LINES {
                return Err(MalformedError::Not("more refs than one push may change"));
            }
            commands.take(&line, &mut names)?;
        }
    }

    fn take(&mut self, line: &[u8], names: &mut BTreeSet<String>) -> Result<(), MalformedError> {
        let text = str::from_utf8(line).map_err(|_| MalformedError::Not("a name is not UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.starts_with("shallow ") {
            self.shallow = true;
            return Ok(());
        }
        if text.starts_with("push-cert") {
            return Err(MalformedError::Not("signed pushes are not offered"));
        }
        let (command, abilities) = match text.split_once('\0') {
            Some((command, abilities)) => (command, Some(abilities)),
            None => (text, None),
        };
        if let (Some(abilities), true) = (abilities, self.updates.is_empty()) {
            self.abilities = Abilities::read(abilities)?;
        }
        let update = Update::read(command)?;
        if !names.insert(update.name.clone()) {
            return Err(MalformedError::Not("one ref is to become two things"));
        }
        self.updates.push(update);
        Ok(())
    }

    /// Whether a pack follows.
    pub fn bring(&self) -> bool {
        self.updates.iter().any(|update| update.new.is_some())
    }
}

impl Update {
    fn read(text: &str) -> Result<Self, MalformedError> {
        let wrong = || MalformedError::Not("a command is `OLD NEW REF`");
        let mut parts = text.splitn(3, ' ');
        let old = object(parts.next().ok_or_else(wrong)?)?;
        let new = object(parts.next().ok_or_else(wrong)?)?;
        let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?.to_owned();
        Ok(Self { name, old, new })
    }
}

impl Abilities {
    fn read(text: &str) -> Result<Self, MalformedError> {
        let mut abilities = Self::default();
        for word in text.split(' ') {
            match word {
                "report-status" => abilities.report = true,
                "side-band-64k" => abilities.sideband = true,
                "atomic" => abilities.atomic = true,
                _ if word.strip_prefix("object-format=").is_some_and(|kind| kind != "sha1") => {
                    return Err(MalformedError::Not("only SHA-1 repositories are understood"));
                }
                // Of a newer git.
                _ => {}
            }
        }
        Ok(abilities)
    }
}

/// An object's id; nothing is forty zeros.
fn object(text: &str) -> Result<Option<CommitId>, MalformedError> {
    let id: CommitId = text.parse().map_err(|_| MalformedError::Not("an id is forty digits"))?;
    Ok(Some(id).filter(|_| text.bytes().any(|byte| byte != b'0')))
}

/// Lines of a list: refs, and where a shallow clone ends.
const MAX_LINES: usize = MAX_REFS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    async fn read(lines: &[&str]) -> Result<Commands, MalformedError> {
        let mut bytes = Vec::new();
        for line in lines {
            pkt::write(&mut bytes, line.as_bytes());
        }
        bytes.extend_from_slice(pkt::FLUSH);
        bytes.extend_from_slice(b"PACK");
        let mut input = &bytes[..];
        let commands = Commands::read(&mut input).await?;
        assert_eq!(input, b"PACK", "the pack is left for whoever wants it");
        Ok(commands)
    }

    #[tokio::test]
    async fn what_a_client_sends() {
        let first = format!("{A} {B} refs/heads/main\0 report-status side-band-64k x=y");
        let second = format!("{ZERO} {A} refs/tags/v1\n");
        let third = format!("{B} {ZERO} refs/heads/old");
        let shallow = format!("shallow {A}");
        let read = read(&[&shallow, &first, &second, &third]).await.unwrap();
        let update = |name: &str, old: Option<&str>, new: Option<&str>| Update {
            name: name.to_owned(),
            old: old.map(|id| id.parse().unwrap()),
            new: new.map(|id| id.parse().unwrap()),
        };
        let expected = [
            update("refs/heads/main", Some(A), Some(B)),
            update("refs/tags/v1", None, Some(A)),
            update("refs/heads/old", Some(B), None),
        ];
        assert_eq!(read.updates, expected);
        assert!(read.shallow && read.bring());
        let abilities = Abilities { report: true, sideband: true, atomic: false };
        assert_eq!(read.abilities, abilities);
    }

    #[tokio::test]
    async fn the_question_before_a_large_push_is_an_empty_list() {
        assert_eq!(read(&[]).await.unwrap(), Commands::default());
        assert_eq!(Commands::read(&mut &b""[..]).await.unwrap(), Commands::default());
    }

    #[tokio::test]
    async fn what_no_client_sends() {
        let sha256 = format!("{A} {B} refs/heads/main\0report-status object-format=sha256");
        let twice = format!("{A} {B} refs/heads/main");
        let cases: [&[&str]; 7] = [
            &["hello"],
            &[&format!("{A} {B}")],
            &[&format!("{A} {B} ")],
            &[&format!("{} {B} refs/heads/main", &A[1..])],
            &["push-cert\0report-status"],
            &[&sha256],
            &[&twice, &twice],
        ];
        for case in cases {
            assert!(read(case).await.is_err(), "{case:?}");
        }
        assert!(Commands::read(&mut &b"0007"[..]).await.is_err());
        let mut endless = Vec::new();
        pkt::write(&mut endless, twice.as_bytes());
        assert!(Commands::read(&mut &endless[..]).await.is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(lines in proptest::collection::vec("[ -~\0\n]{0,120}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(commands) = runtime.block_on(read(&lines)) {
                prop_assert!(commands.updates.len() <= lines.len());
            }
        }
    }
}
