//! What is owed to any packet at all: silence, an error, a cut, and never a panic.

use hickory_proto::{
    op::{Edns, Message, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RecordType},
};
use proptest::prelude::*;

use super::{super::message::Transport, ask, question, raw, zones};

const ZONES: &str = "
    example.com A 192.0.2.1
    *.example.com A 192.0.2.1
    small.example.com TXT x
    given.example.com NS ns.given.example.com
    ns.given.example.com A 192.0.2.53
";

/// A name with so many addresses.
fn crowd(name: &str, count: u8) -> String {
    let lines: Vec<String> = (1..=count).map(|n| format!("{name} A 10.0.0.{n}")).collect();
    lines.join("\n")
}

#[test]
fn what_is_too_long_for_udp_is_cut_and_whole_over_tcp() {
    let zones = zones(&crowd("many.example.com", 200));
    let question = question("many.example.com.", RecordType::A);
    let answer = ask(&zones, &question);
    assert!(answer.metadata.truncation && answer.answers.is_empty() && answer.edns.is_some());
    let whole = raw(&zones, &question.to_vec().unwrap(), Transport::Tcp).unwrap();
    let whole = Message::from_vec(&whole).unwrap();
    assert_eq!((whole.metadata.truncation, whole.answers.len()), (false, 200));
}

#[test]
fn the_askers_room_is_believed_between_512_and_1232_bytes() {
    let zones = zones(&crowd("some.example.com", 40));
    for (room, cut) in [(None, true), (Some(0), true), (Some(512), true), (Some(1232), false)] {
        let mut question = question("some.example.com.", RecordType::A);
        question.edns = room.map(|room| {
            let mut edns = Edns::new();
            edns.set_max_payload(room);
            edns
        });
        let answer = ask(&zones, &question);
        assert_eq!(answer.metadata.truncation, cut, "{room:?}");
        assert_eq!(answer.edns.is_some(), room.is_some());
    }
}

#[test]
fn several_addresses_take_turns_at_the_front() {
    let zones = zones("two.example.com A 192.0.2.1\ntwo.example.com A 192.0.2.2");
    let packet = question("two.example.com.", RecordType::A).to_vec().unwrap();
    let first = |turn| {
        let mut out = Vec::new();
        let how = (Transport::Udp, super::Measure::Whole);
        let bytes = super::respond(&zones, &packet, how, turn, &mut out).unwrap();
        Message::from_vec(bytes).unwrap().answers[0].data.to_string()
    };
    assert_ne!(first(0), first(1));
    assert_eq!(first(0), first(2));
}

#[test]
fn what_is_no_question_is_met_with_silence() {
    let zones = zones(ZONES);
    let mut response = question("example.com.", RecordType::A);
    response.metadata.message_type = hickory_proto::op::MessageType::Response;
    assert_eq!(raw(&zones, &response.to_vec().unwrap(), Transport::Udp), None);
    for length in 0..12 {
        assert_eq!(raw(&zones, &vec![0; length], Transport::Udp), None);
    }
}

#[test]
fn what_cannot_be_answered_gets_its_code() {
    let zones = zones(ZONES);
    let code = |message: &Message| ask(&zones, message).metadata.response_code;
    let mut chaos = question("version.bind.", RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(code(&chaos), ResponseCode::Refused);

    let mut versioned = question("example.com.", RecordType::A);
    versioned.edns.as_mut().unwrap().set_version(1);
    let answer = ask(&zones, &versioned);
    // The number has two names (RFC 6895 section 2.3).
    assert_eq!(u16::from(answer.metadata.response_code), u16::from(ResponseCode::BADVERS));
    assert_eq!(answer.edns.unwrap().version(), 0);

    let mut two = question("example.com.", RecordType::A);
    two.add_query(Query::query(Name::root(), RecordType::A));
    assert_eq!(code(&two), ResponseCode::FormErr);
    let mut none = question("example.com.", RecordType::A);
    none.queries.clear();
    assert_eq!(code(&none), ResponseCode::FormErr);

    for op_code in [OpCode::Status, OpCode::Notify, OpCode::Update] {
        let mut other = question("example.com.", RecordType::A);
        other.metadata.op_code = op_code;
        let answer = raw(&zones, &other.to_vec().unwrap(), Transport::Udp).unwrap();
        assert_eq!((answer[..2].to_vec(), answer[3] & 15), (vec![0, 7], 4), "NOTIMP");
    }

    let mut broken = question("example.com.", RecordType::A).to_vec().unwrap();
    broken.truncate(20);
    let answer = raw(&zones, &broken, Transport::Udp).unwrap();
    assert_eq!((answer.len(), answer[3] & 15), (12, 1), "FORMERR");
}

#[test]
fn texts_longer_than_a_piece_are_said_in_pieces() {
    let long = "x".repeat(600);
    let zones = zones(&format!("long.example.com TXT {long}"));
    let answer = ask(&zones, &question("long.example.com.", RecordType::TXT));
    assert_eq!(answer.answers[0].data.to_string().replace(' ', ""), long);
    assert!(zones.has_text("long.example.com", &long) && !zones.has_text("example.com", &long));
}

proptest! {
    /// Whatever comes in: no panic, no answer longer than allowed, and one that can be read.
    #[test]
    fn any_bytes_are_survived(
        base in prop::sample::select(vec!["example.com.", "a.b.example.com.", "x.given.example.com.", "nowhere.invalid."]),
        kind in any::<u16>(),
        changes in prop::collection::vec((0_usize..80, any::<u8>()), 0..12),
        cut in 0_usize..80,
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let zones = zones(ZONES);
        let mut packet = question(base, RecordType::from(kind)).to_vec().unwrap();
        for (at, byte) in changes {
            if let Some(there) = packet.get_mut(at) {
                *there = byte;
            }
        }
        packet.truncate(packet.len().saturating_sub(cut % 40));
        packet.extend(tail);
        if let Some(answer) = raw(&zones, &packet, Transport::Udp) {
            prop_assert!(answer.len() <= 1232);
            prop_assert_eq!(&answer[..2], &packet[..2]);
            prop_assert!(Message::from_vec(&answer).is_ok(), "{:?}", packet);
        }
    }
}
