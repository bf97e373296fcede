//! Redirects: only with the option `allow_redirects`, only within the same origin, and never with a
//! method that was changed silently.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use http::{Method, Request, Response, StatusCode, Uri};

use super::verify;

/// The unsigned request that follows a redirect. The error is a clause that explains why the
/// redirect is not followed.
///
/// ```text
/// 307, 308            the same method and body
/// 303                 GET without a body
/// 301, 302            the same for GET and HEAD; other methods only if `strict`, because
///                     browsers and Guzzle change them to GET
/// ```
pub(crate) fn next(
    request: &Request<Bytes>,
    response: &Response<Bytes>,
    strict: bool,
) -> Result<Request<Bytes>, String> {
    let location = response.headers().get(LOCATION).ok_or("it has no Location header")?;
    let location = location.to_str().map_err(|_| "its Location is not plain text")?;
    let mut next = request.clone();
    *next.uri_mut() = resolve(request.uri(), location)?;
    // Otherwise an attacker could redirect a call with a signed response to a path whose responses
    // are not verified.
    let covers = |path: &str| verify::covers(&Method::GET, path, &HeaderMap::new());
    if covers(next.uri().path()) != covers(request.uri().path()) {
        return Err("it leads to a path whose responses are signed differently".to_owned());
    }
    match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {}
        StatusCode::SEE_OTHER => {
            *next.method_mut() = Method::GET;
            *next.body_mut() = Bytes::new();
            next.headers_mut().remove(CONTENT_TYPE);
        }
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => {
            if !strict && *request.method() != Method::GET && *request.method() != Method::HEAD {
                return Err(format!(
                    "it is a {} response to a {}, which would become a GET without a body: allow it unchanged with \
                     {{\"allow_redirects\": {{\"strict\": true}}}}",
                    response.status().as_u16(),
                    request.method()
                ));
            }
        }
        other => return Err(format!("{} is not a redirect that can be followed", other.as_u16())),
    }
    Ok(next)
}

/// The absolute URI of a `Location` header, within the origin of `from`.
fn resolve(from: &Uri, location: &str) -> Result<Uri, String> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = match (from.scheme_str(), from.authority()) {
        (Some(scheme), Some(authority)) => (scheme, authority.as_str()),
        _ => return Err("the request has no absolute URI".to_owned()),
    };
    let target = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.contains("://") {
        location.to_owned()
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let target: Uri = target.parse().map_err(|_| "its Location is not a URI")?;
    let origin = |uri: &Uri| Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()));
    if origin(&target) != origin(from) {
        return Err("it leads to another host, which must not receive the merchant's credentials".to_owned());
    }
    if super::base_uri::has_dot_segment(target.path()) {
        return Err("its Location has a \".\" or \"..\" segment".to_owned());
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(method: &str, status: u16, location: &str, strict: bool) -> Result<(String, String, usize), String> {
        let request = Request::builder().method(method).uri("https://h/a/b?c").body(Bytes::from_static(b"xyz"));
        let mut response = Response::builder().status(status);
        if !location.is_empty() {
            response = response.header("location", location);
        }
        let response = response.body(Bytes::new()).expect("response");
        let next = next(&request.expect("request"), &response, strict)?;
        Ok((next.method().to_string(), next.uri().to_string(), next.body().len()))
    }

    #[test]
    fn a_path_with_unsigned_responses_is_not_followed() {
        let request = Request::get("https://h/v3/pay/transactions/id/1").body(Bytes::new()).expect("request");
        for location in ["/v3/billdownload/file", "/v3/merchant-service/images/x"] {
            let response =
                Response::builder().status(302).header("location", location).body(Bytes::new()).expect("response");
            assert!(next(&request, &response, false).expect_err("unsigned").contains("signed differently"));
        }
    }

    #[test]
    fn a_303_drops_the_upload() {
        let request = Request::post("https://h/a").body(Bytes::from_static(b"xyz")).expect("request");
        let response = Response::builder().status(303).header("location", "/b").body(Bytes::new()).expect("response");
        let next = next(&request, &response, false).expect("followed");
        assert!(next.method() == Method::GET && next.body().is_empty());
    }

    #[test]
    fn methods_and_addresses() {
        let is = |method: &str, uri: &str, body| Ok((method.to_owned(), uri.to_owned(), body));
        assert_eq!(followed("POST", 307, "/x", false), is("POST", "https://h/x", 3));
        assert_eq!(followed("POST", 308, "https://H/x?y", false), is("POST", "https://H/x?y", 3));
        assert_eq!(followed("POST", 303, "x", false), is("GET", "https://h/a/x", 0));
        assert_eq!(followed("GET", 302, "//h/x#f", false), is("GET", "https://h/x", 3));
        assert_eq!(followed("POST", 302, "/x", true), is("POST", "https://h/x", 3));
        for (method, status, location, expected) in [
            ("POST", 302, "/x", "would become a GET"),
            ("GET", 302, "https://evil.example/x", "another host"),
            ("GET", 302, "http://h/x", "another host"),
            ("GET", 302, "https://h:8443/x", "another host"),
            ("GET", 302, "//evil.example", "another host"),
            ("GET", 302, "/a/../b", "segment"),
            ("GET", 302, "", "no Location header"),
            ("GET", 304, "/x", "not a redirect"),
        ] {
            let message = followed(method, status, location, false).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
