//! What containers find out about names, with the platform's resolver and without it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use paas::{
    dns::{AppNames, Internal, Limits, Names, Server, ZoneData, ZoneRecord, Zones},
    engine::{
        Engine,
        docker::{Docker, DockerSettings},
    },
    model::{DnsData, Instance, Slot},
};
use tokio::{sync::watch, task::AbortHandle};

use crate::world::{World, eventually, unique};

/// A world whose containers ask us, and a resolver of "the machine" behind us.
struct Named {
    world: World,
    names: watch::Sender<Arc<Names>>,
    internal: AbortHandle,
    _machine: Server,
    _keep: watch::Sender<Arc<Zones>>,
    _elsewhere: World,
}

impl Named {
    async fn new() -> Self {
        // The machine's resolver is on another bridge, which the containers are not on either.
        let elsewhere = World::new().await;
        let machine: IpAddr = elsewhere.docker.names_address().await.unwrap().into();
        let at = SocketAddr::new(machine, 53);
        let (keep, zones) = watch::channel(Arc::new(world()));
        let server = Server::bind(&[at], &zones, Limits::default()).unwrap();

        let mut settings = DockerSettings::new(unique());
        settings.resolvers = Some(vec![machine]);
        let clients = settings.subnet_pool.parts();
        let world = World::over(settings).await;
        let (names, receiver) = watch::channel(Arc::new(Names::default()));
        let own = SocketAddr::new(world.docker.names_address().await.unwrap().into(), 53);
        let internal = Internal { names: receiver, resolvers: [at].into(), clients };
        let internal = tokio::spawn(internal.run(own)).abort_handle();
        Self { world, names, internal, _machine: server, _keep: keep, _elsewhere: elsewhere }
    }

    /// A running instance of an app.
    async fn instance(&self, app: &str, index: u16, script: &str) -> Instance {
        let mut spec = self.world.spec(script);
        spec.app = app.parse().unwrap();
        spec.slot = Slot { process: "web".parse().unwrap(), index };
        let id = self.world.docker.start(&spec).await.unwrap();
        eventually("the instance is seen", || async {
            let all = self.world.docker.instances().await.unwrap();
            all.into_iter().find(|instance| instance.id == id)
        })
        .await
    }

    /// What a new instance of `shop` is told of these names, one line each.
    async fn asked(&self, index: u16, names: &[&str]) -> Vec<String> {
        let script = format!(
            "for name in {}; do echo $name $(busybox nslookup -type=a $name 2>&1 | tail -n +3); done",
            names.join(" ")
        );
        let asker = self.instance("shop", index, &script).await;
        let ended = eventually("it has asked", || async {
            let all = self.world.docker.instances().await.unwrap();
            all.into_iter().find(|instance| instance.id == asker.id && instance.is_gone())
        })
        .await;
        self.world.output(&ended).await
    }
}

fn world() -> Zones {
    let data = DnsData::A { address: "192.0.2.80".parse().unwrap() };
    let record = ZoneRecord { name: "www.world.test".to_owned(), ttl: 60, data };
    Zones::new(&[ZoneData {
        apex: "world.test".to_owned(),
        servers: vec!["ns.world.test".to_owned()],
        serial: 1,
        negative_ttl: 60,
        records: vec![record],
    }])
    .unwrap()
}

fn app_names(instance: &Instance) -> AppNames {
    let Some(IpAddr::V4(address)) = instance.address else { panic!("{instance:?}") };
    AppNames {
        app: instance.app.clone(),
        networks: [address].into(),
        ready: [((instance.app.clone(), instance.slot.process.clone()), [address].into())].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_find_their_own_app_and_the_world_also_without_us() {
    let named = Named::new().await;
    let shop = named.instance("shop", 1, "sleep 300").await;
    let bank = named.instance("bank", 1, "sleep 300").await;
    named.names.send_replace(Arc::new(Names::new(&[app_names(&shop), app_names(&bank)]).unwrap()));

    let asked = named
        .asked(2, &["shop.internal", "web.shop.internal", "bank.internal", "www.world.test"])
        .await;
    let address = shop.address.unwrap().to_string();
    assert!(asked[0].ends_with(&address), "the app by its name: {asked:#?}");
    assert!(asked[1].ends_with(&address), "and by its process: {asked:#?}");
    assert!(asked[2].contains("NXDOMAIN"), "another app is nobody's business: {asked:#?}");
    assert!(asked[3].ends_with("192.0.2.80"), "the rest is passed on: {asked:#?}");

    named.internal.abort();
    let asked = named.asked(3, &["www.world.test"]).await;
    assert!(asked[0].ends_with("192.0.2.80"), "the daemon is down, the world is not: {asked:#?}");
}

#[tokio::test]
async fn the_address_for_names_stays() {
    let world = World::new().await;
    let first = world.docker.names_address().await.unwrap();
    let again = Docker::connect(DockerSettings::new(world.installation.clone())).await.unwrap();
    assert_eq!(again.names_address().await.unwrap(), first);
}
