//! From the bytes of a question to the bytes of the answer.
//!
//! hickory reads and writes; what is here is what a server owes to any packet at all (RFC 1035
//! section 4.1.1, RFC 6891): silence to what is no question, FORMERR to what cannot be read, one
//! OPT for one OPT, and never more bytes than the asker can take.

use hickory_proto::{
    ProtoError,
    op::{Edns, Header, HeaderCounts, Message, Metadata, Query, ResponseCode},
    rr::{DNSClass, RecordType},
    serialize::binary::{BinEncodable, BinEncoder},
};

use super::{
    answer::{Part, Reply, answer},
    zones::Zones,
};

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// In a datagram: the answer fits into one that is not fragmented anywhere.
    Udp,
    /// In a connection: the answer has a length of 16 bits.
    Tcp,
}

/// How much of the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// All that fits.
    Whole,
    /// Only that there is one to be had over TCP, which nobody can ask for in another's name.
    Slip,
}

/// Writes the answer into `out`, which is emptied before. `None` is silence.
///
/// `turn` says with which record of several a set begins, so that the load is spread.
pub(super) fn respond<'a>(
    zones: &Zones,
    packet: &[u8],
    how: (Transport, Measure),
    turn: usize,
    out: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    out.clear();
    let flags = *packet.get(2)?;
    // Whoever answers answers starts a conversation between servers.
    if packet.len() < HEADER || flags & RESPONSE != 0 {
        return None;
    }
    if flags & OPCODE != 0 {
        return bare(packet, ResponseCode::NotImp, out);
    }
    let Ok(message) = Message::from_vec(packet) else {
        return bare(packet, ResponseCode::FormErr, out);
    };
    let [query] = message.queries.as_slice() else {
        return bare(packet, ResponseCode::FormErr, out);
    };
    let edns = message.edns.as_ref().map(|_| {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP);
        edns
    });
    let reply = match &message.edns {
        Some(edns) if edns.version() != 0 => refuse(ResponseCode::BADVERS),
        // Of the class CHAOS is our version, of the meta types are transfers: neither is told.
        _ if query.query_class() != DNSClass::IN || is_meta(query.query_type()) => {
            refuse(ResponseCode::Refused)
        }
        _ => answer(zones, query.name(), query.query_type()),
    };
    let most = match how.0 {
        Transport::Udp => message.max_payload().clamp(MIN_UDP, MAX_UDP),
        Transport::Tcp => u16::MAX,
    };
    let mut metadata = Metadata::response_from_request(&message.metadata);
    metadata.authoritative = reply.authoritative;
    metadata.response_code = reply.code;
    metadata.truncation = how.1 == Measure::Slip;
    let draft = Draft { metadata, query, reply, edns, turn };
    match draft.write(most, out) {
        Ok(()) => Some(out),
        Err(_) => bare(packet, ResponseCode::ServFail, out),
    }
}

/// Types that ask for something to be done (RFC 6895 section 3.1), but ANY.
fn is_meta(kind: RecordType) -> bool {
    kind != RecordType::ANY && matches!(u16::from(kind), 0 | 41 | 128..=255)
}

fn refuse<'a>(code: ResponseCode) -> Reply<'a> {
    Reply {
        code,
        authoritative: false,
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
    }
}

/// A header alone, for what cannot be read far enough to say more.
fn bare<'a>(packet: &[u8], code: ResponseCode, out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (id, flags) = (packet.get(..2)?, *packet.get(2)?);
    out.clear();
    out.extend_from_slice(id);
    out.extend_from_slice(&[RESPONSE | (flags & (OPCODE | RECURSION_DESIRED)), code.low()]);
    out.extend_from_slice(&[0; 8]);
    Some(out)
}

/// A response before it is bytes.
struct Draft<'a> {
    metadata: Metadata,
    query: &'a Query,
    reply: Reply<'a>,
    edns: Option<Edns>,
    turn: usize,
}

impl Draft<'_> {
    fn write(mut self, most: u16, out: &mut Vec<u8>) -> Result<(), ProtoError> {
        let mut encoder = BinEncoder::new(out);
        // What OPT takes is kept for it: it is not what truncation may leave out.
        encoder.set_max_size(most - self.edns.as_ref().map_or(0, |_| OPT_SIZE));
        let place = encoder.place::<Header>()?;
        self.query.emit(&mut encoder)?;
        let question_end = encoder.offset();
        let mut counts = HeaderCounts { queries: 1, ..HeaderCounts::default() };
        if !self.metadata.truncation {
            let mut sections = [&self.reply.answers, &self.reply.authorities].into_iter();
            let mut section = |encoder: &mut BinEncoder<'_>| match sections.next() {
                Some(parts) => emit(encoder, parts, self.turn),
                None => Ok(0),
            };
            match (section(&mut encoder), section(&mut encoder)) {
                (Ok(answers), Ok(authorities)) => {
                    (counts.answers, counts.authorities) = (answers, authorities);
                    // Addresses told along may be left out without a word (RFC 2181 section 9).
                    let along = emit(&mut encoder, &self.reply.additionals, self.turn);
                    counts.additionals = along.unwrap_or(0);
                }
                _ => {
                    self.metadata.truncation = true;
                    encoder.set_offset(question_end);
                    encoder.trim();
                }
            }
        }
        encoder.set_max_size(most);
        if let Some(edns) = &mut self.edns {
            edns.set_rcode_high(self.metadata.response_code.high());
            edns.emit(&mut encoder)?;
            counts.additionals += 1;
        }
        place.replace(&mut encoder, Header { metadata: self.metadata, counts })
    }
}

/// Writes a section, or nothing of it.
fn emit(encoder: &mut BinEncoder<'_>, parts: &[Part<'_>], turn: usize) -> Result<u16, ProtoError> {
    let start = encoder.offset();
    let mut count = 0;
    for part in parts {
        let data = &part.set.data;
        let (late, early) = data.split_at(turn.checked_rem(data.len()).unwrap_or(0));
        for record in early.iter().chain(late) {
            let mut write = || {
                part.owner.emit(encoder)?;
                part.set.kind.emit(encoder)?;
                DNSClass::IN.emit(encoder)?;
                encoder.emit_u32(part.set.ttl)?;
                let length = encoder.place::<u16>()?;
                record.emit(encoder)?;
                let written = encoder.len_since_place(&length);
                length.replace(encoder, u16::try_from(written).unwrap_or(u16::MAX))
            };
            if let Err(error) = write() {
                encoder.set_offset(start);
                encoder.trim();
                return Err(error);
            }
            count += 1;
        }
    }
    Ok(count)
}

const HEADER: usize = 12;
/// An OPT record without options.
const OPT_SIZE: u16 = 11;
const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const RECURSION_DESIRED: u8 = 0x01;
/// What every asker takes (RFC 1035 section 4.2.1).
const MIN_UDP: u16 = 512;
/// What every path carries in one piece (DNS flag day 2020).
pub(super) const MAX_UDP: u16 = 1232;
