//! Authentication of APIv3 requests: the service's checks of headers, `Authorization` and
//! signature, in its wording.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use serde_json::{Value, json};

use super::keys::Keys;
use super::merchant::MCHID;
use super::nonces::Nonces;
use super::refusal::Refusal;
use super::request::InboundRequest;
use super::request_log::SignatureCheck;
use crate::proto::signing_mistakes::{Diagnosis, SignedParts, diagnose};
use crate::proto::signing_string::{self, Authorization};

/// How far a request's clock may be off, in seconds.
const MAX_CLOCK_SKEW: u64 = 300;
/// How much of the signed message a response shows, in characters.
const MAX_SHOWN_CHARS: usize = 512;

/// Checks a request that was received at `now`. `signed` are the bytes that its signature covers:
/// the body, or the `meta` of an upload.
pub(super) fn authenticate(
    request: &InboundRequest,
    signed: &[u8],
    keys: &Keys,
    nonces: &mut Nonces,
    now: i64,
) -> (SignatureCheck, Result<(), Refusal>) {
    let mut check = SignatureCheck::default();
    let outcome = check_request(request, signed, keys, nonces, now, &mut check);
    if let Err(refusal) = &outcome {
        if check.reason.is_empty() {
            check.reason = format!("{} {}", refusal.message, refusal.detail["issue"].as_str().unwrap_or_default());
        }
    }
    (check, outcome)
}

fn check_request(
    request: &InboundRequest,
    signed: &[u8],
    keys: &Keys,
    nonces: &mut Nonces,
    now: i64,
    check: &mut SignatureCheck,
) -> Result<(), Refusal> {
    let headers = request.http.headers();
    if !headers.contains_key(ACCEPT) || !headers.contains_key(USER_AGENT) {
        return Err(Refusal::param("header", "Accept", "Http头缺少Accept或User-Agent"));
    }
    if !accepts_json(request.header(ACCEPT).unwrap_or_default()) {
        return Err(Refusal::param("header", "Accept", "Http头Accept应包含application/json"));
    }
    let fields = authorization(request)?;
    if fields.mchid != MCHID {
        let detail = detail("mchid", format!("the sandbox's merchant is {MCHID}"), "authorization");
        return Err(Refusal {
            detail, ..Refusal::new(StatusCode::BAD_REQUEST, "MCH_NOT_EXISTS", "商户号不存在")
        });
    }
    if !fields.serial.eq_ignore_ascii_case(&keys.serial) {
        return Err(sign_error(
            "商户证书序列号有误。请使用签名私钥匹配的证书序列号",
            detail(
                "serial_no",
                format!("the serial number of the sandbox's merchant is {}", keys.serial),
                "authorization",
            ),
        ));
    }
    if fields.timestamp.abs_diff(now) > MAX_CLOCK_SKEW {
        return Err(sign_error(
            "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟",
            detail("timestamp", format!("the time at the sandbox is {now}"), "authorization"),
        ));
    }
    let method = request.http.method().as_str();
    let target = request.http.uri().path_and_query().map_or("/", |target| target.as_str());
    let message = signing_string::request(method, target, fields.timestamp, fields.nonce, signed);
    check.expected = String::from_utf8_lossy(&message).into_owned();
    let signature = BASE64_STANDARD.decode(fields.signature).unwrap_or_default();
    let merchant_key = &keys.merchant.public_key();
    if merchant_key.verify(&message, &signature) {
        // Only the nonce of a valid signature is remembered, so that nobody can use up the nonces
        // of others.
        if !nonces.insert(fields.nonce, now) {
            return Err(sign_error(
                "请求的随机串重复，疑似重放攻击",
                detail("nonce_str", "the nonce was used within the last ten minutes", "authorization"),
            ));
        }
        check.valid = true;
        return Ok(());
    }
    let parts = SignedParts {
        method,
        target,
        timestamp: fields.timestamp,
        nonce: fields.nonce,
        body: signed,
        base_uri: &request.base_uri,
    };
    let Diagnosis { signed: actually_signed, reason } = diagnose(&parts, &message, &signature, merchant_key);
    check.signed = actually_signed.clone().unwrap_or_default();
    check.reason.clone_from(&reason);
    let mut detail = detail("signature", "sign not match", "authorization");
    detail["sandbox"] = json!({ "reason": reason, "signed_message": actually_signed });
    detail["sign_information"] = json!({
        "method": method,
        "url": target,
        "truncated_sign_message": check.expected.chars().take(MAX_SHOWN_CHARS).collect::<String>(),
        "sign_message_length": message.len(),
    });
    Err(sign_error("错误的签名，验签失败", detail))
}

/// Whether the media ranges of an `Accept` header include JSON.
fn accepts_json(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim();
        ["*/*", "application/*", "application/json"].iter().any(|known| range.eq_ignore_ascii_case(known))
    })
}

/// The fields of the one `Authorization` header.
fn authorization(request: &InboundRequest) -> Result<Authorization<'_>, Refusal> {
    let mut values = request.http.headers().get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| malformed("Authorization contains non-ASCII characters"))?,
        (None, _) => return Err(malformed("Authorization is missing")),
        (Some(_), Some(_)) => return Err(malformed("Authorization appears twice")),
    };
    Authorization::parse(value).map_err(|reason| malformed(&reason))
}

fn malformed(reason: &str) -> Refusal {
    sign_error(
        "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
        detail("authorization", reason, "header"),
    )
}

fn detail(field: &str, issue: impl Into<String>, location: &str) -> Value {
    json!({ "field": field, "issue": issue.into(), "location": location })
}

fn sign_error(message: &str, detail: Value) -> Refusal {
    Refusal { detail, ..Refusal::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message) }
}
