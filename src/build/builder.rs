//! A build, told as a story: the source is put in its place, a container makes something of it,
//! that becomes an image, and what it was is remembered for the next time.
//!
//! One build at a time per app; who calls sees to that. Invariant: until the last step the record
//! of the last successful build stands, and what it says of folders that this build touched is
//! recognised as outdated.

use std::sync::Arc;

use buildpacks::agent::{Chosen, Detection, Job, Outcome, PreviousBuild};
use tokio::task::spawn_blocking;

use super::{
    base::BaseImage,
    brought,
    container::{Site, container},
    declared,
    disk::DiskBound,
    error::BuildError,
    export::{self, Assembled, Context, Places, Shared},
    extended::{Finished, Images},
    folder::Owner,
    footing::Footing,
    processes::{Roster, processes},
    progress::Stage,
    request::{BuildRequest, Settings},
    resting::Resting,
    secrets,
    session::{self, Session},
    variants::{Lent, Variants},
    ways::{Gone, Named},
    workspace::{self, Previous, Suited, Workspace},
};
use crate::{
    engine::BuildEngine,
    faults,
    model::{AppName, Artifact, ByteSize, ImageId, Manifest, manifest::Declaration},
    telemetry::chain,
};

/// Builds apps.
#[derive(Debug, Clone)]
pub struct Builder<E> {
    pub(super) engine: E,
    pub(super) settings: Arc<Settings>,
    variants: Variants,
    shared: Arc<Shared>,
    resting: Arc<Resting>,
}

impl<E: BuildEngine> Builder<E> {
    /// With base images that are there already; see [`super::load_base`].
    pub fn new(engine: E, settings: Settings) -> Self {
        let Settings { variants, apt, installation, keep, .. } = &settings;
        let variants = Variants::at(variants, apt, installation);
        let resting = Arc::new(Resting::new(*keep));
        Self { engine, settings: Arc::new(settings), variants, shared: Arc::default(), resting }
    }

    /// Makes an image of a source tree.
    pub async fn build(&self, request: BuildRequest) -> Result<Artifact, BuildError> {
        // Boxed, because it is large and the future of every caller would hold it.
        Box::pin(self.make(request)).await
    }

    async fn make(&self, request: BuildRequest) -> Result<Artifact, BuildError> {
        let named = match self.without_buildpacks(&request).await? {
            Gone::Made(artifact) => return Ok(artifact),
            Gone::Buildpacks(named) => named,
        };
        request.tell(Stage::Prepare).await;
        let footing = self.footing(&request, named).await?;
        let (prepared, lent) = tokio::join!(self.prepare(&request, &footing), self.lent(&footing));
        let (workspace, declared, chosen) = prepared?;
        let Declaration { manifest, procfile, .. } = declared;
        request.go_on()?;
        let places = self.places(&workspace);
        let previous = self.previous(&workspace, &places).await?;
        let task = Task {
            footing: &footing,
            lent: lent.as_ref(),
            workspace: &workspace,
            manifest: &manifest,
            chosen,
            previous: &previous,
        };
        let finished = self.run(&request, task).await?;
        let Roster { processes, remarks } =
            processes(&finished.built.processes, &procfile, &manifest)
                .map_err(BuildError::Processes)?;
        for remark in remarks {
            request.say(remark).await;
        }
        request.tell(Stage::Export).await;
        let name = self.settings.image_name(&request);
        let (assembled, finished) =
            self.assemble(&request, name, finished, Arc::clone(&previous), places.clone()).await?;
        faults::point("build.exported");
        request.go_on()?;
        request.tell(Stage::Load).await;
        let size = assembled.size;
        let loading = self.load(assembled, finished, &previous, workspace, places);
        let image = tokio::select! {
            biased;
            image = loading => image?,
            // What Docker has taken of it by then has no name in our records and is swept.
            () = request.cancel.cancelled() => return Err(BuildError::Cancelled),
        };
        Ok(Artifact { image, size, processes, deploy: manifest.deploy_settings() })
    }

    /// Removes the containers of builds that died with an earlier daemon. To be called before the
    /// first build.
    pub async fn sweep(&self) -> Result<usize, BuildError> {
        self.variants.sweep(&self.engine).await?;
        session::sweep(&self.engine).await
    }

    /// Removes the containers that wait for builds of apps that are not `wanted` any more.
    pub async fn dismiss(&self, wanted: impl Fn(&AppName) -> bool) {
        self.resting.dismiss(&self.engine, wanted).await;
    }

    /// Whether a container waits for the next build of its app.
    pub fn is_anybody_resting(&self) -> bool {
        !self.resting.is_empty()
    }

    /// What the folders of an app take on the disk: source, layers, caches and its own buildpacks.
    pub async fn usage(&self, app: &AppName) -> Result<ByteSize, BuildError> {
        let (apps, app) = (self.settings.apps.clone(), app.clone());
        blocking(move || {
            let Workspace { source, layers, cache, buildpacks, .. } = Workspace::at(&apps, &app);
            let folders = [source, layers, cache, buildpacks];
            let sizes = folders.iter().map(|folder| export::disk_usage(folder));
            Ok(ByteSize(sizes.sum::<Result<u64, _>>()?))
        })
        .await
    }

    /// What the build stands on.
    async fn footing(
        &self,
        request: &BuildRequest,
        named: Option<Named>,
    ) -> Result<Footing, BuildError> {
        let builder = match named {
            None => return Ok(Footing::ours(&self.settings)),
            Some(Named::Told(builder)) => builder,
            Some(Named::Project(builder)) => {
                if self.engine.image(builder.as_str()).await?.is_none() {
                    let line = format!(
                        "project.toml names the builder {builder}, which is not in this server's \
                         Docker: building with the server's own buildpacks\n       `paas deploy \
                         --builder {builder}` fetches it"
                    );
                    for line in line.lines() {
                        request.say(line.to_owned()).await;
                    }
                    return Ok(Footing::ours(&self.settings));
                }
                request.say("project.toml names a builder, which is here".to_owned()).await;
                builder
            }
        };
        Footing::find(&self.engine, request, &builder, request.limits.timeout).await
    }

    /// What apt in the build container is lent; images of others have sources of their own.
    async fn lent(&self, footing: &Footing) -> Option<Lent> {
        if footing.builder.is_some() { None } else { self.variants.lent().await }
    }

    /// The app's folders, with the workspace equal to the source; what its files say; its buildpacks.
    async fn prepare(
        &self,
        request: &BuildRequest,
        footing: &Footing,
    ) -> Result<(Workspace, Declaration, Vec<Chosen>), BuildError> {
        let (apps, app) = (self.settings.apps.clone(), request.app.clone());
        let (source, cache) = (request.source.clone(), self.settings.cache.clone());
        let (owner, mark) = (footing.owner, footing.mark());
        let (suited, prepared) = blocking(move || {
            let declared = declared::read(&source, &app)?;
            let workspace = Workspace::open(&apps, &app, owner).map_err(BuildError::prepare)?;
            let suited = workspace.suit(&mark).map_err(BuildError::prepare)?;
            // The app's own cache is mounted inside of the shared one.
            workspace::make(&cache, Owner::APP).map_err(BuildError::prepare)?;
            workspace::make(&cache.join("app"), Owner::APP).map_err(BuildError::prepare)?;
            faults::point("build.unpacked");
            workspace::sync(&source, &workspace.source, owner).map_err(BuildError::prepare)?;
            faults::point("build.synced");
            let chosen = brought::bring(&source, &declared.manifest.build.buildpacks, &workspace)
                .map_err(BuildError::Brought)?;
            Ok((suited, (workspace, declared, chosen)))
        })
        .await?;
        if suited == Suited::Emptied {
            let line =
                "       the last build stood on another base: its layers and caches are gone";
            request.say(line.to_owned()).await;
        }
        Ok(prepared)
    }

    /// The last successful build, without the layers that something touched since.
    async fn previous(
        &self,
        workspace: &Workspace,
        places: &Places,
    ) -> Result<Arc<Previous>, BuildError> {
        let (workspace, places) = (workspace.clone(), places.clone());
        blocking(move || {
            let mut previous = workspace.previous();
            for key in export::touched(&previous, &places) {
                previous.forget(&key);
            }
            Ok(Arc::new(previous))
        })
        .await
    }

    /// Lets the buildpacks work: in the image of last time, and if they need other packages, once
    /// more in another.
    async fn run(&self, request: &BuildRequest, task: Task<'_>) -> Result<Finished, BuildError> {
        let Self { engine, variants, .. } = self;
        let images = Images { engine, variants, footing: task.footing, request };
        let mut image = images.last(task.previous).await?;
        let mut outcome = self.attempt(request, &task, (&image, None)).await?;
        if let Outcome::Wants(wants) = outcome {
            let detection;
            (image, detection) = images.next(wants).await?;
            outcome = self.attempt(request, &task, (&image, Some(detection))).await?;
        }
        match outcome {
            Outcome::Built(built) => images.finish(built, image).await,
            Outcome::Wants(_) => Err(BuildError::Gibberish),
            Outcome::Failed(failed) => Err(BuildError::Failed(failed)),
        }
    }

    /// Lets the buildpacks work in one image.
    async fn attempt(
        &self,
        request: &BuildRequest,
        task: &Task<'_>,
        (image, detection): (&BaseImage, Option<Detection>),
    ) -> Result<Outcome, BuildError> {
        let Task { footing, lent, workspace, manifest, chosen, previous } = task;
        let asked = manifest.build.memory.unwrap_or(request.limits.memory);
        let memory = asked.min(request.limits.most_memory);
        let pids = manifest.build.pids.unwrap_or(request.limits.pids);
        let mut env = self.settings.environment.clone();
        env.extend(request.environment.clone());
        env.extend(secrets::for_build(manifest, &request.secrets));
        let own = manifest.build.env.iter();
        env.extend(own.map(|(key, value)| (key.as_str().to_owned(), value.clone())));
        let known = previous.image.is_some();
        let job = Job {
            app: request.app.to_string(),
            env,
            target: footing.target.clone(),
            buildpacks: chosen.clone(),
            packages: image.packages.clone(),
            detection,
            previous: known.then(|| PreviousBuild::clone(&previous.agent)),
        };
        let (settings, lent) = (&*self.settings, *lent);
        let site = Site { settings, request, workspace, footing, image, lent };
        let session = Session {
            spec: &container(site, memory, pids),
            run: &workspace.run,
            owner: footing.owner,
            job: &job,
            deadline: manifest.build.timeout.unwrap_or(request.limits.timeout),
            cancel: &request.cancel,
            progress: &request.progress,
        };
        let disk = DiskBound {
            own: workspace.grows().map(std::path::Path::to_owned).to_vec(),
            shared: self.settings.cache.clone(),
            limit: manifest.build.disk.unwrap_or(request.limits.disk),
            reserve: request.limits.reserve,
        };
        match session::run(&self.engine, &self.resting, &session, &disk).await {
            Ok(Outcome::Failed(_)) if disk.is_full() => Err(self.give_back(workspace).await),
            Err(error @ (BuildError::Disk { .. } | BuildError::DiskFull)) => {
                self.give_back(workspace).await;
                Err(error)
            }
            other => other,
        }
    }

    /// After a build that filled the disk: what it wrote goes, and the next one begins from nothing.
    async fn give_back(&self, workspace: &Workspace) -> BuildError {
        let workspace = workspace.clone();
        let cleared = blocking(move || workspace.clear().map_err(BuildError::prepare)).await;
        if let Err(error) = cleared {
            tracing::warn!(error = %chain(&error), "what a build left on the disk stays");
        }
        BuildError::DiskFull
    }

    fn places(&self, workspace: &Workspace) -> Places {
        Places {
            workspace: workspace.source.clone(),
            layers: workspace.layers.clone(),
            toolchains: self.settings.toolchains.clone(),
            launcher: self.settings.launcher.clone(),
            spool: self.settings.apps.clone(),
            owner: workspace.owner,
        }
    }

    async fn assemble(
        &self,
        request: &BuildRequest,
        name: String,
        finished: Finished,
        previous: Arc<Previous>,
        places: Places,
    ) -> Result<(Assembled, Finished), BuildError> {
        let (app, shared) = (request.app.clone(), Arc::clone(&self.shared));
        blocking(move || {
            let context = Context { places, previous: &previous, shared: &shared };
            let Finished { built, run, .. } = &finished;
            let assembled = export::assemble(built, run, &app, name, &context)?;
            Ok((assembled, finished))
        })
        .await
    }

    /// Gives the image to Docker and remembers the build.
    async fn load(
        &self,
        assembled: Assembled,
        finished: Finished,
        previous: &Previous,
        workspace: Workspace,
        places: Places,
    ) -> Result<ImageId, BuildError> {
        let donors = previous.image.iter().chain([&finished.run.id]).cloned().collect();
        let (image, assembled) = match assembled.load(&self.engine, &donors).await {
            Ok(loaded) => loaded,
            Err(error) => {
                // A layer that cannot be sent again must be made again by the next build.
                if matches!(error, export::ExportError::Lost { .. }) {
                    let _ = workspace.remember(&Previous::default());
                }
                return Err(error.into());
            }
        };
        faults::point("build.loaded");
        let id = image.clone();
        blocking(move || {
            let built = &finished.built;
            let layers = export::remember(built, &assembled, &places);
            let mut previous = Previous::new(built.remembered(), id, layers);
            finished.remember(&mut previous);
            workspace.remember(&previous).map_err(BuildError::Remember)
        })
        .await?;
        faults::point("build.remembered");
        Ok(image)
    }
}

/// What the buildpacks work on.
struct Task<'a> {
    footing: &'a Footing,
    lent: Option<&'a Lent>,
    workspace: &'a Workspace,
    manifest: &'a Manifest,
    chosen: Vec<Chosen>,
    previous: &'a Previous,
}

/// Runs what waits for the disk where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    spawn_blocking(work).await.unwrap_or(Err(BuildError::Panicked))
}
