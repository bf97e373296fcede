//! AES-256-GCM for files that do not fit into memory: the text is decrypted piece by piece, and the
//! authentication tag is checked at the end.
//!
//! ring decrypts a message only as a whole and only with a nonce of 12 bytes. The files of WeChat
//! Pay have several gigabytes and a nonce of 16 bytes, so this module joins CTR and GHASH as NIST
//! SP 800-38D, section 7.2, defines it.

use aes::Aes256;
use ctr::Ctr32BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;

const BLOCK: usize = 16;
/// The authentication tag, which is the end of the file.
const TAG: usize = 16;

/// Decrypts a file: ciphertext and tag. The decrypted text must not be used before
/// [`finish`](Self::finish) has succeeded.
pub(crate) struct GcmDecryptor {
    cipher: Ctr32BE<Aes256>,
    ghash: GHash,
    /// The encrypted first counter block, which masks the tag.
    mask: [u8; BLOCK],
    /// The end of the bytes so far: at most one incomplete block, and the tag.
    unread: Vec<u8>,
    /// The length of the ciphertext so far, in bytes.
    length: u64,
}

impl GcmDecryptor {
    /// The associated data is empty. The nonce may have any length except zero.
    pub(crate) fn new(key: &[u8; 32], nonce: &[u8]) -> Option<Self> {
        if nonce.is_empty() {
            return None;
        }
        let mut subkey = [0; BLOCK];
        Ctr32BE::<Aes256>::new(key.into(), &[0; BLOCK].into()).try_apply_keystream(&mut subkey).ok()?;
        let ghash = GHash::new(&subkey.into());
        let first = match nonce.first_chunk::<12>().filter(|chunk| chunk.len() == nonce.len()) {
            Some(nonce) => {
                let mut block = [0; BLOCK];
                block[..12].copy_from_slice(nonce);
                block[BLOCK - 1] = 1;
                block
            }
            None => {
                let mut ghash = ghash.clone();
                ghash.update_padded(nonce);
                ghash.update(&[lengths(nonce.len() as u64).into()]);
                ghash.finalize().into()
            }
        };
        let mut cipher = Ctr32BE::<Aes256>::new(key.into(), &first.into());
        let mut mask = [0; BLOCK];
        cipher.try_apply_keystream(&mut mask).ok()?;
        Some(GcmDecryptor { cipher, ghash, mask, unread: Vec::new(), length: 0 })
    }

    /// Decrypts the next piece, except for its end, which may belong to the tag. `None` if the file
    /// is longer than the 64 GiB that one nonce encrypts.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.unread.extend_from_slice(bytes);
        let complete = self.unread.len().saturating_sub(TAG) / BLOCK * BLOCK;
        let rest = self.unread.split_off(complete);
        self.decrypt(rest)
    }

    /// Decrypts the ciphertext in `unread`, which is then replaced.
    fn decrypt(&mut self, rest: Vec<u8>) -> Option<Vec<u8>> {
        let mut text = std::mem::replace(&mut self.unread, rest);
        // Pads the last block of the file with zeros. Other pieces end with a block.
        self.ghash.update_padded(&text);
        self.length += text.len() as u64;
        self.cipher.try_apply_keystream(&mut text).ok()?;
        Some(text)
    }

    /// Decrypts the last bytes and checks the tag. `None` if the file was changed, is incomplete,
    /// or was encrypted with another key or nonce.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        let end = self.unread.len().checked_sub(TAG)?;
        let tag = self.unread.split_off(end);
        let text = self.decrypt(Vec::new())?;
        self.ghash.update(&[lengths(self.length).into()]);
        let mut expected: [u8; BLOCK] = self.ghash.finalize().into();
        for (byte, mask) in expected.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        bool::from(expected.ct_eq(&tag)).then_some(text)
    }
}

/// The last block of GHASH: the length of the associated data, which is zero, and that of the text,
/// in bits.
fn lengths(text: u64) -> [u8; BLOCK] {
    (u128::from(text) * 8).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;

    const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

    fn decrypt(key: &[u8; 32], nonce: &[u8], file: &[u8], piece: usize) -> Option<Vec<u8>> {
        let mut decryptor = GcmDecryptor::new(key, nonce)?;
        let mut text = Vec::new();
        for piece in file.chunks(piece) {
            text.extend(decryptor.update(piece)?);
        }
        text.extend(decryptor.finish()?);
        Some(text)
    }

    /// The file is the output of PHP's `openssl_encrypt` with `aes-256-gcm`, followed by the tag.
    #[test]
    fn a_file_with_a_nonce_of_16_bytes_is_decrypted_in_pieces_of_any_size() {
        let nonce = b"a8607ef79034c49c";
        let base64 = "6RKHMECqz6xXmz8EKDV0KfLf2ZXPG2AdfS23v3DESEAO+1D5E+zSp1+rlaoVI6nCNbSZOLwvNQ==";
        let file = BASE64_STANDARD.decode(base64).expect("base64");
        for piece in 1..=file.len() {
            let text = decrypt(KEY, nonce, &file, piece).expect("decrypted");
            assert_eq!(String::from_utf8_lossy(&text), "交易时间,公众账号ID\n`2026-11-01");
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(decrypt(KEY, nonce, &changed, 7), None, "byte {at}");
        }
        for end in 0..file.len() {
            assert_eq!(decrypt(KEY, nonce, &file[..end], 5), None, "{end} bytes");
        }
        assert_eq!(decrypt(&[1; 32], nonce, &file, 9), None);
        assert_eq!(decrypt(KEY, b"a8607ef79034c49d", &file, 9), None);
        assert_eq!(decrypt(KEY, b"", &file, 9), None);
    }

    #[test]
    fn any_length_agrees_with_ring() {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, KEY).expect("key"));
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 4096, 70_001] {
            let text: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
            let mut file = text.clone();
            let nonce = Nonce::assume_unique_for_key(*b"0123456789ab");
            key.seal_in_place_append_tag(nonce, Aad::empty(), &mut file).expect("sealed");
            for piece in [1, 13, 16, 17, 1000, 100_000] {
                assert_eq!(decrypt(KEY, b"0123456789ab", &file, piece).as_ref(), Some(&text), "{length} {piece}");
            }
        }
    }
}
