//! `paas destroy`.

use std::time::Duration;

use api::{App, FaultCode};
use clap::Args;
use hyper::Method;
use tokio::time::{Instant, sleep};

use crate::{client::route, failure::Failure, session::Session, target::AppName};

/// Destroy an app; `paas undelete` brings it back for a while
///
/// It ends at once. Its releases, config, secrets, logs, name and domains are kept for as long as the server
/// is told to, a week by itself, and then removed; with --now at once, and for good. The app is named
/// twice, or by `--confirm` alone; the folder you are in never decides.
#[derive(Debug, Clone, Args)]
pub(crate) struct Destroy {
    /// The app
    #[arg(value_name = "APP")]
    name: Option<AppName>,
    /// The app, as an option
    #[arg(short, long, value_name = "APP", conflicts_with = "name")]
    app: Option<AppName>,
    /// The app's name once more
    #[arg(long, value_name = "APP")]
    confirm: Option<AppName>,
    /// Keep nothing; also of an app that was destroyed before
    #[arg(long)]
    now: bool,
}

impl Destroy {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let named = self.name.or(self.app);
        let app = match (named, self.confirm) {
            (Some(name), Some(confirm)) if name != confirm => {
                return Err(Failure::usage(format!("{name} is not destroyed"))
                    .because(format!("`--confirm` names {confirm}")));
            }
            (_, Some(confirm)) => confirm,
            (Some(name), None) => return Err(unconfirmed(name.as_str())),
            (None, None) => return Err(unconfirmed("APP")),
        };
        session.remember(&app);
        let confirm = ("confirm", Some(app.to_string()));
        let now = ("now", self.now.then(|| "true".to_owned()));
        let path = route::query(route::app(&app), &[confirm, now]);
        session.client()?.act(Method::DELETE, &path).await?;
        session.ui.talk(&match gone(session, &app).await? {
            End::Gone => format!("Destroying {app}... done"),
            End::Kept(until) => {
                format!("Destroying {app}... done, {until}; `paas undelete {app}` brings it back")
            }
            End::GoesOn => format!("Destroying {app}... goes on; `paas apps` shows it until then"),
        });
        Ok(())
    }
}

/// What became of the app.
enum End {
    /// Nothing is left.
    Gone,
    /// Nothing runs, and the rest is kept; until when, in words.
    Kept(String),
    /// It takes longer.
    GoesOn,
}

/// Waits until nothing of the app runs, for as long as its instances may take to end.
async fn gone(session: &Session, app: &AppName) -> Result<End, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match session.client()?.get(&route::app(app)).await {
            Err(Failure::Refused(fault)) if fault.code == FaultCode::NotFound => {
                return Ok(End::Gone);
            }
            Err(failure) => return Err(failure),
            Ok(answer) => {
                let app: App = answer.read()?;
                if app.state == "destroyed" {
                    return Ok(End::Kept(app.reason.unwrap_or_default()));
                }
                sleep(BETWEEN).await;
            }
        }
    }
    Ok(End::GoesOn)
}

/// Longer than an app may take to end before it is killed, unless its manifest says otherwise.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(100);

fn unconfirmed(name: &str) -> Failure {
    Failure::usage("nothing is destroyed without `--confirm`")
        .because("it would end at once, and all that it has be removed after a while")
        .hint(format!("`paas destroy --confirm {name}`"))
}
