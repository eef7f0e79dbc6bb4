//! Follows a build or a rollout to its end, across broken lines, until Ctrl-C.
//!
//! Following changes nothing: whoever stops, or never begins, leaves the server to its work.

use std::time::Duration;

use api::{Change, Frame};
use tokio::time::sleep;

use crate::{
    client::{Client, route},
    failure::Failure,
    session::Session,
    target::AppName,
    ui::OneLine,
};

/// What can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// A build, and the rollout after it.
    Build(u32),
    /// A rollout.
    Rollout(u32),
}

impl Followed {
    /// The command that shows how it does.
    pub(crate) fn back(self, app: &AppName) -> String {
        match self {
            Self::Build(number) => format!("`paas builds follow {number} -a {app}`"),
            Self::Rollout(_) => format!("`paas ps -a {app}`"),
        }
    }
}

/// Waits for the server's word, unless Ctrl-C comes first. What was asked for may then go on without us.
pub(super) async fn unless_stopped<T>(
    app: &AppName,
    asking: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        stopped = stopped() => Err(stopped.map_or_else(|failure| failure, |()| unanswered(app))),
        answer = asking => answer,
    }
}

/// Ends with Ctrl-C.
pub(super) async fn stopped() -> Result<(), Failure> {
    let interrupted = tokio::signal::ctrl_c().await;
    interrupted.map_err(|error| Failure::local("Ctrl-C cannot be noticed").because(error))
}

/// The server has everything, and has not said what comes of it.
pub(super) fn unanswered(app: &AppName) -> Failure {
    Failure::local("stopped before the server answered")
        .because("it may have taken the deploy already")
        .hint(format!("`paas builds -a {app}` shows it; `paas deploys cancel -a {app}` stops it"))
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The release serves.
    Serves {
        /// Which.
        release: String,
        /// Where.
        urls: Vec<String>,
    },
    /// It does not, and that has been told.
    Failed,
    /// The user does not want to watch any longer.
    Left,
}

/// Tells what happens: at length, or in one line.
pub(crate) trait Tell {
    /// Tells one frame; an ending ends it.
    fn tell(&mut self, frame: Frame) -> Option<Ending>;
    /// The line broke; everything will be sent again from the start.
    fn rejoin(&mut self);
}

/// Follows to the end, or until Ctrl-C.
pub(crate) async fn follow(
    client: &Client,
    app: &AppName,
    followed: Followed,
    teller: &mut dyn Tell,
) -> Result<Ending, Failure> {
    tokio::select! {
        biased;
        stopped = stopped() => stopped.map(|()| Ending::Left),
        ending = persist(client, app, followed, teller) => ending,
    }
}

async fn persist(
    client: &Client,
    app: &AppName,
    followed: Followed,
    teller: &mut dyn Tell,
) -> Result<Ending, Failure> {
    let parameter = match followed {
        Followed::Build(number) => ("build", Some(number.to_string())),
        Followed::Rollout(number) => ("rollout", Some(number.to_string())),
    };
    let path = route::query(route::of(app, "follow"), &[parameter]);
    let mut broken = 0;
    loop {
        match once(client, &path, teller, &mut broken).await {
            Ok(Some(ending)) => return Ok(ending),
            Err(failure @ Failure::Unreachable(_)) if broken >= BREAKS => return Err(failure),
            Ok(None) if broken >= BREAKS => {
                return Err(Failure::unreachable("the server ends the story before its end"));
            }
            Ok(None) | Err(Failure::Unreachable(_)) => {
                broken += 1;
                if broken == 1 {
                    teller.rejoin();
                }
                sleep(PAUSE * broken).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// One connection; `None` where it ends before the story does.
async fn once(
    client: &Client,
    path: &str,
    teller: &mut dyn Tell,
    broken: &mut u32,
) -> Result<Option<Ending>, Failure> {
    let mut frames = client.lines(path).await?;
    while let Some(frame) = frames.next::<Frame>().await? {
        *broken = 0;
        if let Some(ending) = teller.tell(frame) {
            return Ok(Some(ending));
        }
    }
    Ok(None)
}

/// A change told in one line and followed to its end: `Restarting hello... done, v10`.
pub(crate) async fn finish(
    session: &Session,
    app: &AppName,
    change: &Change,
    text: &str,
) -> Result<(), Failure> {
    let mut line = OneLine::new(&session.ui, text);
    let (Some(rollout), None) = (change.rollout, &change.unchanged) else {
        line.end(&outcome(change));
        return Ok(());
    };
    let ending = follow(session.client()?, app, Followed::Rollout(rollout), &mut line).await?;
    match ending {
        Ending::Serves { release, .. } => {
            line.end(&format!("done, {release}"));
            Ok(())
        }
        Ending::Failed => Err(Failure::Told),
        Ending::Left => {
            line.end("goes on without you");
            session.ui.hint(&format!("see how it does: `paas ps -a {app}`"));
            Err(Failure::Told)
        }
    }
}

/// What a change that is not followed came to.
pub(crate) fn outcome(change: &Change) -> String {
    if change.staged {
        return "staged".to_owned();
    }
    match (&change.unchanged, &change.release, change.rollout) {
        (Some(why), _, _) => format!("no change: {why}"),
        (None, Some(release), Some(_)) => format!("{release} is being rolled out"),
        (None, Some(release), None) => format!("done, {release}"),
        (None, None, Some(_)) => "under way".to_owned(),
        (None, None, None) => "done".to_owned(),
    }
}

/// So often a line may break without a word in between: half a minute
/// in all, for a restart of the daemon takes seconds.
const BREAKS: u32 = 15;
const PAUSE: Duration = Duration::from_millis(250);
