//! The server that containers ask: private names from [`Names`], everything else passed on.
//!
//! It answers containers alone, whatever address it can be reached at: a forwarder that strangers
//! can use is a weapon. When it is down Docker asks the machine's resolvers instead, so that only
//! private names are missing.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_proto::{op::Message, rr::Name};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    forward::forward,
    message::{Measure, Transport, respond},
    names::{INTERNAL, Names},
    socket, tcp,
};

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct Internal {
    /// The private names.
    pub names: watch::Receiver<Arc<Names>>,
    /// Who is asked for everything else, in order.
    pub resolvers: Arc<[SocketAddr]>,
    /// The network that containers are in: an address of it, and the bits that count.
    pub clients: (Ipv4Addr, u8),
}

impl Internal {
    /// Listens at `at` on UDP and TCP and answers until the future is dropped. An address that is not
    /// there yet, or is gone with its bridge, is tried again.
    pub async fn run(self, at: SocketAddr) {
        let mut said = false;
        loop {
            match bind(at) {
                Ok((udp, tcp)) => {
                    tracing::info!(%at, "private names are answered");
                    said = false;
                    self.clone().serve(udp, tcp).await;
                }
                Err(error) if !said => {
                    tracing::warn!(%at, %error, "private names are not answered yet; trying again");
                    said = true;
                }
                Err(_) => {}
            }
            sleep(AGAIN).await;
        }
    }

    async fn serve(self, udp: UdpSocket, tcp: TcpListener) {
        let server = Arc::new(self);
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let udp = Arc::new(udp);
        tokio::join!(server.clone().packets(udp, room.clone()), server.connections(tcp, room));
    }

    async fn packets(self: Arc<Self>, socket: Arc<UdpSocket>, room: Arc<Semaphore>) {
        let mut packet = vec![0; LONGEST];
        let mut out = Vec::new();
        loop {
            let Ok((length, asker)) = socket.recv_from(&mut packet).await else { continue };
            let packet = packet.get(..length).unwrap_or_default();
            if !self.is_client(asker.ip()) {
                continue;
            }
            if is_ours(packet) {
                if let Some(answer) = self.answer(packet, asker.ip(), Transport::Udp, &mut out) {
                    let _ = socket.try_send_to(answer, asker);
                }
                continue;
            }
            // When too many are under way this one is lost; its asker asks again.
            let Ok(place) = room.clone().try_acquire_owned() else { continue };
            let (server, socket, packet) = (self.clone(), socket.clone(), packet.to_vec());
            tokio::spawn(async move {
                let answer = server.pass_on(&packet, Transport::Udp, place).await;
                let _ = socket.send_to(&answer, asker).await;
            });
        }
    }

    async fn connections(self: Arc<Self>, listener: TcpListener, room: Arc<Semaphore>) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(AGAIN).await;
                continue;
            };
            let Ok(place) = room.clone().try_acquire_owned() else { continue };
            if self.is_client(peer.ip()) {
                let server = self.clone();
                tokio::spawn(async move { server.one(stream, peer.ip(), place).await });
            }
        }
    }

    /// One question of one connection: resolvers ask over TCP what did not fit, once.
    async fn one(&self, mut stream: TcpStream, asker: IpAddr, place: OwnedSemaphorePermit) {
        let (mut packet, mut out) = (Vec::new(), Vec::new());
        let Ok(Some(())) = timeout(IDLE, tcp::read(&mut stream, &mut packet)).await else { return };
        let answer = if is_ours(&packet) {
            self.answer(&packet, asker, Transport::Tcp, &mut out).map(<[u8]>::to_vec)
        } else {
            Some(self.pass_on(&packet, Transport::Tcp, place).await)
        };
        let Some(answer) = answer else { return };
        let length = u16::try_from(answer.len()).unwrap_or(0).to_be_bytes();
        let framed = [&length, answer.as_slice()].concat();
        let _ = timeout(IDLE, stream.write_all(&framed)).await;
    }

    fn answer<'a>(
        &self,
        packet: &[u8],
        asker: IpAddr,
        transport: Transport,
        out: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let names = self.names.borrow().clone();
        let how = (transport, Measure::Whole);
        respond(names.seen_from(asker), packet, how, rand::random::<u16>().into(), out)?;
        // Unlike the world's server this one does resolve.
        *out.get_mut(3)? |= RECURSION_AVAILABLE;
        Some(out)
    }

    async fn pass_on(
        &self,
        packet: &[u8],
        transport: Transport,
        _place: OwnedSemaphorePermit,
    ) -> Vec<u8> {
        match forward(packet, &self.resolvers, transport).await {
            Some(answer) => answer,
            None => server_failure(packet),
        }
    }

    fn is_client(&self, asker: IpAddr) -> bool {
        let IpAddr::V4(asker) = asker.to_canonical() else { return false };
        let (network, bits) = self.clients;
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
        asker.to_bits() & mask == network.to_bits() & mask
    }
}

/// Whether the question is about private names, or is none that can be passed on.
fn is_ours(packet: &[u8]) -> bool {
    let Ok(message) = Message::from_vec(packet) else { return true };
    let [query] = message.queries.as_slice() else { return true };
    let internal = Name::from_ascii(format!("{INTERNAL}."));
    internal.is_ok_and(|internal| internal.zone_of(query.name()))
}

fn bind(at: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let udp = socket::on_runtime(socket::udp(at)?)?;
    Ok((udp, socket::listener_on_runtime(socket::tcp(at)?)?))
}

/// Docker asks the next resolver when it hears this.
fn server_failure(packet: &[u8]) -> Vec<u8> {
    let mut answer = packet.get(..12).unwrap_or_default().to_vec();
    if let Some(flags) = answer.get_mut(2..) {
        flags.fill(0);
    }
    if let Some(flags) = answer.get_mut(2..4) {
        flags.copy_from_slice(&[0x80, SERVER_FAILURE]);
    }
    answer
}

/// Questions passed on at the same time, and connections.
const AT_ONCE: usize = 256;
/// For a client to say or take a message.
const IDLE: Duration = Duration::from_secs(5);
/// Between two attempts to listen.
const AGAIN: Duration = Duration::from_millis(500);
const LONGEST: usize = 4096;
const RECURSION_AVAILABLE: u8 = 0x80;
const SERVER_FAILURE: u8 = 2;
