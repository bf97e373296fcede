//! Which key made a signature that is not valid: the expected key over other bytes, or another key.

use num_bigint::BigUint;

use crate::crypto::PublicKey;

/// The DER of `DigestInfo` in front of a SHA-256 digest (RFC 8017, section 9.2).
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA256_BYTES: usize = 32;

/// What a signature shows if it is opened with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureOrigin {
    /// The key made it with SHA-256, so other bytes were signed.
    SameKey,
    /// The key made it, but not with SHA-256.
    WrongDigest,
    /// Another key made it, or its bytes were changed, or its padding is not PKCS#1 v1.5.
    AnotherKey,
}

/// Opens a signature with a public key, and reads its padding. A signature by another key has
/// random bytes there.
///
/// The power is not computed in constant time: the key, the signature and the result are public.
pub(crate) fn signature_origin(key: &PublicKey, signature: &[u8]) -> SignatureOrigin {
    let Ok(numbers) = key.numbers() else { return SignatureOrigin::AnotherKey };
    let modulus = BigUint::from_bytes_be(numbers.modulus);
    let number = BigUint::from_bytes_be(signature);
    if signature.len() != numbers.modulus.len() || number >= modulus {
        return SignatureOrigin::AnotherKey;
    }
    let opened = number.modpow(&BigUint::from_bytes_be(numbers.exponent), &modulus).to_bytes_be();
    // The encoded message is 00 01 FF .. FF 00 and the `DigestInfo`. The number has no leading 00.
    let padded = (opened.len() + 1 == signature.len()).then(|| opened.strip_prefix(&[1])).flatten();
    let Some(padded) = padded else { return SignatureOrigin::AnotherKey };
    let padding = padded.iter().take_while(|byte| **byte == 0xff).count();
    match padded.get(padding..) {
        // The padding has at least eight bytes.
        Some([0, info @ ..]) if padding >= 8 => {
            let digest = info.strip_prefix(&SHA256_DIGEST_INFO);
            match digest.is_some_and(|digest| digest.len() == SHA256_BYTES) {
                true => SignatureOrigin::SameKey,
                false => SignatureOrigin::WrongDigest,
            }
        }
        _ => SignatureOrigin::AnotherKey,
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;
    use crate::sandbox::Sandbox;

    #[test]
    fn a_signature_shows_its_key() {
        let (sandbox, other) = (Sandbox::start().expect("sandbox"), Sandbox::start().expect("sandbox"));
        let (merchant, other) = (sandbox.merchant_key(), other.merchant_key());
        let key = merchant.public_key();
        let signature = merchant.sign(b"other bytes").expect("signed");
        assert_eq!(signature_origin(&key, &signature), SignatureOrigin::SameKey);
        let changed: Vec<u8> = signature.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 9)).collect();
        for signature in [changed, signature[1..].to_vec(), vec![0; 256], vec![0xff; 256], Vec::new()] {
            assert_eq!(signature_origin(&key, &signature), SignatureOrigin::AnotherKey);
        }
        // Each sandbox without a data folder can have the same key.
        if other.public_key() != key {
            let signature = other.sign(b"message").expect("signed");
            assert_eq!(signature_origin(&key, &signature), SignatureOrigin::AnotherKey);
        }
    }
}
