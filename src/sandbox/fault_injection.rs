//! Applies injected faults. A fault takes effect in two places only: before a message is signed,
//! and after it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use super::delivery::Format;
use super::fault::Fault;
use super::merchant::UNKNOWN_KEY_ID;
use super::platform::Platform;
use super::response::{RouteResponse, Signature};
use super::signature::Signer;
use crate::error::Error;
use crate::proto::{verify, xml};

/// How a signed message is transmitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Transmission {
    Normal,
    Delayed(Duration),
    /// The connection is closed after this many bytes of the body.
    CutAfter(usize),
    /// The connection is closed without a response; a notification is not sent.
    Dropped,
}

/// Applies a fault before a response is signed. `requested_key` is the key that the request
/// names.
pub(super) fn apply_before_signing(
    fault: Option<&Fault>,
    platform: &mut Platform,
    requested_key: Option<&str>,
    now: i64,
) -> Result<Signer, Error> {
    if matches!(fault, Some(Fault::RotateKey)) {
        platform.rotate()?;
    }
    let mut signer = platform.signer(requested_key, now);
    change_signer(fault, &mut signer);
    Ok(signer)
}

/// Applies a fault to the signed response.
pub(super) fn apply_after_signing(fault: Option<Fault>, response: &mut RouteResponse) -> Transmission {
    let headers = response.http.headers_mut();
    match fault {
        Some(Fault::Tamper(tamper)) => tamper(&mut response.http),
        Some(Fault::WrongSignature) if response.signature == Signature::InBody => {
            corrupt_sign(response.http.body_mut())
        }
        Some(Fault::WrongSignature) => corrupt_signature(headers),
        Some(Fault::MissingHeader(name)) => drop(headers.remove(name.as_str())),
        Some(Fault::Gateway(replacement)) => *response = RouteResponse::new(replacement, Signature::Unsigned),
        Some(Fault::Hangup) => return Transmission::Dropped,
        Some(Fault::Delay(time)) => return Transmission::Delayed(time),
        Some(Fault::CutBody(bytes)) => return Transmission::CutAfter(bytes),
        // `FrequencyLimited` was applied before the request was executed.
        Some(Fault::Clock(_) | Fault::UnknownSerial | Fault::RotateKey | Fault::FrequencyLimited) | None => {}
    }
    Transmission::Normal
}

/// Applies a fault before a notification is signed.
pub(super) fn apply_before_signing_notification(fault: Option<&Fault>, platform: &Platform, now: i64) -> Signer {
    let mut signer = platform.signer(None, now);
    change_signer(fault, &mut signer);
    signer
}

/// Applies a fault to the signed notification.
pub(super) fn apply_after_signing_notification(
    fault: Option<Fault>,
    request: &mut Request<Bytes>,
    format: &Format,
) -> Transmission {
    match fault {
        Some(Fault::WrongSignature) if *format == Format::V2 => {
            // A field that the `sign` does not cover.
            let text = String::from_utf8_lossy(request.body()).replace("</xml>", "<tampered>1</tampered></xml>");
            *request.body_mut() = text.into();
        }
        Some(Fault::WrongSignature) => corrupt_signature(request.headers_mut()),
        Some(Fault::MissingHeader(name)) => drop(request.headers_mut().remove(name.as_str())),
        Some(Fault::Hangup) => return Transmission::Dropped,
        Some(Fault::Delay(time)) => return Transmission::Delayed(time),
        Some(
            Fault::Tamper(_)
            | Fault::Clock(_)
            | Fault::UnknownSerial
            | Fault::Gateway(_)
            | Fault::FrequencyLimited
            | Fault::CutBody(_)
            | Fault::RotateKey,
        )
        | None => {}
    }
    Transmission::Normal
}

fn change_signer(fault: Option<&Fault>, signer: &mut Signer) {
    match fault {
        Some(Fault::Clock(seconds)) => signer.timestamp = signer.timestamp.saturating_add(*seconds),
        Some(Fault::UnknownSerial) => UNKNOWN_KEY_ID.clone_into(&mut signer.key_id),
        _ => {}
    }
}

/// Changes the signature header into a well-formed signature that does not match.
fn corrupt_signature(headers: &mut HeaderMap) {
    let Some(signature) = headers.get(verify::SIGNATURE).and_then(|value| value.to_str().ok()) else { return };
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let corrupted: String = std::iter::once(first).chain(signature.chars().skip(1)).collect();
    if let Ok(value) = HeaderValue::try_from(corrupted) {
        headers.insert(verify::SIGNATURE, value);
    }
}

/// Replaces the `sign` of a response of APIv2.
fn corrupt_sign(body: &mut Bytes) {
    if let Ok(mut fields) = xml::read(body) {
        fields.insert("sign".to_owned(), "0".repeat(32).into());
        *body = xml::write(&fields).into();
    }
}
