//! A deploy, told on the screen as it happens. What is said of it is [`Narration`]'s.

use api::Frame;

use super::{
    Ui,
    narration::{Failed, Narration, Said},
};
use crate::commands::follow::{Ending, Tell};

/// A deploy, told as it happens.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    ui: &'a Ui,
    narration: Narration,
    /// It was told that the build waits.
    waits: bool,
}

impl<'a> Story<'a> {
    /// The story of `app`.
    pub(crate) fn new(ui: &'a Ui, app: &str) -> Self {
        Self { ui, narration: Narration::new(app), waits: false }
    }
}

impl Tell for Story<'_> {
    fn tell(&mut self, frame: Frame) -> Option<Ending> {
        let ending = match &frame {
            Frame::Done { release, urls, .. } => {
                Some(Ending::Serves { release: release.clone(), urls: urls.clone() })
            }
            Frame::Failed { .. } => Some(Ending::Failed),
            Frame::Queued { .. }
            | Frame::Phase { .. }
            | Frame::Log { .. }
            | Frame::Image { .. }
            | Frame::Release { .. }
            | Frame::Instances { .. }
            | Frame::Unknown => None,
        };
        let waits = matches!(frame, Frame::Queued { .. });
        for said in self.narration.say(frame) {
            match said {
                Said::Heading(text) => self.ui.heading(&text),
                Said::Detail(text) => self.ui.detail(&text),
                Said::Failed(failed) => self.ui.failed(&failed),
                Said::Hint(text) => self.ui.hint(&text),
            }
        }
        if waits && !self.waits {
            self.ui.detail("Ctrl-C stops the watching and leaves it in the queue");
        }
        self.waits |= waits;
        ending
    }

    fn rejoin(&mut self) {
        self.narration.rejoin();
        self.ui.detail("the connection broke; joining again");
    }
}

impl Ui {
    /// A deploy that did not come through: why, what the app said last, and what serves on.
    pub(super) fn failed(&self, failed: &Failed) {
        self.error(&failed.what, Some(&failed.why), None);
        for line in failed.rest() {
            self.say(&format!("{line}\n"));
        }
    }
}
