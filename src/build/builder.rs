//! A build, told as a story: the source is put in its place, a container makes something of it,
//! that becomes an image, and what it was is remembered for the next time.
//!
//! One build at a time per app; who calls sees to that. Invariant: until the last step the record
//! of the last successful build stands, and what it says of folders that this build touched is
//! recognised as outdated.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use buildpacks::agent::{Built, Chosen, Job, Outcome, PreviousBuild};
use tokio::task::spawn_blocking;

use super::{
    brought,
    container::container,
    disk::DiskBound,
    error::BuildError,
    export::{self, Assembled, Context, Origin, Places, Shared},
    folder::Folder,
    pages,
    processes::processes,
    progress::Stage,
    request::{BuildRequest, Settings},
    session::{self, Session},
    workspace::{self, Previous, Workspace},
};
use crate::{
    engine::BuildEngine,
    faults,
    model::{AppName, Artifact, ByteSize, ImageId, Manifest},
    telemetry::chain,
};

/// Builds apps.
#[derive(Debug, Clone)]
pub struct Builder<E> {
    engine: E,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

impl<E: BuildEngine> Builder<E> {
    /// With base images that are there already; see [`super::load_base`].
    pub fn new(engine: E, settings: Settings) -> Self {
        Self { engine, settings: Arc::new(settings), shared: Arc::default() }
    }

    /// Makes an image of a source tree.
    pub async fn build(&self, request: BuildRequest) -> Result<Artifact, BuildError> {
        // Boxed, because it is large and the future of every caller would hold it.
        Box::pin(self.make(request)).await
    }

    async fn make(&self, request: BuildRequest) -> Result<Artifact, BuildError> {
        request.tell(Stage::Prepare).await;
        let (workspace, manifest, chosen) = self.prepare(&request).await?;
        request.go_on()?;
        let places = self.places(&workspace);
        let previous = self.previous(&workspace, &places).await?;
        let task = Task { workspace: &workspace, manifest: &manifest, chosen, previous: &previous };
        let built = self.run(&request, task).await?;
        let processes = processes(&built.processes, &manifest).map_err(BuildError::Processes)?;
        request.tell(Stage::Export).await;
        let name =
            format!("paas/{}:{}-{}", request.app, self.settings.installation, request.number);
        let (assembled, built) =
            self.assemble(&request, name, built, Arc::clone(&previous), places.clone()).await?;
        faults::point("build.exported");
        request.go_on()?;
        request.tell(Stage::Load).await;
        let size = assembled.size;
        let loading = self.load(assembled, built, &previous, workspace, places);
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
        session::sweep(&self.engine).await
    }

    /// What the folders of an app take on the disk: source, layers, caches and its own buildpacks.
    pub async fn usage(&self, app: &AppName) -> Result<ByteSize, BuildError> {
        let (apps, app) = (self.settings.apps.clone(), app.clone());
        blocking(move || {
            let workspace = Workspace::open(&apps, &app).map_err(BuildError::prepare)?;
            let Workspace { source, layers, cache, buildpacks, .. } = &workspace;
            let folders = [source, layers, cache, buildpacks];
            let sizes = folders.into_iter().map(|folder| export::disk_usage(folder));
            Ok(ByteSize(sizes.sum::<Result<u64, _>>()?))
        })
        .await
    }

    /// The app's folders, with the workspace equal to the source; its manifest; its buildpacks.
    async fn prepare(
        &self,
        request: &BuildRequest,
    ) -> Result<(Workspace, Manifest, Vec<Chosen>), BuildError> {
        let (apps, app) = (self.settings.apps.clone(), request.app.clone());
        let (source, cache) = (request.source.clone(), self.settings.cache.clone());
        blocking(move || {
            let manifest = read_manifest(&source)?;
            let workspace = Workspace::open(&apps, &app).map_err(BuildError::prepare)?;
            // The app's own cache is mounted inside of the shared one.
            workspace::make(&cache).map_err(BuildError::prepare)?;
            workspace::make(&cache.join("app")).map_err(BuildError::prepare)?;
            faults::point("build.unpacked");
            workspace::sync(&source, &workspace.source).map_err(BuildError::prepare)?;
            faults::point("build.synced");
            let chosen = brought::bring(&source, &manifest.build.buildpacks, &workspace)
                .map_err(BuildError::Brought)?;
            Ok((workspace, manifest, chosen))
        })
        .await
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

    /// Lets the buildpacks work.
    async fn run(&self, request: &BuildRequest, task: Task<'_>) -> Result<Built, BuildError> {
        let Task { workspace, manifest, chosen, previous } = task;
        let asked = manifest.build.memory.unwrap_or(request.limits.memory);
        let memory = asked.min(request.limits.most_memory);
        let pids = manifest.build.pids.unwrap_or(request.limits.pids);
        let mut env = self.settings.environment.clone();
        env.extend(request.environment.clone());
        let own = manifest.build.env.iter();
        env.extend(own.map(|(key, value)| (key.as_str().to_owned(), value.clone())));
        let known = previous.image.is_some();
        let job = Job {
            app: request.app.to_string(),
            env,
            target: self.settings.target.clone(),
            buildpacks: chosen,
            previous: known.then(|| PreviousBuild::clone(&previous.agent)),
        };
        let session = Session {
            spec: &container(&self.settings, request, workspace, memory, pids),
            run: &workspace.run,
            job: &job,
            deadline: manifest.build.timeout.unwrap_or(request.limits.timeout),
            cancel: &request.cancel,
            progress: &request.progress,
        };
        let disk = DiskBound {
            own: workspace.grows().map(Path::to_owned).to_vec(),
            shared: self.settings.cache.clone(),
            limit: manifest.build.disk.unwrap_or(request.limits.disk),
            reserve: request.limits.reserve,
        };
        match session::run(&self.engine, &session, &disk).await {
            Ok(Outcome::Built(built)) => Ok(built),
            Ok(Outcome::Failed(_)) if disk.is_full() => Err(self.give_back(workspace).await),
            Ok(Outcome::Failed(failed)) => Err(BuildError::Failed(failed)),
            Err(error @ (BuildError::Disk { .. } | BuildError::DiskFull)) => {
                self.give_back(workspace).await;
                Err(error)
            }
            Err(error) => Err(error),
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
            launcher: self.settings.binary.clone(),
            spool: self.settings.apps.clone(),
        }
    }

    async fn assemble(
        &self,
        request: &BuildRequest,
        name: String,
        built: Built,
        previous: Arc<Previous>,
        places: Places,
    ) -> Result<(Assembled, Built), BuildError> {
        let (app, settings) = (request.app.clone(), Arc::clone(&self.settings));
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let origin = Origin { app: &app, installation: &settings.installation };
            let context = Context { places, previous: &previous, shared: &shared };
            let assembled = export::assemble(&built, &settings.run, origin, name, &context)?;
            Ok((assembled, built))
        })
        .await
    }

    /// Gives the image to Docker and remembers the build.
    async fn load(
        &self,
        assembled: Assembled,
        built: Built,
        previous: &Previous,
        workspace: Workspace,
        places: Places,
    ) -> Result<ImageId, BuildError> {
        let donors = previous.image.iter().chain([&self.settings.run.id]).cloned().collect();
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
            let layers = export::remember(&built, &assembled, &places);
            let previous = Previous::new(built.remembered(), id, layers);
            workspace.remember(&previous).map_err(BuildError::Remember)
        })
        .await?;
        faults::point("build.remembered");
        Ok(image)
    }
}

/// What the buildpacks work on.
struct Task<'a> {
    workspace: &'a Workspace,
    manifest: &'a Manifest,
    chosen: Vec<Chosen>,
    previous: &'a Previous,
}

/// Reads `paas.toml` of a source tree, which must not be a link; without one all is default.
fn read_manifest(source: &Path) -> Result<Manifest, BuildError> {
    let folder = Folder::open(source).map_err(BuildError::prepare)?;
    let file = match folder.file("paas.toml".as_ref()) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
        Err(error) => return Err(BuildError::ManifestFile(error)),
    };
    let mut text = String::new();
    let read = file.take(MAX_MANIFEST + 1).read_to_string(&mut text);
    match read {
        Ok(count) if count as u64 > MAX_MANIFEST => {
            Err(BuildError::ManifestFile(io::ErrorKind::FileTooLarge.into()))
        }
        Ok(_) => {
            let mut manifest = Manifest::parse(&text).map_err(BuildError::Manifest)?;
            pages::read(&folder, &mut manifest)?;
            Ok(manifest)
        }
        Err(error) => Err(BuildError::ManifestFile(error)),
    }
}

/// Runs what waits for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    spawn_blocking(work).await.unwrap_or(Err(BuildError::Panicked))
}

const MAX_MANIFEST: u64 = 256 << 10;
