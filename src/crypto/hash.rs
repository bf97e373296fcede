//! The signature algorithms of APIv2, MD5 and HMAC-SHA256 over `key=value` pairs, and the
//! comparison of signatures in constant time. The names are those of the PHP SDK's `Crypto\Hash`.
//!
//! Source: WeChat Pay, "安全规范".
//!
//! ```
//! use wechatpay_chain::Secret;
//! use wechatpay_chain::crypto::hash;
//! use wechatpay_chain::formatter::{ksort, query_string_like};
//!
//! let key = Secret::from("192006250b4c09247ec02edce69f6a2d");
//! let signed = query_string_like(ksort([
//!     ("body", "test"), ("appid", "wxd930ea5d5a258f4f"), ("mch_id", "10000100"),
//!     ("device_info", "1000"), ("nonce_str", "ibuaiVcKdpRxkhJA"), ("sign", ""),
//! ]));
//! let sign = hash::sign(hash::MD5, &signed, &key)?;
//! assert!(hash::equals("9A0A8659F005D6984697E2CA0A9CF3B7", &sign));
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use md5::{Digest, Md5};
use ring::digest;
use ring::hmac as ring_hmac;
use subtle::ConstantTimeEq;

use super::hex;
use super::secret::Secret;
use crate::error::Error;
use crate::proto::excerpt::excerpt;

/// The default `sign_type` of APIv2.
pub const MD5: &str = "MD5";
/// The `sign_type` of APIv2 that is more secure than [`MD5`].
pub const HMAC_SHA256: &str = "HMAC-SHA256";

/// Returns the MD5 digest as lower-case hexadecimal digits. It is the `media_hash` of APIv2
/// uploads, and the digest of the APIv2 key is the key for [`aes_ecb`](super::aes_ecb).
///
/// ```
/// assert_eq!(wechatpay_chain::crypto::hash::md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
/// ```
#[must_use]
pub fn md5(thing: impl AsRef<[u8]>) -> String {
    hex::encode(&Md5::digest(thing))
}

/// Returns the SHA-1 digest as lower-case hexadecimal digits. It is the digest of bills.
#[must_use]
pub fn sha1(thing: impl AsRef<[u8]>) -> String {
    hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, thing.as_ref()).as_ref())
}

/// Returns the SHA-256 digest as lower-case hexadecimal digits. It is the digest of uploads.
#[must_use]
pub fn sha256(thing: impl AsRef<[u8]>) -> String {
    hex::encode(digest::digest(&digest::SHA256, thing.as_ref()).as_ref())
}

/// Returns the MD5 digest of `{thing}&secret={secret}` as lower-case hexadecimal digits. `secret`
/// is the secret of a WeChat Work agent.
#[must_use]
pub fn md5_agency(thing: &str, secret: &Secret) -> String {
    md5_keyed(thing, "&secret=", secret)
}

fn md5_keyed(thing: &str, name: &str, key: &Secret) -> String {
    let mut hasher = Md5::new();
    for piece in [thing.as_bytes(), name.as_bytes(), key.expose()] {
        hasher.update(piece);
    }
    hex::encode(&hasher.finalize())
}

/// Returns the HMAC-SHA256 of `{thing}&key={key}` with the key `key`, as lower-case hexadecimal
/// digits.
#[must_use]
pub fn hmac(thing: &str, key: &Secret) -> String {
    let mut context = ring_hmac::Context::with_key(&ring_hmac::Key::new(ring_hmac::HMAC_SHA256, key.expose()));
    for piece in [thing.as_bytes(), b"&key=", key.expose()] {
        context.update(piece);
    }
    hex::encode(context.sign().as_ref())
}

/// Returns the APIv2 `sign` of `data` as upper-case hexadecimal digits. `data` contains sorted
/// pairs, joined by [`query_string_like`](crate::php::formatter::query_string_like). `sign_type` is
/// [`MD5`] or [`HMAC_SHA256`].
///
/// # Errors
/// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if `sign_type` has any other value.
/// (The PHP SDK returns an empty signature instead.)
pub fn sign(sign_type: &str, data: &str, key: &Secret) -> Result<String, Error> {
    let mut sign = match sign_type {
        MD5 => md5_keyed(data, "&key=", key),
        HMAC_SHA256 => hmac(data, key),
        other => {
            return Err(Error::options(format!(
                "the sign_type {:?} is unknown: APIv2 has \"MD5\", the default, and \"HMAC-SHA256\"",
                excerpt(other)
            )));
        }
    };
    sign.make_ascii_uppercase();
    Ok(sign)
}

/// Returns whether two signatures are equal. The comparison takes constant time.
#[must_use]
pub fn equals(known: &str, given: &str) -> bool {
    known.as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // The example in WeChat Pay's documentation.
        let example = "appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA";
        let key = Secret::from("192006250b4c09247ec02edce69f6a2d");
        assert_eq!(sign(MD5, example, &key).expect("sign"), "9A0A8659F005D6984697E2CA0A9CF3B7");
        assert_eq!(
            sign(HMAC_SHA256, example, &key).expect("sign"),
            "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6"
        );
        assert!(sign("md5", example, &key).expect_err("lower case").message().contains("\"md5\""));
        assert!(equals("a", "a") && !equals("a", "b") && !equals("a", "ab") && equals("", ""));
    }
}
