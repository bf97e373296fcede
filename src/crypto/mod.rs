//! Keys and signatures: thin over the libraries.

mod pem;
pub(crate) mod random;
mod rsa;

pub use rsa::{PrivateKey, PublicKey};
