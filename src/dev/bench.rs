//! The pure steps of a call, one by one, for the benchmarks.

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::error::Error;
use crate::options::Options;
use crate::options::keys::RESERVED;
use crate::proto::base_uri::BaseUri;
use crate::proto::{case, request, template, verify};

/// A parsed path.
#[derive(Debug)]
pub struct Template(template::Template);

impl Template {
    /// Parses a path as `chain` does, with names in camelCase.
    ///
    /// # Errors
    /// [`ErrorKind::Path`](crate::ErrorKind::Path) when the path is invalid.
    pub fn parse(text: &str) -> Result<Self, Error> {
        request::parse_template(&case::normalize(text)?, &RESERVED).map(Template)
    }

    /// The path with the values of its variables.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options) when a value is invalid.
    pub fn expand(&self, options: &Options) -> Result<String, Error> {
        self.0.expand(|name| options.spec.variables.get(name)).map_err(|source| Error::options(source.to_string()))
    }

    /// The unsigned request.
    ///
    /// # Errors
    /// Those of the path and of the options.
    pub fn request(&self, base: &Address, options: &Options) -> Result<http::Request<Bytes>, Error> {
        request::build(Method::POST, &self.0, &options.spec, &base.0, &RESERVED).map(|built| built.request)
    }
}

/// The default `base_uri`.
#[derive(Debug)]
pub struct Address(BaseUri);

impl Default for Address {
    fn default() -> Self {
        Address(BaseUri::official())
    }
}

/// The signing string of a response, after all checks that need no key.
///
/// # Errors
/// The problem of the headers, as a clause.
pub fn signed(headers: &HeaderMap, body: &[u8], now: i64) -> Result<Vec<u8>, String> {
    verify::check_headers(headers, body, now).map(|signed| signed.message)
}
