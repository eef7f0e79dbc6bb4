//! Connections: several questions in one, and bounds on how many and how long.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use paas::dns::{Limits, Server};

use crate::stage::{Stage, question};

fn connect(stage: &Stage) -> TcpStream {
    let stream = TcpStream::connect(stage.at()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn framed(number: u16) -> Vec<u8> {
    let packet = question(number, "shop.example.com");
    [u16::try_from(packet.len()).unwrap().to_be_bytes().as_slice(), &packet].concat()
}

/// The number of the next answer; `None` when the connection has ended.
fn answer(stream: &mut TcpStream) -> Option<u16> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer).ok()?;
    Some(u16::from_be_bytes([answer[0], answer[1]]))
}

#[test]
fn questions_may_come_all_at_once_or_byte_by_byte() {
    let stage = Stage::new(Limits::default());
    let mut stream = connect(&stage);
    stream.write_all(&(1..=5).flat_map(framed).collect::<Vec<u8>>()).unwrap();
    for number in 1..=5 {
        assert_eq!(answer(&mut stream), Some(number));
    }
    for byte in framed(6) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(answer(&mut stream), Some(6));
}

#[test]
fn a_silent_connection_is_ended() {
    let limits = Limits { idle: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::new(limits);
    let mut stream = connect(&stage);
    stream.write_all(&framed(1)[..5]).unwrap();
    assert_eq!(answer(&mut stream), None);
}

#[test]
fn one_client_has_so_many_connections_and_gets_new_ones_for_old() {
    let stage = Stage::new(Limits { connections_per_client: 3, ..Limits::default() });
    let mut streams: Vec<TcpStream> = (0..3).map(|_| connect(&stage)).collect();
    for stream in &mut streams {
        stream.write_all(&framed(1)).unwrap();
        assert_eq!(answer(stream), Some(1));
    }
    let mut fourth = connect(&stage);
    let _ = fourth.write_all(&framed(2));
    assert_eq!(answer(&mut fourth), None, "one too many");
    streams.pop();
    let again = (0..100).any(|_| {
        let mut stream = connect(&stage);
        let _ = stream.write_all(&framed(3));
        answer(&mut stream) == Some(3)
    });
    assert!(again, "the place of one that ended is free");
}

#[test]
fn a_server_that_is_dropped_gives_its_address_back() {
    let stage = Stage::new(Limits::default());
    let at = stage.at();
    let zones = stage.zones.subscribe();
    drop(stage.server);
    let next = Server::bind(&[at], &zones, Limits::default()).unwrap();
    assert_eq!(next.addresses(), [at]);
}
