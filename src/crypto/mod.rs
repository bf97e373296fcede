//! Keys and signatures: thin over the libraries.

mod aes;
mod certificate;
pub(crate) mod digest;
mod load;
pub(crate) mod random;
mod rsa;

pub use aes::Apiv3Key;
pub use certificate::Certificate;
#[cfg(feature = "sandbox")]
pub(crate) use load::to_pem;
pub use rsa::{PrivateKey, PublicKey};
