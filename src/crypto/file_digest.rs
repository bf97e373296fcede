//! Digests of files as they stream by.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use ring::digest::{self, Context};

use super::hex;

/// The digests that the service names in `hash_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// By its name in an answer: `SHA1`, `SHA256`.
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

/// The digest of a file, and of the plain file inside when it is gzip: the service names the plain one for bills.
pub(crate) struct FileDigest {
    raw: Hasher,
    algorithm: Algorithm,
    /// Known after the first two bytes.
    plain: Plain,
    expected: String,
}

enum Plain {
    /// The first byte, where one has come.
    Unknown(Option<u8>),
    NotGzip,
    Gzip(Box<GzDecoder<Hasher>>),
    /// It began like gzip and is none.
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
    /// `expected` in hexadecimal, upper or lower case.
    pub(crate) fn new(algorithm: Algorithm, expected: &str) -> Self {
        FileDigest {
            raw: algorithm.context(),
            algorithm,
            plain: Plain::Unknown(None),
            expected: expected.to_ascii_lowercase(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.raw.0.update(bytes);
        let mut bytes = bytes;
        if let Plain::Unknown(first) = self.plain {
            let (first, rest) = match (first, bytes) {
                (None, []) | (Some(_), []) => return,
                (None, [first]) => {
                    self.plain = Plain::Unknown(Some(*first));
                    return;
                }
                (None, [first, rest @ ..]) => (*first, rest),
                (Some(first), rest) => (first, rest),
            };
            if first == 0x1f && rest.first() == Some(&0x8b) {
                self.plain = Plain::Gzip(Box::new(GzDecoder::new(self.algorithm.context())));
                self.unzip(&[first]);
                bytes = rest;
            } else {
                self.plain = Plain::NotGzip;
            }
        }
        self.unzip(bytes);
    }

    fn unzip(&mut self, bytes: &[u8]) {
        if let Plain::Gzip(decoder) = &mut self.plain {
            if decoder.write_all(bytes).is_err() {
                self.plain = Plain::Broken;
            }
        }
    }

    /// Whether the file, as it came or unpacked, has the expected digest. The error says what it has instead.
    pub(crate) fn finish(self) -> Result<(), String> {
        let raw = hex::encode(self.raw.0.finish().as_ref());
        let plain = match self.plain {
            Plain::Gzip(decoder) => match decoder.finish() {
                Ok(hasher) => Some(hex::encode(hasher.0.finish().as_ref())),
                Err(_) => None,
            },
            Plain::Unknown(_) | Plain::NotGzip | Plain::Broken => None,
        };
        if raw == self.expected || plain.as_deref() == Some(&self.expected) {
            return Ok(());
        }
        Err(format!(
            "its {} is {}, and the service named {}",
            self.algorithm.name(),
            plain.as_deref().unwrap_or(&raw),
            self.expected
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1_OF_ABC: &str = "A9993E364706816ABA3E25717850C26C9CD0D89D";

    fn holds(pieces: &[&[u8]], expected: &str) -> bool {
        let mut digest = FileDigest::new(Algorithm::Sha1, expected);
        pieces.iter().for_each(|piece| digest.update(piece));
        digest.finish().is_ok()
    }

    #[test]
    fn plain_and_gzip_in_any_pieces() {
        assert!(holds(&[b"abc"], SHA1_OF_ABC));
        assert!(holds(&[b"a", b"", b"bc"], SHA1_OF_ABC));
        assert!(!holds(&[b"abd"], SHA1_OF_ABC));
        assert!(holds(&[], "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"abc").expect("memory");
        let gzip = encoder.finish().expect("memory");
        assert!(holds(&[&gzip], SHA1_OF_ABC));
        let bytes: Vec<&[u8]> = gzip.chunks(1).collect();
        assert!(holds(&bytes, SHA1_OF_ABC));
        assert!(!holds(&[&gzip[..gzip.len() - 9]], SHA1_OF_ABC));
        let raw = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &gzip).as_ref());
        assert!(holds(&[&gzip], &raw));
        assert!(!holds(&[b"\x1f\x8bnot gzip at all"], SHA1_OF_ABC));
        assert!(!holds(&[b"\x1f"], SHA1_OF_ABC));
    }

    #[test]
    fn algorithms_by_name() {
        assert_eq!(Algorithm::from_name("SHA256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::from_name("SM3"), None);
    }
}
