//! The keys of a sandbox: made once a process, worth nothing outside of it.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::prelude::{BASE64_STANDARD, Engine};

use crate::crypto::PrivateKey;
use crate::error::Error;

pub(super) struct Keys {
    pub(super) merchant: PrivateKey,
    pub(super) merchant_pem: String,
    pub(super) platform: PrivateKey,
    pub(super) platform_public_pem: String,
}

/// The keys of this process, made at the first call.
pub(super) fn get() -> Result<&'static Keys, Error> {
    static KEYS: Mutex<Option<&'static Keys>> = Mutex::new(None);
    let mut slot = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(keys) = *slot {
        return Ok(keys);
    }
    let failed = |_| Error::config("the sandbox cannot make an RSA key");
    let generate = || KeyPair::generate(KeySize::Rsa2048).map_err(failed);
    // Two threads, as this is most of what a sandbox's start takes.
    let (merchant, platform) = std::thread::scope(|scope| {
        let merchant = scope.spawn(generate);
        let platform = generate();
        let merchant = merchant.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, Error>((merchant?, platform?))
    })?;
    let merchant_pem = pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&merchant).map_err(failed)?.as_ref());
    let public = platform.public_key();
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(public).map_err(failed)?;
    let platform_public_pem = pem("PUBLIC KEY", public.as_ref());
    let keys = Keys {
        merchant: PrivateKey::new(merchant)?,
        merchant_pem,
        platform: PrivateKey::new(platform)?,
        platform_public_pem,
    };
    Ok(slot.insert(Box::leak(Box::new(keys))))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
