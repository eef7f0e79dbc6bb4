//! `paas secrets rotate`.

use api::Rotation;
use clap::Args;
use hyper::Method;

use crate::{client::route, failure::Failure, session::Session, ui};

/// Make a new sealing key and seal all secrets of the server with it
///
/// That is every app's secrets, the private keys of certificates, and accounts at authorities. Nothing is
/// restarted, and all values stay as they are. Exports made before need the old key.
#[derive(Debug, Clone, Args)]
pub(super) struct Rotate {}

impl Rotate {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client()?.act(Method::POST, route::ROTATE).await?;
        let Rotation { records } = done.read()?;
        let records = ui::count(usize::try_from(records).unwrap_or(usize::MAX), "record");
        session.ui.talk(&format!("Sealing everything with a new key... done, {records}"));
        Ok(())
    }
}
