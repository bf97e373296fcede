//! The service's checks on a request, in its words.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::answer::Refusal;
use super::explain::{Parts, explain};
use super::server::BaseUri;
use super::{MCHID, SERIAL, State};
use crate::proto::signing_string::{self, Authorization};

/// How far a request's clock may be off, in seconds.
const MAX_AGE: u64 = 300;
/// How much of the signed message an answer shows.
const SHOWN: usize = 512;
/// The longest body for which mistakes are guessed, in bytes: each guess hashes it.
const MOST_GUESSED: usize = 64 * 1024;

/// What was signed, and whether it held, for the log and the page.
#[derive(Clone, Default)]
pub(super) struct Verdict {
    pub(super) held: bool,
    /// The message that was expected.
    pub(super) expected: String,
    /// The message that was signed instead, where it can be told.
    pub(super) signed: String,
    pub(super) said: String,
}

/// Verifies the `Authorization` of a request received at `now`, over the bytes that came: those of the body, or of the `meta`
/// of an upload.
pub(super) fn authorization(
    request: &Request<Bytes>,
    signed: &[u8],
    state: &State,
    now: i64,
    verdict: &mut Verdict,
) -> Result<(), Refusal> {
    let checked = checked(request, signed, state, now, verdict);
    if let (Err(refusal), true) = (&checked, verdict.said.is_empty()) {
        verdict.said = format!("{} {}", refusal.message, refusal.detail["issue"].as_str().unwrap_or_default());
    }
    checked
}

fn checked(
    request: &Request<Bytes>,
    signed: &[u8],
    state: &State,
    now: i64,
    verdict: &mut Verdict,
) -> Result<(), Refusal> {
    let headers = request.headers();
    if !headers.contains_key(ACCEPT) || !headers.contains_key(USER_AGENT) {
        return Err(Refusal::param("header", "Accept", "Http头缺少Accept或User-Agent"));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| malformed("Authorization is no plain text"))?,
        (None, _) => return Err(malformed("Authorization is missing")),
        _ => return Err(malformed("Authorization stands twice")),
    };
    let fields = Authorization::parse(header).map_err(|said| malformed(&said))?;
    if fields.mchid != MCHID {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            code: "MCH_NOT_EXISTS",
            message: "商户号不存在".to_owned(),
            detail: json!({ "field": "mchid", "issue": format!("the sandbox knows {MCHID}"), "location": "authorization" }),
        });
    }
    if !fields.serial.eq_ignore_ascii_case(SERIAL) {
        return Err(sign_error(
            "商户证书序列号有误。请使用签名私钥匹配的证书序列号",
            json!({ "field": "serial_no", "issue": format!("the sandbox knows {SERIAL}"), "location": "authorization" }),
        ));
    }
    if fields.timestamp.abs_diff(now) > MAX_AGE {
        return Err(sign_error(
            "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟",
            json!({ "field": "timestamp", "issue": format!("the sandbox's clock says {now}"), "location": "authorization" }),
        ));
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let message = signing_string::request(request.method().as_str(), target, fields.timestamp, fields.nonce, signed);
    verdict.expected = String::from_utf8_lossy(&message).into_owned();
    let key = state.keys.merchant.public_key();
    let signature = BASE64_STANDARD.decode(fields.signature).unwrap_or_default();
    if key.verify(&message, &signature) {
        // A nonce counts only where the signature holds, so that nobody can use up those of others.
        if !state.book().nonces.insert(fields.nonce, now) {
            return Err(sign_error(
                "请求的随机串重复，疑似重放攻击",
                json!({ "field": "nonce_str", "issue": "the nonce was used within the last five minutes", "location": "authorization" }),
            ));
        }
        verdict.held = true;
        return Ok(());
    }
    let base_uri = request.extensions().get::<BaseUri>().map_or("", |BaseUri(base)| base);
    let parts = Parts {
        method: request.method().as_str(),
        target,
        timestamp: fields.timestamp,
        nonce: fields.nonce,
        body: signed,
        base_uri,
    };
    let explanation = explain(&parts, &signature, &key, signed.len() <= MOST_GUESSED);
    verdict.signed = explanation.signed.clone().unwrap_or_default();
    verdict.said.clone_from(&explanation.said);
    Err(sign_error(
        "错误的签名，验签失败",
        json!({
            "field": "signature",
            "issue": "sign not match",
            "location": "authorization",
            "sandbox": { "said": explanation.said, "signed_message": explanation.signed },
            "sign_information": {
                "method": request.method().as_str(),
                "url": target,
                "truncated_sign_message": explanation.expected.chars().take(SHOWN).collect::<String>(),
                "sign_message_length": message.len(),
            },
        }),
    ))
}

fn malformed(said: &str) -> Refusal {
    sign_error(
        "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
        json!({ "field": "authorization", "issue": said, "location": "header" }),
    )
}

fn sign_error(message: &str, detail: Value) -> Refusal {
    Refusal { status: StatusCode::UNAUTHORIZED, code: "SIGN_ERROR", message: message.to_owned(), detail }
}
