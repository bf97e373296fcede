//! Keys, signatures and ciphers: thin over the libraries. A client uses them by itself; they are here for code that signs, encrypts or
//! decrypts on its own, and for code carried over from PHP.
//!
//! | here | PHP's `WeChatPay\Crypto` | for |
//! | --- | --- | --- |
//! | [`PrivateKey`], [`PublicKey`] | `Rsa` | signatures of APIv3, sensitive fields |
//! | [`Apiv3Key`] | `AesGcm` | what notifications and platform certificates are sealed with |
//! | [`Certificate`] | `Util\PemUtil` | serial number, validity and key of a certificate |
//! | [`hash`] | `Hash` | the `sign` of APIv2 |
//! | [`aes_ecb`] | `AesEcb` | the `req_info` of APIv2's refund notifications |
//!
//! ```
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let key = sandbox.merchant_key();
//! // let key = PrivateKey::from_pem("file:///etc/wechatpay/apiclient_key.pem")?;
//! let signature = key.sign(b"message")?; // raw; the service takes it in base64
//! assert!(key.public_key().verify(b"message", &signature));
//!
//! let sealed = key.public_key().encrypt("张三".as_bytes())?; // base64
//! assert_eq!(key.decrypt(&sealed)?, "张三".as_bytes());
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

pub mod aes_ecb;
mod aes_gcm;
mod certificate;
pub(crate) mod decode;
pub(crate) mod file_digest;
pub mod hash;
pub(crate) mod hex;
pub(crate) mod identity;
mod key_pair;
pub(crate) mod random;
mod rsa;
pub(crate) mod secret;
#[cfg(feature = "aws-lc-rs")]
mod sensitive;

pub use aes_gcm::Apiv3Key;
pub use certificate::Certificate;
pub use rsa::{PrivateKey, PublicKey};
