//! Layers that Docker should have and has lost are sent after all.
//!
//! The real Docker, seen through an engine that does not notice when an image goes, as happens
//! when somebody cleans up between the question and the load.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use paas::{
    build::Builder,
    engine::{
        BuildEngine, Builder as Container, BuilderSpec, EngineError, ImageBuild, ImageEngine,
        ImageFacts, ImageNews, ImageOrigin, OwnImage, Root, RootError, Traces, docker::Docker,
    },
    model::{AppName, ByteSize, ContainerId, Exit, ImageId, ImageReference},
};

use crate::{package, world::World};

#[derive(Clone)]
pub(crate) struct Forgetful {
    docker: Docker,
    seen: Arc<Mutex<HashMap<ImageId, Vec<String>>>>,
    loads: Arc<Mutex<u32>>,
    /// How often packages were installed.
    pub(crate) changes: Arc<Mutex<u32>>,
}

impl Forgetful {
    pub(crate) fn new(docker: Docker) -> Self {
        let (seen, loads, changes) = (Arc::default(), Arc::default(), Arc::default());
        Self { docker, seen, loads, changes }
    }
}

impl BuildEngine for Forgetful {
    async fn image_layers(&self, id: &ImageId) -> Result<Option<Vec<String>>, EngineError> {
        let found = self.docker.image_layers(id).await?;
        let mut seen = self.seen.lock().unwrap();
        if let Some(layers) = found {
            seen.insert(id.clone(), layers);
        }
        Ok(seen.get(id).cloned())
    }

    async fn load(&self, tar: BoxStream<'static, io::Result<Bytes>>) -> Result<(), EngineError> {
        *self.loads.lock().unwrap() += 1;
        self.docker.load(tar).await
    }

    async fn start_builder(&self, spec: &BuilderSpec) -> Result<ContainerId, EngineError> {
        self.docker.start_builder(spec).await
    }

    async fn wait_builder(&self, id: &ContainerId) -> Result<Exit, EngineError> {
        self.docker.wait_builder(id).await
    }

    async fn builder_output(&self, id: &ContainerId) -> Result<String, EngineError> {
        self.docker.builder_output(id).await
    }

    async fn builder_traces(&self, id: &ContainerId) -> Result<Traces, EngineError> {
        self.docker.builder_traces(id).await
    }

    async fn builders(&self) -> Result<Vec<Container>, EngineError> {
        self.docker.builders().await
    }

    async fn remove_builder(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.docker.remove_builder(id).await
    }

    async fn tag(&self, id: &ImageId, name: &str) -> Result<(), EngineError> {
        self.docker.tag(id, name).await
    }

    async fn images(&self) -> Result<Vec<OwnImage>, EngineError> {
        self.docker.images().await
    }

    async fn remove_image(&self, id: &ImageId) -> Result<(), EngineError> {
        self.docker.remove_image(id).await
    }

    async fn pull_roots(
        &self,
        reference: &str,
        roots: &[Root],
        first_contact: Duration,
    ) -> Result<(), RootError> {
        self.docker.pull_roots(reference, roots, first_contact).await
    }

    async fn change_root(&self, image: &ImageId, root: &Root) -> Result<(), RootError> {
        *self.changes.lock().unwrap() += 1;
        self.docker.change_root(image, root).await
    }

    async fn remove_root(&self, name: &'static str) -> Result<(), EngineError> {
        self.docker.remove_root(name).await
    }
}

impl ImageEngine for Forgetful {
    async fn image(&self, reference: &str) -> Result<Option<ImageFacts>, EngineError> {
        self.docker.image(reference).await
    }

    async fn pull(&self, reference: &ImageReference) -> Result<(), EngineError> {
        self.docker.pull(reference).await
    }

    fn save(&self, id: &ImageId) -> BoxStream<'static, io::Result<Bytes>> {
        self.docker.save(id)
    }

    async fn untag(&self, name: &str) -> Result<(), EngineError> {
        self.docker.untag(name).await
    }

    fn build_image(
        &self,
        spec: &ImageBuild,
        context: BoxStream<'static, io::Result<Bytes>>,
    ) -> BoxStream<'static, Result<ImageNews, EngineError>> {
        self.docker.build_image(spec, context)
    }

    fn labels(&self, app: &AppName, origin: ImageOrigin) -> BTreeMap<String, String> {
        self.docker.labels(app, origin)
    }

    async fn stages(&self, app: &AppName) -> Result<Vec<ImageId>, EngineError> {
        self.docker.stages(app).await
    }

    async fn remove_steps(&self, app: &AppName) -> Result<(), EngineError> {
        self.docker.remove_steps(app).await
    }

    async fn steps_written(&self, app: &AppName) -> Result<ByteSize, EngineError> {
        self.docker.steps_written(app).await
    }

    async fn step_added(&self, image: &str) -> Result<ByteSize, EngineError> {
        self.docker.step_added(image).await
    }

    async fn folder(&self) -> Result<Option<PathBuf>, EngineError> {
        self.docker.folder().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_that_docker_lost_are_sent_after_all() {
    let mut world = World::new().await;
    let engine = Forgetful::new(world.docker.clone());
    // A launcher of its own, or else the images of other tests would keep the layers alive.
    let mut binary = fs::read(&world.settings.launcher).unwrap();
    binary.extend(world.installation.bytes());
    world.settings.launcher = world.home.join("launcher");
    fs::write(&world.settings.launcher, binary).unwrap();
    let builder = Builder::new(engine.clone(), world.settings.clone());
    let page = |text: &str| {
        format!("require('http').createServer((q, s) => s.end('{text}')).listen(process.env.PORT)")
    };
    let manifest = package("true");
    let app = |text: &str, world: &World| {
        world.app(text, &[("app.js", &page(text)), ("package.json", &manifest)])
    };
    let source = app("one", &world);
    let (request, _news) = world.request("shop", &source);
    let first = builder.build(request).await.unwrap();
    assert_eq!(*engine.loads.lock().unwrap(), 1);

    world.docker.remove_image(&first.image).await.unwrap();
    let source = app("two", &world);
    let (request, _news) = world.request("shop", &source);
    let second = builder.build(request).await.unwrap();
    assert_eq!(*engine.loads.lock().unwrap(), 3, "one that fails for want of layers, one whole");
    assert!(world.answer("shop", &second).await.ends_with("two"));
    world.end().await;
}
