//! A change told in one line: `Setting KEY and restarting hello... done, v10`.

use std::collections::BTreeMap;

use api::Frame;

use super::{Progress, Ui, narration::Failed};
use crate::commands::follow::{Ending, Tell};

/// A change told in one line.
#[derive(Debug)]
pub(crate) struct OneLine<'a> {
    ui: &'a Ui,
    text: &'a str,
    progress: Option<Progress>,
}

impl<'a> OneLine<'a> {
    /// `text` says what is being done, without dots.
    pub(crate) fn new(ui: &'a Ui, text: &'a str) -> Self {
        Self { ui, text, progress: Some(Progress::waiting(ui, &format!("{text}..."))) }
    }

    /// Ends the line.
    pub(crate) fn end(&mut self, outcome: &str) {
        self.progress = None;
        self.ui.talk(&format!("{}... {outcome}", self.text));
    }
}

impl Tell for OneLine<'_> {
    fn tell(&mut self, frame: Frame) -> Option<Ending> {
        match frame {
            Frame::Done { release, urls, .. } => Some(Ending::Serves { release, urls }),
            Frame::Failed { reason, hint, last_lines, still_serving, .. } => {
                self.end("failed");
                let what = "the change does not serve".to_owned();
                let (why, last, serving) = (reason, last_lines, still_serving);
                self.ui.failed(&Failed { what, why, last, serving });
                if let Some(hint) = hint {
                    self.ui.hint(&hint);
                }
                Some(Ending::Failed)
            }
            Frame::Instances { instances } => {
                let mut states = BTreeMap::new();
                for instance in &instances {
                    *states.entry(instance.state.as_str()).or_insert(0) += 1;
                }
                let states: Vec<_> =
                    states.iter().map(|(state, count)| format!("{count} {state}")).collect();
                if let Some(progress) = &self.progress {
                    progress.say(&format!("{}... {}", self.text, states.join(", ")));
                }
                None
            }
            Frame::Queued { .. }
            | Frame::Phase { .. }
            | Frame::Log { .. }
            | Frame::Image { .. }
            | Frame::Release { .. }
            | Frame::Unknown => None,
        }
    }

    fn rejoin(&mut self) {
        if let Some(progress) = &self.progress {
            progress.say(&format!("{}... joining again", self.text));
        }
    }
}
