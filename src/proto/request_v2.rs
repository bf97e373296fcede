//! Chain and options to a request of APIv2: everything but the signature.

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Request};

use super::base_uri::BaseUri;
use super::multipart::Multipart;
use super::request::{bounded, headers, written_query};
use super::v2::{FieldLocation, Unsigned};
use super::{query, xml};
use crate::error::Error;
use crate::options::{Body, Options};

/// What the PHP SDK's v2 client accepts.
const ACCEPT: HeaderValue = HeaderValue::from_static("text/xml, text/plain, application/x-gzip");
/// On every request, a GET among them.
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Builds the request of one call; `path` is what follows `v2/`.
pub(super) fn build(method: Method, path: &str, options: &Options, base: &BaseUri) -> Result<Request<Bytes>, Error> {
    if !options.encrypt.is_empty() {
        return Err(Error::options(
            "the option \"encrypt\" encrypts fields of APIv3: APIv2 has its own ways, see the endpoint",
        ));
    }
    let mut query = options.query.as_ref().map(written_query);
    let mut content_type = XML;
    let (body, location) = match &options.body {
        None if method == Method::GET => (Bytes::new(), FieldLocation::Query),
        None => {
            return Err(Error::options(
                "the option \"xml\" is missing: APIv2 takes its fields from it, {\"xml\": {\"mch_id\": \"...\"}}",
            ));
        }
        Some(Body::Xml(fields)) if method == Method::GET => {
            if query.replace(query::from_map(fields)).is_some() {
                return Err(Error::options(
                    "the options hold both \"xml\" and \"query\", and a GET has one place for fields: give them as \"query\"",
                ));
            }
            (Bytes::new(), FieldLocation::Query)
        }
        Some(Body::Xml(fields)) => {
            let unsigned = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "sign" | "nonce_str"));
            let written =
                Bytes::from(xml::write(&unsigned.map(|(name, value)| (name.clone(), value.clone())).collect()));
            (written.clone(), FieldLocation::Xml(fields.clone(), written))
        }
        Some(Body::Media(media, boundary)) if method != Method::GET => {
            upload(options, media.multipart_v2(boundary)?, &mut content_type)?
        }
        Some(Body::Multipart(multipart)) if method != Method::GET => {
            upload(options, multipart.clone(), &mut content_type)?
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
    *request.headers_mut() = headers(ACCEPT, content_type, options);
    request.extensions_mut().insert(Unsigned { location, nonceless: options.nonceless.unwrap_or(false) });
    Ok(request)
}

fn upload(
    options: &Options,
    upload: Multipart,
    content_type: &mut HeaderValue,
) -> Result<(Bytes, FieldLocation), Error> {
    let (upload, own) = bounded(options, upload)?;
    *content_type = own;
    Ok((upload.encode(), FieldLocation::Upload(upload)))
}

/// The options that mean nothing to APIv3; PHP passes over them in silence.
pub(super) fn refuse_options(options: &Options) -> Result<(), Error> {
    let given = [
        ("xml", matches!(options.body, Some(Body::Xml(_)))),
        ("security", options.security == Some(true)),
        ("nonceless", options.nonceless.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(Error::options(format!(
            "the option {name:?} belongs to APIv2, whose paths begin with \"v2/\": leave it out, or correct the path"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::media::Media;
    use serde_json::json;

    fn built(method: Method, options: Options) -> Result<Request<Bytes>, String> {
        let options = options.checked().map_err(|error| error.to_string())?;
        build(method, "pay/x?a=b", &options, &BaseUri::official()).map_err(|error| error.to_string())
    }

    #[test]
    fn unsigned_requests() {
        let request = built(Method::POST, json!({"xml": {"b": "<", "nonce_str": "n", "sign": "s", "a": 1}}).into())
            .expect("post");
        assert_eq!(request.uri(), "https://api.mch.weixin.qq.com/pay/x?a=b");
        assert_eq!(&request.body()[..], b"<xml><b><![CDATA[<]]></b><a>1</a></xml>");
        assert_eq!(request.headers()["content-type"], "text/xml; charset=utf-8");
        assert_eq!(request.headers()["accept"], "text/xml, text/plain, application/x-gzip");
        let request = built(Method::GET, json!({"query": {"b": "x y"}}).into()).expect("get");
        assert_eq!(request.uri().query(), Some("b=x%20y"));
        let request = built(Method::GET, json!({"xml": {"b": "x"}}).into()).expect("get");
        assert_eq!(request.uri().query(), Some("b=x"));
        let request = built(Method::POST, Media::from_bytes("a.png", "abc").into()).expect("upload");
        let body = String::from_utf8_lossy(request.body()).into_owned();
        assert!(body.contains("name=\"media_hash\"\r\n\r\n900150983cd24fb0d6963f7d28e17f72\r\n"), "{body}");
        assert!(body.contains("name=\"media\"; filename=\"a.png\""), "{body}");
    }

    #[test]
    fn each_wrong_call_has_its_words() {
        for (method, options, words) in [
            (Method::POST, json!({}), "\"xml\" is missing"),
            (Method::POST, json!({"json": {}}), "from the option \"xml\""),
            (Method::POST, json!({"body": "<xml/>"}), "from the option \"xml\""),
            (Method::GET, json!({"xml": {}, "query": {}}), "both \"xml\" and \"query\""),
            (Method::POST, json!({"xml": "<xml/>"}), "an object is needed"),
            (Method::POST, json!({"xml": {}, "json": {}}), "two bodies"),
            (Method::POST, json!({"xml": {}, "nonceless": false}), "which PHP reads as true"),
            (Method::POST, json!({"xml": {}, "security": 1}), "true or false is needed"),
            (Method::POST, json!({"json": {}, "encrypt": "a"}), "\"encrypt\""),
        ] {
            let said = built(method, options.clone().into()).expect_err(words);
            assert!(said.contains(words), "{options}: {said}");
        }
    }
}
