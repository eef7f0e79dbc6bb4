//! A small world on the real Docker: one installation, one image with busybox in it.

use std::{
    collections::HashMap,
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, Instant},
};

use bollard::query_parameters as ask;
use futures_util::{StreamExt, stream};
use paas::{
    engine::{
        BuildEngine, Engine, InstanceSpec,
        docker::{Docker, DockerSettings, InstallationId},
    },
    model::{
        HealthCheck, ImageId, Incarnation, Instance, Process, ReleaseVersion, Slot, process::Limits,
    },
};
use sha2::{Digest, Sha256};

pub(crate) struct World {
    pub(crate) docker: Docker,
    pub(crate) installation: InstallationId,
    pub(crate) image: ImageId,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(DockerSettings::new(unique())).await
    }

    /// A world whose connection is not the usual one.
    pub(crate) async fn over(settings: DockerSettings) -> Self {
        let installation = settings.installation.clone();
        let docker = Docker::connect(settings).await.unwrap();
        let (image, tar) = image(&installation);
        let world = Self { docker, installation, image };
        world.docker.load(stream::iter([Ok(tar.into())]).boxed()).await.unwrap();
        world
    }

    /// An instance of `shop` that runs a shell script.
    pub(crate) fn spec(&self, script: &str) -> InstanceSpec {
        let process = Process {
            name: "web".parse().unwrap(),
            entrypoint: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            command: script.to_owned(),
            port: Some(8080),
            scale: 1,
            health: HealthCheck::default(),
            liveness: paas::model::Liveness::default(),
            stop_timeout: Duration::from_secs(30),
            limits: Limits::default(),
            privileges: paas::model::Privileges::Plain,
            volumes: [].into(),
            place: [].into(),
        };
        InstanceSpec {
            app: "shop".parse().unwrap(),
            slot: Slot { process: "web".parse().unwrap(), index: 1 },
            incarnation: Incarnation { release: ReleaseVersion(12), restart: 0 },
            attempt: 0,
            node: None,
            image: self.image.clone(),
            process,
            environment: [].into(),
            secrets: [].into(),
            files: [].into(),
            handed: None,
            sent: [].into(),
            disks: Vec::new(),
        }
    }

    /// The only instance there is.
    pub(crate) async fn only(&self) -> Instance {
        let mut all = self.docker.instances().await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The only instance, once it has ended.
    pub(crate) async fn ended(&self) -> Instance {
        eventually("the instance ends", || async {
            let only = self.only().await;
            only.is_gone().then_some(only)
        })
        .await
    }

    /// All lines that an ended instance wrote.
    pub(crate) async fn output(&self, instance: &Instance) -> Vec<String> {
        let lines = self.docker.output(&instance.id, None);
        lines.map(|line| line.unwrap().text).collect().await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let label = format!("paas.installation={}", self.installation);
        // A thread of its own, because a test's runtime cannot wait for work while it drops.
        let clean = move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(remove_all(&label));
        };
        std::thread::spawn(clean).join().unwrap();
    }
}

async fn remove_all(label: &str) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let api = api.negotiate_version().await.unwrap();
    let filters = Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let list =
        ask::ListContainersOptions { all: true, filters: filters.clone(), ..Default::default() };
    for container in api.list_containers(Some(list)).await.unwrap() {
        let options = ask::RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let _ = api.remove_container(&container.id.unwrap(), Some(options)).await;
    }
    let list = ask::ListNetworksOptions { filters: filters.clone() };
    for network in api.list_networks(Some(list)).await.unwrap() {
        let _ = api.remove_network(&network.id.unwrap()).await;
    }
    let list = ask::ListImagesOptions { filters, ..Default::default() };
    for image in api.list_images(Some(list)).await.unwrap() {
        let options = ask::RemoveImageOptions { force: true, ..Default::default() };
        let _ = api.remove_image(&image.id, Some(options), None).await;
    }
}

/// An installation that nobody else has.
pub(crate) fn unique() -> InstallationId {
    let id = format!("t{:015x}", RandomState::new().build_hasher().finish() >> 4);
    id.parse().unwrap()
}

/// Waits until `look` sees something. The deadline only ends a test that has failed: a machine that others
/// use as well can be many times slower than it was.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A tar for `docker load`: one layer with busybox, owned by root, run as 1000:1000.
pub(crate) fn image(installation: &InstallationId) -> (ImageId, Vec<u8>) {
    let layer = layer();
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": "1000:1000",
            "Env": ["PATH=/bin"],
            "Labels": { "paas.installation": installation.as_str(), "paas.app": "shop" },
        },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = serde_json::json!([{ "Config": "config.json", "Layers": ["layer.tar"] }]);
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("layer.tar", layer),
        ("config.json", config.clone()),
        ("manifest.json", serde_json::to_vec(&manifest).unwrap()),
    ] {
        file(&mut tar, name, 0o644, &content);
    }
    (digest(&config).parse().unwrap(), tar.into_inner().unwrap())
}

pub(crate) fn layer() -> Vec<u8> {
    let busybox = std::fs::read("/bin/busybox").expect("apt-get install busybox-static");
    let mut tar = tar::Builder::new(Vec::new());
    file(&mut tar, "bin/busybox", 0o755, &busybox);
    for applet in [
        "sh", "sleep", "cat", "echo", "nc", "httpd", "head", "tail", "env", "id", "kill", "touch",
        "grep", "seq", "od", "mkdir", "test", "true", "ls", "printf", "tr",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    let mut tmp = tar::Header::new_gnu();
    tmp.set_entry_type(tar::EntryType::Directory);
    tmp.set_size(0);
    tmp.set_mode(0o1777);
    tar.append_data(&mut tmp, "tmp/", std::io::empty()).unwrap();
    tar.into_inner().unwrap()
}

fn file(tar: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    tar.append_data(&mut header, name, content).unwrap();
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
