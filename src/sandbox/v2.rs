//! The framework of APIv2: reads the XML, checks its `sign`, routes the request and signs the
//! response.
//!
//! Handlers are in `api_v2.rs`. The fields that every response has are added here.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::api_v2::{self, Route};
use super::api_version::ApiVersion;
use super::documented_v2;
use super::merchant::MCHID;
use super::refusal::{FREQUENCY_LIMITED, TOO_FREQUENT};
use super::request::{InboundRequest, Part};
use super::request_log::SignatureCheck;
use super::response::{RouteResponse, Signature};
use super::state::State;
use super::stub::{self, StubResponse};
use super::v2_fields::{V2Refusal, V2Response, text};
use crate::catalog::Call;
use crate::crypto::{hash, random};
use crate::error::Error;
use crate::proto::v2::{Apiv2Credential, Fields, is_unsigned, signing_string};
use crate::proto::xml;

/// The page of the service's gateway for a call without the client certificate.
const NO_CLIENT_CERTIFICATE: &str =
    "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n</html>\r\n";

/// Responds to a request. If `is_limited` is set, the rate limit or a fault refuses the request
/// before it is executed.
pub(super) fn respond(
    state: &mut State,
    inbound: &InboundRequest,
    is_limited: bool,
    now: i64,
) -> (SignatureCheck, RouteResponse) {
    let mut check = SignatureCheck::default();
    let response = try_respond(state, inbound, &mut check, is_limited, now).unwrap_or_else(|error| {
        let body = json!({ "message": error.message() });
        RouteResponse::json_with_status(StatusCode::INTERNAL_SERVER_ERROR, &body)
    });
    (check, response)
}

fn try_respond(
    state: &mut State,
    inbound: &InboundRequest,
    check: &mut SignatureCheck,
    is_limited: bool,
    now: i64,
) -> Result<RouteResponse, Error> {
    let (method, path) = (inbound.http.method(), inbound.path());
    let route = api_v2::route(path);
    let call = state.catalog.find(method, path);
    let is_stub = stub::find(&state.stubs, ApiVersion::V2, method, path).is_some();
    let needs_certificate = match route {
        Some(route) => route.needs_client_certificate,
        None => !is_stub && call.is_some_and(Call::needs_certificate),
    };
    if needs_certificate && !inbound.has_client_certificate {
        return Ok(plain(StatusCode::BAD_REQUEST, Bytes::from_static(NO_CLIENT_CERTIFICATE.as_bytes())));
    }
    let is_post = route.is_some() || (call.is_none() && state.catalog.find(Method::POST, path).is_some());
    if is_post && method != Method::POST && !is_stub {
        let body = xml::write(&refused(V2Refusal::Return("请使用post方法".to_owned()))?);
        return Ok(xml_response(StatusCode::OK, body));
    }
    let mut request = read_fields(inbound).and_then(|fields| {
        authenticate(&fields, &state.platform.keys.apiv2, check)?;
        Ok(fields)
    });
    if is_limited {
        request = Err(V2Refusal::Result(FREQUENCY_LIMITED, TOO_FREQUENT));
    }
    let sign_type = match request.as_ref().ok().and_then(|fields| fields.get("sign_type")?.as_str()) {
        Some(hash::HMAC_SHA256) => hash::HMAC_SHA256,
        _ => hash::MD5,
    };
    let (mut status, mut findings) = (StatusCode::OK, Vec::new());
    let stub = match stub::find(&state.stubs, ApiVersion::V2, method, path) {
        Some(StubResponse::Function(respond)) if request.is_ok() => {
            let (status, fields) = stub::call(&respond, &inbound.http);
            Some(StubResponse::Json(status, fields))
        }
        found => found,
    };
    let outcome = match (request, stub, route) {
        (Err(refusal), _, _) => Err(refusal),
        (Ok(_), Some(StubResponse::File(length)), _) => return Ok(RouteResponse::generated_file(length)),
        (Ok(_), Some(StubResponse::Json(status, Value::String(text))), _) => return Ok(plain(status, text.into())),
        (Ok(request), Some(StubResponse::Json(stub_status, fields)), _) => {
            status = stub_status;
            Ok((request, V2Response::new(fields)))
        }
        (Ok(request), None | Some(StubResponse::Function(_)), route) => {
            handle(state, inbound, route, &request, now).map(|response| (request, response))
        }
    };
    let (mut fields, notifications) = match outcome {
        Ok((_, V2Response { other: Some(http), findings, .. })) => {
            return Ok(RouteResponse { findings, ..RouteResponse::new(http, Signature::InBody) });
        }
        Ok((request, response)) => {
            findings = response.findings;
            (success(&request, response.fields)?, response.notifications)
        }
        Err(refusal) => (refused(refusal)?, Vec::new()),
    };
    let understood = fields.get("return_code").is_some_and(|code| code == "SUCCESS");
    if understood && !is_unsigned(path) && !fields.contains_key("sign") {
        sign(&mut fields, sign_type, &state.platform.keys.apiv2)?;
    }
    Ok(RouteResponse { notifications, findings, ..xml_response(status, xml::write(&fields)) })
}

/// Compares a request with its documentation, and responds by its route or by the catalogue.
fn handle(
    state: &mut State,
    inbound: &InboundRequest,
    route: Option<&Route>,
    request: &Fields,
    now: i64,
) -> Result<V2Response, V2Refusal> {
    if let Some(replay) = &state.replay {
        return Err(V2Refusal::Return(replay.refuse_v2()));
    }
    let (method, path) = (inbound.http.method(), inbound.path());
    let call = state.catalog.find(method, path);
    let findings = match call {
        Some(call) => documented_v2::check(state, call, inbound, request)?,
        None => Vec::new(),
    };
    let response = match (route, call) {
        (Some(route), call) => match ((route.handler)(state, request, now), call) {
            // Another call may have created the order.
            (Err(V2Refusal::Result("ORDERNOTEXIST", text)), Some(call)) if path.ends_with("query") => {
                documented_v2::respond_if_created(state, call, inbound, request, now)
                    .unwrap_or(Err(V2Refusal::Result("ORDERNOTEXIST", text)))
            }
            // The contract is stored like other objects.
            (Ok(mut response), Some(call)) if path.ends_with("/contractorder") => {
                let mut remembered = documented_v2::respond(state, call, inbound, request, now)?;
                if let (Value::Object(all), Value::Object(own)) = (&mut remembered.fields, response.fields.take()) {
                    all.extend(own);
                }
                Ok(V2Response { fields: remembered.fields, ..response })
            }
            (response, _) => response,
        },
        (None, Some(call)) => documented_v2::respond(state, call, inbound, request, now),
        (None, None) => Err(no_route(path)),
    };
    response.map(|response| V2Response { findings, ..response })
}

fn xml_response(status: StatusCode, body: String) -> RouteResponse {
    let mut response = plain(status, body.into());
    response.http.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

/// A response without the headers of APIv3.
fn plain(status: StatusCode, body: Bytes) -> RouteResponse {
    let mut http = Response::new(body);
    *http.status_mut() = status;
    RouteResponse::new(http, Signature::InBody)
}

fn no_route(path: &str) -> V2Refusal {
    let template = format!("v2{path}");
    V2Refusal::Return(format!(
        "the sandbox has no endpoint {path}: define its response in a stub file (wxpay sandbox --stubs FILE) with the line \
         {{\"method\": \"POST\", \"template\": {template:?}, \"response\": {{...}}}}; in Rust with \
         sandbox.stub(\"POST\", {template:?}, 200, json!({{...}}))"
    ))
}

/// The fields of a request: its XML, its query, or the text parts of its upload.
fn read_fields(inbound: &InboundRequest) -> Result<Fields, V2Refusal> {
    if inbound.http.method() == Method::GET {
        let query = inbound.http.uri().query().unwrap_or_default();
        return crate::proto::v2::parse_query(query).map_err(|error| V2Refusal::Return(error.message().to_owned()));
    }
    match &inbound.parts {
        Some(Ok(parts)) => text_parts(parts).map_err(V2Refusal::Return),
        Some(Err(reason)) => Err(V2Refusal::Return(reason.clone())),
        None => xml::read(inbound.http.body()).map_err(|reason| V2Refusal::Return(format!("XML格式错误: {reason}"))),
    }
}

fn text_parts(parts: &[Part]) -> Result<Fields, String> {
    let mut fields = Fields::new();
    for part in parts.iter().filter(|part| !part.is_file) {
        let text = String::from_utf8_lossy(&part.contents).into_owned();
        if fields.insert(part.name.clone(), text.into()).is_some() {
            return Err(format!("part {:?} appears twice", part.name));
        }
    }
    Ok(fields)
}

/// Checks the `sign` of a request, and that it names the sandbox's merchant.
fn authenticate(fields: &Fields, credential: &Apiv2Credential, check: &mut SignatureCheck) -> Result<(), V2Refusal> {
    if let Some((name, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
        return Err(V2Refusal::Return(format!("{name}参数格式有误: 应为文本，不能是列表或嵌套的XML")));
    }
    check.expected = format!("{}&key=***", signing_string(fields));
    credential.verify(fields).map_err(|reason| {
        let message = format!("签名错误: {reason}; the sign must cover {}", check.expected);
        check.reason = reason;
        V2Refusal::Return(message)
    })?;
    check.valid = true;
    match text(fields, "mch_id").or_else(|_| text(fields, "mchid")).or_else(|_| text(fields, "combine_mch_id"))? {
        MCHID => Ok(()),
        _ => Err(V2Refusal::Return("商户号mch_id或子商户号不存在".to_owned())),
    }
}

/// Adds the fields that every successful response has to those of the handler.
fn success(request: &Fields, response: Value) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    let mut insert = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    insert("return_code", "SUCCESS".into());
    insert("return_msg", "OK".into());
    for name in ["appid", "mch_id"] {
        if let Some(value) = request.get(name) {
            insert(name, value.clone());
        }
    }
    insert("nonce_str", random::nonce()?.into());
    insert("result_code", "SUCCESS".into());
    if let Value::Object(response) = response {
        fields.extend(response);
    }
    Ok(fields)
}

fn refused(refusal: V2Refusal) -> Result<Fields, Error> {
    let body = match refusal {
        V2Refusal::Return(message) => json!({ "return_code": "FAIL", "return_msg": message }),
        V2Refusal::Result(code, message) => json!({
            "return_code": "SUCCESS", "return_msg": "OK", "mch_id": MCHID, "nonce_str": random::nonce()?,
            "result_code": "FAIL", "err_code": code, "err_code_des": message,
        }),
    };
    Ok(body.as_object().cloned().unwrap_or_default())
}

/// Adds the `sign`.
pub(super) fn sign(fields: &mut Fields, sign_type: &str, credential: &Apiv2Credential) -> Result<(), Error> {
    let sign = hash::sign(sign_type, &signing_string(fields), &credential.secret)?;
    fields.insert("sign".to_owned(), sign.into());
    Ok(())
}
