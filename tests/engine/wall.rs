//! What containers reach of the machine that they run on: before there is a wall, behind it, and after
//! somebody has torn it down. Needs root, as the daemon does.

use std::{net::Ipv4Addr, pin::pin, process::Output, time::Duration};

use bollard::models as docker;
use paas::{
    control::{
        firewall::{Firewall, Wanted},
        task,
    },
    engine::{
        Engine,
        docker::{DockerSettings, InstallationId},
    },
    node::wall::{Public, Wall},
};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::world::{World, eventually, unique};

/// A container, as its packets see it.
#[derive(Debug, Clone, Copy)]
struct Inhabitant {
    pid: i64,
    address: Ipv4Addr,
}

impl Inhabitant {
    /// Runs a program of this machine in the container's network.
    async fn runs(self, arguments: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid.to_string(), "-n", "/bin/busybox"]).args(arguments);
        command.stdin(std::process::Stdio::null()).kill_on_drop(true).output().await.unwrap()
    }

    /// What comes of connecting.
    async fn meets(self, host: &str, port: u16) -> Met {
        let ended = self.runs(&["nc", "-w", "60", host, &port.to_string()]).await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        match ended.status.success() {
            true => Met::Service,
            false if said.contains("refused") => Met::Refusal,
            false => Met::Nothing(said),
        }
    }
}

/// What a container finds at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Met {
    Service,
    Refusal,
    /// No answer in time, or no way there.
    Nothing(String),
}

/// An instance of an app that listens.
async fn instance(world: &World, app: &str) -> Inhabitant {
    let mut spec = world.spec("exec httpd -f -p 8080");
    spec.app = app.parse().unwrap();
    let id = world.docker.start(&spec).await.unwrap();
    inhabitant(&id.0).await.0
}

/// A network of an app as daemons made them that left the bridge's name to Docker.
async fn older_network(world: &World, app: &str) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let installation = &world.installation;
    let request = docker::NetworkCreateRequest {
        name: format!("paas-{installation}-{app}"),
        labels: Some([("paas.installation".to_owned(), installation.to_string())].into()),
        ..docker::NetworkCreateRequest::default()
    };
    api.create_network(request).await.unwrap();
}

/// A container as users start them, which takes connections and ends them; and where it publishes that.
async fn plain(world: &World) -> (Inhabitant, u16) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let anywhere = docker::PortBinding::default();
    let body = docker::ContainerCreateBody {
        image: Some(world.image.to_string()),
        cmd: Some(["nc", "-ll", "-p", "8080", "-e", "true"].map(str::to_owned).to_vec()),
        exposed_ports: Some(vec!["8080/tcp".to_owned()]),
        host_config: Some(docker::HostConfig {
            port_bindings: Some([("8080/tcp".to_owned(), Some(vec![anywhere]))].into()),
            ..docker::HostConfig::default()
        }),
        ..docker::ContainerCreateBody::default()
    };
    let made = api.create_container(None, body).await.unwrap();
    api.start_container(&made.id, None).await.unwrap();
    let (inhabitant, ports) = inhabitant(&made.id).await;
    (inhabitant, ports.unwrap())
}

async fn inhabitant(id: &str) -> (Inhabitant, Option<u16>) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let found = api.inspect_container(id, None).await.unwrap();
    let settings = found.network_settings.unwrap();
    let address = settings.networks.unwrap().into_values().next().unwrap().ip_address.unwrap();
    let ports = settings.ports.unwrap_or_default().into_values().flatten();
    let port = ports.flatten().find_map(|binding| binding.host_port?.parse().ok());
    let pid = found.state.unwrap().pid.unwrap();
    (Inhabitant { pid, address: address.parse().unwrap() }, port)
}

/// An address of this machine that has nothing to do with us.
async fn docker0() -> String {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let found = api.inspect_network("bridge", None).await.unwrap();
    let config = found.ipam.unwrap().config.unwrap().remove(0);
    // A Docker in its first life does not say, and takes the first address.
    config.gateway.unwrap_or_else(|| {
        let subnet = config.subnet.unwrap();
        let network: Ipv4Addr = subnet.split('/').next().unwrap().parse().unwrap();
        Ipv4Addr::from_bits(network.to_bits() | 1).to_string()
    })
}

/// A service of this machine on all of its addresses, IPv6 included; its port.
async fn service() -> u16 {
    service_at("[::]:0").await
}

/// A service that ends each connection; its port.
async fn service_at(at: &str) -> u16 {
    let listener = TcpListener::bind(at).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    port
}

/// Takes the rules away, also when a test fails.
struct Cleared(InstallationId);

impl Drop for Cleared {
    fn drop(&mut self) {
        let mut wall = Wall::of(&self.0);
        let clear = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(wall.remove())
        };
        let _ = std::thread::spawn(clear).join();
    }
}

/// Keeps the wall as wanted, until what is returned is dropped, or [`ended`].
async fn firewall(world: &World, wanted: Wanted) -> (DropGuard, JoinHandle<()>) {
    let (status, mut shown) = watch::channel(String::new());
    let stop = CancellationToken::new();
    let (_, ways) = watch::channel(std::sync::Arc::default());
    let firewall = Firewall::new(world.docker.clone(), wanted, ways, status);
    let task = tokio::spawn(task::run(firewall, stop.clone()));
    let said = timeout(Duration::from_mins(3), shown.wait_for(|status| !status.is_empty())).await;
    let said = said.unwrap().unwrap().clone();
    assert!(["on", "off, by the settings"].contains(&said.as_str()), "{said}");
    (stop.drop_guard(), task)
}

/// Has whoever keeps the wall leave it as it is.
async fn ended((stop, task): (DropGuard, JoinHandle<()>)) {
    drop(stop);
    task.await.unwrap();
}

async fn iptables(program: &str, arguments: &[&str]) -> String {
    let ended = Command::new(program).args(arguments).output().await.unwrap();
    assert!(ended.status.success(), "{program} {arguments:?}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_reaches_of_its_machine_what_is_there_for_it() {
    let mut settings = DockerSettings::new(unique());
    settings.resolvers = Some(Vec::new());
    let (ours, theirs) = tokio::join!(World::over(settings), World::new());
    let _cleared = Cleared(ours.installation.clone());
    older_network(&ours, "older").await;
    let own = ours.docker.names_address().await.unwrap().to_string();
    let (closed, edge, opened) = (service().await, service().await, service().await);
    let public = Public { edge: vec![([0, 0, 0, 0], edge).into()], dns: Vec::new() };
    let openings = vec![opened.to_string().parse().unwrap()];
    let keeper = firewall(&ours, Wanted::Wall { public, openings }).await;

    // They come later, one of them upon a bridge that there was not yet.
    let (app, older, other, (plain, published), docker0) = tokio::join!(
        instance(&ours, "shop"),
        instance(&ours, "older"),
        instance(&theirs, "shop"),
        plain(&theirs),
        docker0(),
    );
    let services = [(&own, closed), (&docker0, closed), (&docker0, published)];
    for (host, port) in services {
        for (who, container, expected) in [
            ("an app", app, Met::Refusal),
            ("one on an older network", older, Met::Refusal),
            ("another installation", other, Met::Service),
            ("a user's container", plain, Met::Service),
        ] {
            assert_eq!(container.meets(host, port).await, expected, "{who}: {host} {port}");
        }
    }
    assert_eq!(app.meets("169.254.169.254", 80).await, Met::Refusal, "where clouds keep passwords");
    for port in [edge, opened] {
        assert_eq!(app.meets(&docker0, port).await, Met::Service, "{port}");
        assert_eq!(app.meets(&own, port).await, Met::Service, "{port}");
    }
    eventually("the machine reaches its instances", || async {
        TcpStream::connect((app.address, 8080)).await.ok()
    })
    .await;
    asks(app, &own).await;

    // Whoever reloads a firewall of their own drops ours.
    let chain = format!("PAAS-{}-IN", ours.installation);
    iptables("iptables", &["-F", &chain]).await;
    iptables("iptables", &["-D", "DOCKER-USER", "-j", &chain.replace("-IN", "-FWD")]).await;
    eventually("it stands again", || async {
        let met = (app.meets(&own, closed).await, app.meets("169.254.169.254", 80).await);
        (met == (Met::Refusal, Met::Refusal)).then_some(())
    })
    .await;

    ended(keeper).await;
    ended(firewall(&ours, Wanted::Nothing).await).await;
    for (host, port) in services {
        assert_eq!(app.meets(host, port).await, Met::Service, "without it: {host} {port}");
    }
    for program in ["iptables-save", "ip6tables-save"] {
        let left = iptables(program, &["-t", "filter"]).await;
        assert!(!left.contains(&chain.replace("-IN", "-")), "{left}");
    }
}

/// Has a container ask for a name, over both transports.
async fn asks(app: Inhabitant, server: &str) {
    service_at(&format!("{server}:53")).await;
    let udp = UdpSocket::bind((server, 53)).await.unwrap();
    assert_eq!(app.meets(server, 53).await, Met::Service, "names over TCP");
    let (question, mut packet) = (["nslookup", "shop.internal", server], [0; 512]);
    let heard = tokio::select! {
        heard = udp.recv_from(&mut packet) => heard.unwrap().1.ip(),
        told = app.runs(&question) => panic!("nobody was asked: {told:?}"),
    };
    assert_eq!(heard, app.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_apps_instance_is_not_reached_while_docker_makes_networks_either() {
    let world = World::new().await;
    let _cleared = Cleared(world.installation.clone());
    let wanted = Wanted::Wall { public: Public::default(), openings: Vec::new() };
    let _keeper = firewall(&world, wanted).await;
    let (shop, bank) = tokio::join!(instance(&world, "shop"), instance(&world, "bank"));
    eventually("the other app serves", || async {
        TcpStream::connect((bank.address, 8080)).await.ok()
    })
    .await;

    assert_eq!(shop.meets(&shop.address.to_string(), 8080).await, Met::Service, "its own");
    let host = bank.address.to_string();
    let mut tries = JoinSet::new();
    let mut networks = pin!(networks_come_and_go(&world));
    while timeout(Duration::from_millis(30), &mut networks).await.is_err() {
        let host = host.clone();
        tries.spawn(async move { shop.runs(&["nc", "-w", "1", &host, "8080"]).await });
    }
    let reached = tries.join_all().await.iter().filter(|tried| tried.status.success()).count();
    assert_eq!(reached, 0, "of the other app");
}

/// Each time, Docker takes the rules that keep networks apart away for a moment.
async fn networks_come_and_go(world: &World) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    for _ in 0..10 {
        older_network(world, "passing").await;
        api.remove_network(&format!("paas-{}-passing", world.installation)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_is_closed_over_ipv6_too() {
    if !std::path::Path::new("/proc/net/if_inet6").exists() {
        return; // A kernel without it has nothing to close.
    }
    let world = World::new().await;
    let _cleared = Cleared(world.installation.clone());
    let app = instance(&world, "shop").await;
    let port = service().await;
    app.runs(&["sysctl", "-w", "net.ipv6.conf.eth0.disable_ipv6=0"]).await;
    let bridge = world.docker.bridges().await.unwrap().remove(0).replace('+', "");
    let machine = eventually("a link-local address of the machine is reached", || async {
        let listed = std::fs::read_to_string("/proc/net/if_inet6").unwrap();
        let line = listed.lines().find(|line| line.contains(&bridge))?;
        let bits = u128::from_str_radix(line.split(' ').next()?, 16).ok()?;
        let address = format!("{}%eth0", std::net::Ipv6Addr::from(bits));
        let ended = app.runs(&["nc", "-w", "1", &address, &port.to_string()]).await;
        ended.status.success().then_some(address)
    })
    .await;

    let wanted = Wanted::Wall { public: Public::default(), openings: Vec::new() };
    let _keeper = firewall(&world, wanted).await;
    assert_eq!(app.meets(&machine, port).await, Met::Refusal);
}
