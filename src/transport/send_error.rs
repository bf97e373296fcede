//! The errors of calls whose connection failed. Each states whether the request may have arrived.

use std::error::Error as StdError;

use http::Uri;

use crate::error::{BoxError, Error, ErrorKind};
use crate::transport::connect::{ConnectTimeout, Connector};

/// The host of a target, and its proxy, for messages.
pub(super) fn route(target: &Uri, connector: &Connector) -> String {
    let host = target.host().unwrap_or_default();
    match connector.proxy_for(target) {
        Some(proxy) => format!("{host} through the proxy {proxy}"),
        None => host.to_owned(),
    }
}

/// The error of a call of which nothing was sent.
pub(super) fn connect_error(target: &Uri, connector: &Connector, source: BoxError) -> Error {
    let root = root_cause(&*source);
    // rustls wraps some of these errors as foreign ones, so their names are compared. With the name
    // of a trusted authority and another key, the error is `BadSignature`.
    let hint = match root.to_string() {
        reason if reason.contains("UnknownIssuer") || reason.contains("BadSignature") => {
            ": the certificate was issued neither by a public authority nor by one of ClientBuilder::root_certificate \
             (root_certificate); add the private authority that issued it, if there is one"
        }
        reason if reason.contains("CaUsedAsEndEntity") => {
            ": the server presents the certificate of an authority (CA:TRUE) as its own; issue a certificate for the server \
             with that authority, and give the authority's as root_certificate"
        }
        _ => "",
    };
    let message = format!("no connection to {}, nothing was sent: {root}{hint}", route(target, connector));
    failed(ErrorKind::Connect, message, source)
}

/// The error of a call whose new connection ended before the request was written.
pub(super) fn closed(target: &Uri, connector: &Connector, source: hyper::Error) -> Error {
    let message = format!(
        "the connection to {} was closed before any byte was written, nothing was sent: {}",
        route(target, connector),
        root_cause(&source)
    );
    failed(ErrorKind::Connect, message, source.into())
}

/// The error of a call that was sent at least in part.
pub(super) fn broken(target: &Uri, connector: &Connector, source: hyper::Error) -> Error {
    // A server that expects TLS responds to plain HTTP with a TLS alert, which is not valid HTTP.
    let hint = if target.scheme_str() == Some("http") && source.is_parse() {
        ": the response is not HTTP; base_uri may have to begin with https"
    } else {
        ""
    };
    let message = format!(
        "the connection to {} broke before the response; the request may have arrived, so query before repeating it: {}{hint}",
        route(target, connector),
        root_cause(&source)
    );
    failed(ErrorKind::Transport, message, source.into())
}

fn failed(kind: ErrorKind, message: String, source: BoxError) -> Error {
    let root = root_cause(&*source);
    let timed_out = root.is::<ConnectTimeout>()
        || root.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
    let error = Error::new(kind, message).with_source(source);
    if timed_out { error.timed_out() } else { error }
}

/// The innermost source of an error. The outer errors only say that something below them failed.
pub(super) fn root_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}
