//! AES-256-ECB with PKCS#7 padding, which encrypts the `req_info` of APIv2 refund notifications. Do
//! not use it for anything else: this mode reveals repeated blocks and does not detect changes.
//!
//! Source: WeChat Pay, "退款结果通知". The key is the MD5 of the APIv2 key, as 32 lower-case
//! hexadecimal digits.
//!
//! ```
//! use wechatpay_chain::Secret;
//! use wechatpay_chain::crypto::{aes_ecb, hash};
//!
//! let key = Secret::from(hash::md5("the APIv2 key of the merchant..."));
//! let ciphertext = aes_ecb::encrypt(b"<root/>", &key)?;
//! assert_eq!(aes_ecb::decrypt(&ciphertext, &key)?, b"<root/>");
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::prelude::{BASE64_STANDARD, Engine};

use super::secret::Secret;
use crate::error::{Error, ErrorKind};

const BLOCK: usize = 16;

/// The message for a text that no key can decrypt.
pub(crate) const DAMAGED: &str = "the text is not base64 of whole blocks of AES, so it is damaged";

/// Encrypts with a 32-byte key, and returns base64.
///
/// # Errors
/// Fails with [`ErrorKind::Config`] if the key does not have 32 bytes.
pub fn encrypt(plaintext: &[u8], key: &Secret) -> Result<String, Error> {
    let cipher = cipher(key)?;
    let padding = BLOCK - plaintext.len() % BLOCK;
    let mut bytes = plaintext.to_vec();
    // PKCS#7: n bytes of the value n, and a whole block if the length is a multiple of the block.
    bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or_default());
    for block in bytes.chunks_exact_mut(BLOCK) {
        let mut encrypted = Array::try_from(&*block).unwrap_or_default();
        cipher.encrypt_block(&mut encrypted);
        block.copy_from_slice(&encrypted);
    }
    Ok(BASE64_STANDARD.encode(bytes))
}

/// Decrypts base64 with a 32-byte key. Whitespace in the base64 is ignored.
///
/// # Errors
/// Fails with [`ErrorKind::Config`] if the key does not have 32 bytes, and with
/// [`ErrorKind::Decode`] if the text is damaged or was not encrypted with this key.
pub fn decrypt(ciphertext: &str, key: &Secret) -> Result<Vec<u8>, Error> {
    let wrong = || Error::new(ErrorKind::Decode, "the text cannot be decrypted with this key (AES-256-ECB)");
    let cipher = cipher(key)?;
    let compact: Vec<u8> = ciphertext.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let damaged = || Error::new(ErrorKind::Decode, DAMAGED);
    let mut bytes = BASE64_STANDARD.decode(compact).map_err(|_| damaged())?;
    if bytes.is_empty() || bytes.len() % BLOCK != 0 {
        return Err(damaged());
    }
    for block in bytes.chunks_exact_mut(BLOCK) {
        let mut decrypted = Array::try_from(&*block).unwrap_or_default();
        cipher.decrypt_block(&mut decrypted);
        block.copy_from_slice(&decrypted);
    }
    let padding = bytes.last().copied().unwrap_or_default();
    let length = bytes.len().saturating_sub(usize::from(padding));
    let padded = bytes.get(length..).unwrap_or_default();
    if !matches!(padding, 1..=16) || padded.iter().any(|byte| *byte != padding) {
        return Err(wrong());
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn cipher(key: &Secret) -> Result<Aes256, Error> {
    Aes256::new_from_slice(key.expose())
        .map_err(|_| Error::config(format!("a key of AES-256 has 32 bytes, this one has {}", key.expose().len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_at_every_length() {
        let key = &Secret::from("0123456789abcdef0123456789abcdef");
        // openssl enc -aes-256-ecb
        assert_eq!(encrypt(b"test", key).expect("key"), "dQvVpMGPSPL8zCxGByAGIg==");
        for length in 0..50 {
            let plain = vec![7u8; length];
            let ciphertext = encrypt(&plain, key).expect("key");
            assert_eq!(decrypt(&ciphertext, key).expect("ciphertext"), plain);
            assert!(decrypt(&ciphertext, &"1123456789abcdef0123456789abcdef".into()).is_err(), "{length}");
        }
        // Padding of 0, 17 and 255, and one whose bytes differ.
        for padding in [[0u8; 16], [17; 16], [255; 16], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3]] {
            let ciphertext = encrypt(&padding, key).expect("key");
            // The first block only: without the padding that `encrypt` adds.
            let bytes = BASE64_STANDARD.decode(ciphertext).expect("base64");
            let cut = BASE64_STANDARD.encode(&bytes[..16]);
            assert!(decrypt(&cut, key).is_err(), "{padding:?}");
        }
        assert_eq!(decrypt("dQvVpMGPSPL8\r\n zCxGByAGIg==", key).expect("wrapped"), b"test");
        for broken in ["", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(decrypt(broken, key).expect_err(broken).kind(), ErrorKind::Decode);
        }
        assert_eq!(decrypt("", &"short".into()).expect_err("key").kind(), ErrorKind::Config);
    }
}
