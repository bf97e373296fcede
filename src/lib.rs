#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "catalog")]
pub mod catalog;
#[cfg(feature = "cli")]
mod cli;
mod client;
mod clock;
pub mod crypto;
mod dev;
mod error;
pub mod notify;
mod options;
pub mod php;
mod pipeline;
#[cfg(feature = "cli")]
mod port;
mod proto;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
mod transport;

pub use bytes;
pub use client::Client;
pub use client::builder::ClientBuilder;
pub use client::chain::Chain;
pub use client::download::Download;
pub use client::pages::Pages;
pub use client::payment::{voucher_sign, workwx_sign};
pub use client::static_text::StaticText;
#[cfg(feature = "aws-lc-rs")]
pub use crypto::Encrypted;
pub use crypto::secret::Secret;
pub use crypto::{Apiv3Key, Certificate, PrivateKey, PublicKey};
pub use error::{BoxError, Error, ErrorKind, Outcome};
pub use http;
pub use options::media::Media;
pub use options::{IntoOptions, Options};
pub use php::{formatter, transformer};
pub use pipeline::rate_limit::{RateLimit, RateLimited};
pub use pipeline::response::{BodyStream, Response};
pub use pipeline::send::Promise;
pub use pipeline::sign::{Signature, Signer};
pub use pipeline::stack::BoxService;
pub use pipeline::verify::Verifier;
pub use proto::bill::{Bill, BillRow};
pub use proto::json_decode::FromJson;
pub use transport::BoxFuture;

/// Public only for the macro `chain!`, the binary, and this crate's benchmarks and fuzz targets.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "cli")]
    pub use crate::cli::main;
    pub use crate::client::chain::Path;
    pub use crate::client::chain_macro::{as_str, buffer_len, join_names};
    pub use crate::client::connections::with_second;
    pub use crate::dev::bench;
    #[cfg(fuzzing)]
    pub use crate::dev::fuzzing;
}
