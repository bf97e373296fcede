//! Random values from the operating system.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorKind};

/// Returns a nonce in the format of the PHP SDK: 32 letters and digits, all equally likely.
///
/// # Errors
/// Fails with [`ErrorKind::Sign`] if the operating system provides no random bytes.
pub(crate) fn nonce() -> Result<String, Error> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const LENGTH: usize = 32;
    let random = SystemRandom::new();
    let mut nonce = String::with_capacity(LENGTH);
    let mut bytes = [0u8; LENGTH + 8];
    while nonce.len() < LENGTH {
        random
            .fill(&mut bytes)
            .map_err(|_| Error::new(ErrorKind::Sign, "the operating system provides no random bytes for the nonce"))?;
        // 256 is not a multiple of 62, so bytes of 248 and above would make some letters more
        // likely.
        let letters = bytes.iter().filter(|byte| **byte < 62 * 4);
        nonce.extend(letters.take(LENGTH - nonce.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    Ok(nonce)
}

/// Returns a random byte for the jitter of a pause, or 128, the middle of the range, if random
/// bytes are not available.
pub(crate) fn byte() -> u8 {
    let mut byte = [128];
    let _ = SystemRandom::new().fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_alphanumeric_and_unique() {
        let some: std::collections::HashSet<_> = (0..1000).map(|_| nonce().expect("nonce")).collect();
        assert_eq!(some.len(), 1000);
        assert!(some.iter().all(|n| n.len() == 32 && n.bytes().all(|b| b.is_ascii_alphanumeric())));
        let letters: std::collections::HashSet<_> = some.iter().flat_map(|n| n.bytes()).collect();
        assert_eq!(letters.len(), 62);
    }
}
