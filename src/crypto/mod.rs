//! Keys, signatures and ciphers: thin wrappers around ring and aws-lc-rs.
//!
//! A client uses them internally. They are public for code that signs, verifies, encrypts or
//! decrypts messages itself, and for code ported from PHP.
//!
//! | this module | PHP's `WeChatPay\Crypto` | used for |
//! | --- | --- | --- |
//! | [`PrivateKey`], [`PublicKey`] | `Rsa` | signatures of APIv3, sensitive fields |
//! | [`Apiv3Key`] | `AesGcm` | encrypted notifications and platform certificates |
//! | [`Certificate`] | `Util\PemUtil` | serial number, validity and key of a certificate |
//! | [`hash`] | `Hash` | the `sign` of APIv2 |
//! | [`aes_ecb`] | `AesEcb` | the `req_info` of APIv2's refund notifications |
//!
//! ```
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let key = sandbox.merchant_key();
//! // let key = PrivateKey::from_pem("file:///etc/wechatpay/apiclient_key.pem")?;
//! let signature = key.sign(b"message")?; // raw bytes; WeChat Pay expects them in base64
//! assert!(key.public_key().verify(b"message", &signature));
//!
//! let ciphertext = key.public_key().encrypt("张三".as_bytes())?; // base64
//! assert_eq!(key.decrypt(&ciphertext)?, "张三".as_bytes());
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

pub mod aes_ecb;
mod aes_gcm;
pub(crate) mod certificate;
pub(crate) mod decode;
pub(crate) mod der;
pub(crate) mod file_digest;
pub(crate) mod gcm_decryptor;
pub mod hash;
pub(crate) mod hex;
pub(crate) mod identity;
pub(crate) mod pem;
mod private_key;
mod public_key;
pub(crate) mod random;
pub(crate) mod secret;
#[cfg(feature = "aws-lc-rs")]
mod sensitive;
pub(crate) mod setting_file;
mod x509;

pub use aes_gcm::Apiv3Key;
pub use certificate::Certificate;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
#[cfg(feature = "aws-lc-rs")]
pub use sensitive::Encrypted;
