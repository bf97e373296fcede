//! An RSA key pair that signs: by ring at first, and by aws-lc-rs once that is warm.
//!
//! aws-lc-rs signs nearly twice as fast on processors with AVX-512 IFMA, but gathers entropy for some 24 ms at its first use of a private key. A
//! process that makes one call should not wait for that, and one that makes many should not go without it: after a few signatures a thread
//! warms it up, and the signatures after that are its.

use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
#[cfg(feature = "aws-lc-rs")]
use {
    aws_lc_rs::rand::SystemRandom as FastRandom,
    aws_lc_rs::signature::{RSA_PKCS1_SHA256 as FAST_PKCS1_SHA256, RsaKeyPair as FastPair},
    std::sync::OnceLock,
    std::sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    zeroize::Zeroizing,
};

use super::decode::Der;

/// Signatures of a process before aws-lc-rs is warmed up.
#[cfg(feature = "aws-lc-rs")]
const COLD: usize = 4;
#[cfg(feature = "aws-lc-rs")]
static SIGNED: AtomicUsize = AtomicUsize::new(0);
/// Whether aws-lc-rs has its entropy.
#[cfg(feature = "aws-lc-rs")]
static WARM: AtomicBool = AtomicBool::new(false);

pub(super) struct Pair {
    ring: RsaKeyPair,
    /// For aws-lc-rs, which parses it when it is needed.
    #[cfg(feature = "aws-lc-rs")]
    der: (Zeroizing<Vec<u8>>, Form),
    #[cfg(feature = "aws-lc-rs")]
    fast: OnceLock<Option<FastPair>>,
}

#[cfg(feature = "aws-lc-rs")]
#[derive(Clone, Copy)]
enum Form {
    Pkcs8,
    Pkcs1,
}

impl Pair {
    /// From a private key in PKCS#8 or PKCS#1; none where it is something else. The error says why the library refuses it.
    pub(super) fn new(der: &Der) -> Option<Result<Self, String>> {
        let (ring, bytes) = match der {
            Der::Pkcs8(bytes) => (RsaKeyPair::from_pkcs8(bytes), bytes),
            Der::Pkcs1(bytes) => (RsaKeyPair::from_der(bytes), bytes),
            _ => return None,
        };
        #[cfg(not(feature = "aws-lc-rs"))]
        let _ = bytes;
        Some(ring.map_err(|rejected| rejected.to_string()).map(|ring| Pair {
            ring,
            #[cfg(feature = "aws-lc-rs")]
            der: (bytes.clone(), if matches!(der, Der::Pkcs8(_)) { Form::Pkcs8 } else { Form::Pkcs1 }),
            #[cfg(feature = "aws-lc-rs")]
            fast: OnceLock::new(),
        }))
    }

    /// The public key in PKCS#1.
    pub(super) fn public(&self) -> &[u8] {
        self.ring.public_key().as_ref()
    }

    /// The pair for aws-lc-rs; none where it refuses what ring takes.
    #[cfg(feature = "aws-lc-rs")]
    pub(super) fn fast(&self) -> Option<&FastPair> {
        let parse = || match &self.der {
            (bytes, Form::Pkcs8) => FastPair::from_pkcs8(bytes).ok(),
            (bytes, Form::Pkcs1) => FastPair::from_der(bytes).ok(),
        };
        self.fast.get_or_init(parse).as_ref()
    }

    /// Signs with PKCS#1 v1.5 and SHA-256; the signature is as long as the modulus.
    #[cfg(feature = "aws-lc-rs")]
    pub(super) fn sign(self: &std::sync::Arc<Self>, message: &[u8]) -> Option<Vec<u8>> {
        if WARM.load(Ordering::Acquire) {
            if let Some(fast) = self.fast() {
                return sign_fast(fast, message);
            }
        } else if SIGNED.fetch_add(1, Ordering::Relaxed) == COLD {
            let pair = std::sync::Arc::clone(self);
            // Where no thread is to be had, ring goes on.
            let _ = std::thread::Builder::new().name("wechatpay-warm-up".to_owned()).spawn(move || {
                if pair.fast().and_then(|fast| sign_fast(fast, b"")).is_some() {
                    WARM.store(true, Ordering::Release);
                }
            });
        }
        self.sign_ring(message)
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    pub(super) fn sign(self: &std::sync::Arc<Self>, message: &[u8]) -> Option<Vec<u8>> {
        self.sign_ring(message)
    }

    fn sign_ring(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.ring.public().modulus_len()];
        self.ring.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

#[cfg(feature = "aws-lc-rs")]
fn sign_fast(pair: &FastPair, message: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&FAST_PKCS1_SHA256, &FastRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;

    /// PKCS#1 v1.5 has no randomness: both libraries make the same signature, before and after.
    #[test]
    fn the_libraries_agree_and_the_fast_one_takes_over() {
        let key =
            crate::sandbox::keys::issue(902, std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000))
                .expect("issued")
                .key();
        let pair = key.pair();
        let first = pair.sign_ring(b"message").expect("signed");
        assert_eq!(sign_fast(pair.fast().expect("parsed"), b"message"), Some(first.clone()));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !WARM.load(Ordering::Acquire) {
            assert_eq!(pair.sign(b"message"), Some(first.clone()));
            assert!(std::time::Instant::now() < until, "aws-lc-rs was never warm");
        }
        assert_eq!(pair.sign(b"message"), Some(first));
    }
}
