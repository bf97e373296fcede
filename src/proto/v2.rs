//! The rules of APIv2: what is signed and how, for which merchant, and what an answer says.
//!
//! Source: WeChat Pay, "接口规则" and "安全规范" of APIv2; the table of unsigned answers is the PHP SDK's.

use std::borrow::Cow;

use bytes::Bytes;
use http::Request;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::excerpt::excerpt;
use super::json_type::kind;
use super::multipart::{Multipart, Part};
use super::php_scalar::scalar_text;
use super::{query, xml};
use crate::crypto::hash;
use crate::crypto::secret::Secret;
use crate::error::Error;

/// The fields of a message.
pub(crate) type Fields = Map<String, Value>;

/// The signature, which never covers itself.
pub(super) const SIGN: &str = "sign";
const SIGN_TYPE: &str = "sign_type";
const NONCE: &str = "nonce_str";
const SUCCESS: &str = "SUCCESS";

/// Where a request names its merchant; the first that is there counts.
const MERCHANT: [&str; 3] = ["mch_id", "mchid", "combine_mch_id"];

/// The documented requests that name no merchant.
const WITHOUT_MERCHANT: [&str; 1] = ["/applyment/micro/signcontract"];

/// The paths whose answers carry no signature.
const UNSIGNED: [&str; 25] = [
    "/mchrisk/querymchrisk",
    "/mchrisk/setmchriskcallback",
    "/mchrisk/syncmchriskresult",
    "/mmpaymkttransfers/gethbinfo",
    "/mmpaymkttransfers/gettransferinfo",
    "/mmpaymkttransfers/pay_bank",
    "/mmpaymkttransfers/promotion/paywwsptrans2pocket",
    "/mmpaymkttransfers/promotion/querywwsptrans2pocket",
    "/mmpaymkttransfers/promotion/transfers",
    "/mmpaymkttransfers/query_bank",
    "/mmpaymkttransfers/sendgroupredpack",
    "/mmpaymkttransfers/sendminiprogramhb",
    "/mmpaymkttransfers/sendredpack",
    "/papay/entrustweb",
    "/papay/h5entrustweb",
    "/papay/partner/entrustweb",
    "/papay/partner/h5entrustweb",
    "/pay/downloadbill",
    "/pay/downloadfundflow",
    "/payitil/report",
    "/risk/getpublickey",
    "/risk/getviolation",
    "/sandboxnew/pay/getsignkey",
    "/secapi/mch/submchmanage",
    "/xdc/apiv2getsignkey/sign/getsignkey",
];

/// Whether the answer at this path may come without a signature.
pub(crate) fn is_unsigned(path: &str) -> bool {
    UNSIGNED.contains(&path)
}

/// Whether what is asked for at this path is a file, which is never XML.
pub(crate) fn is_file(path: &str) -> bool {
    matches!(path, "/pay/downloadbill" | "/pay/downloadfundflow")
}

/// A merchant's id and APIv2 key.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) mchid: String,
    pub(crate) secret: Secret,
}

/// A request that is not signed yet; travels with it through the layers.
#[derive(Clone)]
pub(crate) struct Unsigned {
    pub(crate) location: FieldLocation,
    /// Whether `nonce_str` is left out.
    pub(crate) nonceless: bool,
}

/// Where the fields of a request are.
#[derive(Clone)]
pub(crate) enum FieldLocation {
    /// In the query of the URI.
    Query,
    /// In the body, as XML. The fields are the caller's; the bytes are what was written of them, by which a layer's change shows.
    Xml(Fields, Bytes),
    /// In the parts that are no files.
    Upload(Multipart),
}

/// The text that is signed: sorted by the bytes of the keys, without `sign`, null and empty texts; `false` is there, with nothing
/// behind it, and what is nested is the word `Array`, as in PHP.
///
/// ```text
/// appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA
/// ```
pub(crate) fn signed_text(fields: &Fields) -> String {
    let mut pairs: Vec<(&str, Cow<'_, str>)> = fields
        .iter()
        .filter(|(name, _)| *name != SIGN)
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::Array(_) | Value::Object(_) => Some((name.as_str(), "Array".into())),
            scalar => Some((name.as_str(), scalar_text(scalar)?)),
        })
        .collect();
    pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut out = String::new();
    for (name, value) in pairs {
        let and = if out.is_empty() { "" } else { "&" };
        out.extend([and, name, "=", &value]);
    }
    out
}

impl Credential {
    /// The error completes "the setting secret ...".
    pub(crate) fn new(mchid: impl Into<String>, secret: Secret) -> Result<Self, String> {
        if secret.expose().is_empty() {
            return Err("is empty: it is the APIv2 key, set on the merchant platform under API security".to_owned());
        }
        if !secret.expose().iter().all(u8::is_ascii_graphic) {
            return Err("holds blanks or characters beyond ASCII, which no APIv2 key has".to_owned());
        }
        Ok(Credential { mchid: mchid.into(), secret })
    }

    /// Signs a request: adds `nonce_str` and `sign`, and writes the fields to where they belong.
    pub(crate) fn sign(&self, request: &mut Request<Bytes>, unsigned: Unsigned, nonce: &str) -> Result<(), Error> {
        let Unsigned { location, nonceless } = unsigned;
        let path = request.uri().path().to_owned();
        let nonce = if nonceless { None } else { Some(nonce) };
        match location {
            FieldLocation::Query => {
                let mut fields = parse_query(request.uri().query().unwrap_or_default())?;
                self.complete(&mut fields, &path, nonce)?;
                set_query(request, &path, &query::from_map(&fields))?;
            }
            FieldLocation::Xml(given, written) => {
                let mut fields = if *request.body() == written { given } else { changed(request.body(), &given)? };
                self.complete(&mut fields, &path, nonce)?;
                *request.body_mut() = xml::write(&fields).into();
            }
            FieldLocation::Upload(mut upload) => {
                let mut fields = upload_fields(&upload)?;
                if MERCHANT.iter().all(|name| !fields.contains_key(*name)) {
                    let own = Part::field(MERCHANT[0], &self.mchid);
                    fields.insert(own.name.clone(), self.mchid.as_str().into());
                    upload.parts.insert(0, own);
                }
                // The documented uploads have no nonce.
                self.complete(&mut fields, &path, None)?;
                let sign = Part::field(SIGN, fields.get(SIGN).and_then(Value::as_str).unwrap_or_default());
                match upload.parts.iter_mut().find(|part| part.name == SIGN) {
                    Some(part) => *part = sign,
                    None => upload.parts.push(sign),
                }
                *request.body_mut() = upload.encode();
            }
        }
        Ok(())
    }

    /// Checks the merchant, and adds what signing adds. What the caller gave stays in its place; a `sign` is replaced there.
    fn complete(&self, fields: &mut Fields, path: &str, nonce: Option<&str>) -> Result<(), Error> {
        self.guard(fields, path)?;
        self.add_sign(fields, nonce)
    }

    /// Adds `nonce_str`, where one is wanted and none is there, and `sign`.
    pub(crate) fn add_sign(&self, fields: &mut Fields, nonce: Option<&str>) -> Result<(), Error> {
        if let Some(nonce) = nonce {
            if fields.get(NONCE).is_none_or(Value::is_null) {
                fields.insert(NONCE.to_owned(), nonce.into());
            }
        }
        let sign_type = match fields.get(SIGN_TYPE) {
            None | Some(Value::Null) => hash::MD5.into(),
            Some(given) => scalar_text(given).unwrap_or_default(),
        };
        let sign = hash::sign(&sign_type, &signed_text(fields), &self.secret)?;
        fields.insert(SIGN.to_owned(), sign.into());
        Ok(())
    }

    /// A client signs for its own merchant only: the key of one signs nothing for another.
    pub(super) fn guard(&self, fields: &Fields, path: &str) -> Result<(), Error> {
        let own = &self.mchid;
        let given = MERCHANT.iter().find_map(|name| Some((name, fields.get(*name).filter(|value| !value.is_null())?)));
        match given {
            Some((_, Value::String(given))) if given == own => Ok(()),
            Some((name, Value::String(given))) => Err(Error::options(format!(
                "the field {name:?} is {:?}, and this client is the merchant {own:?}: APIv2 signs with the key of one merchant, so \
                 use a client with the other's settings",
                excerpt(given)
            ))),
            Some((name, other)) => {
                Err(Error::options(format!("the field {name:?} is {} where a string is needed, {own:?}", kind(other))))
            }
            None if WITHOUT_MERCHANT.contains(&path) => Ok(()),
            None => Err(Error::options(format!(
                "the merchant id is missing: add \"mch_id\": {own:?} to the fields, or \"mchid\" or \"combine_mch_id\", whichever the \
                 endpoint has"
            ))),
        }
    }

    /// Checks the signature on the fields of an answer or a notification. The error completes a sentence.
    pub(crate) fn verify(&self, fields: &Fields) -> Result<(), String> {
        if self.holds(fields)? {
            return Ok(());
        }
        // The PHP SDK signs what is left without the characters that XML forbids; who wrote them signed them.
        let mut clean = Value::Object(fields.clone());
        xml::sanitize(&mut clean);
        match clean {
            Value::Object(clean) if clean != *fields && self.holds(&clean)? => Ok(()),
            _ => Err("its sign does not fit its fields and the APIv2 key (the setting secret)".to_owned()),
        }
    }

    fn holds(&self, fields: &Fields) -> Result<bool, String> {
        let given = match fields.get(SIGN) {
            Some(Value::String(given)) if !given.is_empty() => given,
            _ => return Err("it has no sign".to_owned()),
        };
        let sign_type = if given.len() == 64 { hash::HMAC_SHA256 } else { hash::MD5 };
        let sign = hash::sign(sign_type, &signed_text(fields), &self.secret).map_err(|error| error.to_string())?;
        Ok(hash::equals(&sign, given))
    }

    /// Whether an answer with the status 2xx is genuine: `true` when its signature holds, `false` when none is needed, because the
    /// path answers unsigned or the answer says that the call failed.
    pub(crate) fn check(&self, path: &str, body: &[u8]) -> Result<bool, String> {
        let fields = match xml::read(body) {
            Ok(fields) => fields,
            Err(_) if is_unsigned(path) => return Ok(false),
            Err(reason) => return Err(format!("it is no XML of the service's: {reason}")),
        };
        let held = self.verify(&fields);
        if is_unsigned(path) {
            return Ok(held.is_ok());
        }
        // As the caller will read it.
        let mut clean = Value::Object(fields.clone());
        xml::sanitize(&mut clean);
        if clean.as_object().and_then(failure).is_some() {
            // Some failures come without a sign; one that does not hold is a forgery like any other.
            return if fields.contains_key(SIGN) { held.map(|()| true) } else { Ok(false) };
        }
        if !fields.contains_key("return_code") {
            return Err("it has no return_code".to_owned());
        }
        held.map(|()| true)
    }
}

/// What a service that was asked refuses with.
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What the body of an answer says went wrong; none where it is no XML.
pub(crate) fn failure_in(body: &[u8]) -> Option<Failure> {
    xml::fields(body).ok()?.as_object().and_then(failure)
}

/// What an answer says went wrong: its `return_code` or `result_code` is there and is not `SUCCESS`.
pub(crate) fn failure(fields: &Fields) -> Option<Failure> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let failed = |name: &str| fields.get(name).filter(|code| code.as_str() != Some(SUCCESS));
    let code = failed("return_code").or_else(|| failed("result_code"))?;
    let code = text("err_code").or_else(|| text("error_code")).or(code.as_str()).unwrap_or("FAIL").to_owned();
    let message = ["err_code_des", "return_msg", "retmsg", "err_msg"]
        .into_iter()
        .find_map(|name| text(name).filter(|reason| *reason != "OK"));
    let message = message.unwrap_or("the service gives no reason").to_owned();
    Some(Failure { code, message })
}

/// The fields of a body that a layer changed; a nonce that the caller gave is kept.
fn changed(body: &[u8], given: &Fields) -> Result<Fields, Error> {
    let mut fields = xml::read(body).map_err(|reason| {
        Error::layer(format!("a layer made the body of an APIv2 call into something that cannot be signed: {reason}"))
    })?;
    if let Some((name, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
        return Err(Error::layer(format!(
            "a layer changed the body of an APIv2 call that has a list or an object in {:?}, which cannot be told from a repeated field",
            excerpt(name)
        )));
    }
    if let (Some(nonce), false) = (given.get(NONCE), fields.contains_key(NONCE)) {
        fields.insert(NONCE.to_owned(), nonce.clone());
    }
    Ok(fields)
}

/// Takes out of an unsigned request's query what signing would put there.
#[cfg(feature = "cli")]
pub(crate) fn strip(request: &mut Request<Bytes>) -> Result<(), Error> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default());
    if *request.method() != http::Method::GET || query.is_empty() {
        return Ok(());
    }
    let mut fields = parse_query(query)?;
    fields.retain(|name, _| name != SIGN && name != NONCE);
    set_query(request, &path, &query::from_map(&fields))
}

pub(crate) fn parse_query(text: &str) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text)
                .decode_utf8()
                .map(Cow::into_owned)
                .map_err(|_| Error::options("the query is no UTF-8"))
        };
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.contains('[') || fields.contains_key(&name) {
            return Err(Error::options(format!(
                "the query holds a list in {:?}, and APIv2 signs single values only",
                excerpt(&name)
            )));
        }
        fields.insert(name, Value::String(value));
    }
    Ok(fields)
}

fn set_query(request: &mut Request<Bytes>, path: &str, query: &str) -> Result<(), Error> {
    let wrong = |source: http::Error| Error::path("the signed query makes no valid URI").with_source(source);
    let target = PathAndQuery::try_from(format!("{path}?{query}")).map_err(|source| wrong(source.into()))?;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(target);
    *request.uri_mut() = http::Uri::from_parts(parts).map_err(|source| wrong(source.into()))?;
    Ok(())
}

/// The parts of an upload that are no files.
fn upload_fields(upload: &Multipart) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    for part in upload.parts.iter().filter(|part| part.filename.is_none()) {
        let text = std::str::from_utf8(&part.contents).map_err(|_| {
            Error::options(format!("the part {:?} is no text in UTF-8, and no file either", excerpt(&part.name)))
        })?;
        if fields.insert(part.name.clone(), text.into()).is_some() {
            return Err(Error::options(format!(
                "the part {:?} stands twice, and one of them would not be signed",
                excerpt(&part.name)
            )));
        }
    }
    Ok(fields)
}
