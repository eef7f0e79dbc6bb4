//! Packets, the frames of git's protocol (gitprotocol-common): four hexadecimal digits of length, which
//! counts itself, and as many bytes. Lengths below four have meanings of their own.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// Content.
    Data(Vec<u8>),
    /// `0000`: the end of a list.
    Flush,
    /// The input has ended before a packet began.
    End,
}

/// Why what came is not git's protocol.
#[derive(Debug, thiserror::Error)]
pub enum MalformedError {
    /// It ended or broke in the middle.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// Anything else.
    #[error("not git's protocol: {0}")]
    Not(&'static str),
}

/// Reads one packet.
pub(super) async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Packet, MalformedError> {
    let mut digits = [0; DIGITS];
    let mut have = 0;
    while let Some(rest) = digits.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match input.read(rest).await? {
            0 if have == 0 => return Ok(Packet::End),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            more => have += more,
        }
    }
    let Some(length) = length(digits)? else { return Ok(Packet::Flush) };
    let mut data = vec![0; length];
    input.read_exact(&mut data).await?;
    Ok(Packet::Data(data))
}

/// The bytes of content that follow; `None` for a flush.
fn length(digits: [u8; DIGITS]) -> Result<Option<usize>, MalformedError> {
    let text = str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'));
    let length = text.and_then(|text| usize::from_str_radix(text, 16).ok());
    match length {
        Some(0) => Ok(None),
        Some(length @ DIGITS..=LONGEST) => Ok(Some(length - DIGITS)),
        Some(_) => Err(MalformedError::Not("a packet of an impossible length")),
        None => Err(MalformedError::Not("a packet begins with four hexadecimal digits")),
    }
}

/// Adds a packet with this content, of which what is too long for one is left out.
pub(super) fn write(into: &mut Vec<u8>, data: &[u8]) {
    let data = data.get(..LONGEST - DIGITS).unwrap_or(data);
    into.extend_from_slice(format!("{:04x}", data.len() + DIGITS).as_bytes());
    into.extend_from_slice(data);
}

/// The end of a list.
pub(super) const FLUSH: &[u8] = b"0000";
const DIGITS: usize = 4;
/// The longest packet, its digits included.
pub(super) const LONGEST: usize = 65520;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn all(mut input: &[u8]) -> Result<Vec<Packet>, MalformedError> {
        let mut packets = Vec::new();
        loop {
            match read(&mut input).await? {
                Packet::End => return Ok(packets),
                packet => packets.push(packet),
            }
        }
    }

    #[tokio::test]
    async fn packets_and_what_is_none() {
        let data = |text: &str| Packet::Data(text.into());
        assert_eq!(all(b"0006a\n0000").await.unwrap(), [data("a\n"), Packet::Flush]);
        assert_eq!(all(b"0004").await.unwrap(), [data("")]);
        for bad in ["0", "000", "0001", "0002", "0003", "+005a", "zzzz", "0009abc", "fff1", "ffff"]
        {
            assert!(all(bad.as_bytes()).await.is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Vec::new();
            write(&mut bytes, &data);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let packets = runtime.block_on(all(&bytes)).unwrap();
            prop_assert_eq!(packets, [Packet::Data(data)]);
        }

        #[test]
        fn nothing_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            drop(runtime.block_on(all(&bytes)));
        }
    }
}
