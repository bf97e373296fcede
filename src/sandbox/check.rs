//! The service's checks on a request, in its words.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::answer::Refusal;
use super::{MCHID, SERIAL};
use crate::crypto::PublicKey;
use crate::proto::authorization::Authorization;
use crate::proto::message;

/// How far a request's clock may be off, in seconds.
const MAX_AGE: u64 = 300;
/// How much of the signed message an answer shows.
const SHOWN: usize = 512;

/// Verifies the `Authorization` of a request received at `now`, over the bytes that came: those of the body, or of the `meta`
/// of an upload.
pub(super) fn authorization(request: &Request<Bytes>, signed: &[u8], key: &PublicKey, now: i64) -> Result<(), Refusal> {
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
    if fields.serial != SERIAL {
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
    let message = message::request(request.method().as_str(), target, fields.timestamp, fields.nonce, signed);
    let holds = BASE64_STANDARD.decode(fields.signature).is_ok_and(|signature| key.verify(&message, &signature));
    if holds {
        return Ok(());
    }
    Err(sign_error(
        "错误的签名，验签失败",
        json!({
            "field": "signature",
            "issue": "sign not match",
            "location": "authorization",
            "sign_information": {
                "method": request.method().as_str(),
                "url": target,
                "truncated_sign_message": String::from_utf8_lossy(&message).chars().take(SHOWN).collect::<String>(),
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
