//! What a push is told: lines meanwhile (band 2), and at its end what became of each ref (band 1).
//!
//! A client that reads nothing, or has gone, is not waited for: it is told nothing more, and the push
//! goes on without it. So nobody's terminal decides whether a deploy comes to its end.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};

use super::{
    commands::{Abilities, Commands},
    pkt,
    verdict::Verdict,
};

/// The way to a client that pushes.
#[derive(Debug)]
pub struct Voice {
    line: Option<mpsc::Sender<Bytes>>,
    abilities: Abilities,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Why its objects were not taken, if they were not.
    pub unpack: Result<(), String>,
    /// What became of each ref.
    pub refs: Vec<(String, Verdict)>,
}

impl Voice {
    /// Speaks to a client with these abilities.
    pub fn new(line: mpsc::Sender<Bytes>, abilities: Abilities) -> Self {
        Self { line: Some(line), abilities }
    }

    /// Says a line, or several.
    pub async fn say(&mut self, text: &str) {
        if self.abilities.sideband {
            self.tell(text).await;
        }
    }

    async fn tell(&mut self, text: &str) {
        let mut bytes = Vec::new();
        band(&mut bytes, PROGRESS, format!("{text}\n").as_bytes());
        self.send(bytes).await;
    }

    /// Shows that the line is alive, to whatever is in between.
    pub async fn breathe(&mut self) {
        if self.abilities.sideband {
            let mut bytes = Vec::new();
            pkt::write(&mut bytes, &[PROGRESS]);
            self.send(bytes).await;
        }
    }

    /// Tells what became of it all, which is the end.
    pub async fn report(mut self, report: &Report) {
        let mut bytes = Vec::new();
        if self.abilities.report {
            let report = report.to_packets();
            if self.abilities.sideband {
                band(&mut bytes, RESULT, &report);
            } else {
                bytes = report;
            }
        }
        if self.abilities.sideband {
            bytes.extend_from_slice(pkt::FLUSH);
        }
        self.send(bytes).await;
    }

    async fn send(&mut self, bytes: Vec<u8>) {
        let Some(line) = &self.line else { return };
        if !matches!(timeout(PATIENCE, line.send(Bytes::from(bytes))).await, Ok(Ok(()))) {
            self.line = None;
        }
    }
}

impl Report {
    /// Everything refused for one reason.
    pub fn refused(commands: &Commands, unpack: String, reason: &str) -> Self {
        let refs = commands.updates.iter();
        let refs = refs.map(|update| (update.name.clone(), Verdict::No(reason.to_owned())));
        Self { unpack: Err(unpack), refs: refs.collect() }
    }

    fn to_packets(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let unpack = match &self.unpack {
            Ok(()) => "unpack ok\n".to_owned(),
            Err(reason) => format!("unpack {}\n", one_line(reason)),
        };
        pkt::write(&mut bytes, unpack.as_bytes());
        for (name, verdict) in &self.refs {
            let line = match verdict {
                Verdict::Yes => format!("ok {name}\n"),
                Verdict::No(reason) => format!("ng {name} {}\n", one_line(reason)),
            };
            pkt::write(&mut bytes, line.as_bytes());
        }
        bytes.extend_from_slice(pkt::FLUSH);
        bytes
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Adds as many packets as it takes.
fn band(into: &mut Vec<u8>, number: u8, data: &[u8]) {
    for piece in data.chunks(pkt::LONGEST - 5) {
        pkt::write(into, &[&[number], piece].concat());
    }
}

const RESULT: u8 = 1;
const PROGRESS: u8 = 2;
/// How long a client may read nothing while there is something to read.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(abilities: Abilities) -> String {
        let (line, mut heard) = mpsc::channel(16);
        let mut voice = Voice::new(line, abilities);
        voice.say("built").await;
        voice.breathe().await;
        let refs = vec![
            ("refs/heads/main".to_owned(), Verdict::Yes),
            ("refs/heads/x".to_owned(), Verdict::No("not\nnow".to_owned())),
        ];
        voice.report(&Report { unpack: Ok(()), refs }).await;
        let mut all = Vec::new();
        while let Some(bytes) = heard.recv().await {
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).unwrap()
    }

    const REPORT: &str = "000eunpack ok\n0017ok refs/heads/main\n001cng refs/heads/x not now\n0000";

    #[tokio::test]
    async fn lines_and_a_report() {
        let all = Abilities { report: true, sideband: true, ..Abilities::default() };
        let expected = format!("000b\u{2}built\n0005\u{2}004a\u{1}{REPORT}0000");
        assert_eq!(told(all).await, expected);
        let plain = Abilities { report: true, ..Abilities::default() };
        assert_eq!(told(plain).await, REPORT);
        assert_eq!(told(Abilities::default()).await, "");
    }

    #[tokio::test]
    async fn who_has_gone_is_told_nothing() {
        let (line, heard) = mpsc::channel(1);
        drop(heard);
        let abilities = Abilities { sideband: true, ..Abilities::default() };
        let mut voice = Voice::new(line, abilities);
        voice.say("one").await;
        voice.say("two").await;
        assert!(voice.line.is_none());
    }
}
