//! `wxpay sign`: signs a request or a message with the merchant's private key.

use std::path::Path;

use super::args::{ConfigArgs, Sign, SignCommand};
use super::captured::read;
use super::failure::Failure;
use super::output;
use super::settings::{self, Settings};
use crate::clock;
use crate::crypto::random;
use crate::pipeline::sign::Credential;
use crate::proto::signing_mistakes::message_problems;
use crate::proto::signing_string::{self, Authorization};
use crate::transport::runtime;

pub(super) fn run(config: &ConfigArgs, arguments: &Sign) -> Result<(), Failure> {
    let mut builder = settings::client_builder(config, Settings::default())?;
    let base_uri = builder.checked_base_uri()?;
    let credential = builder.credential(&base_uri)?;
    let printed = match &arguments.command {
        SignCommand::Message { file } => sign_message(&credential, file)?,
        SignCommand::Request { method, url, body, nonce, timestamp } => {
            let body = body.as_deref().map(read).transpose()?.unwrap_or_default();
            let nonce = match nonce {
                Some(nonce) => checked_nonce(nonce)?.to_owned(),
                None => random::nonce()?,
            };
            let timestamp = timestamp.unwrap_or_else(clock::now);
            sign_request(&credential, (method, &target(url)?), timestamp, &nonce, &body)?
        }
    };
    output::check(output::stdout_line(&printed))
}

/// The signature of a file in base64.
fn sign_message(credential: &Credential, file: &Path) -> Result<String, Failure> {
    let message = read(file)?;
    for problem in message_problems(&message, clock::now()) {
        output::note(&format!("the message was signed, but {problem}"));
    }
    let (_, signature) = runtime::park_on(credential.sign_base64(&message))?;
    Ok(signature)
}

/// The `Authorization` header of a request. The message that it signs goes to standard error.
fn sign_request(
    credential: &Credential,
    (method, target): (&str, &str),
    timestamp: i64,
    nonce: &str,
    body: &[u8],
) -> Result<String, Failure> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(Failure::usage(format!("{method:?} is not an HTTP method name")));
    }
    let message = signing_string::request(&method.to_ascii_uppercase(), target, timestamp, nonce, body);
    let (serial, signature) = runtime::park_on(credential.sign_base64(&message))?;
    output::signed_message(&message);
    if body.ends_with(b"\n") {
        output::note(
            "the body ends with a line feed, which is signed: send the same bytes, as curl --data-binary does",
        );
    }
    let header = Authorization { mchid: &credential.mchid, serial: &serial, timestamp, nonce, signature: &signature };
    Ok(header.header_value())
}

/// Checks the nonce of the arguments: it must consist of ASCII letters and digits.
pub(super) fn checked_nonce(nonce: &str) -> Result<&str, Failure> {
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::usage("--nonce contains characters other than letters and digits"));
    }
    Ok(nonce)
}

/// The part of a URL that is signed: the path and the query.
pub(super) fn target(url: &str) -> Result<String, Failure> {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    // The query of a path can contain a URL.
    let without_host = url
        .split_once("://")
        .filter(|(scheme, _)| is_http(scheme))
        .map(|(_, rest)| rest.find(['/', '?']).map_or("", |at| rest.split_at(at).1));
    let target = without_host.unwrap_or(url);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    if target.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'#' | b'"' | b'<' | b'>')) {
        return Ok(target);
    }
    Err(Failure::usage(format!(
        "{url:?} is not a path with a query as it is sent: percent-encode it, and write the values in place of variables"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_not_signed() {
        for (url, expected) in [
            ("/v3/certificates?a=b", "/v3/certificates?a=b"),
            ("v3/certificates", "/v3/certificates"),
            ("https://api.mch.weixin.qq.com/v3/x?u=https://y", "/v3/x?u=https://y"),
            ("HTTPS://api.mch.weixin.qq.com/v3/x", "/v3/x"),
            ("/v3/x?u=https://y/z", "/v3/x?u=https://y/z"),
            ("v3/x?u=https://y", "/v3/x?u=https://y"),
            ("https://api.mch.weixin.qq.com", "/"),
            ("https://api.mch.weixin.qq.com?a=b", "/?a=b"),
        ] {
            assert_eq!(target(url).map_err(|failure| failure.message), Ok(expected.to_owned()));
        }
        for url in ["/v3/{id}", "/v3/a b", "/v3/中", "/v3/x#y"] {
            assert!(target(url).is_err(), "{url}");
        }
    }
}
