//! What the server says, as packets: every case goes through the bytes and is read by hickory.

mod answers;
mod packets;

use hickory_proto::{
    op::{Edns, Message, OpCode, Query},
    rr::{Name, RecordType},
};

use super::{
    message::{Measure, Transport, respond},
    zones::{ZoneData, Zones},
};
use crate::model::{DnsData, zone::ZoneRecord};

/// Zones written as in files, one record a line: `name type data`.
pub(super) fn zones(records: &str) -> Zones {
    let mut all: Vec<ZoneData> = ["example.com", "sub.example.com", "other.test"]
        .map(|apex| ZoneData {
            apex: apex.to_owned(),
            servers: vec!["ns1.example.com".to_owned(), "ns2.example.com".to_owned()],
            serial: 7,
            negative_ttl: 60,
            records: Vec::new(),
        })
        .to_vec();
    for line in records.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        let data = DnsData::parse(kind, words.next().unwrap()).unwrap();
        let within = |zone: &&mut ZoneData| name.ends_with(&zone.apex);
        let zone = all.iter_mut().filter(within).max_by_key(|zone| zone.apex.len()).unwrap();
        zone.records.push(ZoneRecord { name: name.to_owned(), ttl: 60, data });
    }
    Zones::new(&all).unwrap()
}

/// The bytes of a question.
pub(super) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, hickory_proto::op::MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message
}

/// The answer to it over UDP.
pub(super) fn ask(zones: &Zones, question: &Message) -> Message {
    let packet = question.to_vec().unwrap();
    let answer = raw(zones, &packet, Transport::Udp).expect("an answer");
    Message::from_vec(&answer).unwrap()
}

/// The bytes of the answer to these bytes.
pub(super) fn raw(zones: &Zones, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    respond(zones, packet, (transport, Measure::Whole), 0, &mut out).map(<[u8]>::to_vec)
}
