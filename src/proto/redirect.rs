//! Where a redirect leads: only asked for, only on the same origin, and never with another method without a word.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use http::{Method, Request, Response, StatusCode, Uri};

use super::verify;

/// The request that follows a redirect, unsigned. The error says why it is not followed.
///
/// ```text
/// 307, 308            the same method and body
/// 303                 GET without a body
/// 301, 302            the same for GET and HEAD; other methods only if `strict`, as browsers and Guzzle would turn them into GET
/// ```
pub(crate) fn next(request: &Request<Bytes>, answer: &Response<Bytes>, strict: bool) -> Result<Request<Bytes>, String> {
    let location = answer.headers().get(LOCATION).ok_or("it names no Location")?;
    let location = location.to_str().map_err(|_| "its Location is no plain text")?;
    let mut next = request.clone();
    *next.uri_mut() = resolve(request.uri(), location)?;
    // Where the answer of this path must be signed, nobody can lead to one that need not be.
    let covers = |path: &str| verify::covers(&Method::GET, path, &HeaderMap::new());
    if covers(next.uri().path()) != covers(request.uri().path()) {
        return Err("it leads to a path whose answers are signed in another way".to_owned());
    }
    match answer.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {}
        StatusCode::SEE_OTHER => {
            *next.method_mut() = Method::GET;
            *next.body_mut() = Bytes::new();
            next.headers_mut().remove(CONTENT_TYPE);
            next.extensions_mut().remove::<super::request::SignedBody>();
        }
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => {
            if !strict && *request.method() != Method::GET && *request.method() != Method::HEAD {
                return Err(format!(
                    "it is a {} to a {}, which would become a GET and lose its body: allow it as it is with \
                     {{\"allow_redirects\": {{\"strict\": true}}}}",
                    answer.status().as_u16(),
                    request.method()
                ));
            }
        }
        other => return Err(format!("{} is no redirect to follow", other.as_u16())),
    }
    Ok(next)
}

fn resolve(from: &Uri, location: &str) -> Result<Uri, String> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = match (from.scheme_str(), from.authority()) {
        (Some(scheme), Some(authority)) => (scheme, authority.as_str()),
        _ => return Err("the request had no address".to_owned()),
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
    let target: Uri = target.parse().map_err(|_| "its Location is no URI")?;
    let origin = |uri: &Uri| Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()));
    if origin(&target) != origin(from) {
        return Err("it leads to another host, which must not be given the merchant's credential".to_owned());
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
        let mut answer = Response::builder().status(status);
        if !location.is_empty() {
            answer = answer.header("location", location);
        }
        let answer = answer.body(Bytes::new()).expect("answer");
        let next = next(&request.expect("request"), &answer, strict)?;
        Ok((next.method().to_string(), next.uri().to_string(), next.body().len()))
    }

    #[test]
    fn never_to_a_path_that_answers_unsigned() {
        let request = Request::get("https://h/v3/pay/transactions/id/1").body(Bytes::new()).expect("request");
        for location in ["/v3/billdownload/file", "/v3/merchant-service/images/x"] {
            let answer =
                Response::builder().status(302).header("location", location).body(Bytes::new()).expect("answer");
            assert!(next(&request, &answer, false).expect_err("unsigned").contains("signed in another way"));
        }
    }

    #[test]
    fn a_303_leaves_the_upload_behind() {
        let mut request = Request::post("https://h/a").body(Bytes::from_static(b"xyz")).expect("request");
        request.extensions_mut().insert(super::super::request::SignedBody(Bytes::from_static(b"meta")));
        let answer = Response::builder().status(303).header("location", "/b").body(Bytes::new()).expect("answer");
        let next = next(&request, &answer, false).expect("followed");
        assert!(next.extensions().get::<super::super::request::SignedBody>().is_none() && next.body().is_empty());
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
            ("GET", 302, "", "no Location"),
            ("GET", 304, "/x", "no redirect"),
        ] {
            let message = followed(method, status, location, false).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
