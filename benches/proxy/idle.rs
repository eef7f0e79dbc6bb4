//! Ten thousand connections that have asked once and then rest: what one costs in memory.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::contestant::Contestant;
use crate::handshakes::{self, Handshake};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// What the connections speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Plain,
    Tls,
}

/// Bytes per idle connection, over this many.
pub(crate) fn cost(contestant: &Contestant, speaks: Speaks, count: usize) -> io::Result<f64> {
    let before = contestant.memory();
    let mut held: Vec<TcpStream> = Vec::with_capacity(count);
    let config = Arc::new(handshakes::config(Handshake::Full));
    while held.len() < count {
        let address = match speaks {
            Speaks::Plain => contestant.plain,
            Speaks::Tls => contestant.tls,
        };
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        held.push(match speaks {
            Speaks::Plain => ask(stream)?,
            Speaks::Tls => {
                let name = ServerName::try_from("app.test").map_err(io::Error::other)?;
                let session = ClientConnection::new(Arc::clone(&config), name);
                let session = session.map_err(io::Error::other)?;
                // The client's own half is no longer needed; the socket keeps the server's.
                ask(StreamOwned::new(session, stream))?.sock
            }
        });
    }
    let grown = contestant.memory().saturating_sub(before);
    // They must still be open, or their memory is not what was measured.
    for stream in &held {
        stream.set_nonblocking(true)?;
        if !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        {
            // TLS tickets may wait there unread; an end of the stream reads as nothing.
            if stream.peek(&mut [0])? == 0 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }
    Ok(grown as f64 / count as f64)
}

fn ask<S: Read + Write>(mut stream: S) -> io::Result<S> {
    stream.write_all(REQUEST)?;
    let (mut buffer, mut read) = ([0; 4096], 0);
    while !buffer[..read].ends_with(b"Hello, world!") {
        match stream.read(&mut buffer[read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read += count,
        }
    }
    Ok(stream)
}
