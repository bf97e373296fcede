//! The attributes of a call that its span and its metrics have in common.

use std::borrow::Cow;
use std::fmt;

use http::Method;

use crate::error::{Error, ErrorKind};
use crate::pipeline::response::Response;

/// The value of `http.request.method` for a method that the convention does not list.
pub(super) const OTHER_METHOD: &str = "_OTHER";

/// A method that the convention lists.
pub(super) fn known_method(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| method == known)
}

/// A path template or the template of a URL, as an absolute path.
pub(super) struct Target<'a>(pub(super) &'a str);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.0.split_once("://") {
            Some((_, rest)) => rest.split_once('/').unwrap_or_default().1,
            None => self.0.trim_start_matches('/'),
        };
        write!(f, "/{path}")
    }
}

/// The `error.type` of a call: the status of a response that reports an error, or else the kind of
/// the error.
pub(super) fn error_type(result: &Result<Response, Error>) -> Option<Cow<'static, str>> {
    let status = match result {
        Ok(response) if response.status().is_client_error() || response.status().is_server_error() => response.status(),
        Ok(_) => return None,
        Err(error) => match (error.kind(), error.status()) {
            (ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect, Some(status)) => status,
            (kind, _) => return Some(Cow::Borrowed(kind.as_str())),
        },
    };
    Some(Cow::Owned(status.as_str().to_owned()))
}
