//! Images of Dockerfiles: Docker's classic builder, which needs nothing but a tar.
//!
//! Docker ends a build, and removes the container of its step, when the connection that asked for
//! it goes; a daemon that dies leaves nothing running.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use bollard::{
    BollardRequest,
    models::BuildInfo,
    query_parameters::{BuildImageOptions, ListImagesOptions},
};
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::mpsc;

use super::{
    Docker, credentials, fault,
    image::{Below, remove_name, watched},
    label,
    network::{self, Network},
    pull, steps,
};
use crate::{
    engine::{EngineError, ImageBuild, ImageFacts, ImageNews, ImageOrigin},
    model::{AppName, ByteSize, ImageId, ImageReference},
};

pub(super) async fn facts(
    docker: &Docker,
    reference: &str,
) -> Result<Option<ImageFacts>, EngineError> {
    let inspect = docker.api().inspect_image(reference);
    let image = match docker.ask("image inspect", reference, inspect).await {
        Ok(image) => image,
        Err(error) if fault::status(&error) == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    let config = image.config.unwrap_or_default();
    let exposed = config.exposed_ports.unwrap_or_default();
    let tcp = exposed.iter().filter_map(|port| match port.split_once('/') {
        Some((port, "tcp")) => port.parse().ok(),
        Some(_) => None,
        None => port.parse().ok(),
    });
    let mut ports: Vec<u16> = tcp.collect();
    ports.sort_unstable();
    let variables = config.env.unwrap_or_default();
    let environment = variables.iter().filter_map(|variable| {
        let (name, value) = variable.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(Some(ImageFacts {
        id: image.id.unwrap_or_default(),
        architecture: image.architecture.unwrap_or_default(),
        os: image.os.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        ports,
        triggers: config.on_build.unwrap_or_default().len(),
        size: ByteSize(image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default()),
        digests: image.repo_digests.unwrap_or_default(),
        environment: environment.collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        layers: image.root_fs.and_then(|root| root.layers).unwrap_or_default(),
    }))
}

pub(super) async fn get(docker: &Docker, reference: &ImageReference) -> Result<(), EngineError> {
    let known = credentials::of(docker, reference.registry());
    pull::get(docker, reference.as_str(), known).await
}

pub(super) fn save(docker: &Docker, id: &ImageId) -> BoxStream<'static, std::io::Result<Bytes>> {
    docker.api().export_image(id.as_str()).map_err(std::io::Error::other).boxed()
}

pub(super) async fn untag(docker: &Docker, name: &str) -> Result<(), EngineError> {
    remove_name(docker, name, Below::Stays).await
}

/// Builds, and passes on what Docker says. bollard's stream borrows its client, so a task reads it;
/// dropping what is returned ends that task, and the connection with it.
pub(super) fn build(
    docker: &Docker,
    spec: &ImageBuild,
    context: BoxStream<'static, std::io::Result<Bytes>>,
) -> BoxStream<'static, Result<ImageNews, EngineError>> {
    let (docker, spec) = (docker.clone(), spec.clone());
    let (sender, receiver) = mpsc::channel(PENDING);
    tokio::spawn(async move {
        let reading = read(&docker, &spec, context, &sender);
        let ended = tokio::select! {
            biased;
            () = sender.closed() => return,
            ended = reading => ended,
        };
        if let Err(error) = ended {
            let _ = sender.send(Err(error)).await;
        }
    });
    let receive =
        async |mut receiver: mpsc::Receiver<_>| receiver.recv().await.map(|news| (news, receiver));
    stream::unfold(receiver, receive).boxed()
}

async fn read(
    docker: &Docker,
    spec: &ImageBuild,
    context: BoxStream<'static, std::io::Result<Bytes>>,
    sender: &mpsc::Sender<Result<ImageNews, EngineError>>,
) -> Result<(), EngineError> {
    network::ensure(docker, &Network::of_builds(docker.installation())).await?;
    let limits = limits(spec);
    let api = docker.api().clone().with_request_modifier(move |request| limited(request, &limits));
    let (context, broke) = watched(context);
    let (known, body) = (credentials::all(docker), bollard::body_try_stream(context));
    let mut said = api.build_image(options(docker, spec), Some(known), Some(body)).boxed();
    let held = steps::hold(docker, spec);
    tokio::pin!(held);
    loop {
        let next = tokio::select! {
            next = said.next() => next,
            () = &mut held => None,
        };
        let Some(next) = next else { break };
        let info = next.map_err(|error| match broke.get() {
            Some(broke) => {
                let message = format!("its source broke: {broke}");
                fault::refuse("build", &spec.name, message)
            }
            None => docker.explain(error, "build", &spec.name),
        })?;
        let Some(news) = news(info) else { continue };
        if sender.send(Ok(news)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What a step may use, as the API wants it; bollard has no room for more than 2 GiB, nor for limits
/// of the shell's kind. No file may be larger than all of them together: Docker would write every
/// hole of a sparse one out when it keeps the step.
fn limits(spec: &ImageBuild) -> String {
    let quota = u64::from(spec.cpu_millis) * CPU_PERIOD / 1000;
    let memory = spec.memory.0;
    let file = spec.largest_file.0;
    // [{"Name":"fsize","Soft":…,"Hard":…}]
    let ulimits = format!("%5B%7B%22Name%22:%22fsize%22,%22Soft%22:{file},%22Hard%22:{file}%7D%5D");
    format!(
        "memory={memory}&memswap={memory}&cpuperiod={CPU_PERIOD}&cpuquota={quota}&ulimits={ulimits}"
    )
}

fn limited(mut request: BollardRequest, limits: &str) -> BollardRequest {
    let uri = request.uri();
    let joint = if uri.query().is_some() { '&' } else { '?' };
    if let Ok(uri) = format!("{uri}{joint}{limits}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn news(info: BuildInfo) -> Option<ImageNews> {
    let made = info.aux.and_then(|aux| aux.id).and_then(|id| id.parse().ok());
    made.map(ImageNews::Made).or(info.stream.or(info.status).map(ImageNews::Text))
}

fn options(docker: &Docker, spec: &ImageBuild) -> BuildImageOptions {
    let installation = docker.installation();
    BuildImageOptions {
        dockerfile: spec.dockerfile.clone(),
        t: Some(spec.name.clone()),
        rm: true,
        forcerm: true,
        buildargs: Some(spec.arguments.clone().into_iter().collect()),
        labels: (spec.origin == ImageOrigin::Dockerfile).then(label::of_last_stage),
        target: spec.target.clone().unwrap_or_default(),
        networkmode: Some(label::build_network(installation)),
        ..Default::default()
    }
}

pub(super) fn labels(
    docker: &Docker,
    app: &AppName,
    origin: ImageOrigin,
) -> BTreeMap<String, String> {
    let installation = docker.installation();
    let labels = match origin {
        ImageOrigin::Dockerfile => label::of_stage(installation, app),
        ImageOrigin::Local | ImageOrigin::Pulled => label::of_image(installation, app, origin),
    };
    labels.into_iter().collect()
}

/// What of an app has the labels of a stage, and neither a name nor anything built upon it.
pub(super) async fn stages(docker: &Docker, app: &AppName) -> Result<Vec<ImageId>, EngineError> {
    let own = label::of_stage(docker.installation(), app);
    let own = own.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let filters = HashMap::from([
        ("label".to_owned(), own),
        ("dangling".to_owned(), vec!["true".to_owned()]),
    ]);
    let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
    let images = docker.ask("image ls", "stages", docker.api().list_images(Some(options))).await?;
    Ok(images.into_iter().filter_map(|image| image.id.parse().ok()).collect())
}

/// What the last step of an image added to it.
pub(super) async fn added(docker: &Docker, image: &str) -> Result<ByteSize, EngineError> {
    let history = docker.ask("image history", image, docker.api().image_history(image)).await?;
    let last = history.first().and_then(|step| u64::try_from(step.size).ok());
    Ok(ByteSize(last.unwrap_or_default()))
}

/// Where Docker keeps images.
pub(super) async fn folder(docker: &Docker) -> Result<Option<PathBuf>, EngineError> {
    let info = docker.ask("info", "the engine", docker.api().info()).await?;
    Ok(info.docker_root_dir.map(PathBuf::from))
}

/// News between Docker and the log; when full, the build waits.
const PENDING: usize = 64;

/// Microseconds, as the kernel counts by default.
const CPU_PERIOD: u64 = 100_000;
