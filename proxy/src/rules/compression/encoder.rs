//! A body being compressed, piece by piece.
//!
//! It decides nothing and sends nothing: bytes go in, and what has become of them is taken out.
//! Memory is bounded twice: each coding has a small window (measured: zstd takes 0.75 MB, brotli
//! 1.6 MB, gzip 0.4 MB), and a worker has so many encoders at once and no more. Beyond that,
//! responses pass as they are, which is always right.

use std::cell::Cell;
use std::io::{self, Write as _};

use brotli::CompressorWriter;
use flate2::write::GzEncoder;
use zstd::stream::raw::CParameter;

use crate::rules::compression::Coding;

/// Compresses one body.
pub(crate) struct Encoder {
    coder: Coder,
    /// Something went in that may not have come out yet.
    withheld: bool,
    _place: InUse,
}

/// The libraries' own state, with what is ready to be taken.
enum Coder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Finished(Vec<u8>),
}

/// Fast rather than small: the edge has other requests to serve on the same core.
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
const ZSTD_LEVEL: i32 = 3;

/// 64 KiB. Four times as much would double the memory for a few percent of most pages.
const BROTLI_WINDOW: u32 = 16;
/// 128 KiB; browsers take up to 8 MiB (RFC 9659).
const ZSTD_WINDOW: u32 = 17;
/// Tables to match the window: the level's own are for a larger one, and take as much again.
const ZSTD_TABLES: u32 = 15;

/// What brotli hands over at once, in bytes.
const PIECE: usize = 4096;

impl Encoder {
    /// An encoder, unless this worker has `most` already.
    pub(crate) fn begin(coding: Coding, most: usize) -> Option<Self> {
        let place = InUse::begin(most)?;
        let coder = match coding {
            Coding::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Coder::Gzip(Box::new(GzEncoder::new(Vec::new(), level)))
            }
            Coding::Brotli => Coder::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                PIECE,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Coding::Zstd => Coder::Zstd(Box::new(zstd_encoder().ok()?)),
        };
        Some(Self { coder, withheld: false, _place: place })
    }

    /// Takes data in.
    pub(crate) fn push(&mut self, data: &[u8]) -> io::Result<()> {
        self.withheld = true;
        match &mut self.coder {
            Coder::Gzip(coder) => coder.write_all(data),
            Coder::Brotli(coder) => coder.write_all(data),
            Coder::Zstd(coder) => coder.write_all(data),
            Coder::Finished(_) => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Whether a flush would bring anything out.
    pub(crate) fn withholds(&self) -> bool {
        self.withheld
    }

    /// Makes all that went in ready, at the price of a few bytes: the sender pauses, and the reader
    /// shall not wait for what is here.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.withheld = false;
        match &mut self.coder {
            Coder::Gzip(coder) => coder.flush(),
            Coder::Brotli(coder) => coder.flush(),
            Coder::Zstd(coder) => coder.flush(),
            Coder::Finished(_) => Ok(()),
        }
    }

    /// Ends the coding and gives the memory back.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.withheld = false;
        let coder = std::mem::replace(&mut self.coder, Coder::Finished(Vec::new()));
        self.coder = Coder::Finished(match coder {
            Coder::Gzip(coder) => coder.finish()?,
            Coder::Brotli(coder) => coder.into_inner(),
            Coder::Zstd(coder) => coder.finish()?,
            Coder::Finished(rest) => rest,
        });
        Ok(())
    }

    /// What is ready; the caller empties it.
    pub(crate) fn ready(&mut self) -> &mut Vec<u8> {
        match &mut self.coder {
            Coder::Gzip(coder) => coder.get_mut(),
            Coder::Brotli(coder) => coder.get_mut(),
            Coder::Zstd(coder) => coder.get_mut(),
            Coder::Finished(rest) => rest,
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.coder {
            Coder::Gzip(_) => "Encoder(gzip)",
            Coder::Brotli(_) => "Encoder(br)",
            Coder::Zstd(_) => "Encoder(zstd)",
            Coder::Finished(_) => "Encoder(finished)",
        })
    }
}

fn zstd_encoder() -> io::Result<zstd::stream::write::Encoder<'static, Vec<u8>>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
    encoder.set_parameter(CParameter::HashLog(ZSTD_TABLES))?;
    encoder.set_parameter(CParameter::ChainLog(ZSTD_TABLES))?;
    Ok(encoder)
}

thread_local! {
    /// Encoders of this thread, which is one worker.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// One encoder's part of a worker's memory.
struct InUse;

impl InUse {
    fn begin(most: usize) -> Option<Self> {
        IN_USE.with(|count| {
            let before = count.get();
            (before < most).then(|| {
                count.set(before + 1);
                Self
            })
        })
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        IN_USE.with(|count| count.set(count.get().saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        // Errors are those of a stream that is cut, which is what a reader of a page sees.
        let _ = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain),
            Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain),
            Coding::Zstd => {
                zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut plain)
            }
        };
        plain
    }

    #[test]
    fn what_goes_in_comes_out_and_not_later_than_the_flush() {
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            let mut encoder = Encoder::begin(coding, 1).unwrap();
            let (mut plain, mut coded) = (Vec::new(), Vec::new());
            for round in 0..50 {
                let piece = format!("<li>item {round}</li>").repeat(round * 7 + 1).into_bytes();
                plain.extend_from_slice(&piece);
                encoder.push(&piece).unwrap();
                coded.append(encoder.ready());
                if round % 3 == 0 {
                    encoder.flush().unwrap();
                    coded.append(encoder.ready());
                    assert_eq!(decoded(coding, &coded), plain, "{coding:?} in round {round}");
                }
            }
            encoder.finish().unwrap();
            coded.append(encoder.ready());
            assert_eq!(decoded(coding, &coded), plain, "{coding:?}");
            assert!(coded.len() * 3 < plain.len(), "{coding:?}: {}", coded.len());
        }
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut all: Vec<_> = std::iter::from_fn(|| Encoder::begin(Coding::Gzip, 3)).collect();
        assert_eq!(all.len(), 3);
        all.pop();
        assert!(Encoder::begin(Coding::Zstd, 3).is_some());
    }
}
