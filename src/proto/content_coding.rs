//! Content codings: decodes the body of a response with the header `Content-Encoding`.
//!
//! Source: RFC 9110, 8.4. Only gzip is supported (RFC 1952).

use std::io::Write;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::excerpt::one_line;
use crate::error::{Error, ErrorKind};

/// How many bytes are decoded at a time. One byte of gzip has at most 1,032 bytes of content.
const STEP: usize = 1024;

/// Decodes a body in pieces.
pub(crate) struct Decoder {
    gzip: MultiGzDecoder<Vec<u8>>,
    /// Received, and not decoded yet.
    received: Bytes,
    is_empty: bool,
}

impl Decoder {
    /// The decoder for a response with these headers; `None` if its body is not encoded.
    pub(crate) fn new(headers: &HeaderMap) -> Result<Option<Box<Self>>, Error> {
        let mut codings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            // A value that is not text cannot name a supported coding.
            let value = String::from_utf8_lossy(value.as_bytes());
            let names = value.split(',').map(|name| name.trim().to_ascii_lowercase());
            codings.extend(names.filter(|name| !matches!(&**name, "" | "identity")));
        }
        match codings.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(None),
            ["gzip" | "x-gzip"] => {
                let gzip = MultiGzDecoder::new(Vec::new());
                Ok(Some(Box::new(Decoder { gzip, received: Bytes::new(), is_empty: true })))
            }
            _ => {
                let message = format!(
                    "the body has the Content-Encoding {}, and only gzip can be decoded: leave out the header \
                     Accept-Encoding of the call, or the compression of the gateway",
                    one_line(&codings.join(", "), 64)
                );
                Err(Error::new(ErrorKind::Decode, message))
            }
        }
    }

    /// Adds bytes as received. The ones before must have been decoded.
    pub(crate) fn push(&mut self, received: Bytes) {
        self.is_empty &= received.is_empty();
        self.received = received;
    }

    /// The next decoded piece, at most about a megabyte; `None` if more has to be received.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.received.is_empty() {
            let step = self.received.split_to(STEP.min(self.received.len()));
            self.gzip.write_all(&step).map_err(not_gzip)?;
            let decoded = std::mem::take(self.gzip.get_mut());
            if !decoded.is_empty() {
                return Ok(Some(decoded.into()));
            }
        }
        Ok(None)
    }

    /// The last piece. Fails if the body is truncated. A body without a byte is not encoded.
    pub(crate) fn finish(self) -> Result<Option<Bytes>, Error> {
        if self.is_empty {
            return Ok(None);
        }
        let decoded = self.gzip.finish().map_err(not_gzip)?;
        Ok(Some(decoded.into()).filter(|decoded: &Bytes| !decoded.is_empty()))
    }
}

/// Removes the headers that describe the body before it was decoded.
pub(crate) fn remove_headers(headers: &mut HeaderMap) {
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
}

fn not_gzip(source: std::io::Error) -> Error {
    let message = format!("the body has the Content-Encoding gzip, and is truncated or damaged: {source}");
    Error::new(ErrorKind::Decode, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decoder(values: &[&str]) -> Result<Option<Box<Decoder>>, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_bytes(value.as_bytes()).expect("value"));
        }
        Decoder::new(&headers)
    }

    /// Decodes a body that is received in pieces of this length.
    fn decode(body: &[u8], length: usize) -> Result<Vec<u8>, Error> {
        let mut decoder = decoder(&["gzip"])?.expect("gzip");
        let mut decoded = Vec::new();
        for piece in body.chunks(length) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(piece) = decoder.next()? {
                assert!(piece.len() <= STEP * 1032 + 64 * 1024, "{}", piece.len());
                decoded.extend_from_slice(&piece);
            }
        }
        decoded.extend_from_slice(&decoder.finish()?.unwrap_or_default());
        Ok(decoded)
    }

    #[test]
    fn gzip_is_the_only_coding() {
        for values in [&["gzip"][..], &["x-gzip"], &["GZip"], &["identity, gzip"], &["", " gzip "], &["gzip,"]] {
            assert!(decoder(values).expect("known").is_some(), "{values:?}");
        }
        for values in [&[][..], &[""], &["identity"], &["Identity", ","]] {
            assert!(decoder(values).expect("known").is_none(), "{values:?}");
        }
        for (values, shown) in [
            (&["br"][..], "Content-Encoding br, "),
            (&["ZSTD"], "Content-Encoding zstd, "),
            (&["deflate"], "Content-Encoding deflate, "),
            (&["gzip, gzip"], "Content-Encoding gzip, gzip, "),
            (&["gzip", "x-gzip"], "Content-Encoding gzip, x-gzip, "),
            (&["gzip;q=1"], "Content-Encoding gzip;q=1, "),
            (&["\u{e4}\t"], "Content-Encoding \u{e4}, "),
        ] {
            let error = decoder(values).err().expect("unknown").to_string();
            assert!(error.contains(shown), "{values:?}: {error}");
        }
        assert!(decoder(&[&"x".repeat(1000)]).err().expect("unknown").to_string().len() < 300);
    }

    #[test]
    fn bodies_are_decoded_in_pieces_of_any_size() {
        let text: Vec<u8> =
            (0..40_000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for text in [&b""[..], b"{}", &text, &vec![b' '; 5_000_000]] {
            let body = gzip(text);
            for length in [1, 7, 1000, body.len()] {
                assert!(decode(&body, length).expect("gzip") == text, "{} bytes in pieces of {length}", text.len());
            }
        }
        assert_eq!(decode(b"", 1).expect("no body"), b"");
        // A body may consist of several members.
        assert_eq!(decode(&[gzip(b"ab"), gzip(b""), gzip(b"c")].concat(), 5).expect("members"), b"abc");
    }

    #[test]
    fn damaged_bodies_are_errors() {
        let whole = gzip(b"{\"a\":1}");
        let mut checksum = whole.clone();
        let at = checksum.len() - 6;
        checksum[at] ^= 1;
        let trailing = [&whole[..], b"x"].concat();
        let zeros = [&whole[..], &[0; 16]].concat();
        let half_a_member = [&whole[..], &whole[..12]].concat();
        let cut = (1..whole.len()).map(|length| &whole[..length]);
        for body in cut.chain([&checksum[..], &trailing, &zeros, &half_a_member, b"{}", b"\x1f\x8b"]) {
            for length in [1, 1000] {
                let error = decode(body, length).expect_err("damaged");
                assert!(error.to_string().contains("Content-Encoding gzip"), "{error}");
            }
        }
    }
}
