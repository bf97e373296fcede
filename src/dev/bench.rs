//! The pure parts of a call that nobody else may name, one by one, for the benchmarks.

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::error::Error;
use crate::options::Options;
use crate::proto::base_uri::BaseUri;
use crate::proto::{case, request, template, verify};

/// A path, parsed.
#[derive(Debug)]
pub struct Template(template::Template);

impl Template {
    /// From the text of `chain`, names in camelCase included.
    ///
    /// # Errors
    /// Those of a path.
    pub fn parse(text: &str) -> Result<Self, Error> {
        request::template(&case::normalize(text)?).map(Template)
    }

    /// The path with its variables filled.
    ///
    /// # Errors
    /// Those of the options.
    pub fn expand(&self, options: &Options) -> Result<String, Error> {
        self.0.expand(|name| options.variables.get(name)).map_err(|source| Error::options(source.to_string()))
    }

    /// The whole request, but for its signature.
    ///
    /// # Errors
    /// Those of path and options.
    pub fn request(&self, base: &Address, options: &Options) -> Result<http::Request<Bytes>, Error> {
        request::build(Method::POST, &self.0, options, &base.0)
    }
}

/// The service's own `base_uri`.
#[derive(Debug)]
pub struct Address(BaseUri);

impl Default for Address {
    fn default() -> Self {
        Address(BaseUri::official())
    }
}

/// The message that an answer's signature covers, after all checks that need no key.
///
/// # Errors
/// What is wrong with the headers.
pub fn signed(headers: &HeaderMap, body: &[u8], now: i64) -> Result<Vec<u8>, String> {
    verify::read(headers, body, now).map(|signed| signed.message)
}
