//! What forwarding costs: requests per second straight to an origin and through the edge, their
//! ratio, and the edge's own processor time per request.
//!
//! All parties share this machine, so only the ratio and the processor time mean anything. Not a
//! comparison with other proxies: those stand in the top-level `benches/`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement, not a part of the edge"
)]
#![expect(clippy::disallowed_methods, reason = "the clock of a measurement is the real one")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proxy::{
    Absence, Edge, Feeds, Hold, Limits, Listen, Service, ServiceName, Settings, Site, Table,
    Upstream, UpstreamId, access_log,
};
use tokio::sync::watch;

const CONNECTIONS: usize = 32;
const LENGTH: Duration = Duration::from_secs(3);
const REQUEST: &[u8] = b"GET /path?query HTTP/1.1\r\nHost: app.test\r\nUser-Agent: bench\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\
    Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, world!";

fn main() {
    let origin = origin();
    let (log, _records) = access_log();
    let (_table, receiver) = watch::channel(Arc::new(table(origin)));
    let settings = Settings {
        workers: thread::available_parallelism().map_or(1, usize::from),
        limits: Limits { connections_per_client: usize::MAX, ..Limits::default() },
        ..Settings::new(vec![Listen::http("127.0.0.1:0".parse().unwrap())], SystemTime::now)
    };
    let edge = Edge::bind(settings, &Feeds::plain(receiver), &log).unwrap();
    let through = *edge.addresses().first().unwrap();
    run(through, Duration::from_millis(500)); // fills pools and caches
    let direct = run(origin, LENGTH) as f64 / LENGTH.as_secs_f64();
    let before = edge_time();
    let forwarded = run(through, LENGTH);
    let spent = edge_time() - before;
    let rate = forwarded as f64 / LENGTH.as_secs_f64();
    println!("straight to the origin   {direct:>9.0} requests/s");
    println!("through the edge         {rate:>9.0} requests/s   ratio {:.2}", rate / direct);
    println!("processor time           {:>9.1} µs/request", spent * 1e6 / forwarded as f64);
}

fn table(origin: SocketAddr) -> Table {
    let name = ServiceName::new("app");
    let service = Service::new(
        vec![Upstream { id: UpstreamId::new("origin"), address: origin, door: None }],
        Hold { most: 0, deadline: Duration::ZERO },
        Absence { title: String::new(), explanation: String::new(), retry_after: Duration::ZERO },
    );
    Table {
        generation: 1,
        services: BTreeMap::from([(name.clone(), Arc::new(service))]),
        sites: BTreeMap::from([("app.test".parse().unwrap(), Site::of(name))]),
    }
}

fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = [0; 4096];
                // One request is in flight per connection, so that one read is one request.
                while let Ok(1..) = stream.read(&mut buffer) {
                    if stream.write_all(ANSWER).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Requests answered within this time.
fn run(address: SocketAddr, length: Duration) -> u64 {
    let stop = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = [0; 4096];
                while !stop.load(Relaxed) {
                    stream.write_all(REQUEST).unwrap();
                    let mut read = 0;
                    while !buffer.get(..read).unwrap().ends_with(b"Hello, world!") {
                        read += stream.read(buffer.get_mut(read..).unwrap()).unwrap();
                    }
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        let began = Instant::now();
        thread::sleep(length.saturating_sub(began.elapsed()));
        stop.store(true, Relaxed);
    });
    count.into_inner()
}

/// Seconds of processor time spent by the edge's threads.
fn edge_time() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut ticks = 0;
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once(')') else { continue };
        if name.contains("(edge-") {
            ticks +=
                rest.split(' ').skip(12).take(2).filter_map(|t| t.parse::<u64>().ok()).sum::<u64>();
        }
    }
    ticks as f64 / TICKS_PER_SECOND
}
