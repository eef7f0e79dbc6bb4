//! A server on a port of its own, and questions to it as bytes.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use paas::{
    dns::{Limits, Server, ZoneData, ZoneRecord, Zones},
    model::DnsData,
};
use tokio::sync::watch;

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) zones: watch::Sender<Arc<Zones>>,
}

impl Stage {
    pub(crate) fn new(limits: Limits) -> Self {
        let (zones, reader) = watch::channel(Arc::new(zones("192.0.2.1")));
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], &reader, limits).unwrap();
        Self { server, zones }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// A socket that asks it and waits for answers.
    pub(crate) fn asker(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.at()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }
}

/// `example.com` whose wildcard leads to that address.
pub(crate) fn zones(address: &str) -> Zones {
    let mut records = vec![
        record("*.example.com", "A", address),
        record("www.example.com", "CNAME", "shop.example.com"),
        record("example.com", "TXT", "v=spf1 -all"),
        record("given.example.com", "NS", "ns.given.example.com"),
        record("ns.given.example.com", "A", "192.0.2.53"),
        record("two.example.com", "AAAA", "2001:db8::2"),
    ];
    for n in 1..=150 {
        records.push(record("many.example.com", "A", &format!("198.51.100.{n}")));
    }
    Zones::new(&[ZoneData {
        apex: "example.com".to_owned(),
        servers: vec!["ns1.example.com".to_owned()],
        serial: 2026,
        negative_ttl: 60,
        records,
    }])
    .unwrap()
}

fn record(name: &str, kind: &str, data: &str) -> ZoneRecord {
    ZoneRecord { name: name.to_owned(), ttl: 60, data: DnsData::parse(kind, data).unwrap() }
}

/// A question for an IPv4 address, without EDNS.
pub(crate) fn question(number: u16, name: &str) -> Vec<u8> {
    let mut packet = number.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}
