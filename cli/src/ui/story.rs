//! A deploy, told as it happens: what the build writes, the image, the release, how each instance
//! does, the address, and how long every phase took.
//!
//! The server tells everything from the start to whoever joins, so that a broken line can be
//! joined again; what was told already is not told twice.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use api::{Frame, InstanceProgress, Remark};

use super::{Ui, bytes, in_queue, seconds, since};
use crate::commands::follow::{Ending, Tell};

/// A deploy, told as it happens.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    ui: &'a Ui,
    app: &'a str,
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

impl<'a> Story<'a> {
    /// The story of `app`.
    pub(crate) fn new(ui: &'a Ui, app: &'a str) -> Self {
        let (phases, instances) = (Vec::new(), BTreeMap::new());
        Self { ui, app, phases, here: 0, told: 0, image: None, release: None, instances }
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

    fn phase(&mut self, name: String, at: String) {
        let text = match name.as_str() {
            "build" => "Building".to_owned(),
            "export" => "Making the image".to_owned(),
            "start" => "Starting instances".to_owned(),
            "shift" => "Shifting traffic".to_owned(),
            "drain" => "Letting the old instances finish".to_owned(),
            other => other.to_owned(),
        };
        self.ui.heading(&text);
        self.phases.push(Phase { name, at, noticed: Instant::now() });
    }

    fn instances(&mut self, instances: Vec<InstanceProgress>) {
        let all = instances.len();
        let ready = instances.iter().filter(|instance| instance.state == "ready").count();
        let mut changed = false;
        for InstanceProgress { name, state, detail } in instances {
            let text = match detail {
                Some(detail) => format!("{name} {state}: {detail}"),
                None => format!("{name} {state}"),
            };
            if self.instances.get(&name) != Some(&text) {
                self.ui.detail(&text);
                self.instances.insert(name, text);
                changed = true;
            }
        }
        if changed && all > 1 {
            self.ui.detail(&format!("{ready} of {all} ready"));
        }
    }

    fn done(&self, release: &str, remark: Option<&Remark>, took: Duration) {
        let does = if remark.is_none() { "serves" } else { "is released" };
        self.ui.heading(&format!("{} {release} {does}", self.app));
        let mut times = self.times();
        times.push(format!("in all {}", seconds(took)));
        self.ui.detail(&times.join(", "));
        if let Some(Remark { text, hint }) = remark {
            self.ui.detail(text);
            self.ui.hint(hint);
        }
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

impl Tell for Story<'_> {
    fn tell(&mut self, frame: Frame) -> Option<Ending> {
        if self.known(&frame) {
            return None;
        }
        match frame {
            Frame::Queued { ahead, behind } => {
                self.ui.detail(&in_queue(ahead, behind.as_deref()));
            }
            Frame::Phase { name, at } => self.phase(name, at),
            Frame::Log { text } => self.ui.detail(text.trim_end_matches(['\r', '\n'])),
            Frame::Image { bytes: size, .. } => {
                self.ui.detail(&format!("image size: {} beyond the base image", bytes(size)));
            }
            Frame::Release { release } => self.ui.heading(&format!("Release {release}")),
            Frame::Instances { instances } => self.instances(instances),
            Frame::Done { release, urls, remark, took_ms } => {
                self.done(&release, remark.as_ref(), Duration::from_millis(took_ms));
                return Some(Ending::Serves { release, urls });
            }
            Frame::Failed { stage, reason, hint, last_lines, still_serving } => {
                let what = match stage.as_str() {
                    "build" => format!("the build of {} failed", self.app),
                    "rebase" => format!("{} stays on its base image", self.app),
                    _ => format!("the new release of {} does not serve", self.app),
                };
                self.ui.failed(&what, &reason, &last_lines, still_serving.as_deref());
                if let Some(hint) = hint {
                    self.ui.hint(&hint);
                }
                return Some(Ending::Failed);
            }
            Frame::Unknown => {}
        }
        None
    }

    fn rejoin(&mut self) {
        self.here = 0;
        self.ui.detail("the connection broke; joining again");
    }
}

impl Ui {
    /// A deploy that did not come through: why, what the app said last, and what serves on.
    pub(super) fn failed(&self, what: &str, why: &str, last: &[String], serving: Option<&str>) {
        self.error(what, Some(why), None);
        if !last.is_empty() {
            self.say("  its last lines:\n");
            for line in last {
                self.say(&format!("    {}\n", super::clean(line, false)));
            }
        }
        match serving {
            Some(release) => self.say(&format!("  {release} serves on, untouched\n")),
            None => self.say("  nothing served before, and nothing does now\n"),
        }
    }
}
