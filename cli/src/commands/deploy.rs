//! `paas deploy`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{Change, DeployRef, DeployUrl, FaultCode};
use clap::Args;
use hyper::Method;

use super::{
    follow::{Ending, Followed, follow, unless_stopped},
    launch,
    upload::{Order, upload},
};
use crate::{
    args::{AppOption, Wait},
    client::route,
    failure::Failure,
    session::Session,
    source::{self, Names, Source, Way},
    target::{self, AppName, Chosen, Origin},
    ui::{self, Story},
};

/// Upload a folder, build it, and release it
///
/// What `.gitignore` and `.paasignore` name stays here, and so do `.git`, `node_modules` and their
/// like. In a folder without an app one is made, as `paas launch` does. What ran before serves
/// until the new release is healthy. Ctrl-C stops the watching, not the deploy.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deploy {
    /// The app's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) app: AppOption,
    #[command(flatten)]
    wait: Wait,
    /// Build with this buildpack: its folder, its .cnb file, its image in the local Docker, or the
    /// id of one of ours or the builder's; may be repeated, in order
    #[arg(long = "buildpack", value_name = "DIR|FILE|IMAGE|ID", conflicts_with_all = ["image", "dockerfile"])]
    buildpacks: Vec<String>,
    #[command(flatten)]
    way: Way,
    /// How this release takes over, whatever paas.toml says
    #[arg(long, value_name = "STRATEGY", value_parser = ["rolling", "blue-green", "canary", "recreate"])]
    strategy: Option<String>,
    #[command(flatten)]
    order: Order,
    /// Deploy what was pushed with git before, in place of a folder
    #[arg(long = "ref", value_name = "SHA|TAG|BRANCH", conflicts_with_all = OF_A_FOLDER)]
    reference: Option<String>,
    /// Deploy a tar that the server fetches, plain or gzip, in place of a folder
    #[arg(long, value_name = "URL", conflicts_with_all = OF_A_FOLDER, conflicts_with = "reference")]
    url: Option<String>,
    /// What the tar must be, in hexadecimal digits
    #[arg(long, value_name = "SHA256", requires = "url")]
    sha256: Option<String>,
    /// Say what is left out of the upload
    #[arg(short, long)]
    verbose: bool,
}

/// What is said of a folder: it goes with the upload, or is about it, and there is none.
const OF_A_FOLDER: [&str; 7] =
    ["folder", "buildpacks", "image", "dockerfile", "builder", "strategy", "verbose"];

/// A deploy of a known app.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// Where its source is.
    pub(crate) folder: &'a Path,
    /// The app.
    pub(crate) app: &'a AppName,
    /// The buildpacks, in order; with none the server finds them.
    pub(crate) buildpacks: &'a [String],
    /// How the image is to come about.
    pub(crate) way: &'a Way,
    /// How its release is to take over, if that is said.
    pub(crate) strategy: Option<&'a str>,
    /// What it means to the app's builds that have not ended.
    pub(crate) order: &'a Order,
    /// Whether to wait for the end.
    pub(crate) wait: &'a Wait,
    /// Whether to say what is left out.
    pub(crate) verbose: bool,
}

impl Deploy {
    /// Whether it is of a folder of this machine.
    pub(super) fn is_of_folder(&self) -> bool {
        self.reference.is_none() && self.url.is_none()
    }

    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        if let Some(reference) = &self.reference {
            let app = session.app(&self.app)?;
            let change = again(session, &app, reference, &self.order).await?;
            return watch(session, &app, &change, &self.wait).await;
        }
        if let Some(url) = self.url {
            let app = session.app(&self.app)?;
            let body = DeployUrl { url, sha256: self.sha256 };
            let change = fetch(session, &app, &body, &self.order).await?;
            return watch(session, &app, &change, &self.wait).await;
        }
        let folder = session.environment.at(&self.folder);
        let app = self.app(session, &folder).await?;
        let delivery = Delivery {
            folder: &folder,
            app: &app,
            buildpacks: &self.buildpacks,
            way: &self.way,
            strategy: self.strategy.as_deref(),
            order: &self.order,
            wait: &self.wait,
            verbose: self.verbose,
        };
        deliver(session, delivery).await
    }

    /// The app, made where there is none yet: one command is the promise. A name that was typed
    /// for this one time is not made, for it is more likely a slip.
    async fn app(&self, session: &Session, folder: &Path) -> Result<AppName, Failure> {
        let chosen = target::app(&self.app, &session.environment, folder)?;
        let Some(Chosen { name, origin }) = chosen else {
            return launch::create(session, folder, None).await;
        };
        session.remember(&name);
        let known = session.client()?.get(&route::app(&name)).await;
        match (known, origin) {
            (Ok(_), _) => Ok(name),
            (Err(Failure::Refused(fault)), Origin::Manifest(_) | Origin::Remote)
                if fault.code == FaultCode::NotFound =>
            {
                launch::check(session, folder, &name).await?;
                launch::make(session, &name).await.map(|()| name)
            }
            (Err(Failure::Refused(mut fault)), _) if fault.code == FaultCode::NotFound => {
                // Whoever names an app by hand may have mistyped it; nothing is made of that.
                fault.hint = Some(format!("`paas apps create {name}` makes it"));
                Err(Failure::Refused(fault))
            }
            (Err(failure), _) => Err(failure),
        }
    }
}

/// Uploads, builds, releases, and follows all that.
pub(crate) async fn deliver(session: &Session, delivery: Delivery<'_>) -> Result<(), Failure> {
    let Delivery { folder, app, .. } = delivery;
    let ui = &session.ui;
    session.remember(app);
    let image = match &delivery.way.image {
        Some(image) => Some(image.clone()),
        None if delivery.way.is_given() || !delivery.buildpacks.is_empty() => None,
        None => target::manifest_image(folder, app),
    };
    let mut source = match image {
        // The image is the app; of the folder only its settings count.
        Some(_) => source::settings(folder)?,
        None => source::list(folder)?,
    };
    let names = if delivery.way.brings_builder() { Names::OfBuilder } else { Names::OfImages };
    let _way = source::tell(&mut source, delivery.way)?;
    let _strategy = source::tell_strategy(&mut source, delivery.strategy)?;
    remark(session, &source, delivery.verbose)?;
    let _saved = source::bring(&mut source, delivery.buildpacks, names, |path| {
        session.environment.at(path)
    })?;
    let source = Arc::new(source);
    ui.heading(&format!("Uploading {app}"));
    let change = upload(session, &delivery, source).await?;
    watch(session, app, &change, delivery.wait).await
}

/// Has the server deploy what was pushed before.
async fn again(
    session: &Session,
    app: &AppName,
    reference: &str,
    order: &Order,
) -> Result<Change, Failure> {
    let body = DeployRef { reference: reference.to_owned() };
    let path = order.asked(route::of(app, "git/deploy"));
    let send = Box::pin(session.client()?.send(Method::POST, &path, &body));
    let change = unless_stopped(app, send).await?.read()?;
    session.ui.heading(&format!("Deploying {reference} to {app}"));
    Ok(change)
}

/// Has the server fetch what is deployed.
async fn fetch(
    session: &Session,
    app: &AppName,
    body: &DeployUrl,
    order: &Order,
) -> Result<Change, Failure> {
    session.ui.heading(&format!("Deploying {} to {app}", session.ui.foreign(&body.url)));
    let path = order.asked(route::of(app, "builds/fetch"));
    let send = Box::pin(session.client()?.send_for_long(&path, body));
    unless_stopped(app, send).await?.read()
}

/// Follows what a deploy set in motion, unless that is not wanted.
async fn watch(
    session: &Session,
    app: &AppName,
    change: &Change,
    wait: &Wait,
) -> Result<(), Failure> {
    let ui = &session.ui;
    if let Some(why) = &change.unchanged {
        ui.talk(&match &change.release {
            Some(release) => format!("no changes: {release} already runs this; nothing moved"),
            None => format!("no changes: {why}"),
        });
        return Ok(());
    }
    let followed = match (change.build, change.rollout) {
        (Some(build), _) => Followed::Build(build),
        (None, Some(rollout)) => Followed::Rollout(rollout),
        (None, None) => return Ok(()),
    };
    let back = followed.back(app);
    if wait.detach {
        ui.talk(&format!("The server goes on by itself. Watch it: {back}"));
        return Ok(());
    }
    let mut story = Story::new(ui, app.as_str());
    let ending = follow(session.client()?, app, followed, &mut story)
        .await
        .map_err(|failure| failure.hint(format!("the deploy may go on; watch it again: {back}")))?;
    conclude(session, ending, followed, app)
}

/// What a followed deploy ends with: its address as data, or a failure that has been told.
pub(crate) fn conclude(
    session: &Session,
    ending: Ending,
    followed: Followed,
    app: &AppName,
) -> Result<(), Failure> {
    match ending {
        Ending::Serves { urls, .. } => urls.iter().try_for_each(|url| session.ui.data(url)),
        Ending::Failed => Err(Failure::Told),
        Ending::Left => {
            session.ui.talk("");
            session.ui.talk("You stopped watching; the server goes on by itself.");
            session.ui.hint(&format!("watch it again: {}", followed.back(app)));
            session.ui.hint(&format!("stop it: `paas deploys cancel -a {app}`"));
            Err(Failure::Told)
        }
    }
}

fn remark(session: &Session, source: &Source, verbose: bool) -> Result<(), Failure> {
    let ui = &session.ui;
    if source.files() == 0 {
        return Err(Failure::usage("there is nothing to deploy")
            .because("the folder holds no file that is not ignored")
            .hint("`paas deploy DIR` takes the folder of an app"));
    }
    if verbose {
        for path in &source.ignored {
            ui.detail(&format!("left out: {}", path.display()));
        }
    }
    for path in &source.special {
        ui.warn(&format!("{} is left out: it is neither file, folder nor link", path.display()));
    }
    if source.bytes > MUCH {
        ui.warn(&format!("{} is a lot of source", ui::bytes(source.bytes)));
        ui.hint("leave out what the build does not need: one pattern a line in .paasignore");
    }
    Ok(())
}

/// Source code is smaller; what is not is mostly there by accident.
const MUCH: u64 = 200 << 20;
