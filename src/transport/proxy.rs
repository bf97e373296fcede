//! The proxy settings: which proxy a request goes through.

use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::error::Error;

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
                for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
                    let value = std::env::var(name).unwrap_or_default();
                    if !value.is_empty() && !Proxy::is_readable(&value) {
                        return Err(Error::config(format!(
                            "the environment variable {name} is not the URL of a proxy: correct it, or set proxy (\"\" for no proxy)"
                        )));
                    }
                }
                return Ok(Some(Arc::new(Matcher::from_env())));
            }
            Proxy::Off => return Ok(None),
            Proxy::All(url) => (Matcher::builder().all(url.clone()), [url, url]),
            Proxy::Split { http, https, no } => {
                (Matcher::builder().http(http.clone()).https(https.clone()).no(no.clone()), [http, https])
            }
        };
        // The matcher ignores a URL that it cannot parse, and requests would be sent without a
        // proxy.
        let readable = Proxy::is_readable;
        if urls.into_iter().any(|url| !url.is_empty() && !readable(url)) {
            return Err(Error::config(
                "the proxy is not the URL of a proxy: write it like \"http://proxy.example:3128\", with http, https, socks5 or socks5h",
            ));
        }
        Ok(Some(Arc::new(matcher.build())))
    }

    fn is_readable(url: &str) -> bool {
        if !url.contains("://") && !url.contains(':') {
            return false;
        }
        let probe = Matcher::builder().all(url.to_owned()).build();
        let intercept = probe.intercept(&Uri::from_static("https://api.mch.weixin.qq.com"));
        intercept.is_some_and(|intercept| {
            matches!(intercept.uri().scheme_str(), Some("http" | "https" | "socks5" | "socks5h"))
        })
    }
}
