//! Keys, signatures and ciphers: thin over the libraries.

#[cfg(feature = "v2")]
pub mod aes_ecb;
mod aes_gcm;
mod certificate;
pub(crate) mod digest;
#[cfg(feature = "v2")]
pub mod hash;
#[cfg(feature = "v2")]
pub(crate) mod identity;
pub(crate) mod load;
mod pair;
pub(crate) mod random;
mod rsa;

pub use aes_gcm::Apiv3Key;
pub use certificate::Certificate;
pub use rsa::{PrivateKey, PublicKey};
