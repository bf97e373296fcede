//! Keys and signatures: thin over the libraries.

pub(crate) mod digest;
mod pem;
pub(crate) mod random;
mod rsa;

pub use rsa::{PrivateKey, PublicKey};
