//! One build by Docker, watched: its output becomes the log, its end an image or a reason.
//!
//! What Docker says is read for people and for what may be kept; nothing is removed because of it,
//! for a step of the build can print what it likes. Invariant: when [`drive`] returns, no step runs.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use tokio::time::timeout;

use super::{
    DockerfileError,
    error::{Failed, is_from},
    growth::Growth,
};
use crate::{
    build::{BuildError, request::BuildRequest},
    engine::{EngineError, ImageBuild, ImageEngine, ImageNews},
    model::{ByteSize, ImageId},
};

/// What came of it.
#[derive(Debug)]
pub(in crate::build) struct Driven {
    /// The image.
    pub(in crate::build) image: ImageId,
    /// The images that it was made by way of, as Docker shortens their ids.
    pub(super) mentioned: BTreeSet<String>,
}

/// A build that Docker is to do.
#[derive(Debug)]
pub(in crate::build) struct Drive<'a> {
    /// Whose it is, and where its log goes.
    pub(in crate::build) request: &'a BuildRequest,
    /// What is built.
    pub(in crate::build) spec: &'a ImageBuild,
    /// The longest it may take.
    pub(in crate::build) deadline: Duration,
    /// What of it the log has.
    pub(in crate::build) telling: Telling,
    /// What its steps may take of the disk.
    pub(in crate::build) growth: &'a Growth,
}

/// What of a build the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::build) enum Telling {
    /// Its steps and what they write.
    Steps,
    /// Nothing: the steps are ours, and not of interest.
    Nothing,
}

/// Has Docker build, to the end.
pub(in crate::build) async fn drive<E: ImageEngine>(
    engine: &E,
    Drive { request, spec, deadline, telling, growth }: Drive<'_>,
    context: BoxStream<'static, io::Result<Bytes>>,
) -> Result<Driven, BuildError> {
    let mut news = engine.build_image(spec, context);
    let mut watch = Watch::new(request, (spec, growth), telling);
    let driven = tokio::select! {
        biased;
        () = request.cancel.cancelled() => Err(BuildError::Cancelled),
        why = growth.passed(engine, request) => Err(why),
        read = timeout(deadline, watch.read(&mut news)) => {
            read.unwrap_or(Err(BuildError::Late { after: deadline }))
        }
    };
    drop(news);
    engine.remove_steps(&request.app).await?;
    driven.map(|image| Driven { image, mentioned: watch.mentioned })
}

struct Watch<'a> {
    request: &'a BuildRequest,
    spec: &'a ImageBuild,
    growth: &'a Growth,
    /// The line that is not at its end yet.
    begun: String,
    step: String,
    tail: VecDeque<String>,
    mentioned: BTreeSet<String>,
    /// Bytes that the log may still have.
    room: u64,
}

impl<'a> Watch<'a> {
    fn new(
        request: &'a BuildRequest,
        (spec, growth): (&'a ImageBuild, &'a Growth),
        telling: Telling,
    ) -> Self {
        let room = match telling {
            Telling::Steps => MAX_LOG.0,
            Telling::Nothing => 0,
        };
        Self {
            request,
            spec,
            growth,
            begun: String::new(),
            step: String::new(),
            tail: VecDeque::new(),
            mentioned: BTreeSet::new(),
            room,
        }
    }

    async fn read(
        &mut self,
        news: &mut BoxStream<'static, Result<ImageNews, EngineError>>,
    ) -> Result<ImageId, BuildError> {
        let mut made = None;
        while let Some(next) = news.next().await {
            match next {
                Ok(ImageNews::Made(image)) => made = Some(image),
                Ok(ImageNews::Text(text)) => self.text(&text).await,
                Err(EngineError::Refused { message, .. }) => {
                    self.flush().await;
                    return Err(self.refused(message));
                }
                Err(error) => return Err(error.into()),
            }
        }
        made.ok_or_else(|| self.refused("Docker ended it without an image".to_owned()))
    }

    fn refused(&mut self, message: String) -> BuildError {
        let tail = Vec::from(std::mem::take(&mut self.tail)).join("\n");
        let failed = Failed { message, step: std::mem::take(&mut self.step), tail };
        if failed.wrote_too_large_a_file() {
            return self.growth.too_large(self.spec.largest_file);
        }
        DockerfileError::of(failed, self.spec.memory, self.spec.pids).into()
    }

    async fn text(&mut self, text: &str) {
        for piece in text.split_inclusive(['\n', '\r']) {
            self.begun.push_str(piece);
            if piece.ends_with(['\n', '\r']) || self.begun.len() > MAX_LINE {
                self.flush().await;
            }
        }
    }

    async fn flush(&mut self) {
        let line = std::mem::take(&mut self.begun);
        let line = uncoloured(line.trim_end());
        if line.is_empty() {
            return;
        }
        if let Some(id) = line.strip_prefix(ARROW) {
            if id == CACHED {
                self.say(format!("{MARGIN}as in an earlier build")).await;
            } else if !id.contains(' ') && self.mentioned.len() < MOST_STEPS {
                self.mentioned.insert(id.to_owned());
                // What a stage begins with was there before.
                if !is_from(&self.step) {
                    self.growth.kept(id);
                }
            }
            return;
        }
        if let Some(instruction) = step(line) {
            // The labels of the stage are our own affair.
            if !instruction.starts_with("LABEL paas.") {
                instruction.clone_into(&mut self.step);
                self.tail.clear();
                self.say(format!("-----> {instruction}")).await;
            }
            return;
        }
        if NOISE.iter().any(|noise| line.starts_with(noise)) {
            return;
        }
        if self.tail.len() >= TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        self.say(format!("{MARGIN}{line}")).await;
    }

    async fn say(&mut self, line: String) {
        match self.room.checked_sub(line.len() as u64 + 1) {
            Some(rest) => {
                self.room = rest;
                self.request.say(line).await;
            }
            None if self.room > 0 => {
                self.room = 0;
                let notice = format!("[the log is longer than {MAX_LOG}; the rest is left out]");
                self.request.say(notice).await;
            }
            None => {}
        }
    }
}

/// A line without the colour that Docker gives to what steps write on their standard error.
fn uncoloured(line: &str) -> &str {
    let mut line = line.trim_end_matches(PLAIN);
    while let Some(rest) = line.strip_prefix(PLAIN).or_else(|| line.strip_prefix(RED)) {
        line = rest;
    }
    line.trim_end()
}

/// The instruction of a line such as `Step 2/5 : RUN npm ci`.
fn step(line: &str) -> Option<&str> {
    let (counts, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, all) = counts.split_once('/')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(all)).then_some(instruction)
}

/// How Docker's own remarks begin.
const ARROW: &str = " ---> ";
const CACHED: &str = "Using cache";
const MARGIN: &str = "       ";
/// Remarks about containers and images that say nothing to the user.
const NOISE: [&str; 4] =
    ["Removing intermediate container ", "Successfully built ", "Successfully tagged ", " --->"];
const RED: &str = "\u{1b}[91m";
const PLAIN: &str = "\u{1b}[0m";
/// Lines shown of a step that failed.
const TAIL: usize = 20;
const MAX_LINE: usize = 16 << 10;
/// Docker allows fewer layers; more of them are what a step printed.
const MOST_STEPS: usize = 1000;
/// All lines of one build together.
const MAX_LOG: ByteSize = ByteSize(32 << 20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_colours_are_no_part_of_a_line() {
        assert_eq!(uncoloured("\u{1b}[91msh: can't fork"), "sh: can't fork");
        assert_eq!(uncoloured("\u{1b}[0mRemoving intermediate"), "Removing intermediate");
        assert_eq!(uncoloured("\u{1b}[0m\u{1b}[91mwhy\u{1b}[0m"), "why");
        assert_eq!(uncoloured("\u{1b}[32mgreen"), "\u{1b}[32mgreen", "the program's own stay");
    }

    #[test]
    fn steps_are_told_from_what_looks_like_them() {
        assert_eq!(step("Step 2/5 : RUN npm ci"), Some("RUN npm ci"));
        for other in ["Step one : x", "Steps 1/2 : x", "Step 1/2", "step 1/2 : x"] {
            assert_eq!(step(other), None, "{other}");
        }
    }
}
