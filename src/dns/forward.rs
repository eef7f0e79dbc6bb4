//! Passing a question on to the machine's resolvers, byte for byte but for its number.
//!
//! Nothing is kept and nothing is judged: what containers ask of the world is between them and the
//! resolvers of the machine they run on.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use super::{message::Transport, tcp};

/// Asks the resolvers in turn; `None` if none answers in time.
pub(super) async fn forward(
    question: &[u8],
    resolvers: &[SocketAddr],
    transport: Transport,
) -> Option<Vec<u8>> {
    let number = question.get(..2)?;
    for resolver in resolvers.iter().take(MOST_RESOLVERS) {
        let mut packet = question.to_vec();
        // A number of our own and a port of the system's: who would lie must guess both.
        let own = rand::random::<[u8; 2]>();
        packet.get_mut(..2)?.copy_from_slice(&own);
        let asked = match transport {
            Transport::Udp => timeout(PATIENCE, by_udp(&packet, *resolver)).await,
            Transport::Tcp => timeout(PATIENCE, by_tcp(&packet, *resolver)).await,
        };
        if let Ok(Ok(mut answer)) = asked {
            answer.get_mut(..2)?.copy_from_slice(number);
            return Some(answer);
        }
    }
    None
}

async fn by_udp(packet: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match resolver {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(resolver).await?;
    socket.send(packet).await?;
    let mut answer = vec![0; LONGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_answer(packet, answer.get(..length).unwrap_or_default()) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn by_tcp(packet: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), packet].concat()).await?;
    let mut answer = Vec::new();
    match tcp::read(&mut stream, &mut answer).await {
        Some(()) if is_answer(packet, &answer) => Ok(answer),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A header with the same number, marked as a response.
fn is_answer(question: &[u8], answer: &[u8]) -> bool {
    answer.len() >= 12
        && answer.get(..2) == question.get(..2)
        && answer.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

/// As many as the system's own resolver asks.
const MOST_RESOLVERS: usize = 3;
/// For one resolver: two of them fit into what Docker waits for us, and it then asks them itself.
const PATIENCE: Duration = Duration::from_millis(1800);
const LONGEST: usize = 4096;
