//! The proxy settings: which proxy a request goes through.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::Matcher;
use rustls_pki_types::CertificateDer;

use crate::crypto::decode;
use crate::error::Error;
use crate::proto::url::Url;

/// Which requests go through which proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// The environment variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, as in
    /// curl.
    #[default]
    Environment,
    /// No proxy, regardless of the environment.
    Off,
    /// One proxy for all requests.
    All(String),
    /// The members of Guzzle's `proxy` map.
    Split { http: String, https: String, no: String },
}

impl Proxy {
    /// The matcher that finds the proxy of a request, or `None` if there are no proxies.
    pub(super) fn matcher(&self) -> Result<Option<Arc<Matcher>>, Error> {
        let (matcher, urls) = match self {
            Proxy::Environment => {
                check_environment(|name| std::env::var_os(name))?;
                return Ok(Some(Arc::new(Matcher::from_env())));
            }
            Proxy::Off => return Ok(None),
            Proxy::All(url) => (Matcher::builder().all(url.clone()), [url, url]),
            Proxy::Split { http, https, no } => {
                (Matcher::builder().http(http.clone()).https(https.clone()).no(no.clone()), [http, https])
            }
        };
        for url in urls.into_iter().filter(|url| !url.is_empty()) {
            check(url).map_err(|reason| Error::config(format!("the proxy is not the URL of a proxy: {reason}")))?;
        }
        Ok(Some(Arc::new(matcher.build())))
    }
}

const VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Checks the environment variables that `read` returns.
fn check_environment(read: impl Fn(&str) -> Option<OsString>) -> Result<(), Error> {
    for name in VARIABLES {
        let value = read(name).unwrap_or_default();
        let result = match value.to_str() {
            Some("") => Ok(()),
            Some(url) => check(url),
            None => Err("it is not UTF-8"),
        };
        result.map_err(|reason| {
            Error::config(format!(
                "the environment variable {name} is not the URL of a proxy: {reason}; correct it, or set proxy (\"\" for \
                 no proxy)"
            ))
        })?;
    }
    Ok(())
}

/// Checks the URL of a proxy. The error is a clause that contains no part of the URL.
fn check(url: &str) -> Result<(), &'static str> {
    const FORM: &str = "write it like \"http://proxy.example:3128\", with http, https, socks5 or socks5h";
    // As in curl, a host and a port without a scheme are those of an HTTP proxy.
    let with_scheme = match url.contains("://") {
        true => Cow::Borrowed(url),
        false if url.contains(':') => Cow::Owned(format!("http://{url}")),
        false => return Err(FORM),
    };
    let parsed = Url::parse(&with_scheme)?;
    if parsed.rest.contains('?') {
        return Err(FORM);
    }
    // The matcher ignores a URL that it cannot parse, and requests would be sent without a proxy.
    let probe = Matcher::builder().all(url.to_owned()).build();
    let intercept = probe.intercept(&Uri::from_static("https://api.mch.weixin.qq.com"));
    let is_supported = intercept.is_some_and(|intercept| {
        matches!(intercept.uri().scheme_str(), Some("http" | "https" | "socks5" | "socks5h"))
            && intercept.uri().authority().is_some_and(|authority| authority.as_str() == parsed.host_and_port)
    });
    if is_supported { Ok(()) } else { Err(FORM) }
}

/// The authorities in the file that `SSL_CERT_FILE` names, as for curl, OpenSSL and Go. A proxy
/// that reads TLS has one. A file that cannot be read is left out, as by these.
pub(super) fn roots_of_environment() -> Vec<CertificateDer<'static>> {
    let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let Some(text) = path.and_then(|path| std::fs::read_to_string(path).ok()) else { return Vec::new() };
    decode::certificates(&text).unwrap_or_default()
}

/// A connection to a proxy without a tunnel. hyper writes the whole URI into the request line.
pub(super) struct Proxied<T>(pub(super) T);

impl<T: Connection> Connection for Proxied<T> {
    fn connected(&self) -> Connected {
        self.0.connected().proxy(true)
    }
}

impl<T: Read + Unpin> Read for Proxied<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<T: Write + Unpin> Write for Proxied<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_of_a_proxy() {
        for url in ["http://h:1", "h:1", "https://h", "socks5://u:p@h:1/", "SOCKS5H://h", "http://[::1]:1", "u:p@h:1"] {
            let expected = if url.starts_with("SOCKS5H") { "write it like" } else { "" };
            assert!(check(url).err().unwrap_or_default().starts_with(expected), "{url}");
            assert_eq!(check(url).is_ok(), expected.is_empty(), "{url}: {:?}", check(url));
        }
        for (url, expected) in [
            ("h", "write it like"),
            ("gopher://h:1", "write it like"),
            ("socks4://h:1", "write it like"),
            ("http://h:1/?x", "write it like"),
            ("http://user:se#cret@h:1", "%23"),
            ("user:p@ss@h:1", "%40"),
            ("CORP\\user:pass@h:1", "CORP%5Cuser"),
            ("http://h:99999", "its port"),
            (":::garbage", "no host"),
        ] {
            assert!(check(url).expect_err(url).contains(expected), "{url}: {:?}", check(url));
        }
    }

    proptest! {
        /// Markers of letters and digits, separated by any characters. The message about an
        /// environment variable contains none of them.
        #[test]
        fn no_message_contains_user_info(
            name in 0..VARIABLES.len(),
            scheme in "(https?://|socks5h?://|gopher://|)",
            parts in proptest::collection::vec("([QZXJ]{3,5}|8[78]{3})[ -~\\t\\n\u{e4}]?", 1..5),
            colon in 0..4_usize,
        ) {
            let mut userinfo = parts.clone();
            userinfo.insert(colon.min(parts.len()), ":".to_owned());
            let url = format!("{scheme}{}@127.0.0.1:9", userinfo.concat());
            let variable = VARIABLES[name];
            let read = |name: &str| (name == variable).then(|| OsString::from(&url));
            match check_environment(read) {
                Ok(()) => {
                    // An accepted URL leads to the host behind the "@".
                    let matcher = Matcher::builder().all(url.clone()).build();
                    let proxy = matcher.intercept(&Uri::from_static("https://h/")).expect("a proxy");
                    prop_assert_eq!(proxy.uri().authority().expect("host").as_str(), "127.0.0.1:9");
                    let debug = format!("{matcher:?} {proxy:?}");
                    prop_assert!(!debug.contains(&parts[0][..3]), "{}", debug);
                }
                Err(error) => {
                    let message = format!("{error} {error:?}");
                    prop_assert!(message.contains(variable));
                    for part in &parts {
                        prop_assert!(!message.contains(&part[..3]), "{} in {}", part, message);
                    }
                }
            }
        }
    }
}
