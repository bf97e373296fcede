//! What can go wrong with an answer or a notification, on demand.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::error::Error;
use crate::proto::verify;

/// Changes an answer.
pub type Tamper = Box<dyn Fn(&mut http::Response<Bytes>) + Send + Sync>;

/// A fault of one answer, or of one notification where it can have it: given to [`Sandbox::inject`](super::Sandbox::inject) or
/// [`inject_notification`](super::Sandbox::inject_notification).
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
    /// Changes the answer after it was signed.
    Tamper(Tamper),
    /// A signature that is one, and not of this.
    WrongSignature,
    /// Signs with a clock that is off by these seconds; answers of APIv2 have no clock.
    Clock(i64),
    /// Signs with a key whose serial number nobody knows; answers of APIv2 have none.
    UnknownSerial,
    /// Leaves out this header.
    MissingHeader(String),
    /// This answer instead, unsigned, as a gateway in front of the service gives it.
    Gateway(http::Response<Bytes>),
    /// 429 `FREQUENCY_LIMITED`, signed, with `Retry-After`.
    FrequencyLimited,
    /// Ends the connection after so many bytes of the body, although more were announced.
    CutBody(usize),
    /// Ends the connection without an answer; the request was received. A notification is not sent.
    Hangup,
    /// Answers, or sends, after this time.
    Delay(Duration),
    /// Signs with a new platform certificate, from this answer on.
    RotateKey,
}

/// The names of the faults, for `wxpay sandbox fault` and the control call.
pub(super) const NAMES: &str = "wrong-signature, stale-clock, unknown-serial, missing-header[:NAME], bad-gateway, frequency-limited, \
                         system-error, cut-body[:BYTES], reset, delay:MILLISECONDS, rotate-key";

impl Fault {
    /// A fault by its name: `wrong-signature`, `stale-clock`, `unknown-serial`, `missing-header[:NAME]`, `bad-gateway`,
    /// `frequency-limited`, `system-error`, `cut-body[:BYTES]`, `reset`, `delay:MILLISECONDS`, `rotate-key`.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): there is no such fault.
    pub fn from_name(text: &str) -> Result<Fault, Error> {
        let (name, detail) = text.split_once(':').unwrap_or((text, ""));
        let number = || detail.parse::<u64>().ok();
        let fault = match name {
            "wrong-signature" => Some(Fault::WrongSignature),
            "stale-clock" => Some(Fault::Clock(-3600)),
            "unknown-serial" => Some(Fault::UnknownSerial),
            "missing-header" if detail.is_empty() => Some(Fault::MissingHeader(verify::SIGNATURE.to_owned())),
            "missing-header" => Some(Fault::MissingHeader(detail.to_ascii_lowercase())),
            "bad-gateway" => Some(Fault::Gateway(page(StatusCode::BAD_GATEWAY))),
            "frequency-limited" => Some(Fault::FrequencyLimited),
            "system-error" => Some(Fault::Gateway(system_error())),
            "cut-body" if detail.is_empty() => Some(Fault::CutBody(10)),
            "cut-body" => number().and_then(|bytes| usize::try_from(bytes).ok()).map(Fault::CutBody),
            "reset" => Some(Fault::Hangup),
            "delay" => number().map(|time| Fault::Delay(Duration::from_millis(time))),
            "rotate-key" => Some(Fault::RotateKey),
            _ => None,
        };
        fault.ok_or_else(|| Error::options(format!("{text:?} is no fault of the sandbox: they are {NAMES}")))
    }
}

/// The page of a gateway.
fn page(status: StatusCode) -> Response<Bytes> {
    let text = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status}</h1></center></body>\r\n</html>\r\n"
    );
    let mut answer = Response::new(Bytes::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    answer
}

fn system_error() -> Response<Bytes> {
    let mut answer =
        Response::new(Bytes::from_static(r#"{"code":"SYSTEM_ERROR","message":"系统异常，请稍后重试"}"#.as_bytes()));
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Turns a signature into one of something else, of the same form.
pub(super) fn spoil(headers: &mut HeaderMap) {
    let Some(signature) = headers.get(verify::SIGNATURE).and_then(|value| value.to_str().ok()) else { return };
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let spoilt: String = std::iter::once(first).chain(signature.chars().skip(1)).collect();
    if let Ok(value) = HeaderValue::try_from(spoilt) {
        headers.insert(verify::SIGNATURE, value);
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Tamper(_) => f.write_str("Tamper"),
            Fault::WrongSignature => f.write_str("WrongSignature"),
            Fault::Clock(seconds) => write!(f, "Clock({seconds})"),
            Fault::UnknownSerial => f.write_str("UnknownSerial"),
            Fault::MissingHeader(name) => write!(f, "MissingHeader({name})"),
            Fault::Gateway(answer) => write!(f, "Gateway({})", answer.status().as_u16()),
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
    fn every_name_is_a_fault() {
        for name in NAMES.split(", ") {
            let name = name.replace("[:NAME]", ":X-Y").replace("[:BYTES]", ":3").replace("MILLISECONDS", "5");
            assert!(Fault::from_name(&name).is_ok(), "{name}");
        }
        for name in ["", "delay", "delay:x", "wrong"] {
            assert!(Fault::from_name(name).expect_err(name).message().contains("wrong-signature"));
        }
    }
}
