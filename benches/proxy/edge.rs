//! The role `edge`: one `proxy::Edge` with one worker, one site and, if asked, a new table many
//! times a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use proxy::{
    Absence, Certificate, Certificates, Edge, Feeds, Hold, Limits, Listen, Service, ServiceName,
    Settings, Site, Table, Upstream, UpstreamId, access_log,
};
use tokio::sync::watch;

/// Serves until it is killed. `swaps` is how many tables to publish per second.
pub(crate) fn serve(origin: &str, plain: &str, tls: &str, folder: &str, swaps: &str) -> ExitCode {
    let origin: SocketAddr = origin.parse().unwrap();
    let address = |port: &str| SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
    let swaps: u32 = swaps.parse().unwrap();

    let (tables, table) = watch::channel(Arc::new(table_of(1, origin)));
    let (_certificates, certificates) = watch::channel(Arc::new(certificates(Path::new(folder))));
    let (log, records) = access_log();
    drop(records); // no access log, like the others
    let listen = vec![Listen::http(address(plain)), Listen::https(address(tls))];
    let limits = Limits {
        connections: 50_000,
        // All load comes from one address.
        connections_per_client: 50_000,
        ..Limits::default()
    };
    let settings = Settings { limits, ..Settings::new(listen, SystemTime::now) };
    let _edge = Edge::bind(settings, &Feeds { table, certificates }, &log).unwrap();
    for generation in 2.. {
        if swaps == 0 {
            thread::park();
        } else {
            thread::sleep(Duration::from_secs(1) / swaps);
            tables.send_replace(Arc::new(table_of(generation, origin)));
        }
    }
    ExitCode::SUCCESS
}

/// One service with one upstream, at another address in every other table: each change takes away
/// what requests are just being sent to.
fn table_of(generation: u64, origin: SocketAddr) -> Table {
    let host = if generation.is_multiple_of(2) { [127, 0, 0, 2] } else { [127, 0, 0, 1] };
    let address = SocketAddr::from((host, origin.port()));
    let name = ServiceName::new("app");
    let service = Service::new(
        vec![Upstream { id: UpstreamId::new(address.to_string()), address, door: None }],
        Hold { most: 0, deadline: Duration::ZERO },
        Absence { title: String::new(), explanation: String::new(), retry_after: Duration::ZERO },
    );
    Table {
        generation,
        services: BTreeMap::from([(name.clone(), Arc::new(service))]),
        sites: ["127.0.0.1", "app.test"]
            .map(|host| (host.parse().unwrap(), Site::of(name.clone())))
            .into(),
    }
}

fn certificates(folder: &Path) -> Certificates {
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let certificate = Certificate::from_pem(&read("cert.pem"), &read("key.pem")).unwrap();
    Certificates {
        generation: 1,
        hosts: BTreeMap::from([("app.test".parse().unwrap(), certificate.clone())]),
        fallback: Some(certificate),
        ..Certificates::default()
    }
}
