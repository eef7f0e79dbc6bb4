//! `paas launch`.

use std::path::{Path, PathBuf};

use api::{CreateApp, FaultCode};
use clap::Args;
use hyper::Method;

use super::{
    deploy::{Delivery, deliver},
    plan,
    upload::Order,
};
use crate::{
    args::{AppOption, Wait},
    client::route,
    failure::Failure,
    remote,
    session::Session,
    source::Way,
    target::{self, AppName, Chosen, MANIFEST, Origin},
};

/// Make an app from a folder, note its name in paas.toml, and deploy it
#[derive(Debug, Clone, Args)]
pub(crate) struct Launch {
    /// The app's folder, which also suggests its name
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    app: AppOption,
    #[command(flatten)]
    wait: Wait,
    /// Say what is left out of the upload
    #[arg(short, long)]
    verbose: bool,
}

impl Launch {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let folder = session.environment.at(&self.folder);
        let chosen = target::app(&self.app, &session.environment, &folder)?;
        let app = match chosen {
            Some(Chosen { name, origin: Origin::Manifest(_) }) => {
                check(session, &folder, &name).await?;
                existing_or_new(session, &name).await?;
                name
            }
            Some(Chosen { name, origin: Origin::Option | Origin::Environment }) => {
                create(session, &folder, Some(name)).await?
            }
            Some(Chosen { origin: Origin::Remote, .. }) | None => {
                create(session, &folder, None).await?
            }
        };
        remote::offer(session, &folder, &app).await;
        let (wait, verbose, way) = (&self.wait, self.verbose, &Way::default());
        let (folder, app, buildpacks) = (folder.as_path(), &app, &[][..]);
        let (strategy, order) = (None, &Order::default());
        let delivery = Delivery { folder, app, buildpacks, way, strategy, order, wait, verbose };
        deliver(session, delivery).await
    }
}

/// Has the server read what the folder says of an app, before that is made: what is wrong leaves no empty
/// app behind.
pub(super) async fn check(session: &Session, folder: &Path, app: &AppName) -> Result<(), Failure> {
    plan::ask(session, folder, app).await.map(drop)
}

/// Makes an app for `folder` and notes its name there. A name that the folder suggests gives way
/// to one that exists; a name that was asked for does not.
pub(crate) async fn create(
    session: &Session,
    folder: &Path,
    wanted: Option<AppName>,
) -> Result<AppName, Failure> {
    let app = match wanted {
        Some(name) => {
            check(session, folder, &name).await?;
            make(session, &name).await?;
            name
        }
        None => {
            let name = suggested(folder);
            check(session, folder, &name).await?;
            make_unique(session, &name).await?
        }
    };
    let file = target::write_manifest(folder, &app)?;
    let here = file.strip_prefix(&session.environment.folder).unwrap_or(&file);
    session.ui.talk(&format!("Noted it in {}.", here.display()));
    Ok(app)
}

/// Makes the app `name` and says so.
pub(crate) async fn make(session: &Session, name: &AppName) -> Result<(), Failure> {
    let create = CreateApp { name: name.to_string() };
    session.client()?.send(Method::POST, route::APPS, &create).await?;
    session.ui.talk(&format!("Made the app {name}."));
    Ok(())
}

async fn existing_or_new(session: &Session, name: &AppName) -> Result<(), Failure> {
    match make(session, name).await {
        Err(Failure::Refused(fault)) if fault.code == FaultCode::Conflict => {
            session.ui.talk(&format!("{MANIFEST} names the app {name}, which exists."));
            Ok(())
        }
        outcome => outcome,
    }
}

async fn make_unique(session: &Session, name: &AppName) -> Result<AppName, Failure> {
    let mut candidate = name.clone();
    for number in 2..=MOST {
        match make(session, &candidate).await {
            Ok(()) => return Ok(candidate),
            Err(Failure::Refused(fault)) if fault.code == FaultCode::Conflict => {
                candidate = name.with_suffix(&number.to_string());
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::local(format!("{name} and its like are taken"))
        .hint("name it yourself: `paas launch -a NAME`"))
}

/// The name that an app of that folder would be given.
pub(super) fn suggested(folder: &Path) -> AppName {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    AppName::from_folder(&name.unwrap_or_default())
}

const MOST: u32 = 20;
