//! What is said of a deploy, frame by frame: what the build writes, the image, the release, how each
//! instance does, and how long every phase took. Lines and nothing else; [`Story`](super::Story) puts
//! them on a screen, the server into a `git push`.
//!
//! The server tells everything from the start to whoever joins, so that a broken line can be joined
//! again; what was told already is not told twice.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use api::{Awaited, Frame, InstanceProgress, Remark, Watched};

use super::{bytes, clean, in_queue, seconds, since};

/// A deploy, told as it happens.
#[derive(Debug)]
pub struct Narration {
    app: String,
    phases: Vec<Phase>,
    /// Lines of the build on this connection, and on the one that told most.
    here: usize,
    told: usize,
    image: Option<String>,
    release: Option<String>,
    instances: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Phase {
    name: String,
    at: String,
    noticed: Instant,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Something begins.
    Heading(String),
    /// A line below a heading.
    Detail(String),
    /// It did not come through.
    Failed(Failed),
    /// What to do.
    Hint(String),
}

/// A deploy that did not come through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What failed.
    pub(crate) what: String,
    /// Because of what.
    pub(crate) why: String,
    /// What the app said last.
    pub(crate) last: Vec<String>,
    /// What serves on.
    pub(crate) serving: Option<String>,
}

impl Narration {
    /// Of a deploy of `app`.
    pub fn new(app: &str) -> Self {
        Self {
            app: app.to_owned(),
            phases: Vec::new(),
            here: 0,
            told: 0,
            image: None,
            release: None,
            instances: BTreeMap::new(),
        }
    }

    /// What a frame says, in plain lines.
    pub fn tell(&mut self, frame: Frame) -> Vec<String> {
        let mut lines = Vec::new();
        for said in self.say(frame) {
            match said {
                Said::Heading(text) => lines.push(format!("-----> {}", clean(&text, false))),
                Said::Detail(text) => lines.push(format!("       {}", clean(&text, false))),
                Said::Hint(text) => lines.push(format!("hint: {}", clean(&text, false))),
                Said::Failed(failed) => {
                    lines.push(format!("error: {}", clean(&failed.what, false)));
                    lines.push(format!("  because {}", clean(&failed.why, false)));
                    lines.extend(failed.rest());
                }
            }
        }
        lines
    }

    /// What a frame says.
    pub(crate) fn say(&mut self, frame: Frame) -> Vec<Said> {
        if self.known(&frame) {
            return Vec::new();
        }
        match frame {
            Frame::Queued { ahead, behind, awaits } => {
                let place = Said::Detail(in_queue(ahead, behind.as_deref()));
                let awaits = awaits.as_ref().map(|build| Said::Detail(awaiting(build)));
                [place].into_iter().chain(awaits).collect()
            }
            Frame::Phase { name, at } => vec![self.phase(name, at)],
            Frame::Log { text } => {
                vec![Said::Detail(text.trim_end_matches(['\r', '\n']).to_owned())]
            }
            Frame::Image { bytes: size, .. } => {
                vec![Said::Detail(format!("image size: {} beyond the base image", bytes(size)))]
            }
            Frame::Release { release } => vec![Said::Heading(format!("Release {release}"))],
            Frame::Instances { instances } => self.instances(instances),
            Frame::Done { release, remark, watched, took_ms, .. } => {
                let mut said = self.done(&release, remark, Duration::from_millis(took_ms));
                said.extend(watched.map(|Watched { fallback, left_ms }| {
                    let left = seconds(Duration::from_millis(left_ms));
                    Said::Detail(format!(
                        "watched for {left} more: if it dies, {fallback} takes over again"
                    ))
                }));
                said
            }
            Frame::Failed { stage, reason, hint, last_lines, still_serving } => {
                let what = match stage.as_str() {
                    "build" => format!("the build of {} failed", self.app),
                    "rebase" => format!("{} stays on its base image", self.app),
                    _ => format!("the new release of {} does not serve", self.app),
                };
                let failed = Failed { what, why: reason, last: last_lines, serving: still_serving };
                [Said::Failed(failed)].into_iter().chain(hint.map(Said::Hint)).collect()
            }
            Frame::Unknown => Vec::new(),
        }
    }

    /// Whoever tells joins again, from the start.
    pub(crate) fn rejoin(&mut self) {
        self.here = 0;
    }

    /// Whether `frame` was told on an earlier connection.
    fn known(&mut self, frame: &Frame) -> bool {
        match frame {
            Frame::Log { .. } => {
                self.here += 1;
                let known = self.here <= self.told;
                self.told = self.told.max(self.here);
                known
            }
            Frame::Phase { name, .. } => self.phases.iter().any(|phase| phase.name == *name),
            Frame::Image { image, .. } => self.image.replace(image.clone()).as_ref() == Some(image),
            Frame::Release { release } => {
                self.release.replace(release.clone()).as_ref() == Some(release)
            }
            Frame::Queued { .. }
            | Frame::Instances { .. }
            | Frame::Done { .. }
            | Frame::Failed { .. }
            | Frame::Unknown => false,
        }
    }

    fn phase(&mut self, name: String, at: String) -> Said {
        let text = match name.as_str() {
            "build" => "Building".to_owned(),
            "export" => "Making the image".to_owned(),
            "release" => "Running the release command".to_owned(),
            "post_deploy" => "Running the post_deploy command".to_owned(),
            "start" => "Starting instances".to_owned(),
            "shift" => "Shifting traffic".to_owned(),
            "watch" => "Watching the first of them".to_owned(),
            "drain" => "Letting the old instances finish".to_owned(),
            other => match other.split_once(' ') {
                Some(("wave", number)) => format!("Wave {number}"),
                Some(("canary", share)) => {
                    format!("Canary: web.1 gets {share} of the requests and is compared")
                }
                Some(_) | None => other.to_owned(),
            },
        };
        self.phases.push(Phase { name, at, noticed: Instant::now() });
        Said::Heading(text)
    }

    fn instances(&mut self, instances: Vec<InstanceProgress>) -> Vec<Said> {
        let all = instances.len();
        let ready = instances.iter().filter(|instance| instance.state == "ready").count();
        let mut said = Vec::new();
        for InstanceProgress { name, state, detail } in instances {
            let text = match detail {
                Some(detail) => format!("{name} {state}: {detail}"),
                None => format!("{name} {state}"),
            };
            if self.instances.get(&name) != Some(&text) {
                said.push(Said::Detail(text.clone()));
                self.instances.insert(name, text);
            }
        }
        if !said.is_empty() && all > 1 {
            said.push(Said::Detail(format!("{ready} of {all} ready")));
        }
        said
    }

    fn done(&self, release: &str, remark: Option<Remark>, took: Duration) -> Vec<Said> {
        let does = if remark.is_none() { "serves" } else { "is released" };
        let mut times = self.times();
        times.push(format!("in all {}", seconds(took)));
        let mut said = vec![
            Said::Heading(format!("{} {release} {does}", self.app)),
            Said::Detail(times.join(", ")),
        ];
        if let Some(Remark { text, hint }) = remark {
            said.extend([Said::Detail(text), Said::Hint(hint)]);
        }
        said
    }

    /// How long each phase took; the last one until now.
    fn times(&self) -> Vec<String> {
        let ends = self.phases.iter().skip(1).map(|next| Some(next.at.as_str()));
        let ends = ends.chain([None]);
        let mut times = Vec::new();
        for (phase, end) in self.phases.iter().zip(ends) {
            let took = end
                .and_then(|end| since(&phase.at, end))
                .unwrap_or_else(|| phase.noticed.elapsed());
            times.push(format!("{} {}", phase.name, seconds(took)));
        }
        times
    }
}

/// Whose build is waited for, what it does, and for how long it has.
fn awaiting(build: &Awaited) -> String {
    let Awaited { app, build, by, status, since_ms } = build;
    let since = seconds(Duration::from_millis(*since_ms));
    let does = if status == "running" { "has been built" } else { "has waited" };
    format!("it waits for build {build} of {app} by {by}, which {does} for {since}")
}

impl Failed {
    /// What is said below what failed and why.
    pub(crate) fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.last.is_empty() {
            lines.push("  its last lines:".to_owned());
            lines.extend(self.last.iter().map(|line| format!("    {}", clean(line, false))));
        }
        lines.push(match &self.serving {
            Some(release) => format!("  {release} serves on, untouched"),
            None => "  nothing served before, and nothing does now".to_owned(),
        });
        lines
    }
}
