//! Instances: started, seen, told, ended, removed.

use bollard::{
    models::{Ipam, IpamConfig, NetworkCreateRequest},
    query_parameters as ask,
};
use futures_util::StreamExt;
use paas::{
    engine::{Engine, Signal, docker::DockerSettings},
    model::{ByteSize, ContainerId, HealthCheck, HttpProtocol, InstanceState},
    node,
};

use crate::world::{World, eventually, unique};

#[tokio::test]
async fn an_instance_gets_its_environment_byte_for_byte_and_few_rights() {
    let world = World::new().await;
    let mut spec = world.spec(
        "printf %s \"$KEY\" | od -An -tx1 | tr -d ' \\n'; echo; \
         echo $PORT $PAAS_APP $PAAS_PROCESS $PAAS_RELEASE $HOSTNAME; id -u; \
         grep -E 'CapBnd|NoNewPrivs' /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj",
    );
    let value = "a=b\n$c \"ü\" '\\";
    spec.environment.insert("KEY".parse().unwrap(), value.to_owned());
    world.docker.start(&spec).await.unwrap();
    let lines = world.output(&world.ended().await).await;
    let open_files = DockerSettings::new(world.installation.clone()).open_files.to_string();
    assert_eq!(
        lines,
        [
            hex::encode(value).as_str(),
            "8080 shop web.1 v12 web-1",
            "1000",
            "CapBnd:\t0000000000000400",
            "NoNewPrivs:\t1",
            open_files.as_str(),
            "500",
        ]
    );
}

#[tokio::test]
async fn starting_is_an_ensure() {
    let world = World::new().await;
    let spec = world.spec("sleep 600");
    let id = world.docker.start(&spec).await.unwrap();
    assert_eq!(world.docker.start(&spec).await.unwrap(), id);
    let mut other = spec.clone();
    other.environment.insert("NEW".parse().unwrap(), "1".to_owned());
    let replaced = world.docker.start(&other).await.unwrap();
    assert_ne!(replaced, id, "another spec under the same name replaces it");
    let seen = world.only().await;
    assert_eq!((&seen.id, &seen.app, &seen.slot), (&replaced, &spec.app, &spec.slot));
    assert_eq!((seen.incarnation, &seen.image), (spec.incarnation, &spec.image));
    assert!(matches!(seen.state, InstanceState::Running { .. }) && seen.pid.is_some());
    world.docker.remove(&replaced).await.unwrap();
    world.docker.remove(&replaced).await.unwrap();
    assert!(world.docker.instances().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_ended_instance_is_not_started_again() {
    let world = World::new().await;
    let spec = world.spec("exit 3");
    let id = world.docker.start(&spec).await.unwrap();
    let InstanceState::Exited(exit) = world.ended().await.state else { unreachable!() };
    assert_eq!((exit.code, exit.out_of_memory, exit.error), (3, false, None));
    assert_eq!(world.docker.start(&spec).await.unwrap(), id);
    assert!(world.only().await.is_gone());
}

#[tokio::test]
async fn signals_reach_the_app_through_init() {
    let world = World::new().await;
    let spec = world.spec("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done");
    let id = world.docker.start(&spec).await.unwrap();
    let first = world.docker.output(&id, None).next().await.unwrap().unwrap();
    assert_eq!(first.text, "up");
    world.docker.signal(&id, Signal::Terminate).await.unwrap();
    let ended = world.ended().await;
    let InstanceState::Exited(exit) = &ended.state else { unreachable!() };
    assert_eq!(exit.code, 7);
    assert_eq!(world.output(&ended).await, ["up", "bye"]);
    world.docker.signal(&id, Signal::Kill).await.unwrap();
    world.docker.signal(&ContainerId("0".repeat(64)), Signal::Kill).await.unwrap();
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed() {
    let world = World::new().await;
    let spec = world.spec("trap '' TERM; echo up; while :; do sleep 0.1; done");
    let id = world.docker.start(&spec).await.unwrap();
    let _up = world.docker.output(&id, None).next().await.unwrap().unwrap();
    world.docker.signal(&id, Signal::Terminate).await.unwrap();
    assert!(!world.only().await.is_gone());
    world.docker.signal(&id, Signal::Kill).await.unwrap();
    let InstanceState::Exited(exit) = world.ended().await.state else { unreachable!() };
    assert_eq!(exit.code, 137);
}

#[tokio::test]
async fn an_image_that_cannot_start_is_an_ended_instance_and_no_error() {
    let world = World::new().await;
    let mut spec = world.spec("");
    spec.process.entrypoint = vec!["/nope".to_owned()];
    world.docker.start(&spec).await.unwrap();
    let ended = world.ended().await;
    let InstanceState::Exited(exit) = &ended.state else { unreachable!() };
    assert_eq!(exit.code, 127);
    let said = format!("{:?} {:?}", exit.error, world.output(&ended).await);
    assert!(said.contains("No such file") || said.contains("no such file"), "{said}");
}

#[tokio::test]
async fn running_out_of_memory_is_seen() {
    let world = World::new().await;
    let mut spec = world.spec("exec tail /dev/zero");
    spec.process.limits.memory = ByteSize::mib(16);
    world.docker.start(&spec).await.unwrap();
    let InstanceState::Exited(exit) = world.ended().await.state else { unreachable!() };
    assert!(exit.out_of_memory, "{exit:?}");
}

#[tokio::test]
async fn an_instance_is_reached_at_its_address() {
    let world = World::new().await;
    let spec =
        world.spec("mkdir /tmp/w; echo hi > /tmp/w/index.html; exec httpd -f -p $PORT -h /tmp/w");
    world.docker.start(&spec).await.unwrap();
    let seen = world.only().await;
    let mut target = node::ProbeTarget {
        protocol: HttpProtocol::Http1,
        at: std::net::SocketAddr::new(seen.address.unwrap(), 8080),
        door: false,
        host: "shop".to_owned(),
        check: HealthCheck { path: Some("/".to_owned()), ..HealthCheck::default() },
    };
    eventually("it answers", || async { node::probe(&target).await.ok() }).await;
    let listening = node::listening(seen.pid.unwrap()).unwrap();
    assert!(listening.iter().any(|socket| socket.port() == 8080), "{listening:?}");
    target.check.path = Some("/missing".to_owned());
    let failure = node::probe(&target).await.unwrap_err().to_string();
    assert_eq!(failure, "answered 404 to GET /missing");
    let usage = world.docker.usage(&seen.id).await.unwrap();
    assert!(usage.memory > 0 && usage.memory < 64 << 20, "{usage:?}");
}

#[tokio::test]
async fn meddling_is_seen() {
    let world = World::new().await;
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let api = api.negotiate_version().await.unwrap();
    let spec = world.spec("sleep 600");
    let id = world.docker.start(&spec).await.unwrap();
    let before = world.only().await;
    let mut ticks = world.docker.changes();
    ticks.next().await.unwrap();
    let restart = ask::RestartContainerOptions { t: Some(0), ..Default::default() };
    let ticked = ticks.next();
    let (restarted, _) = tokio::join!(api.restart_container(&id.0, Some(restart)), ticked);
    restarted.unwrap();
    eventually("the new process is seen", || async {
        let now = world.only().await;
        (now.pid.is_some() && now.pid != before.pid).then_some(())
    })
    .await;
    let force = ask::RemoveContainerOptions { force: true, ..Default::default() };
    api.remove_container(&id.0, Some(force)).await.unwrap();
    assert!(world.docker.instances().await.unwrap().is_empty());
    api.remove_network(&format!("paas-{}-shop", world.installation)).await.unwrap();
    world.docker.start(&spec).await.unwrap();
    assert!(world.only().await.address.is_some(), "the network was made again");
}

#[tokio::test]
async fn another_installation_is_never_seen() {
    let (one, other) = tokio::join!(World::new(), World::new());
    one.docker.start(&one.spec("sleep 600")).await.unwrap();
    other.docker.start(&other.spec("sleep 600")).await.unwrap();
    assert_eq!(
        (one.only().await.image, other.only().await.image),
        (one.image.clone(), other.image.clone())
    );
}

#[tokio::test]
async fn an_apps_network_goes_last() {
    let world = World::new().await;
    let spec = world.spec("sleep 600");
    let id = world.docker.start(&spec).await.unwrap();
    let refused = world.docker.forget(&spec.app).await.unwrap_err().to_string();
    assert!(refused.contains("active endpoints"), "{refused}");
    world.docker.remove(&id).await.unwrap();
    world.docker.forget(&spec.app).await.unwrap();
    world.docker.forget(&spec.app).await.unwrap();
}

#[tokio::test]
async fn of_two_networks_that_were_made_at_a_time_one_is_left() {
    let world = World::new().await;
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let api = api.negotiate_version().await.unwrap();
    let name = format!("paas-{}-shop", world.installation);
    // A Docker that refuses those that come later does as well.
    let several = || async {
        let subnets = ["10.213.1.0/28", "10.213.1.16/28", "10.213.1.32/28", "10.213.1.48/28"];
        let make = subnets.map(|subnet| api.create_network(network(&world, &name, subnet)));
        futures_util::future::join_all(make).await;
    };
    let start = async |index| {
        let mut spec = world.spec("sleep 600");
        spec.slot.index = index;
        world.docker.start(&spec).await.unwrap();
        assert_eq!(named(&api, &name).await, 1);
    };

    // Before it is known, and while it is.
    several().await;
    start(1).await;
    several().await;
    start(2).await;
    several().await;
    for instance in world.docker.instances().await.unwrap() {
        assert!(instance.address.is_some(), "{instance:?}");
        world.docker.remove(&instance.id).await.unwrap();
    }
    world.docker.forget(&"shop".parse().unwrap()).await.unwrap();
    assert_eq!(named(&api, &name).await, 0);
}

/// An app's network as a daemon asks for it.
fn network(world: &World, name: &str, subnet: &str) -> NetworkCreateRequest {
    let config = IpamConfig { subnet: Some(subnet.to_owned()), ..IpamConfig::default() };
    let installation = world.installation.to_string();
    NetworkCreateRequest {
        name: name.to_owned(),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some([("paas.installation".to_owned(), installation)].into()),
        ..NetworkCreateRequest::default()
    }
}

/// How many networks are called so.
async fn named(api: &bollard::Docker, name: &str) -> usize {
    let all = api.list_networks(None).await.unwrap();
    all.iter().filter(|network| network.name.as_deref() == Some(name)).count()
}

#[tokio::test]
async fn an_address_pool_is_shared_and_its_end_is_said() {
    let pool = |text: &str| {
        let mut settings = DockerSettings::new(unique());
        settings.subnet_pool = text.parse().unwrap();
        settings
    };
    let one = World::over(pool("10.211.77.0/26")).await;
    one.docker.start(&one.spec("sleep 600")).await.unwrap();
    let mut second = one.spec("sleep 600");
    second.app = "other".parse().unwrap();
    let refused = one.docker.start(&second).await.unwrap_err().to_string();
    assert!(refused.contains("the address pool 10.211.77.0/26 has no free subnet"), "{refused}");
    let wider = World::over(pool("10.211.77.0/25")).await;
    wider.docker.start(&wider.spec("sleep 600")).await.unwrap();
    let address = wider.only().await.address.unwrap().to_string();
    let last: u8 = address.strip_prefix("10.211.77.").unwrap().parse().unwrap();
    assert!(last > 64, "{address} is in the part that is not taken");
}
