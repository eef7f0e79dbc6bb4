//! Doors: listeners that stand for an upstream which only somebody else can reach.
//!
//! Whoever connects to a door is let in by the kernel, whether or not there is a way behind it. So a door
//! says one byte once the way is through, before any byte of the upstream; closed without it, the door
//! was shut, and nothing of a request has arrived anywhere.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a door says once the way is through.
const OPEN: u8 = b'+';

/// Waits for the word of a door that one has connected to.
pub async fn enter(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read_u8().await {
        Ok(OPEN) => Ok(()),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

/// Says to whoever has connected that the way is through.
pub async fn let_in(visitor: &mut TcpStream) -> io::Result<()> {
    visitor.write_u8(OPEN).await
}
