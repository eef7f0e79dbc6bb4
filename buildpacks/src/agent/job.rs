//! What goes over the wire: jobs to the agent, frames to the daemon, one JSON document a line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Detection, Outcome};
use crate::packages::Package;
use crate::spec::Target;

/// One build. Several may follow each other on a connection.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The app's name, for the log.
    pub app: String,
    /// The user's environment for builds, with the host's registry addresses and certificates.
    /// The agent writes it to `/platform/env` (a tmpfs) and removes it when the job ends, so that
    /// no secret reaches the host's disk.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What the image is built for.
    pub target: Target,
    /// The buildpacks that were chosen for the app, in order; with none the builder's order counts.
    #[serde(default)]
    pub buildpacks: Vec<Chosen>,
    /// The packages that the build image has beyond the base.
    #[serde(default)]
    pub packages: BTreeSet<Package>,
    /// What an agent settled in another build image, for the one that goes on.
    #[serde(default)]
    pub detection: Option<Detection>,
    /// What the last successful build left; absent on the first.
    #[serde(default)]
    pub previous: Option<PreviousBuild>,
}

/// A buildpack that somebody chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// One of `/buildpacks` or of the builder's.
    Named {
        /// Such as `acme/php`.
        id: String,
        /// Absent for the newest that is there.
        #[serde(default)]
        version: Option<String>,
    },
    /// The one in this folder below `/buildpacks`, whatever it calls itself.
    Folder(String),
}

/// What may be restored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviousBuild {
    /// The buildpacks of that build.
    pub buildpacks: Vec<PreviousBuildpack>,
}

/// What one buildpack left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviousBuildpack {
    /// Such as `paas/nodejs`.
    pub id: String,
    /// The layers whose folders are as that build left them. The daemon leaves out a layer whose
    /// contents changed since, for instance through a later build that failed.
    pub layers: BTreeMap<String, PreviousLayer>,
    /// The metadata of `store.toml`.
    #[serde(default)]
    pub store: Option<Value>,
}

/// A layer of the last build, as [`super::Layer`] reported it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviousLayer {
    /// The layer was part of the image.
    pub launch: bool,
    /// Later buildpacks saw the layer.
    pub build: bool,
    /// The layer was to be kept.
    pub cache: bool,
    /// The buildpack's notes.
    #[serde(default)]
    pub metadata: Value,
}

/// What the agent tells the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The agent is connected and waits for a job. Sent once.
    Ready,
    /// A phase begins.
    Phase(Phase),
    /// A line of the build log, without its newline.
    Log {
        /// Where it was written.
        stream: Stream,
        /// At most [`super::MAX_LOG_LINE`] bytes; bytes that are not UTF-8 are replaced.
        line: String,
    },
    /// The job is over.
    Done(Box<Outcome>),
}

/// The phases of a build, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Which buildpacks apply.
    Detect,
    /// What may be kept of the last build.
    Restore,
    /// The buildpacks work.
    Build,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Frame {
    /// The frame as a line with its newline.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        line(self)
    }

    /// Reads a line.
    pub fn decode(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// Of the environment the names only: there are secrets in it.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app, env, target, buildpacks, packages, detection, previous } = self;
        f.debug_struct("Job")
            .field("app", app)
            .field("env", &env.keys())
            .field("target", target)
            .field("buildpacks", buildpacks)
            .field("packages", packages)
            .field("detection", detection)
            .field("previous", previous)
            .finish()
    }
}

impl Job {
    /// The job as a line with its newline.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        line(self)
    }

    /// Reads a line.
    pub fn decode(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

fn line(document: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_shows_no_value_of_its_environment() {
        let env = [("API_KEY".to_owned(), "swordfish".to_owned())].into();
        let shown = format!("{:?}", Job { env, ..Job::default() });
        assert!(shown.contains("API_KEY") && !shown.contains("swordfish"), "{shown}");
    }

    #[test]
    fn a_frame_is_one_line_whatever_it_holds() {
        let frame = Frame::Log { stream: Stream::Stderr, line: "a\nb\u{0}é\"".into() };
        let bytes = frame.encode().unwrap();
        assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 2, "one line, then nothing");
        assert_eq!(Frame::decode(&bytes).unwrap(), frame);
    }
}
