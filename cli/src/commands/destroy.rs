//! `paas destroy`.

use std::time::Duration;

use api::FaultCode;
use clap::Args;
use hyper::Method;
use tokio::time::{Instant, sleep};

use crate::{client::route, failure::Failure, session::Session, target::AppName};

/// Destroy an app with all its releases, config and logs
///
/// The app is named twice, or by `--confirm` alone; the folder you are in never decides.
#[derive(Debug, Clone, Args)]
pub(crate) struct Destroy {
    /// The app
    #[arg(value_name = "APP")]
    name: Option<AppName>,
    /// The app, as an option
    #[arg(short, long, value_name = "APP", conflicts_with = "name")]
    app: Option<AppName>,
    /// The app's name once more, because nothing brings it back
    #[arg(long, value_name = "APP")]
    confirm: Option<AppName>,
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
        let path = route::query(route::app(&app), &[confirm]);
        session.client()?.act(Method::DELETE, &path).await?;
        if gone(session, &app).await? {
            session.ui.talk(&format!("Destroying {app}... done"));
        } else {
            session
                .ui
                .talk(&format!("Destroying {app}... goes on; `paas apps` shows it until then"));
        }
        Ok(())
    }
}

/// Waits until nothing of the app is left, for as long as its instances may take to end.
async fn gone(session: &Session, app: &AppName) -> Result<bool, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match session.client()?.get(&route::app(app)).await {
            Err(Failure::Refused(fault)) if fault.code == FaultCode::NotFound => return Ok(true),
            Err(failure) => return Err(failure),
            Ok(_) => sleep(BETWEEN).await,
        }
    }
    Ok(false)
}

/// Longer than an app may take to end before it is killed, unless its manifest says otherwise.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(100);

fn unconfirmed(name: &str) -> Failure {
    Failure::usage("nothing is destroyed without `--confirm`")
        .because("its releases, config and logs would be gone for good")
        .hint(format!("`paas destroy --confirm {name}`"))
}
