//! Requests at a fixed rate, whatever the answers do: the latency of each counts from when it
//! should have been sent, so that a stall is charged to everything it delayed.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Enough that a connection is nearly always free when its turn comes.
const CONNECTIONS: u32 = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// Latencies in rising order, and failures.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) failures: u64,
}

impl Paced {
    /// By nearest rank.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or(Duration::MAX)
    }
}

/// Sends `rate` requests per second for this long.
pub(crate) fn load(address: SocketAddr, rate: f64, length: Duration) -> Paced {
    let interval = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let began = Instant::now() + Duration::from_millis(100);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|index| {
            // Their turns are spread over the interval.
            let first = began + interval * index / CONNECTIONS;
            thread::spawn(move || client(address, first, interval, began + length))
        })
        .collect();
    let mut all = Paced::default();
    for client in clients {
        let (latencies, ended) = client.join().unwrap();
        all.latencies.extend(latencies);
        all.failures += u64::from(ended.is_err());
    }
    all.latencies.sort_unstable();
    all
}

fn client(
    address: SocketAddr,
    first: Instant,
    interval: Duration,
    until: Instant,
) -> (Vec<Duration>, io::Result<()>) {
    let mut latencies = Vec::new();
    let ended = turns(address, first, interval, until, &mut latencies);
    (latencies, ended)
}

fn turns(
    address: SocketAddr,
    first: Instant,
    interval: Duration,
    until: Instant,
    latencies: &mut Vec<Duration>,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut buffer = [0; 4096];
    let mut due = first;
    // Whoever cannot keep up is asked no further once the time is over: what is late by then is
    // counted as late as it is.
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if Instant::now() > until + Duration::from_secs(1) {
            latencies.push(due.elapsed());
        } else {
            stream.write_all(REQUEST)?;
            let mut read = 0;
            while !buffer[..read].ends_with(b"Hello, world!") {
                match stream.read(&mut buffer[read..])? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => read += count,
                }
            }
            latencies.push(due.elapsed());
        }
        due += interval;
    }
    Ok(())
}
