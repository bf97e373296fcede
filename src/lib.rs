#![doc = include_str!("../README.md")]

mod body;
mod call;
mod certificates;
mod chain;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod client;
mod clock;
mod config;
mod connect;
#[cfg(test)]
mod corpus_tests;
pub mod crypto;
mod debug;
mod download;
mod error;
mod exchange;
pub mod formatter;
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(
    missing_docs,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "for the fuzz targets alone, which fail by a panic"
)]
pub mod fuzzing;
mod index;
mod invoke;
mod layer;
#[doc(hidden)]
pub mod literal;
#[cfg(doctest)]
mod manual;
mod media;
pub mod notify;
mod options;
mod pace;
#[cfg(feature = "_parts")]
#[doc(hidden)]
pub mod parts;
mod platform;
#[cfg(feature = "cli")]
mod port;
mod promise;
mod proto;
mod response;
mod runtime;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod secret;
#[cfg(feature = "aws-lc-rs")]
mod sensitive;
mod sink;
mod trace;
#[cfg(feature = "v2")]
pub mod transformer;
mod transport;

pub use body::BodyStream;
pub use chain::Chain;
pub use client::Client;
pub use config::ClientBuilder;
pub use crypto::{Apiv3Key, Certificate, PrivateKey, PublicKey};
pub use download::Download;
pub use error::{BoxError, Error, ErrorKind};
pub use invoke::voucher_sign;
#[cfg(feature = "v2")]
pub use invoke::workwx_sign;
pub use layer::BoxService;
pub use layer::sign::{Signature, Signer};
pub use layer::verify::Verifier;
pub use media::Media;
pub use options::Options;
pub use promise::Promise;
pub use response::Response;
pub use secret::Secret;

/// The future that the methods of [`Signer`] and [`Verifier`] return, so that the traits can be used as objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
