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

/// The path of a call without the values of its variables.
#[derive(Clone, Copy)]
pub(crate) struct CallPath<'a> {
    /// For messages.
    pub(crate) text: &'a str,
    /// The text may contain values that the program formatted into it.
    pub(crate) is_run_time_text: bool,
}

impl<'a> CallPath<'a> {
    /// The `url.template` of spans and metrics: program text as it is. In place of text that was
    /// built at run time, the documented template; without one, only the version of the API.
    pub(crate) fn label<'l>(self, documented: impl FnOnce() -> Option<&'l str>) -> &'l str
    where
        'a: 'l,
    {
        if !self.is_run_time_text {
            return self.text;
        }
        documented().unwrap_or_else(|| match Target(self.text).path().split_once('/') {
            Some(("v3", _)) => "v3/{...}",
            Some(("v2", _)) => "v2/{...}",
            _ => "{...}",
        })
    }
}

/// A path template or the template of a URL, as an absolute path.
pub(crate) struct Target<'a>(pub(crate) &'a str);

impl<'a> Target<'a> {
    fn path(&self) -> &'a str {
        match self.0.split_once("://") {
            Some((_, rest)) => rest.split_once('/').unwrap_or_default().1,
            None => self.0.trim_start_matches('/'),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_run_time_is_not_a_label() {
        for (text, expected) in [
            ("v3/pay/transactions/id/order-1", "v3/{...}"),
            ("/v3/pay/transactions/id/order-1", "v3/{...}"),
            ("https://api.mch.weixin.qq.com/v3/order-1", "v3/{...}"),
            ("v2/pay/order-1", "v2/{...}"),
            ("pay/order-1", "{...}"),
            ("order-1", "{...}"),
            ("v3", "{...}"),
            ("", "{...}"),
        ] {
            assert_eq!(CallPath { text, is_run_time_text: true }.label(|| None), expected, "{text}");
            assert_eq!(CallPath { text, is_run_time_text: true }.label(|| Some("v3/x/{id}")), "v3/x/{id}");
            assert_eq!(CallPath { text, is_run_time_text: false }.label(|| Some("v3/x/{id}")), text);
        }
    }
}
