//! The rules of APIv2: how the fields of a request are signed, how those of a response are
//! verified, and which responses report a failure.
//!
//! Sources: WeChat Pay, "接口规则" and "安全规范" of APIv2, and the PHP SDK for the table of
//! unsigned responses.

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

/// The fields of a request, a response or a notification.
pub(crate) type Fields = Map<String, Value>;

/// The field with the signature. The signature does not cover it.
pub(super) const SIGN: &str = "sign";
const SIGN_TYPE: &str = "sign_type";
const NONCE: &str = "nonce_str";
const SUCCESS: &str = "SUCCESS";

/// The fields that name the merchant of a request. The first one that is present counts.
const MERCHANT_FIELDS: [&str; 3] = ["mch_id", "mchid", "combine_mch_id"];

/// The paths of documented requests without a merchant ID.
const WITHOUT_MERCHANT: [&str; 1] = ["/applyment/micro/signcontract"];

/// The paths whose responses have no signature.
const UNSIGNED_PATHS: [&str; 25] = [
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

/// Whether responses at this path may lack a signature.
pub(crate) fn is_unsigned(path: &str) -> bool {
    UNSIGNED_PATHS.contains(&path)
}

/// Whether a successful response at this path is a file instead of XML.
pub(crate) fn is_file(path: &str) -> bool {
    matches!(path, "/pay/downloadbill" | "/pay/downloadfundflow")
}

/// A merchant's id and APIv2 key.
#[derive(Clone)]
pub(crate) struct Apiv2Credential {
    pub(crate) mchid: String,
    pub(crate) secret: Secret,
}

/// The fields of an APIv2 request, to which the signing layer adds the signature.
#[derive(Clone)]
pub(crate) struct UnsignedFields {
    pub(crate) location: FieldLocation,
    /// Whether the request has no `nonce_str`.
    pub(crate) nonceless: bool,
}

/// The location of the fields of a request.
#[derive(Clone)]
pub(crate) enum FieldLocation {
    /// In the query of the URI.
    Query,
    /// In the body, as XML: the fields of the caller, and the bytes that they were written as. If
    /// the body differs from these bytes, a layer has changed it.
    Xml(Fields, Bytes),
    /// In the parts of an upload that are not files.
    Upload(Multipart),
}

/// The signing string: pairs sorted by the bytes of their keys, without `sign`, null and empty
/// strings. As in PHP, `false` is a pair with an empty value, and a nested value is the word
/// `Array`.
///
/// ```text
/// appid=wxd930ea5d5a258f4f&body=test&device_info=1000&mch_id=10000100&nonce_str=ibuaiVcKdpRxkhJA
/// ```
pub(crate) fn signing_string(fields: &Fields) -> String {
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

impl Apiv2Credential {
    /// Fails if the secret cannot be an APIv2 key. The error is a predicate, as in "the setting
    /// secret is empty".
    pub(crate) fn new(mchid: impl Into<String>, secret: Secret) -> Result<Self, String> {
        if secret.expose().is_empty() {
            return Err("is empty: is the environment variable set? It is the APIv2 key, from the merchant platform, under API security".to_owned());
        }
        if !secret.expose().iter().all(u8::is_ascii_graphic) {
            return Err("contains blanks or non-ASCII characters, which an APIv2 key does not have".to_owned());
        }
        Ok(Apiv2Credential { mchid: mchid.into(), secret })
    }

    /// Signs a request: adds `nonce_str` and `sign`, and writes the fields to their location.
    pub(crate) fn sign(
        &self,
        request: &mut Request<Bytes>,
        unsigned: UnsignedFields,
        nonce: &str,
    ) -> Result<(), Error> {
        let UnsignedFields { location, nonceless } = unsigned;
        let path = request.uri().path().to_owned();
        let nonce = if nonceless { None } else { Some(nonce) };
        match location {
            FieldLocation::Query => {
                let mut fields = parse_query(request.uri().query().unwrap_or_default())?;
                self.complete(&mut fields, &path, nonce)?;
                set_query(request, &path, &query::from_map(&fields))?;
            }
            FieldLocation::Xml(given, written) => {
                let mut fields =
                    if *request.body() == written { given } else { fields_of_changed_body(request.body(), &given)? };
                self.complete(&mut fields, &path, nonce)?;
                *request.body_mut() = xml::write(&fields).into();
            }
            FieldLocation::Upload(mut upload) => {
                let mut fields = upload_fields(&upload)?;
                if MERCHANT_FIELDS.iter().all(|name| !fields.contains_key(*name)) {
                    let merchant = Part::field(MERCHANT_FIELDS[0], &self.mchid);
                    fields.insert(merchant.name.clone(), self.mchid.as_str().into());
                    upload.parts.insert(0, merchant);
                }
                // The documented uploads have no `nonce_str`.
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

    /// Checks the merchant ID, and adds `nonce_str` and `sign`. Fields of the caller keep their
    /// position; an existing `sign` is replaced in place.
    fn complete(&self, fields: &mut Fields, path: &str, nonce: Option<&str>) -> Result<(), Error> {
        self.check_merchant(fields, path)?;
        self.add_sign(fields, nonce)
    }

    /// Adds `sign`, and `nonce_str` if `nonce` is given and the caller gave none.
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
        let sign = hash::sign(&sign_type, &signing_string(fields), &self.secret)?;
        fields.insert(SIGN.to_owned(), sign.into());
        Ok(())
    }

    /// Fails if a request names another merchant: the key of a merchant signs only for that
    /// merchant.
    pub(super) fn check_merchant(&self, fields: &Fields, path: &str) -> Result<(), Error> {
        let own = &self.mchid;
        let given =
            MERCHANT_FIELDS.iter().find_map(|name| Some((name, fields.get(*name).filter(|value| !value.is_null())?)));
        match given {
            Some((_, Value::String(given))) if given == own => Ok(()),
            Some((name, Value::String(given))) => Err(Error::options(format!(
                "the field {name:?} is {:?}, but this client belongs to the merchant {own:?}: APIv2 signs with the merchant's own \
                 key, so use a client with the settings of the other merchant",
                excerpt(given)
            ))),
            Some((name, other)) => {
                Err(Error::options(format!("the field {name:?} is {} where the string {own:?} is needed", kind(other))))
            }
            None if WITHOUT_MERCHANT.contains(&path) => Ok(()),
            None => Err(Error::options(format!(
                "the merchant ID is missing: add \"mch_id\": {own:?} to the fields, or \"mchid\" or \"combine_mch_id\", whichever the \
                 endpoint expects"
            ))),
        }
    }

    /// Verifies the `sign` of a response or a notification. The error is a clause.
    pub(crate) fn verify(&self, fields: &Fields) -> Result<(), String> {
        if self.is_sign_valid(fields)? {
            return Ok(());
        }
        // The PHP SDK signs fields after the characters that XML forbids were removed.
        let mut clean = Value::Object(fields.clone());
        xml::sanitize(&mut clean);
        match clean {
            Value::Object(clean) if clean != *fields && self.is_sign_valid(&clean)? => Ok(()),
            _ => Err("its sign does not match its fields and the APIv2 key (the setting secret)".to_owned()),
        }
    }

    fn is_sign_valid(&self, fields: &Fields) -> Result<bool, String> {
        let given = match fields.get(SIGN) {
            Some(Value::String(given)) if !given.is_empty() => given,
            _ => return Err("it has no sign".to_owned()),
        };
        let sign_type = if given.len() == 64 { hash::HMAC_SHA256 } else { hash::MD5 };
        let sign = hash::sign(sign_type, &signing_string(fields), &self.secret).map_err(|error| error.to_string())?;
        Ok(hash::equals(&sign, given))
    }

    /// Checks a 2xx response: `true` if its signature is valid, `false` if it needs none, because
    /// the responses of the path are unsigned or because the response reports a failure. The error
    /// is a clause.
    pub(crate) fn check(&self, path: &str, body: &[u8]) -> Result<bool, String> {
        let fields = match xml::read(body) {
            Ok(fields) => fields,
            Err(_) if is_unsigned(path) => return Ok(false),
            Err(reason) => return Err(format!("it is not the expected XML: {reason}")),
        };
        let verified = self.verify(&fields);
        if is_unsigned(path) {
            return Ok(verified.is_ok());
        }
        // The failure is decided on the fields that the caller sees.
        let mut clean = Value::Object(fields.clone());
        xml::sanitize(&mut clean);
        if clean.as_object().and_then(failure).is_some() {
            // Some failures are unsigned. An invalid `sign` is rejected as in any other response.
            return if fields.contains_key(SIGN) { verified.map(|()| true) } else { Ok(false) };
        }
        if !fields.contains_key("return_code") {
            return Err("it has no return_code".to_owned());
        }
        verified.map(|()| true)
    }

    /// Checks a response other than 2xx: `true` if its signature is valid, `false` if it has none.
    /// The error is a clause.
    pub(crate) fn check_rejection(&self, path: &str, body: &[u8]) -> Result<bool, String> {
        match xml::read(body).ok().filter(|fields| fields.contains_key(SIGN)) {
            None => Ok(false),
            Some(fields) if is_unsigned(path) => Ok(self.verify(&fields).is_ok()),
            Some(fields) => self.verify(&fields).map(|()| true),
        }
    }
}

/// A failure that a response reports.
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The failure that the body of a response reports; `None` if it reports none or is not XML.
pub(crate) fn failure_in(body: &[u8]) -> Option<Failure> {
    xml::fields(body).ok()?.as_object().and_then(failure)
}

/// The failure that the fields of a response report: a `return_code` or `result_code` that is not
/// `SUCCESS`.
pub(crate) fn failure(fields: &Fields) -> Option<Failure> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let failed = |name: &str| fields.get(name).filter(|code| code.as_str() != Some(SUCCESS));
    let code = failed("return_code").or_else(|| failed("result_code"))?;
    let code = text("err_code").or_else(|| text("error_code")).or(code.as_str()).unwrap_or("FAIL").to_owned();
    let message = ["err_code_des", "return_msg", "retmsg", "err_msg"]
        .into_iter()
        .find_map(|name| text(name).filter(|message| *message != "OK"));
    let message = message.unwrap_or("WeChat Pay gave no reason").to_owned();
    Some(Failure { code, message })
}

/// The fields of a body that a layer changed, with the `nonce_str` of the caller if it gave one.
fn fields_of_changed_body(body: &[u8], given: &Fields) -> Result<Fields, Error> {
    let mut fields = xml::read(body).map_err(|reason| {
        Error::layer(format!("a layer changed the body of an APIv2 call to something that cannot be signed: {reason}"))
    })?;
    if let Some((name, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
        return Err(Error::layer(format!(
            "a layer changed the body of an APIv2 call that contains a list or an object in {:?}, which cannot be distinguished from \
             a repeated field",
            excerpt(name)
        )));
    }
    if let (Some(nonce), false) = (given.get(NONCE), fields.contains_key(NONCE)) {
        fields.insert(NONCE.to_owned(), nonce.clone());
    }
    Ok(fields)
}

/// Removes `sign` and `nonce_str` from the query of a GET request, which signing adds again.
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

/// The fields of a query. A repeated name is an error, because APIv2 signs single values.
pub(crate) fn parse_query(text: &str) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text)
                .decode_utf8()
                .map(Cow::into_owned)
                .map_err(|_| Error::options("the query is not UTF-8"))
        };
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.contains('[') || fields.contains_key(&name) {
            return Err(Error::options(format!(
                "the query contains a list in {:?}: APIv2 signs single values only",
                excerpt(&name)
            )));
        }
        fields.insert(name, Value::String(value));
    }
    Ok(fields)
}

fn set_query(request: &mut Request<Bytes>, path: &str, query: &str) -> Result<(), Error> {
    let wrong = |source: http::Error| Error::path("the signed query does not form a valid URI").with_source(source);
    let target = PathAndQuery::try_from(format!("{path}?{query}")).map_err(|source| wrong(source.into()))?;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(target);
    *request.uri_mut() = http::Uri::from_parts(parts).map_err(|source| wrong(source.into()))?;
    Ok(())
}

/// The fields of an upload: the parts that are not files.
fn upload_fields(upload: &Multipart) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    for part in upload.parts.iter().filter(|part| part.filename.is_none()) {
        let text = std::str::from_utf8(&part.contents).map_err(|_| {
            Error::options(format!("the part {:?} is neither UTF-8 text nor a file", excerpt(&part.name)))
        })?;
        if fields.insert(part.name.clone(), text.into()).is_some() {
            return Err(Error::options(format!(
                "the part {:?} appears twice, and one of them would not be signed",
                excerpt(&part.name)
            )));
        }
    }
    Ok(fields)
}

/// The error for an option that APIv2 does not have.
pub(crate) fn encrypt_belongs_to_v3() -> Error {
    Error::options("the option \"encrypt\" is for APIv3: APIv2 encrypts in another way for each endpoint")
}
