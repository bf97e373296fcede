//! Faults that a test can inject into a response or a notification. `fault_injection.rs` applies
//! them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::error::Error;
use crate::proto::verify;

/// A function that changes a response.
pub type Tamper = Box<dyn Fn(&mut http::Response<Bytes>) + Send + Sync>;

/// A fault in a response or a notification. Pass it to [`Sandbox::inject`](super::Sandbox::inject)
/// or [`Sandbox::inject_notification`](super::Sandbox::inject_notification). A notification ignores
/// faults that do not apply to it.
///
/// ```
/// use std::time::Duration;
/// use wechatpay_chain::ErrorKind;
/// use wechatpay_chain::sandbox::{Fault, Sandbox};
///
/// let sandbox = Sandbox::start()?;
/// let echo = sandbox.client()?.chain("v3/security/echo");
/// for (fault, kind) in [
///     (Fault::WrongSignature, ErrorKind::Verification),
///     (Fault::Clock(-3600), ErrorKind::Verification),
///     (Fault::FrequencyLimited, ErrorKind::ClientError),
///     (Fault::Hangup, ErrorKind::Transport),
///     (Fault::Delay(Duration::from_secs(1)), ErrorKind::Timeout),
///     (Fault::from_name("bad-gateway")?, ErrorKind::ServerError),
/// ] {
///     sandbox.inject(fault);
///     let options = serde_json::json!({ "json": { "echo_message": "hello" }, "timeout": 0.2 });
///     assert_eq!(echo.post(options).unwrap_err().kind(), kind);
/// }
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[non_exhaustive]
pub enum Fault {
    /// Changes the response after it was signed.
    Tamper(Tamper),
    /// Replaces the signature with a well-formed but wrong one.
    WrongSignature,
    /// Signs with a clock that is off by this many seconds. This has no effect on APIv2 responses,
    /// which have no timestamp.
    Clock(i64),
    /// Names an unknown key as the signing key. This has no effect on APIv2 responses, which do not
    /// name a key.
    UnknownSerial,
    /// Omits this header.
    MissingHeader(String),
    /// Replaces the response with this unsigned one, as a gateway in front of the service would.
    Gateway(http::Response<Bytes>),
    /// Refuses the request before it is executed. In APIv3, the response is a signed 429 with the
    /// code `FREQUENCY_LIMITED` and a `Retry-After` header; in APIv2, it has this `err_code`.
    FrequencyLimited,
    /// Closes the connection after this many bytes of the body, before the end of the body.
    CutBody(usize),
    /// Closes the connection without a response, after the request was processed. A notification is
    /// not sent.
    Hangup,
    /// Delays the response or the notification by this time.
    Delay(Duration),
    /// Rotates the platform certificate: this response and later ones are signed with a new one.
    RotateKey,
}

/// The names of the faults, for `wxpay sandbox fault` and the control call `fault`.
pub(crate) const NAMES: &str = "wrong-signature, stale-clock, unknown-serial, missing-header[:NAME], bad-gateway, frequency-limited, \
                         system-error, cut-body[:BYTES], reset, delay:MILLISECONDS, rotate-key";

impl Fault {
    /// Returns the fault with this name: `wrong-signature`, `stale-clock`, `unknown-serial`,
    /// `missing-header[:NAME]`, `bad-gateway`, `frequency-limited`, `system-error`,
    /// `cut-body[:BYTES]`, `reset`, `delay:MILLISECONDS`, `rotate-key`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if there is no fault with this
    /// name.
    pub fn from_name(text: &str) -> Result<Fault, Error> {
        let (name, detail) = text.split_once(':').unwrap_or((text, ""));
        let number = || detail.parse::<u64>().ok();
        let fault = match name {
            "wrong-signature" => Some(Fault::WrongSignature),
            "stale-clock" => Some(Fault::Clock(-3600)),
            "unknown-serial" => Some(Fault::UnknownSerial),
            "missing-header" if detail.is_empty() => Some(Fault::MissingHeader(verify::SIGNATURE.to_owned())),
            "missing-header" => Some(Fault::MissingHeader(detail.to_ascii_lowercase())),
            "bad-gateway" => Some(Fault::Gateway(error_page(StatusCode::BAD_GATEWAY))),
            "frequency-limited" => Some(Fault::FrequencyLimited),
            "system-error" => Some(Fault::Gateway(system_error())),
            "cut-body" if detail.is_empty() => Some(Fault::CutBody(10)),
            "cut-body" => number().and_then(|bytes| usize::try_from(bytes).ok()).map(Fault::CutBody),
            "reset" => Some(Fault::Hangup),
            "delay" => number().map(|time| Fault::Delay(Duration::from_millis(time))),
            "rotate-key" => Some(Fault::RotateKey),
            _ => None,
        };
        fault.ok_or_else(|| Error::options(format!("{text:?} is not a fault of the sandbox: available are {NAMES}")))
    }
}

/// The error page of a gateway.
pub(super) fn error_page(status: StatusCode) -> Response<Bytes> {
    let text = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status}</h1></center></body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn system_error() -> Response<Bytes> {
    let mut response =
        Response::new(Bytes::from_static(r#"{"code":"SYSTEM_ERROR","message":"系统异常，请稍后重试"}"#.as_bytes()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Tamper(_) => f.write_str("Tamper"),
            Fault::WrongSignature => f.write_str("WrongSignature"),
            Fault::Clock(seconds) => write!(f, "Clock({seconds})"),
            Fault::UnknownSerial => f.write_str("UnknownSerial"),
            Fault::MissingHeader(name) => write!(f, "MissingHeader({name})"),
            Fault::Gateway(response) => write!(f, "Gateway({})", response.status().as_u16()),
            Fault::FrequencyLimited => f.write_str("FrequencyLimited"),
            Fault::CutBody(after) => write!(f, "CutBody({after})"),
            Fault::Hangup => f.write_str("Hangup"),
            Fault::Delay(time) => write!(f, "Delay({time:?})"),
            Fault::RotateKey => f.write_str("RotateKey"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_fault() {
        for name in NAMES.split(", ") {
            let name = name.replace("[:NAME]", ":X-Y").replace("[:BYTES]", ":3").replace("MILLISECONDS", "5");
            assert!(Fault::from_name(&name).is_ok(), "{name}");
        }
        for name in ["", "delay", "delay:x", "wrong"] {
            assert!(Fault::from_name(name).expect_err(name).message().contains("wrong-signature"));
        }
    }
}
