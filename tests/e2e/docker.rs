//! Docker's own API, spoken directly: what a user with `docker` in hand sees and does.
//!
//! Not through the engine of the house, which is what is tested.

use std::path::Path;

use paas::node::wall::Wall;
use serde_json::Value;

use crate::http::{Answer, Request};

const BUILDER: &str = "builder";

pub(crate) const SOCKET: &str = "/var/run/docker.sock";

/// A container of an installation, as Docker lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) running: bool,
}

pub(crate) fn ask(method: &str, path: &str) -> Answer {
    let request = Request { method, ..Request::get("docker", path) };
    request.over_socket(Path::new(SOCKET)).unwrap()
}

/// Lists `containers` or `networks` with an installation's label.
fn list(what: &str, installation: &str) -> Vec<Value> {
    let filters = format!("%7B%22label%22%3A%5B%22paas.installation%3D{installation}%22%5D%7D");
    let answer = ask("GET", &format!("/v1.41/{what}?all=true&filters={filters}"));
    answer.json().as_array().cloned().unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// All containers of an installation but those of builds, which may wait for the next one.
pub(crate) fn containers(installation: &str) -> Vec<Container> {
    with_role(installation, |role| role != BUILDER)
}

/// The containers in which it builds, or waits to build.
pub(crate) fn builders(installation: &str) -> Vec<Container> {
    with_role(installation, |role| role == BUILDER)
}

fn with_role(installation: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Container> {
    let all = list("containers/json", installation);
    let mut containers: Vec<Container> = all
        .iter()
        .filter(|value| wanted(&value["Labels"]["paas.role"]))
        .map(|value| Container {
            name: value["Names"][0].as_str().unwrap_or_default().trim_matches('/').to_owned(),
            id: text(value, "Id"),
            running: value["State"] == "running",
        })
        .collect();
    containers.sort();
    containers
}

/// The addresses of an app's running instances, in order.
pub(crate) fn addresses(installation: &str, app: &str) -> Vec<String> {
    let all = list("containers/json", installation);
    let of = |one: &&Value| {
        let labels = &one["Labels"];
        labels["paas.app"] == app && labels["paas.role"] != BUILDER && one["State"] == "running"
    };
    let networks = all.iter().filter(of).map(|one| &one["NetworkSettings"]["Networks"]);
    let mut addresses: Vec<String> = networks
        .flat_map(|networks| networks.as_object().into_iter().flat_map(|them| them.values()))
        .map(|network| text(network, "IPAddress"))
        .collect();
    addresses.sort();
    addresses
}

/// The names of its networks.
pub(crate) fn networks(installation: &str) -> Vec<String> {
    list("networks", installation).iter().map(|value| text(value, "Name")).collect()
}

/// The names that it gave to images, and the ids of those with its label that nobody named.
pub(crate) fn images(installation: &str) -> Vec<String> {
    let mark = format!(":{installation}-");
    let mut images = Vec::new();
    for image in ask("GET", "/v1.41/images/json").json().as_array().into_iter().flatten() {
        let names = image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let (own, others): (Vec<_>, Vec<_>) = names
            .filter(|name| !name.contains("<none>"))
            .partition(|name| name.starts_with("paas/") && name.contains(&mark));
        if own.is_empty()
            && others.is_empty()
            && image["Labels"]["paas.installation"] == installation
        {
            images.push(text(image, "Id"));
        }
        images.extend(own.into_iter().map(str::to_owned));
    }
    images
}

/// The first process of a container, on this machine.
pub(crate) fn pid(container: &str) -> u64 {
    let answer = ask("GET", &format!("/v1.41/containers/{container}/json"));
    answer.json()["State"]["Pid"].as_u64().unwrap()
}

/// Removes everything that an installation has in Docker. Says nothing: it also runs while a test
/// fails.
pub(crate) fn sweep(installation: &str) {
    for container in with_role(installation, |_| true) {
        ask("DELETE", &format!("/v1.41/containers/{}?force=true&v=true", container.id));
    }
    for network in networks(installation) {
        ask("DELETE", &format!("/v1.41/networks/{network}"));
    }
    for image in images(installation) {
        ask("DELETE", &format!("/v1.41/images/{image}?force=true"));
    }
    remove_volumes(installation);
    remove_rules(installation);
}

/// Takes away what keeps its containers from this machine.
fn remove_rules(installation: &str) {
    let Ok(installation) = installation.parse() else { return };
    let mut wall = Wall::of(&installation);
    let remove = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(wall.remove())
    };
    // A thread of its own, because the test's own may be a runtime's.
    let _ = std::thread::spawn(remove).join();
}

/// The names that it gave to volumes.
pub(crate) fn volumes(installation: &str) -> Vec<String> {
    let filters = format!("%7B%22label%22%3A%5B%22paas.installation%3D{installation}%22%5D%7D");
    let listed = ask("GET", &format!("/v1.41/volumes?filters={filters}")).json();
    let all = listed["Volumes"].as_array().cloned().unwrap_or_default();
    all.iter().map(|value| text(value, "Name")).collect()
}

/// Takes those that no container has away, as `docker volume prune` does.
pub(crate) fn remove_volumes(installation: &str) {
    for volume in volumes(installation) {
        ask("DELETE", &format!("/v1.41/volumes/{volume}"));
    }
}

/// Removes a container, as `docker rm -f` does.
pub(crate) fn remove(container: &str) {
    ask("DELETE", &format!("/v1.41/containers/{container}?force=true"));
}
