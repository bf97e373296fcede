//! The checks of `wxpay doctor` that need WeChat Pay: connection, clock, signatures, encryption.

use serde_json::json;

use super::doctor_report::{Outcome, Report};
use super::settings::Settings;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::proto::diagnose;
use crate::proto::verify::is_signed;

/// The time limit of one call, in seconds.
const CALL_TIMEOUT: f64 = 15.0;

/// WeChat Pay refuses timestamps that are off by more than this, in seconds.
const MAX_CLOCK_OFFSET: u64 = 300;

/// Makes a signed call to the echo endpoint, and derives the checks from its outcome.
pub(super) fn check(client: &Client, settings: &Settings, report: &mut Report) {
    let echo = format!("wxpay-doctor-{}", clock::now());
    let mut options = json!({ "timeout": CALL_TIMEOUT, "json": { "echo_message": echo } });
    let encrypted = client.encrypt(&echo).ok();
    let has_encrypted_field = encrypted.is_some();
    if let Some(encrypted) = encrypted {
        options["json"]["encrypted_echo_message"] = encrypted.ciphertext.into();
        options["headers"] = json!({ "Wechatpay-Serial": encrypted.serial });
    }
    let outcome = client.chain("v3/security/echo").post(options);
    let headers = match &outcome {
        Ok(response) => Some(response.headers().clone()),
        Err(error) => error.response().map(|response| response.headers().clone()),
    };
    match (&outcome, headers) {
        (Err(error), None) => {
            let message = if error.is_connect() {
                connection_failure(error, settings.root_certificate.is_some())
            } else {
                error.to_string()
            };
            report.failed("connection", message);
            return;
        }
        (_, headers) => {
            report.ok("connection", "WeChat Pay is reachable");
            report.add("clock", clock_outcome(headers.as_ref().and_then(clock::offset)));
        }
    }
    match outcome {
        Ok(_) => {
            accepted(report);
            if has_encrypted_field {
                report.ok("encryption", "WeChat Pay decrypts what is encrypted for it");
            } else {
                report.skipped("encryption", "no platform key to encrypt with");
            }
        }
        Err(error) => echo_failure(&error, report),
    }
    if settings.apiv3_key.is_some() {
        apiv3_key_decryption(client, report);
    }
}

fn accepted(report: &mut Report) {
    report.ok("request signature", "accepted by WeChat Pay");
    report.ok("response signature", "valid");
}

/// What a failed echo call means for the signatures.
fn echo_failure(error: &Error, report: &mut Report) {
    let has_signature = error.response().is_some_and(|response| is_signed(response.headers()));
    let is_unauthorized = error.status().is_some_and(|status| status == 401);
    if error.kind() == ErrorKind::Verification {
        if has_signature && error.status().is_some_and(|status| status.is_success()) {
            report.ok("request signature", "WeChat Pay responded to the request");
        } else if has_signature {
            report.skipped("request signature", "the response cannot be trusted");
        } else {
            report.failed(
                "request signature",
                "the response is not signed, so it is not from WeChat Pay: check base_uri, and whether the network shows a login page",
            );
        }
        report.failed("response signature", error.to_string());
    } else if error.code() == Some("SIGN_ERROR") || is_unauthorized {
        report.failed("request signature", error.to_string());
    } else if error.is_verified() {
        // The endpoint may not be enabled for this merchant, but the signature was accepted.
        accepted(report);
        report.warning("echo", error.to_string());
    } else {
        report.failed("echo", error.to_string());
    }
}

fn clock_outcome(offset: Option<i64>) -> Outcome {
    let Some(offset) = offset else { return Outcome::Skipped("the response has no Date header".to_owned()) };
    let seconds = offset.unsigned_abs();
    match diagnose::clock(offset) {
        Some(message) if seconds > MAX_CLOCK_OFFSET => Outcome::Failed(message),
        Some(message) => Outcome::Warning(message),
        None => Outcome::Ok(format!("within {} s of WeChat Pay's clock", seconds.max(1))),
    }
}

/// Downloads the platform certificates, which are encrypted with the APIv3 key.
fn apiv3_key_decryption(client: &Client, report: &mut Report) {
    const CHECK: &str = "apiv3_key decryption";
    match client.certificates() {
        Err(error) if error.status().is_some_and(|status| status == 404) => {
            report.skipped(CHECK, "WeChat Pay has no platform certificates for this merchant");
        }
        result => {
            report.add_result(CHECK, result, |certificates| {
                format!("platform certificates decrypted: {}", certificates.len())
            });
        }
    }
}

/// A connection error, with the part of the connection that failed and its remedy.
/// `has_root_certificate` is whether the setting `root_certificate` is made.
fn connection_failure(error: &Error, has_root_certificate: bool) -> String {
    let message = error.to_string();
    let hint = match () {
        // rustls writes this before the reason why it rejects a certificate.
        () if message.contains("invalid peer certificate") => certificate_remedy(&message, has_root_certificate),
        () if message.contains("through the proxy") => {
            "the proxy does not respond, or cannot reach the host: check the setting proxy, HTTPS_PROXY and NO_PROXY"
        }
        () if is_lookup_failure(error) => "the host name cannot be resolved: check DNS and base_uri",
        () => "the host cannot be reached: check base_uri, the firewall, and whether a proxy is needed",
    };
    if hint.is_empty() { message } else { format!("{message}; {hint}") }
}

/// What to do about a rejected certificate of the server; empty if the error states it.
fn certificate_remedy(message: &str, has_root_certificate: bool) -> &'static str {
    // With the name of the right authority and another key, the error is `BadSignature`.
    let is_untrusted = message.contains("UnknownIssuer") || message.contains("BadSignature");
    match () {
        () if is_untrusted && has_root_certificate => {
            "TLS failed: the setting root_certificate is made, and is not the authority that issued this certificate"
        }
        () if is_untrusted => "TLS failed: if a proxy intercepts TLS, add its CA as root_certificate",
        () if message.contains("CaUsedAsEndEntity") => "",
        () if message.contains("expired") || message.contains("not valid yet") => {
            "TLS failed: check this machine's clock; if it is right, the server's certificate has to be renewed"
        }
        () => "TLS failed: the server's certificate is not one for the host of base_uri",
    }
}

/// Whether a host name could not be resolved, according to hyper's connector.
fn is_lookup_failure(error: &Error) -> bool {
    let mut sources = std::iter::successors(std::error::Error::source(error), |source| source.source());
    sources.any(|source| source.to_string() == "dns error")
}
