//! The platform's certificates, encrypted with the APIv3 key.

use serde_json::{Value, json};

use super::china_time;
use super::keys::Issued;
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::state::State;
use crate::crypto::{Apiv3Key, Certificate, random};
use crate::error::Error;

pub(super) fn list(state: &mut State, _: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let platform = &state.platform;
    if platform.certificates.is_empty() {
        return Err(Refusal::not_found("无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"));
    }
    let certificates = platform.certificates.iter().map(|issued| encrypted(issued, &platform.keys.apiv3_key));
    let certificates: Vec<Value> =
        certificates.collect::<Result<_, _>>().map_err(|error| Refusal::system_error(&error))?;
    Ok(RouteResponse::json(&json!({ "data": certificates })))
}

fn encrypted(issued: &Issued, key: &Apiv3Key) -> Result<Value, Error> {
    const ASSOCIATED_DATA: &str = "certificate";
    let certificate = Certificate::from_pem(&issued.pem)?;
    let nonce: String = random::nonce()?.chars().take(12).collect();
    Ok(json!({
        "serial_no": issued.serial,
        "effective_time": china_time::format(certificate.not_before()),
        "expire_time": china_time::format(certificate.not_after()),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": ASSOCIATED_DATA,
            "ciphertext": key.encrypt(issued.pem.as_bytes(), &nonce, ASSOCIATED_DATA)?,
        },
    }))
}
