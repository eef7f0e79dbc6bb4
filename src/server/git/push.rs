//! A push from its pack to its report: everything is checked, then what is to be deployed is built and
//! rolled out, and only then do objects and refs count.
//!
//! It goes on when its client has gone. Invariant: a ref moves after what it stands for serves, or not at
//! all; a daemon that dies in between leaves what serves and no ref, and the next push of the same
//! commit finds that it serves already.

use std::io;

use api::Frame;
use bytes::Bytes;
use futures_util::Stream;

use super::{
    deploy::{Wanted, build},
    newest::{gives_way, overtake},
    pinned::tidy,
    remarks::{Deployed, remarks},
    wait::{breathing, turn},
};
use crate::{
    faults,
    git::{
        Arrival, Behind, Commands, GitError, Quarantine, Report, Repository, Turn, Update, Verdict,
        Voice, deployed_branch, judge,
    },
    model::{Actor, AppName, Branch, BuildNumber, CommitId, RefName},
    ops::{create::existing, upload::Uploaded},
    server::{fault::Failure, follow, state::Api, uploads::Order},
};

/// A push whose list of refs is known.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) api: Api,
    pub(super) by: Actor,
    pub(super) app: AppName,
    pub(super) repository: Repository,
    pub(super) commands: Commands,
    pub(super) voice: Voice,
    pub(super) behind: Behind,
}

/// Refs with their verdicts, in the order of the push.
type Judged = Vec<(Option<RefName>, Verdict)>;

impl Push {
    /// Carries it out and tells what became of it.
    pub(super) async fn run(mut self, pack: impl Stream<Item = io::Result<Bytes>> + Send) {
        let report = match self.attempt(pack).await {
            Ok(judged) => {
                let names = self.commands.updates.iter().map(|update| update.name.clone());
                let refs = names.zip(judged.into_iter().map(|(_, verdict)| verdict));
                Report { unpack: Ok(()), refs: refs.collect() }
            }
            Err(failure) => {
                let (what, hint) = failure.into_words();
                tracing::info!(app = %self.app, reason = %what, "a push was refused");
                self.explain(&what, hint.as_deref()).await;
                Report::refused(&self.commands, what, "nothing was taken")
            }
        };
        self.voice.report(&report).await;
        tidy(&self.api, &self.app).await;
    }

    async fn attempt(
        &mut self,
        pack: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<Judged, Failure> {
        self.repository.make().await?;
        let quarantine = self.take(pack).await?;
        faults::point("git.taken");
        let arrival = self.api.git.arrive(&self.app);
        let (mut judged, branch, _turn) = self.look(&arrival, quarantine.as_ref()).await?;
        if let Some(quarantine) = &quarantine {
            self.check(quarantine, &mut judged).await?;
        }
        self.all_or_none(&mut judged);
        let updates = self.commands.updates.clone();
        if let Some(quarantine) = &quarantine {
            let deployed = Deployed { app: &self.app, branch: &branch };
            for line in remarks(quarantine, deployed, updates.iter().zip(&judged)).await? {
                self.voice.say(&line).await;
            }
        }
        let goes = |(update, (name, verdict)): (&Update, &(Option<RefName>, Verdict))| {
            *verdict == Verdict::Yes && update.new.is_some() && *name == Some(branch.to_ref())
        };
        let deployed = updates.iter().zip(&judged).position(goes);
        if let (Some(index), Some(quarantine)) = (deployed, &quarantine) {
            let id = updates.get(index).and_then(|update| update.new.as_ref());
            let refused = match id {
                Some(id) => self.deploy(quarantine, id, (&branch, &arrival)).await.err(),
                None => None,
            };
            if let (Some(reason), Some((_, verdict))) = (refused, judged.get_mut(index)) {
                *verdict = Verdict::No(reason);
                self.all_or_none(&mut judged);
            }
            faults::point("git.deployed");
        }
        self.settle(quarantine, &mut judged, &branch).await;
        Ok(judged)
    }

    /// The refs as they are, and what is to be said of the push, with the app's turn if it deploys
    /// something: until then whatever was seen may change.
    async fn look(
        &mut self,
        arrival: &Arrival,
        quarantine: Option<&Quarantine>,
    ) -> Result<(Judged, Branch, Option<Turn>), Failure> {
        let (mut held, repositories) = (None, self.api.git.clone());
        loop {
            let record = existing(&self.api.store.snapshot(), &self.app)?;
            let refs = self.repository.refs().await?;
            let updates = &self.commands.updates;
            let branch = deployed_branch(record.branch.as_ref(), &refs, updates);
            let name = branch.to_ref();
            let goes = |update: &Update| update.new.is_some() && update.name == name.as_str();
            let judged = judge(updates, &refs, &branch);
            let going = updates.iter().zip(&judged).find(|(update, _)| goes(update));
            let Some((update, (_, verdict))) = going.filter(|_| held.is_none()) else {
                return Ok((judged, branch, held));
            };
            // One that is refused already overtakes nobody.
            if let (Some(id), Some(quarantine), Verdict::Yes) = (&update.new, quarantine, verdict) {
                overtake(arrival, &quarantine.contents(id), (&self.app, &self.by, id)).await;
            }
            let who = self.by.to_string();
            let wait = turn(&mut self.voice, &repositories, (&self.app, arrival), &who);
            held = tokio::select! {
                biased;
                newer = arrival.overtaken() => {
                    let (what, hint) = gives_way(&newer, &self.app);
                    return Err(Failure::new(api::FaultCode::Conflict, what).hint(hint));
                }
                held = self.api.ending.run_until_cancelled(wait) => held.flatten(),
            };
            if self.api.ending.is_cancelled() {
                return Err(Failure::new(api::FaultCode::Unavailable, "the server ends")
                    .hint("`git push` again in a minute"));
            }
            if held.is_none() {
                let why = format!("another push to {} does not end", self.app);
                let hint = format!("`paas deploys -a {}` shows what it waits for", self.app);
                return Err(Failure::new(api::FaultCode::Unavailable, why).hint(hint));
            }
        }
    }

    /// Reads the pack, if there is one, into a quarantine.
    async fn take(
        &mut self,
        pack: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<Option<Quarantine>, Failure> {
        if !self.commands.bring() {
            return Ok(None);
        }
        let reading = self.api.git.reading.clone();
        let _place = breathing(&mut self.voice, reading.acquire()).await;
        let quarantine = self.repository.quarantine()?;
        let taken = breathing(&mut self.voice, quarantine.take(pack, self.behind)).await;
        match taken {
            Ok(()) => Ok(Some(quarantine)),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Whether what the refs are to be is here, as a whole.
    async fn check(&mut self, quarantine: &Quarantine, judged: &mut Judged) -> Result<(), Failure> {
        let updates = self.commands.updates.clone();
        let new: Vec<&CommitId> = updates.iter().filter_map(|update| update.new.as_ref()).collect();
        let kinds = quarantine.kinds(&new).await?;
        let mut kinds = kinds.iter().map(String::as_str);
        let mut here = Vec::new();
        for (update, (name, verdict)) in updates.iter().zip(judged.iter_mut()) {
            let Some(id) = &update.new else { continue };
            let kind = kinds.next().unwrap_or_default();
            let is_branch = name.as_ref().is_some_and(|name| name.branch().is_some());
            match kind {
                "commit" => here.push(id),
                "tag" | "tree" | "blob" if is_branch => {
                    *verdict = Verdict::No(format!("a branch leads to a commit, not to a {kind}"));
                }
                "tag" | "tree" | "blob" => here.push(id),
                _ => *verdict = Verdict::No("the object that it is to be was not sent".to_owned()),
            }
        }
        let connected = breathing(&mut self.voice, quarantine.connected(&here)).await;
        connected.map_err(|error| self.refused(error))
    }

    /// Why objects were not taken, in the words of whoever has to change something.
    fn refused(&self, error: GitError) -> Failure {
        let GitError::Failed { said, .. } = &error else { return error.into() };
        let failure = |what: String| Failure::new(api::FaultCode::Invalid, what);
        if said.contains("maximum allowed size") {
            return failure("the push is over 1 GiB".to_owned())
                .hint("what a build fetches by itself, and large files, belong elsewhere");
        }
        if said.contains("No space left") {
            let full = Failure::new(api::FaultCode::DiskFull, "the server's disk is full");
            return full
                .hint("`paas status` shows what is free; `df -h` on the server shows where");
        }
        if self.commands.shallow {
            return failure(
                "your clone is shallow, and what it lacks is not here either".to_owned(),
            )
            .hint("`git fetch --unshallow`, then push again");
        }
        failure(format!("git does not take what was pushed: {said}"))
            .hint("`git fsck` in your clone tells more; a broken object goes with its commit")
    }

    fn all_or_none(&self, judged: &mut Judged) {
        let refused = judged.iter().any(|(_, verdict)| *verdict != Verdict::Yes);
        if !(self.commands.abilities.atomic && refused) {
            return;
        }
        for (_, verdict) in judged {
            if *verdict == Verdict::Yes {
                *verdict =
                    Verdict::No("all or none was asked for, and another was refused".to_owned());
            }
        }
    }

    /// Builds and rolls out; the reason if it does not come to serve.
    async fn deploy(
        &mut self,
        quarantine: &Quarantine,
        id: &CommitId,
        (branch, arrival): (&Branch, &Arrival),
    ) -> Result<(), String> {
        let begun = async {
            let commit = quarantine.commit(id, Some(branch.clone())).await?;
            let heading = format!("-----> Deploying {} to {}", commit.called(), self.app);
            self.voice.say(&heading).await;
            let contents = quarantine.contents(id);
            let order = Order::default();
            let wanted =
                Wanted { app: &self.app, by: &self.by, commit, contents: &contents, order };
            breathing(&mut self.voice, build(&self.api, wanted)).await
        };
        match begun.await {
            Ok(Uploaded::Unchanged(release)) => {
                self.voice
                    .say(&format!("no changes: {release} already runs this; nothing moved"))
                    .await;
                Ok(())
            }
            Ok(Uploaded::Queued(number)) => self.follow(number, arrival).await,
            Err(failure) => {
                let (what, hint) = failure.into_words();
                self.explain(&what, hint.as_deref()).await;
                Err("it cannot be deployed".to_owned())
            }
        }
    }

    /// Until it serves or failed, or gives way: what has come to a release does not any more.
    async fn follow(&mut self, number: BuildNumber, arrival: &Arrival) -> Result<(), String> {
        let mut story = follow::story(&self.api, &self.app, number);
        let mut narration = cli::Narration::new(self.app.as_str());
        let ending = self.api.ending.clone();
        let mut released = false;
        loop {
            let next = async {
                tokio::select! {
                    biased;
                    newer = arrival.overtaken(), if !released => Err(newer),
                    frame = ending.run_until_cancelled(story.recv()) => Ok(frame.flatten()),
                }
            };
            let frame = match breathing(&mut self.voice, next).await {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(newer) => {
                    let (what, hint) = gives_way(&newer, &self.app);
                    self.explain(&what, Some(&hint)).await;
                    return Err("a newer push took its place".to_owned());
                }
            };
            released |= matches!(frame, Frame::Release { .. });
            let end = match &frame {
                Frame::Done { urls, .. } => Some(Ok(urls.clone())),
                Frame::Failed { stage, .. } if stage == "build" => Some(Err("the build failed")),
                Frame::Failed { .. } => Some(Err("the new release does not serve")),
                Frame::Queued { .. }
                | Frame::Phase { .. }
                | Frame::Log { .. }
                | Frame::Image { .. }
                | Frame::Release { .. }
                | Frame::Instances { .. }
                | Frame::Unknown => None,
            };
            for line in narration.tell(frame) {
                self.voice.say(&line).await;
            }
            match end {
                Some(Ok(urls)) => {
                    for url in urls {
                        self.voice.say(&format!("       {url}")).await;
                    }
                    return Ok(());
                }
                Some(Err(reason)) => return Err(reason.to_owned()),
                None => {}
            }
        }
        self.explain(
            "the server ends, or hands over to its next version; the deploy goes on there",
            Some("`git push` again in a minute: once that serves, the branch moves"),
        )
        .await;
        Err("the server ends; push again in a minute".to_owned())
    }

    /// Has objects and refs count.
    async fn settle(
        &mut self,
        quarantine: Option<Quarantine>,
        judged: &mut Judged,
        branch: &Branch,
    ) {
        if judged.iter().all(|(_, verdict)| *verdict != Verdict::Yes) {
            return;
        }
        let _alone = self.api.git.change(&self.app).await;
        let kept = match quarantine {
            Some(quarantine) => admit(quarantine).await,
            None => Ok(()),
        };
        faults::point("git.admitted");
        let kept = match kept {
            Ok(()) => self.move_refs(judged).await,
            Err(error) => Err(error),
        };
        let pointed = match kept {
            Ok(()) => self.repository.point_at(branch).await,
            Err(error) => Err(error),
        };
        if let Err(error) = pointed {
            let (what, hint) = Failure::from(error).into_words();
            tracing::error!(app = %self.app, reason = %what, "a push could not be kept");
            self.explain(&what, hint.as_deref()).await;
            for (_, verdict) in judged.iter_mut().filter(|(_, verdict)| *verdict == Verdict::Yes) {
                *verdict = Verdict::No("it could not be kept".to_owned());
            }
        }
    }

    /// All refs at once; where that fails and they do not depend on each other, one after the other, so
    /// that a name which stands in another's way (`a` and `a/b`) is refused alone.
    async fn move_refs(&self, judged: &mut Judged) -> Result<(), GitError> {
        let moves = |update: &Update, (name, verdict): &(Option<RefName>, Verdict)| {
            let name = name.clone().filter(|_| *verdict == Verdict::Yes)?;
            Some((name, update.old.clone(), update.new.clone()))
        };
        let updates = &self.commands.updates;
        let all: Vec<_> = updates.iter().zip(&*judged).filter_map(|(u, j)| moves(u, j)).collect();
        match self.repository.update(&all).await {
            Err(GitError::Failed { .. }) if !self.commands.abilities.atomic => {}
            outcome => return outcome,
        }
        for (update, judgement) in updates.iter().zip(judged) {
            let Some(one) = moves(update, judgement) else { continue };
            if let Err(error) = self.repository.update(&[one]).await {
                judgement.1 = Verdict::No(error.to_string());
            }
        }
        Ok(())
    }

    async fn explain(&mut self, what: &str, hint: Option<&str>) {
        self.voice.say(&format!("error: {what}")).await;
        if let Some(hint) = hint {
            self.voice.say(&format!("hint: {hint}")).await;
        }
    }
}

/// Makes what came in the repository's own.
async fn admit(quarantine: Quarantine) -> Result<(), GitError> {
    let what = "what was pushed cannot be kept";
    let admitted = tokio::task::spawn_blocking(|| quarantine.admit()).await;
    admitted.map_err(io::Error::other).flatten().map_err(|source| GitError::Io { what, source })
}
