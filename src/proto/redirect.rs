//! Redirects: only with the option `allow_redirects`, only within the same origin, and never with a
//! method that was changed silently.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
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
    // Otherwise an attacker could redirect a call with a signed response to a path whose responses
    // are not verified, or only by a header that the attacker chooses. The method matters: a 303
    // turns an upload, whose response is signed, into a GET of a picture, whose response is not.
    let least = |request: &Request<Bytes>| verify::least_covered(request.method(), request.uri().path());
    if least(&next) != least(request) {
        return Err("it leads to a path whose responses are signed differently".to_owned());
    }
    Ok(next)
}

/// The absolute URI of a `Location` header, as RFC 3986 resolves a reference, within the origin of
/// `from`.
fn resolve(from: &Uri, location: &str) -> Result<Uri, String> {
    // Browsers read a backslash as a slash, other programs do not.
    if location.contains('\\') {
        return Err("its Location contains a backslash, which programs read differently".to_owned());
    }
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = match (from.scheme_str(), from.authority()) {
        (Some(scheme), Some(authority)) => (scheme, authority.as_str()),
        _ => return Err("the request has no absolute URI".to_owned()),
    };
    let target = if location.is_empty() {
        return Err("its Location is empty".to_owned());
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", from.path())
    } else if let Some(scheme) = scheme_of(location) {
        if !location[scheme.len()..].starts_with("://") {
            return Err("its Location is neither an http or https URI nor a path".to_owned());
        }
        location.to_owned()
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let target: Uri = target.parse().map_err(|_| "its Location is not a URI")?;
    let origin = |uri: &Uri| Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()));
    if origin(&target) != origin(from) {
        return Err(
            "it leads to another host, port or scheme, which must not receive the merchant's credentials".to_owned()
        );
    }
    if super::base_uri::has_dot_segment(target.path()) {
        return Err("its Location has a \".\" or \"..\" segment".to_owned());
    }
    Ok(target)
}

/// The scheme at the beginning of a URI reference: letters, digits, `+`, `-` and `.` before a `:`.
fn scheme_of(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
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
    fn a_redirect_never_changes_what_the_signature_covers() {
        const BODY: &str = "https://h/v3/pay/transactions/id/1";
        const UPLOAD: &str = "https://h/v3/merchant-service/images/upload";
        for (method, from, status, location) in [
            ("GET", BODY, 302, "/v3/billdownload/file"),
            ("GET", BODY, 307, "/v3/merchant-service/images/x"),
            ("GET", BODY, 302, "/v3/global/statements"),
            ("GET", BODY, 302, "/hk/v3/statements?x"),
            ("GET", "https://h/v3/global/statements", 302, "/v3/billdownload/file"),
            ("POST", UPLOAD, 303, "/v3/merchant-service/images/x"),
            ("POST", UPLOAD, 303, "x"),
            ("POST", BODY, 303, "/v3/billdownload/file"),
            ("POST", BODY, 303, "/v3/global/statements"),
            ("PUT", BODY, 303, "/v3/transferdownload/signfile"),
        ] {
            let request = Request::builder().method(method).uri(from).body(Bytes::new()).expect("request");
            let response = Response::builder().status(status).header("location", location);
            let response = response.body(Bytes::new()).expect("response");
            let reason = next(&request, &response, true).expect_err(location);
            assert!(reason.contains("signed differently"), "{method} {location}: {reason}");
        }
        for (method, from, status, location) in [
            ("GET", "https://h/hk/v3/statements", 302, "/v3/global/statements"),
            ("GET", "https://h/v3/merchant-service/images/x", 302, "y"),
            ("POST", UPLOAD, 307, "/v3/merchant-service/images/x"),
            ("POST", UPLOAD, 303, "/v3/certificates"),
        ] {
            let request = Request::builder().method(method).uri(from).body(Bytes::new()).expect("request");
            let response = Response::builder().status(status).header("location", location);
            let response = response.body(Bytes::new()).expect("response");
            assert!(next(&request, &response, false).is_ok(), "{method} {location}");
        }
    }

    #[test]
    fn a_303_drops_the_upload() {
        let request = Request::post("https://h/a").header(CONTENT_TYPE, "application/json");
        let request = request.body(Bytes::from_static(b"xyz")).expect("request");
        let response = Response::builder().status(303).header("location", "/b").body(Bytes::new()).expect("response");
        let next = next(&request, &response, false).expect("followed");
        assert!(next.method() == Method::GET && next.body().is_empty());
        assert!(!next.headers().contains_key(CONTENT_TYPE), "it described the body");
    }

    #[test]
    fn methods_and_addresses() {
        let is = |method: &str, uri: &str, body| Ok((method.to_owned(), uri.to_owned(), body));
        assert_eq!(followed("POST", 307, "/x", false), is("POST", "https://h/x", 3));
        assert_eq!(followed("POST", 308, "https://H/x?y", false), is("POST", "https://H/x?y", 3));
        assert_eq!(followed("POST", 303, "x", false), is("GET", "https://h/a/x", 0));
        assert_eq!(followed("GET", 302, "//h/x#f", false), is("GET", "https://h/x", 3));
        assert_eq!(followed("POST", 302, "/x", true), is("POST", "https://h/x", 3));
        assert_eq!(
            followed("GET", 302, "?y=https://evil.example/", false),
            is("GET", "https://h/a/b?y=https://evil.example/", 3)
        );
        assert_eq!(followed("GET", 302, "x?y=a://b", false), is("GET", "https://h/a/x?y=a://b", 3));
        for (method, status, location, expected) in [
            ("POST", 302, "/x", "would become a GET"),
            ("GET", 302, "https://evil.example/x", "another host"),
            ("GET", 302, "http://h/x", "another host"),
            ("GET", 302, "https://h:8443/x", "another host"),
            ("GET", 302, "//evil.example", "another host"),
            ("GET", 302, "https://user@h/x", "another host"),
            ("GET", 302, "https://h:0443/x", "another host"),
            ("GET", 302, "https://h.:443/x", "another host"),
            ("GET", 302, "/\\evil.example/x", "backslash"),
            ("GET", 302, "\\\\evil.example/x", "backslash"),
            ("GET", 302, "mailto:x@h", "neither"),
            ("GET", 302, "https:/h/x", "neither"),
            ("GET", 302, "#top", "is empty"),
            ("GET", 302, "../x", "segment"),
            ("GET", 302, "..%2Fx", "segment"),
            ("GET", 302, "..;/x", "segment"),
            ("GET", 302, "https://h:99999/x", "another host"),
            ("GET", 302, "/a/../b", "segment"),
            ("GET", 302, "", "no Location header"),
            ("GET", 304, "/x", "not a redirect"),
            ("GET", 300, "/x", "not a redirect"),
        ] {
            let message = followed(method, status, location, false).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
