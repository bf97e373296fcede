//! Builds the request of an APIv2 call, without its signature.

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Request};

use super::base_uri::BaseUri;
use super::multipart::Multipart;
use super::request::{RequestBody, RequestSpec, SigningInput, UnsignedRequest, headers, with_boundary, written_query};
use super::v2::{FieldLocation, Unsigned};
use super::{query, xml};
use crate::error::Error;

/// The `Accept` header of the PHP SDK's v2 client.
const ACCEPT: HeaderValue = HeaderValue::from_static("text/xml, text/plain, application/x-gzip");
/// The `Content-Type` of every request, GET included.
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Builds the request of one call; `path` is what follows `v2/`.
pub(super) fn build(method: Method, path: &str, spec: &RequestSpec, base: &BaseUri) -> Result<UnsignedRequest, Error> {
    let mut query = spec.query.as_ref().map(written_query);
    let mut content_type = XML;
    let (body, location) = match &spec.body {
        None if method == Method::GET => (Bytes::new(), FieldLocation::Query),
        None => {
            return Err(Error::options(
                "the option \"xml\" is missing: APIv2 takes its fields from it, {\"xml\": {\"mch_id\": \"...\"}}",
            ));
        }
        Some(RequestBody::Xml(fields)) if method == Method::GET => {
            if query.replace(query::from_map(fields)).is_some() {
                return Err(Error::options(
                    "the options hold both \"xml\" and \"query\", and a GET has one place for fields: give them as \"query\"",
                ));
            }
            (Bytes::new(), FieldLocation::Query)
        }
        Some(RequestBody::Xml(fields)) => {
            let unsigned = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "sign" | "nonce_str"));
            let written =
                Bytes::from(xml::write(&unsigned.map(|(name, value)| (name.clone(), value.clone())).collect()));
            (written.clone(), FieldLocation::Xml(fields.clone(), written))
        }
        Some(RequestBody::Media(media, boundary)) if method != Method::GET => {
            upload(spec, media.multipart_v2(boundary)?, &mut content_type)?
        }
        Some(RequestBody::Multipart(multipart)) if method != Method::GET => {
            upload(spec, multipart.clone(), &mut content_type)?
        }
        Some(_) => {
            return Err(Error::options(
                "APIv2 takes its fields from the option \"xml\", or files from \"multipart\"; of a GET from \"query\"",
            ));
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = base.join(path, query.as_deref())?;
    *request.headers_mut() = headers(ACCEPT, content_type, &spec.headers);
    let unsigned = Unsigned { location, nonceless: spec.nonceless.unwrap_or(false) };
    Ok(UnsignedRequest { request, signing: SigningInput::Fields(unsigned) })
}

fn upload(
    spec: &RequestSpec,
    upload: Multipart,
    content_type: &mut HeaderValue,
) -> Result<(Bytes, FieldLocation), Error> {
    let (upload, own) = with_boundary(spec, upload)?;
    *content_type = own;
    Ok((upload.encode(), FieldLocation::Upload(upload)))
}
