//! Answers over UDP: one loop a socket, which allocates nothing that outlives a packet.

use std::{io, net::SocketAddr, sync::Arc, time::Instant};

use tokio::{net::UdpSocket, sync::watch};

use super::{
    message::{Measure, Transport, respond},
    rate::{Rate, Verdict},
    zones::Zones,
};

/// One socket's loop.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) socket: UdpSocket,
    pub(super) zones: watch::Receiver<Arc<Zones>>,
    /// `None` answers everything.
    pub(super) rate: Option<Rate>,
}

impl Answering {
    /// Answers until the future is dropped.
    pub(super) async fn run(mut self) {
        let mut packet = vec![0; LONGEST];
        let mut out = Vec::with_capacity(LONGEST);
        let mut turn = 0_usize;
        loop {
            if self.socket.readable().await.is_err() {
                continue;
            }
            // One look at the clock for all that waits, and room for others between.
            let now = Instant::now();
            let mut zones = self.zones.borrow_and_update().clone();
            for _ in 0..BATCH {
                match self.socket.try_recv_from(&mut packet) {
                    Ok((length, asker)) => {
                        turn = turn.wrapping_add(1);
                        // A proof is told of to an authority as soon as it was published.
                        if self.zones.has_changed().unwrap_or(false) {
                            zones = self.zones.borrow_and_update().clone();
                        }
                        let packet = packet.get(..length).unwrap_or_default();
                        self.one(&zones, packet, asker, (now, turn), &mut out);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // A port unreachable of an earlier asker; it says nothing of this socket.
                    Err(_) => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn one(
        &mut self,
        zones: &Zones,
        packet: &[u8],
        asker: SocketAddr,
        (now, turn): (Instant, usize),
        out: &mut Vec<u8>,
    ) {
        let verdict = match &mut self.rate {
            Some(rate) => rate.judge(asker.ip(), now),
            None => Verdict::Answer,
        };
        let measure = match verdict {
            Verdict::Answer => Measure::Whole,
            Verdict::Slip => Measure::Slip,
            Verdict::Drop => return,
        };
        if let Some(answer) = respond(zones, packet, (Transport::Udp, measure), turn, out) {
            // What the network does not take now is lost, as anything on UDP may be.
            let _ = self.socket.try_send_to(answer, asker);
        }
    }
}

/// Questions answered between two looks at everything else.
const BATCH: usize = 64;
/// The longest question that is read; what is cut off makes it one that cannot be read.
const LONGEST: usize = 4096;
