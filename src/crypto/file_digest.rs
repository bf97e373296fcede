//! The digest of a file, computed while the file is received.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use ring::digest::{self, Context};

use super::hex;

/// The algorithms that WeChat Pay names in `hash_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Returns the algorithm with this name in a response: `SHA1` or `SHA256`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" => Some(Algorithm::Sha1),
            "SHA256" | "SHA-256" => Some(Algorithm::Sha256),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    fn context(self) -> Hasher {
        Hasher(Context::new(match self {
            Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &digest::SHA256,
        }))
    }
}

/// The digest of a file as received and, if it is gzip, of the decompressed file, because WeChat
/// Pay computes the digest of a bill before compression.
pub(crate) struct FileDigest {
    raw: Hasher,
    algorithm: Algorithm,
    unpacked: Unpacked,
    expected: String,
}

/// Whether the file is gzip, as determined by its first two bytes.
enum Unpacked {
    /// Fewer than two bytes were received.
    Unknown(Option<u8>),
    NotGzip,
    Gzip(Box<GzDecoder<Hasher>>),
    /// It begins like gzip but cannot be decompressed.
    Broken,
}

struct Hasher(Context);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileDigest {
    /// `expected` is hexadecimal in upper or lower case.
    pub(crate) fn new(algorithm: Algorithm, expected: &str) -> Self {
        FileDigest {
            raw: algorithm.context(),
            algorithm,
            unpacked: Unpacked::Unknown(None),
            expected: expected.to_ascii_lowercase(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.raw.0.update(bytes);
        let mut bytes = bytes;
        if let Unpacked::Unknown(first) = self.unpacked {
            let (first, rest) = match (first, bytes) {
                (None, []) | (Some(_), []) => return,
                (None, [first]) => {
                    self.unpacked = Unpacked::Unknown(Some(*first));
                    return;
                }
                (None, [first, rest @ ..]) => (*first, rest),
                (Some(first), rest) => (first, rest),
            };
            if first == 0x1f && rest.first() == Some(&0x8b) {
                self.unpacked = Unpacked::Gzip(Box::new(GzDecoder::new(self.algorithm.context())));
                self.unzip(&[first]);
                bytes = rest;
            } else {
                self.unpacked = Unpacked::NotGzip;
            }
        }
        self.unzip(bytes);
    }

    fn unzip(&mut self, bytes: &[u8]) {
        if let Unpacked::Gzip(decoder) = &mut self.unpacked {
            if decoder.write_all(bytes).is_err() {
                self.unpacked = Unpacked::Broken;
            }
        }
    }

    /// Compares the digests with the expected one. The error names the actual digest.
    pub(crate) fn finish(self) -> Result<(), String> {
        let raw = hex::encode(self.raw.0.finish().as_ref());
        let unpacked = match self.unpacked {
            Unpacked::Gzip(decoder) => match decoder.finish() {
                Ok(hasher) => Some(hex::encode(hasher.0.finish().as_ref())),
                Err(_) => None,
            },
            Unpacked::Unknown(_) | Unpacked::NotGzip | Unpacked::Broken => None,
        };
        if raw == self.expected || unpacked.as_deref() == Some(&self.expected) {
            return Ok(());
        }
        Err(format!(
            "its {} is {}, expected {}",
            self.algorithm.name(),
            unpacked.as_deref().unwrap_or(&raw),
            self.expected
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1_OF_ABC: &str = "A9993E364706816ABA3E25717850C26C9CD0D89D";

    fn matches(pieces: &[&[u8]], expected: &str) -> bool {
        let mut digest = FileDigest::new(Algorithm::Sha1, expected);
        pieces.iter().for_each(|piece| digest.update(piece));
        digest.finish().is_ok()
    }

    #[test]
    fn plain_and_gzip_in_pieces_of_any_size() {
        assert!(matches(&[b"abc"], SHA1_OF_ABC));
        assert!(matches(&[b"a", b"", b"bc"], SHA1_OF_ABC));
        assert!(!matches(&[b"abd"], SHA1_OF_ABC));
        assert!(matches(&[], "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"abc").expect("memory");
        let gzip = encoder.finish().expect("memory");
        assert!(matches(&[&gzip], SHA1_OF_ABC));
        let bytes: Vec<&[u8]> = gzip.chunks(1).collect();
        assert!(matches(&bytes, SHA1_OF_ABC));
        assert!(!matches(&[&gzip[..gzip.len() - 9]], SHA1_OF_ABC));
        // A whole gzip file with other contents, and one with the right contents and another file
        // behind them.
        let compress = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text).expect("memory");
            encoder.finish().expect("memory")
        };
        assert!(!matches(&[&compress(b"abd")], SHA1_OF_ABC));
        assert!(!matches(&[&compress(b"")], SHA1_OF_ABC));
        assert!(!matches(&[&gzip, &compress(b"d")], SHA1_OF_ABC));
        let raw = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &gzip).as_ref());
        assert!(matches(&[&gzip], &raw));
        assert!(!matches(&[b"\x1f\x8bnot gzip at all"], SHA1_OF_ABC));
        assert!(!matches(&[b"\x1f"], SHA1_OF_ABC));
    }

    /// For gzip, the digest of the decompressed file, since WeChat Pay announces that one.
    #[test]
    fn the_error_names_the_algorithm_and_the_digest() {
        let error = |algorithm, text: &[u8]| {
            let mut digest = FileDigest::new(algorithm, "00");
            digest.update(text);
            digest.finish().expect_err("another digest")
        };
        let sha1 = SHA1_OF_ABC.to_ascii_lowercase();
        assert_eq!(error(Algorithm::Sha1, b"abc"), format!("its SHA1 is {sha1}, expected 00"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"abc").expect("memory");
        let gzip = encoder.finish().expect("memory");
        assert_eq!(error(Algorithm::Sha1, &gzip), format!("its SHA1 is {sha1}, expected 00"));
        assert!(error(Algorithm::Sha256, b"").starts_with("its SHA256 is e3b0c44298fc1c149afb"));
    }

    #[test]
    fn algorithms_by_name() {
        assert_eq!(Algorithm::from_name("SHA256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::from_name("SM3"), None);
    }
}
