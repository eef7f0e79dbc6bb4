//! `paas open`.

use std::process::{Command, Stdio};

use api::App;
use clap::Args;

use crate::{args::AppOption, client::route, failure::Failure, session::Session};

/// Print an app's address, and open it in the browser where there is one
#[derive(Debug, Clone, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    app: AppOption,
}

impl Open {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let app = session.app(&self.app)?;
        let known: App = session.client()?.get(&route::app(&app)).await?.read()?;
        let Some(url) = known.urls.first() else {
            return Err(Failure::local(format!("{app} has no address"))
                .because("no host leads to it: it is private, as [private] in paas.toml says")
                .hint(format!("`paas why {app}`")));
        };
        session.ui.data(url)?;
        let web = url.starts_with("http://") || url.starts_with("https://");
        if session.environment.display && web {
            let browser = Command::new("xdg-open")
                .arg(url)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            if let Err(error) = browser {
                session.ui.warn(&format!("no browser was opened: {error}"));
            }
        }
        Ok(())
    }
}
