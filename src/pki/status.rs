//! Whether a certificate still stands, as its issuer says (OCSP, RFC 6960): the question, and the
//! answer read. Who carries the one there and the other back is somebody else's affair.
//!
//! Invariant: an answer is believed only if it is signed by the issuer, or by somebody whom the issuer
//! made a responder, is about this very certificate, and is in force.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_cert::{
    der::{
        Decode as _, Encode as _, Reader as _, SliceReader, TagNumber,
        asn1::{AnyRef, BitStringRef, ContextSpecific, Null, ObjectIdentifier, OctetString},
    },
    serial_number::SerialNumber,
    spki::AlgorithmIdentifierOwned,
};
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    OcspResponseStatus, Request, ResponseData, SingleResponse, TbsRequest,
};
use x509_parser::{
    asn1_rs::BitString,
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    pem::Pem,
    prelude::FromDer as _,
    verify::verify_signature,
    x509::AlgorithmIdentifier,
};

use crate::model::Timestamp;

/// A question about one certificate, and where it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// The URL of the responder that the certificate names: plain HTTP.
    pub responder: String,
    /// What is sent there (`application/ocsp-request`).
    pub request: Vec<u8>,
    subject: CertId,
    /// The issuer's certificate, DER.
    issuer: Vec<u8>,
}

/// What an issuer says of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is good.
    Good {
        /// Since when that is known.
        from: Timestamp,
        /// When the answer ends.
        until: Timestamp,
    },
    /// It is not to be trusted any more.
    Revoked {
        /// Since when.
        since: Timestamp,
        /// Why, if the issuer says so: `key compromise`.
        why: Option<&'static str>,
        /// When the answer ends.
        until: Timestamp,
    },
}

/// Why an answer says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAnswer {
    /// It cannot be read.
    #[error("it is no OCSP response")]
    Unreadable,
    /// The responder does not want to answer.
    #[error("the responder says: {0}")]
    Refused(&'static str),
    /// It says nothing of the certificate.
    #[error("it is about another certificate")]
    Foreign,
    /// Nobody who may has signed it.
    #[error("it is not signed by the certificate's issuer")]
    Unsigned,
    /// The responder does not know the certificate.
    #[error("the responder does not know the certificate")]
    Unknown,
    /// It is not in force.
    #[error("it is for the time from {from} to {until}")]
    Untimely {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

impl Inquiry {
    /// The question about the first certificate of a chain in PEM; `None` if it names no responder
    /// over plain HTTP, or if its issuer is not the next one in the chain.
    pub fn about(chain: &str) -> Option<Self> {
        let mut parts = Pem::iter_from_buffer(chain.as_bytes());
        let (own, issuer) = (parts.next()?.ok()?, parts.next()?.ok()?);
        let (_, own) = X509Certificate::from_der(&own.contents).ok()?;
        let (_, above) = X509Certificate::from_der(&issuer.contents).ok()?;
        if own.issuer() != above.subject() {
            return None;
        }
        let responder = responder(&own)?;
        let subject = subject(&own, &above)?;
        let asked = Request { req_cert: subject.clone(), single_request_extensions: None };
        let request = OcspRequest {
            // Without a nonce: most responders answer with what they have signed before.
            tbs_request: TbsRequest { request_list: vec![asked], ..TbsRequest::default() },
            optional_signature: None,
        };
        let request = request.to_der().ok()?;
        Some(Self { responder, request, subject, issuer: issuer.contents })
    }

    /// What a responder's answer says.
    pub fn read(&self, answer: &[u8], now: Timestamp) -> Result<Standing, InvalidAnswer> {
        let body = basic(answer)?;
        let parts = Parts::of(&body).map_err(|_| InvalidAnswer::Unreadable)?;
        let data = ResponseData::from_der(&parts.data).map_err(|_| InvalidAnswer::Unreadable)?;
        let found = data.responses.iter().find(|response| self.is_about(&response.cert_id));
        let found = found.ok_or(InvalidAnswer::Foreign)?;
        if !self.signed(&parts, now) {
            return Err(InvalidAnswer::Unsigned);
        }
        let (from, until) = force(found);
        if from > now.plus(SKEW) || until <= now || until <= from {
            return Err(InvalidAnswer::Untimely { from, until });
        }
        match &found.cert_status {
            CertStatus::Good(_) => Ok(Standing::Good { from, until }),
            CertStatus::Revoked(revoked) => Ok(Standing::Revoked {
                since: timestamp(revoked.revocation_time),
                why: revoked.revocation_reason.and_then(|reason| why(reason as u32)),
                until,
            }),
            CertStatus::Unknown(_) => Err(InvalidAnswer::Unknown),
        }
    }

    fn is_about(&self, other: &CertId) -> bool {
        let own = &self.subject;
        // Some leave the parameters of the hash out and some write NULL; it means the same.
        own.hash_algorithm.oid == other.hash_algorithm.oid
            && own.issuer_name_hash == other.issuer_name_hash
            && own.issuer_key_hash == other.issuer_key_hash
            && own.serial_number == other.serial_number
    }

    fn signed(&self, parts: &Parts, now: Timestamp) -> bool {
        let Ok((_, issuer)) = X509Certificate::from_der(&self.issuer) else { return false };
        parts.signed_by(&issuer)
            || parts.signers.iter().take(MOST_SIGNERS).any(|der| {
                X509Certificate::from_der(der).is_ok_and(|(_, signer)| {
                    is_delegate(&signer, &issuer, now) && parts.signed_by(&signer)
                })
            })
    }
}

/// A basic response in its pieces, as they were signed: nothing is written anew.
struct Parts {
    data: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    signers: Vec<Vec<u8>>,
}

impl Parts {
    fn of(body: &[u8]) -> x509_cert::der::Result<Self> {
        let mut reader = SliceReader::new(body)?;
        let parts = reader.sequence(|reader| {
            // DER has one way to write a length, so a piece written again is the same piece.
            let data = AnyRef::decode(reader)?.to_der()?;
            let algorithm = AnyRef::decode(reader)?.to_der()?;
            let signature = BitStringRef::decode(reader)?.raw_bytes().to_vec();
            let signers =
                ContextSpecific::<Vec<AnyRef<'_>>>::decode_explicit(reader, TagNumber::N0)?;
            let signers = signers.map_or_else(Vec::new, |signers| signers.value);
            let signers = signers.iter().map(AnyRef::to_der).collect::<Result<_, _>>()?;
            Ok(Self { data, algorithm, signature, signers })
        })?;
        reader.finish(parts)
    }

    fn signed_by(&self, signer: &X509Certificate<'_>) -> bool {
        let Ok((_, algorithm)) = AlgorithmIdentifier::from_der(&self.algorithm) else {
            return false;
        };
        let signature = BitString::new(0, &self.signature);
        verify_signature(signer.public_key(), &algorithm, &signature, &self.data).is_ok()
    }
}

/// Whether an issuer made somebody a responder of its own (RFC 6960 section 4.2.2.2).
fn is_delegate(signer: &X509Certificate<'_>, issuer: &X509Certificate<'_>, now: Timestamp) -> bool {
    let usage = signer.extended_key_usage().ok().flatten();
    let seconds = now.as_millis() / 1000;
    let life = signer.validity();
    usage.is_some_and(|usage| usage.value.ocsp_signing)
        && signer.issuer() == issuer.subject()
        && life.not_before.timestamp() <= seconds
        && seconds <= life.not_after.timestamp()
        && signer.verify_signature(Some(issuer.public_key())).is_ok()
}

/// The basic response inside an answer.
fn basic(answer: &[u8]) -> Result<Vec<u8>, InvalidAnswer> {
    let response = OcspResponse::from_der(answer).map_err(|_| InvalidAnswer::Unreadable)?;
    let refused = match response.response_status {
        OcspResponseStatus::Successful => None,
        OcspResponseStatus::MalformedRequest => Some("malformed request"),
        OcspResponseStatus::InternalError => Some("internal error"),
        OcspResponseStatus::TryLater => Some("try later"),
        OcspResponseStatus::SigRequired => Some("signature required"),
        OcspResponseStatus::Unauthorized => Some("unauthorized"),
    };
    if let Some(refused) = refused {
        return Err(InvalidAnswer::Refused(refused));
    }
    let bytes = response.response_bytes.filter(|bytes| {
        bytes.response_type == <BasicOcspResponse as x509_cert::der::oid::AssociatedOid>::OID
    });
    bytes.map(|bytes| bytes.response.into_bytes()).ok_or(InvalidAnswer::Unreadable)
}

/// The first URL of plain HTTP under which a certificate's issuer answers (RFC 5280 section 4.2.2.1).
/// TLS there would lead in a circle, and nobody uses it.
fn responder(certificate: &X509Certificate<'_>) -> Option<String> {
    let access = certificate.extensions().iter().find_map(|one| match one.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(access),
        _ => None,
    })?;
    let mut urls = access.accessdescs.iter().filter_map(|one| match one.access_location {
        GeneralName::URI(url) if one.access_method.to_id_string() == OCSP => Some(url),
        _ => None,
    });
    let plain =
        |url: &&str| url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
    urls.find(plain).map(str::to_owned)
}

/// How a certificate is named in OCSP: by hashes of its issuer's name and key, and its number. The
/// hashes hide nothing and prove nothing, and every responder knows them by SHA-1.
fn subject(own: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Option<CertId> {
    let hash = |bytes: &[u8]| OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    let key = &issuer.public_key().subject_public_key.data;
    Some(CertId {
        hash_algorithm: AlgorithmIdentifierOwned { oid: SHA1, parameters: Some(Null.into()) },
        issuer_name_hash: hash(issuer.subject().as_raw()).ok()?,
        issuer_key_hash: hash(key).ok()?,
        serial_number: SerialNumber::new(own.raw_serial()).ok()?,
    })
}

/// From when to when an answer is in force.
fn force(response: &SingleResponse) -> (Timestamp, Timestamp) {
    let from = timestamp(response.this_update);
    (from, response.next_update.map_or(from.plus(ENDLESS), timestamp))
}

fn timestamp(time: OcspGeneralizedTime) -> Timestamp {
    let millis = time.0.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The reasons of RFC 5280 section 5.3.1 that say something.
fn why(reason: u32) -> Option<&'static str> {
    match reason {
        1 => Some("key compromise"),
        2 => Some("authority compromise"),
        3 => Some("affiliation changed"),
        4 => Some("superseded"),
        5 => Some("cessation of operation"),
        6 => Some("certificate hold"),
        9 => Some("privilege withdrawn"),
        _ => None,
    }
}

/// The kind of access under which a responder stands.
const OCSP: &str = "1.3.6.1.5.5.7.48.1";
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// The responder's clock may be ahead of ours.
const SKEW: std::time::Duration = std::time::Duration::from_mins(5);
/// An answer that names no end says that a newer one may be had at any time.
const ENDLESS: std::time::Duration = std::time::Duration::from_hours(1);
/// Responders send one certificate, or none.
const MOST_SIGNERS: usize = 4;
