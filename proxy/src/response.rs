//! A response head: checked as strictly as a request, and written anew for the client.
//!
//! It reads no body. What every answer carries, whatever the client speaks, is said in one place:
//! [`Head::each_field`]. The invariant: an upstream cannot make a client see two responses where it
//! sent one, nor keep a connection in a state that either side reads differently.

use std::mem::MaybeUninit;
use std::time::SystemTime;

use httparse::{Header, Status};

use crate::body::Body;
use crate::control::{Control, Length, Persistence, Version};
use crate::date::http_date;
use crate::digits::put_number;
use crate::field::{Extra, Field, Fields, MOST_FIELDS, put};
use crate::head::Malformed;
use crate::pages::{HSTS, Part};
use crate::party::{Client, Told};
use crate::pump::Encoding;
use crate::request::Request;
use crate::request_head::put_length;
use crate::rules::Passage;
use crate::rules::compression::{self, Encoder, Said, Treatment};

/// What the edge must know of a response after its head was written for the client.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// How its body is read from the upstream.
    pub(crate) body: Body,
    /// How it is written to the client.
    pub(crate) encoding: Encoding,
    /// What compresses it before that.
    pub(crate) encoder: Option<Encoder>,
    /// Whether the upstream connection may be used again.
    pub(crate) upstream: Persistence,
    /// Whether the client connection may be, as far as this response goes.
    pub(crate) client: Persistence,
}

/// What a response head was found to be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A 1xx other than 101. It was written for the client if the client can understand it.
    Interim,
    /// A 101 to a protocol that was asked for. It was written for the client.
    Switched,
    Final(Response),
    /// An answer with this status that the client is not to see, not yet at least. Nothing was written.
    Withheld(u16),
}

/// Which answers are kept from the client when their head arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withheld {
    None,
    /// Those that say that there is nothing: others may have it.
    Missing,
    /// And those of one who cannot say.
    MissingOrBroken,
}

impl Withheld {
    fn covers(self, status: u16) -> bool {
        match self {
            Self::None => false,
            Self::Missing => status == 404,
            Self::MissingOrBroken => status == 404 || status >= 500,
        }
    }
}

/// What is known when a response head arrives.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) request: &'a Request,
    /// Fields that are ours to add to the final answer.
    pub(crate) added: &'a [Extra],
    pub(crate) passage: &'a Passage,
    pub(crate) withheld: Withheld,
    /// How many responses a worker compresses at once.
    pub(crate) encoders: usize,
    /// The client connection's end is already decided: the edge stops, or the client asked.
    pub(crate) persistence: Persistence,
    /// Part of the request's body has not been read yet.
    pub(crate) uploading: Uploading,
    /// Asked only for answers that say no date themselves.
    pub(crate) clock: fn() -> SystemTime,
}

/// Whether a request's body is still being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uploading {
    Done,
    Underway,
}

/// Reads a whole head (with its empty line) and puts what the client shall see of it.
pub(crate) fn pass<C: Client>(
    head: &[u8],
    around: &Circumstances<'_>,
    client: &mut C,
) -> Result<Kind, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut parsed, head, &mut fields) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        // A later HTTP/1 may be read as ours (RFC 9110 section 2.5).
        Err(httparse::Error::Version)
            if matches!(
                head.get(..9),
                Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', b' '])
            ) =>
        {
            let head = [b"HTTP/1.1", head.get(8..).unwrap_or_default()].concat();
            return pass(&head, around, client);
        }
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Malformed::Field);
        }
        Ok(_) | Err(_) => return Err(Malformed::FirstLine),
    }
    let status = parsed.code.filter(|code| (100..=599).contains(code));
    let status = status.ok_or(Malformed::FirstLine)?;
    let version = Version::of(parsed.version);
    let fields = Fields::of(parsed.headers);
    let control = Control::read(version, &fields)?;
    if around.withheld.covers(status) {
        return Ok(Kind::Withheld(status));
    }
    let reason = parsed.reason.unwrap_or_default();
    let (treatment, encoder) = treatment(status, control.length, fields.lines, around);
    let head = Head { status, reason, control, fields, around, treatment };
    match status {
        101 => {
            client.put_switched(&head, head.protocol()?)?;
            Ok(Kind::Switched)
        }
        100..=199 => {
            client.put_interim(&head)?;
            Ok(Kind::Interim)
        }
        _ => head.pass_final(encoder, client),
    }
}

/// A response head that was found valid.
pub(crate) struct Head<'h, 'b> {
    pub(crate) status: u16,
    reason: &'b str,
    control: Control<'b>,
    fields: Fields<'h, 'b>,
    around: &'h Circumstances<'h>,
    treatment: Treatment,
}

/// Whether the response is compressed, and by whom if it has a body.
fn treatment(
    status: u16,
    length: Length,
    fields: &[Header<'_>],
    around: &Circumstances<'_>,
) -> (Treatment, Option<Encoder>) {
    // HTTP/1.0 has no chunks: a body of unknown length would cost its client the connection.
    if around.request.version == Version::Http10 {
        return (Treatment::Untouched, None);
    }
    let size = match length {
        Length::Sized(size) => Some(size),
        Length::Chunked | Length::Unsaid => None,
    };
    let treatment = compression::treat(around.passage.offer(), status, size, fields);
    match treatment {
        // What HEAD is told is what GET would be, but there is nothing to compress.
        Treatment::Coded(coding) if around.request.part() == Part::Whole => {
            match Encoder::begin(coding, around.encoders) {
                Some(encoder) => (treatment, Some(encoder)),
                None => (Treatment::Varies, None),
            }
        }
        Treatment::Coded(_) | Treatment::Varies | Treatment::Untouched => (treatment, None),
    }
}

impl Head<'_, '_> {
    /// The protocol that the upstream switched to: one of those it was asked for.
    fn protocol(&self) -> Result<&str, Malformed> {
        let asked = self.around.request.upgrade.as_deref().ok_or(Malformed::Switch)?;
        let given = self.control.upgrade.ok_or(Malformed::Switch)?;
        let mut asked = asked.split(',');
        let is_asked = asked.any(|token| token.trim().eq_ignore_ascii_case(given.trim()));
        if is_asked { Ok(given) } else { Err(Malformed::Switch) }
    }

    fn pass_final<C: Client>(
        &self,
        encoder: Option<Encoder>,
        client: &mut C,
    ) -> Result<Kind, Malformed> {
        let body = match self.control.length {
            _ if self.is_bodiless() => Body::EMPTY,
            Length::Sized(size) => Body::Sized(size),
            Length::Chunked => Body::CHUNKED,
            Length::Unsaid => Body::UntilClose,
        };
        let told = client.put_final(self, body)?;
        let upstream = match body {
            Body::UntilClose => Persistence::Close,
            Body::Sized(_) | Body::Chunked(_) => self.control.persistence,
        };
        let (encoding, client) = (told.encoding, told.persistence);
        Ok(Kind::Final(Response { status: self.status, body, encoding, encoder, upstream, client }))
    }

    fn is_bodiless(&self) -> bool {
        self.around.request.part() == Part::Head || matches!(self.status, 204 | 304)
    }

    /// The length that the client is told, if the upstream said one that it may be told.
    pub(crate) fn size(&self) -> Option<u64> {
        match self.control.length {
            // How much is left of it after compression is known when all of it is sent.
            Length::Sized(_) if self.treatment.is_coded() => None,
            Length::Sized(size) if self.status != 204 => Some(size),
            Length::Sized(_) | Length::Chunked | Length::Unsaid => None,
        }
    }

    /// At most so many fields does the client get, as a rule: a date and an id come to those of the
    /// upstream.
    pub(crate) fn count(&self) -> usize {
        self.fields.lines.len() + self.around.added.len() + 2
    }

    /// Every field that the client gets, whatever it speaks: those of the upstream that may travel
    /// on, and the edge's own. What is about the connection or the length is not among them.
    pub(crate) fn each_field(&self, mut each: impl FnMut(&str, &[u8])) {
        let mut dated = false;
        let hsts = self.around.passage.hsts().filter(|_| self.status >= 200);
        for (known, field) in self.fields.iter() {
            match known {
                Field::Connection
                | Field::ContentLength
                | Field::TransferEncoding
                | Field::Upgrade
                | Field::Hop
                | Field::RequestId => {}
                _ if self.control.lists(field.name) => {}
                // Said twice it would be void (RFC 6797 section 8.1), and the site wins.
                _ if hsts.is_some() && field.name.eq_ignore_ascii_case(HSTS) => {}
                known => {
                    dated |= known == Field::Date;
                    match self.treatment.field(field.name, field.value) {
                        Said::Same(value) => each(field.name, value),
                        Said::Changed(value) => each(field.name, &value),
                        Said::Nothing => {}
                    }
                }
            }
        }
        for (name, value) in self.treatment.added(self.fields.lines) {
            each(name, value.as_bytes());
        }
        if self.status >= 200 && !dated {
            each("Date", http_date((self.around.clock)()).as_bytes());
        }
        if let Some(hsts) = hsts {
            each(HSTS, hsts.as_bytes());
        }
        if self.status >= 200 || self.status == 101 {
            each("X-Request-Id", self.around.request.id.as_bytes());
            for extra in self.around.added {
                each(extra.name, extra.value.as_bytes());
            }
        }
    }

    /// Writes an interim head, unless the client knows nothing of such.
    pub(crate) fn put_interim(&self, out: &mut Vec<u8>) {
        if self.around.request.version == Version::Http11 {
            self.put_line(out);
            self.each_field(|name, value| put(out, name, value));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes the head after which `protocol` is spoken.
    pub(crate) fn put_switched(&self, protocol: &str, out: &mut Vec<u8>) {
        self.put_line(out);
        self.each_field(|name, value| put(out, name, value));
        put(out, "Connection", b"upgrade");
        put(out, "Upgrade", protocol.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Writes the head of an answer for an HTTP/1 client.
    pub(crate) fn put_final(&self, body: Body, out: &mut Vec<u8>) -> Told {
        let version = self.around.request.version;
        // A body of unknown length is chunked for the client, if it can read that.
        let told = match self.size() {
            Some(size) => Length::Sized(size),
            None if self.is_bodiless() || version == Version::Http10 => Length::Unsaid,
            None => Length::Chunked,
        };
        let ends_by_closing = told == Length::Unsaid && body != Body::EMPTY;
        // A refusal in the middle of an upload: the rest of the upload is of no use to anybody.
        let cut_short = self.around.uploading == Uploading::Underway && self.status >= 400;
        let persistence =
            if ends_by_closing || cut_short { Persistence::Close } else { self.around.persistence };

        self.put_line(out);
        self.each_field(|name, value| put(out, name, value));
        put_length(told, out);
        match (persistence, version) {
            (Persistence::Close, _) => put(out, "Connection", b"close"),
            (Persistence::KeepAlive, Version::Http10) => put(out, "Connection", b"keep-alive"),
            (Persistence::KeepAlive, Version::Http11 | Version::Http2) => {}
        }
        // Whoever asks for an upgrade must say to what (RFC 9110 section 15.5.22).
        if let (426, Version::Http11, Some(token)) = (self.status, version, self.control.upgrade) {
            put(out, "Connection", b"upgrade");
            put(out, "Upgrade", token.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        let encoding = match told {
            Length::Chunked => Encoding::Chunked,
            Length::Unsaid | Length::Sized(_) => Encoding::Plain,
        };
        Told { encoding, persistence }
    }

    fn put_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        put_number(out, self.status.into());
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
