//! Answers over TCP: bounded connections, each bounded in time and in what it may have unread.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    message::{Measure, Transport, respond},
    server::Limits,
    socket,
    zones::Zones,
};

/// Accepts and answers until the future is dropped.
pub(super) async fn run(listener: TcpListener, zones: watch::Receiver<Arc<Zones>>, limits: Limits) {
    let mut open: HashMap<IpAddr, usize> = HashMap::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => {
                if let Ok(peer) = ended {
                    forget(&mut open, peer);
                }
            }
            accepted = listener.accept(), if connections.len() < limits.connections => {
                let Ok((stream, peer)) = accepted else {
                    // No descriptors are left; those that end give theirs back.
                    sleep(NO_DESCRIPTORS).await;
                    continue;
                };
                let peer = peer.ip().to_canonical();
                let count = open.entry(peer).or_default();
                if *count >= limits.connections_per_client {
                    continue;
                }
                *count += 1;
                let (zones, idle) = (zones.clone(), limits.idle);
                connections.spawn(async move {
                    serve(stream, &zones, idle).await;
                    peer
                });
            }
        }
    }
}

fn forget(open: &mut HashMap<IpAddr, usize>, peer: IpAddr) {
    if let Some(count) = open.get_mut(&peer) {
        *count -= 1;
        if *count == 0 {
            open.remove(&peer);
        }
    }
}

/// One connection's questions, one after another; ends at the first that does not come, cannot be
/// read or is not taken in time.
async fn serve(mut stream: TcpStream, zones: &watch::Receiver<Arc<Zones>>, idle: Duration) {
    socket::hasten(&stream);
    let (mut packet, mut out, mut framed) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..MOST_QUESTIONS {
        let Ok(Some(())) = timeout(idle, read(&mut stream, &mut packet)).await else { return };
        {
            let zones = zones.borrow().clone();
            let how = (Transport::Tcp, Measure::Whole);
            let Some(answer) = respond(&zones, &packet, how, turn, &mut out) else { return };
            framed.clear();
            framed.extend_from_slice(&u16::try_from(answer.len()).unwrap_or(0).to_be_bytes());
            framed.extend_from_slice(answer);
        }
        let Ok(Ok(())) = timeout(idle, stream.write_all(&framed)).await else { return };
    }
}

/// The next message; `None` at the end of the connection.
pub(super) async fn read(stream: &mut TcpStream, packet: &mut Vec<u8>) -> Option<()> {
    let length = usize::from(stream.read_u16().await.ok()?);
    packet.clear();
    packet.resize(length, 0);
    stream.read_exact(packet).await.ok()?;
    Some(())
}

/// After so many a resolver may connect again; nobody keeps a place for ever.
const MOST_QUESTIONS: usize = 1000;
const NO_DESCRIPTORS: Duration = Duration::from_millis(100);
