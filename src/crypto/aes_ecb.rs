//! AES-256-ECB with PKCS#7 padding: what seals the `req_info` of APIv2's refund notification. For nothing else: the mode hides
//! neither repetition nor changes.
//!
//! Source: WeChat Pay, "退款结果通知". The key is the MD5 of the APIv2 key, as 32 letters of lower-case hexadecimal.
//!
//! ```
//! use wechatpay_chain::Secret;
//! use wechatpay_chain::crypto::{aes_ecb, hash};
//!
//! let key = Secret::from(hash::md5("the APIv2 key of the merchant..."));
//! let sealed = aes_ecb::encrypt(b"<root/>", &key)?;
//! assert_eq!(aes_ecb::decrypt(&sealed, &key)?, b"<root/>");
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::prelude::{BASE64_STANDARD, Engine};

use crate::crypto::secret::Secret;
use crate::error::{Error, ErrorKind};

const BLOCK: usize = 16;

/// Encrypts under a key of 32 bytes; the result is base64.
///
/// # Errors
/// [`ErrorKind::Config`]: the key does not have 32 bytes.
pub fn encrypt(plaintext: &[u8], key: &Secret) -> Result<String, Error> {
    let cipher = cipher(key)?;
    let padding = BLOCK - plaintext.len() % BLOCK;
    let mut bytes = plaintext.to_vec();
    // As PKCS#7 has it: so many bytes, each of that value, and a whole block where none is needed.
    bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or_default());
    for block in bytes.chunks_exact_mut(BLOCK) {
        let mut sealed = Array::try_from(&*block).unwrap_or_default();
        cipher.encrypt_block(&mut sealed);
        block.copy_from_slice(&sealed);
    }
    Ok(BASE64_STANDARD.encode(bytes))
}

/// Decrypts base64 under a key of 32 bytes.
///
/// # Errors
/// [`ErrorKind::Config`]: the key does not have 32 bytes; [`ErrorKind::Decode`]: the text was not encrypted under this key.
pub fn decrypt(ciphertext: &str, key: &Secret) -> Result<Vec<u8>, Error> {
    let wrong = || Error::new(ErrorKind::Decode, "the text does not decrypt under this key (AES-256-ECB)");
    let cipher = cipher(key)?;
    let compact: Vec<u8> = ciphertext.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut bytes = BASE64_STANDARD.decode(compact).map_err(|_| wrong())?;
    if bytes.is_empty() || bytes.len() % BLOCK != 0 {
        return Err(wrong());
    }
    for block in bytes.chunks_exact_mut(BLOCK) {
        let mut opened = Array::try_from(&*block).unwrap_or_default();
        cipher.decrypt_block(&mut opened);
        block.copy_from_slice(&opened);
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
        .map_err(|_| Error::config(format!("the key of AES-256 has 32 bytes, and this one has {}", key.expose().len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_at_every_length() {
        let key = &Secret::from("0123456789abcdef0123456789abcdef");
        // openssl enc -aes-256-ecb
        assert_eq!(encrypt(b"test", key).expect("key"), "dQvVpMGPSPL8zCxGByAGIg==");
        for length in 0..50 {
            let plain = vec![7u8; length];
            let sealed = encrypt(&plain, key).expect("key");
            assert_eq!(decrypt(&sealed, key).expect("sealed"), plain);
            assert!(decrypt(&sealed, &"1123456789abcdef0123456789abcdef".into()).is_err(), "{length}");
        }
        // Padding of 0, 17 and 255, and one whose bytes differ.
        for padding in [[0u8; 16], [17; 16], [255; 16], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3]] {
            let sealed = encrypt(&padding, key).expect("key");
            // Without the block of padding that encrypting adds.
            let bytes = BASE64_STANDARD.decode(sealed).expect("base64");
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
