//! `base_uri`: how a path is joined to it, and which hosts may receive the merchant's credentials.

use std::borrow::Cow;
use std::sync::Arc;

use http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::url::{Url, without_userinfo};
use crate::error::Error;

/// The characters that are illegal in a query. A `%` is handled by [`encode_illegal`].
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters of a path that Guzzle, the PHP SDK's HTTP library, encodes: all except
/// `unreserved`, `sub-delims`, `:`, `@`, `%` and `/` of RFC 3986.
const PATH: &AsciiSet = &QUERY.add(b'?');

/// A valid `base_uri`: scheme, host, port and a path that ends with `/`. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUri {
    /// `https://api.mch.weixin.qq.com`, with a port only if one was given.
    origin: Arc<str>,
    /// The path: `/`, `/hk/`.
    prefix: Arc<str>,
    plain_http: bool,
}

impl BaseUri {
    pub(crate) const DEFAULT: &'static str = "https://api.mch.weixin.qq.com/";

    /// WeChat Pay's backup address, for when the default one cannot be reached.
    pub(crate) const BACKUP: &'static str = "https://api2.wechatpay.cn/";

    /// [`DEFAULT`](Self::DEFAULT), parsed.
    pub(crate) fn official() -> Self {
        BaseUri { origin: "https://api.mch.weixin.qq.com".into(), prefix: "/".into(), plain_http: false }
    }

    /// Parses a `base_uri`. The error is a clause: the caller names the setting before it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: is the environment variable set?".to_owned());
        }
        if !text.contains("://") {
            return Err(format!("it has no scheme or host: write it like {:?}", BaseUri::DEFAULT));
        }
        let url = Url::parse(text)?;
        let scheme = url.scheme.to_ascii_lowercase();
        if url.userinfo.is_some() {
            return Err("it contains a user name or password, which WeChat Pay does not use".to_owned());
        }
        if scheme != "https" && scheme != "http" {
            return Err(format!("the scheme {scheme:?} is not supported: use https"));
        }
        if scheme == "http" && belongs_to_wechat_pay(url.host) {
            return Err(
                "WeChat Pay's hosts require https: plain http would expose every call to the network".to_owned()
            );
        }
        if url.rest.contains('?') {
            return Err(format!("{text:?} has a query: give the query with each call"));
        }
        let prefix = if url.rest.is_empty() { "/" } else { url.rest };
        if !prefix.ends_with('/') {
            return Err(format!(
                "{text:?} must end with \"/\": otherwise its last segment is dropped when a path is joined to it (RFC 3986)"
            ));
        }
        if has_dot_segment(prefix) {
            return Err(format!("{text:?} has a \".\" or \"..\" segment"));
        }
        Ok(BaseUri {
            origin: format!("{scheme}://{}", lowercase(url.host_and_port)).into(),
            prefix: prefix.into(),
            plain_http: scheme == "http",
        })
    }

    /// Joins an expanded template to this base, as RFC 3986 resolves a reference.
    ///
    /// `query` replaces the query of the template. An empty `query` removes it.
    pub(crate) fn join(&self, reference: &str, query: Option<&str>) -> Result<Uri, Error> {
        if reference.contains('#') {
            return Err(Error::path(
                "the path has a fragment (\"#\"), which is never sent: remove it, or pass the text as a variable",
            ));
        }
        let (path, own_query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let (origin, path) = self.split_origin(path, reference)?;
        let mut target = String::with_capacity(origin.len() + self.prefix.len() + path.len() + 64);
        target.push_str(&origin);
        if !path.starts_with('/') {
            target.push_str(&self.prefix);
        }
        encode_illegal(&mut target, path, PATH);
        if has_dot_segment(target.get(origin.len()..).unwrap_or_default()) {
            return Err(Error::path(
                "the path has a \".\" or \"..\" segment, which would lead to another endpoint: remove it",
            ));
        }
        match (query, own_query) {
            (Some(""), _) | (None, None) => {}
            (Some(query), _) => target.extend(["?", query]),
            (None, Some(query)) => target.extend(["?", &encode_query(query)]),
        }
        target
            .try_into()
            .map_err(|source: http::uri::InvalidUri| Error::path("the path is not a valid URI").with_source(source))
    }

    /// Splits a reference into its origin, or the origin of this base if it has none, and its path.
    fn split_origin<'a>(&'a self, path: &'a str, reference: &str) -> Result<(Cow<'a, str>, &'a str), Error> {
        let has_scheme = |scheme: &str| {
            let head = path.get(..scheme.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        };
        let (scheme, rest) = if has_scheme("https://") {
            ("https://", &path["https://".len()..])
        } else if has_scheme("http://") {
            ("http://", &path["http://".len()..])
        } else if let Some(rest) = path.strip_prefix("//") {
            (if self.plain_http { "http://" } else { "https://" }, rest)
        } else if path.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err(Error::path(
                "the path begins with a scheme (\"name:\"): begin it with the version, such as \"v3/\"",
            ));
        } else {
            return Ok((Cow::Borrowed(&*self.origin), path));
        };
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let authority = lowercase(authority);
        let origin = format!("{scheme}{authority}");
        if !self.trusts(scheme.trim_end_matches("://"), &authority) {
            return Err(Error::path(format!(
                "the path leads to {:?}, which must not receive the merchant's credentials: it is neither the host of \
                 base_uri ({}) nor a host of WeChat Pay over https; remove the host from the path, or set base_uri",
                // An "@" behind the host may mean that the "host" is a part of a password.
                if reference.contains('@') { "***".to_owned() } else { without_userinfo(&origin) },
                self.origin
            )));
        }
        Ok((origin.into(), if path.is_empty() { "/" } else { path }))
    }

    /// Whether a request to `uri` may carry the credentials: the origin of this base, or a host of
    /// WeChat Pay over https.
    fn may_send_to(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        self.trusts(scheme, &lowercase(authority.as_str()))
    }

    /// `uri` with the origin of `primary` replaced by the origin of this base; `None` if `uri` has
    /// another origin.
    pub(crate) fn replace_origin(&self, primary: &BaseUri, uri: &Uri) -> Option<Uri> {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let mut rest = primary.origin.strip_prefix(scheme)?.strip_prefix("://")?.bytes();
        let same = authority.as_str().len() == rest.len()
            && authority.as_str().bytes().all(|byte| Some(byte.to_ascii_lowercase()) == rest.next());
        if !same {
            return None;
        }
        let own = self.origin.parse::<Uri>().ok()?.into_parts();
        let mut parts = uri.clone().into_parts();
        (parts.scheme, parts.authority) = (own.scheme, own.authority);
        Uri::from_parts(parts).ok()
    }

    /// Why this base cannot be the backup of `primary`, as a clause; `None` if it can.
    pub(crate) fn backup_problem(&self, primary: &BaseUri) -> Option<&'static str> {
        if self.plain_http && !primary.plain_http {
            return Some(
                "is plain http, and base_uri is https: an attacker who blocks base_uri could read the calls to the backup",
            );
        }
        (self.prefix != primary.prefix).then_some("has a different path than base_uri: calls use the same path on both")
    }

    /// Fails if a request to `uri` must not carry the credentials.
    pub(crate) fn check(&self, uri: &Uri) -> Result<(), Error> {
        if self.may_send_to(uri) {
            return Ok(());
        }
        Err(Error::path(format!(
            "a layer changed the host to {:?}, which must not receive the merchant's credentials",
            uri.host().unwrap_or_default()
        )))
    }

    /// `authority` is in lower case.
    fn trusts(&self, scheme: &str, authority: &str) -> bool {
        let own = self.origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        own == Some(authority) || (scheme == "https" && is_wechat_pay(authority))
    }
}

/// Whether a host is WeChat Pay's: `api`, `api2`, `apihk`, `fraud` and others below
/// `mch.weixin.qq.com` and `wechatpay.cn`, and the host of facial payments. The only valid port is
/// 443.
fn is_wechat_pay(authority: &str) -> bool {
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    plain && (host.ends_with(".mch.weixin.qq.com") || host.ends_with(".wechatpay.cn") || host == "payapp.weixin.qq.com")
}

/// Whether a host is in one of WeChat Pay's domains, in any notation. This is wider than
/// [`is_wechat_pay`]: it decides which hosts must not be called over plain http.
fn belongs_to_wechat_pay(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    ["mch.weixin.qq.com", "payapp.weixin.qq.com", "wechatpay.cn"].iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
    })
}

/// Copies only if necessary: hosts are almost always in lower case already.
fn lowercase(authority: &str) -> Cow<'_, str> {
    if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        authority.to_ascii_lowercase().into()
    } else {
        authority.into()
    }
}

/// Whether a path contains a `.` or `..` segment as any server or proxy may read it: with dots,
/// slashes and backslashes percent-encoded or not, and with parameters after a `;`. Servers and
/// proxies resolve them after the signature was made, so the request would reach another endpoint.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    // Most paths contain neither a dot nor a percent sign, and need no further look.
    if !path.contains('.') && !path.contains('%') {
        return false;
    }
    let mut rest = path.as_bytes();
    loop {
        let mut dots = 0;
        while let [b'.', after @ ..] | [b'%', b'2', b'e' | b'E', after @ ..] = rest {
            (dots, rest) = (dots + 1, after);
        }
        let ends = matches!(rest, [] | [b';', ..] | [b'%', b'3', b'b' | b'B', ..]) || after_separator(rest).is_some();
        if ends && matches!(dots, 1 | 2) {
            return true;
        }
        loop {
            if let Some(after) = after_separator(rest) {
                rest = after;
                break;
            }
            let [_, after @ ..] = rest else { return false };
            rest = after;
        }
    }
}

/// The bytes after a slash or a backslash.
fn after_separator(path: &[u8]) -> Option<&[u8]> {
    match path {
        [b'/' | b'\\', after @ ..] | [b'%', b'2', b'f' | b'F', after @ ..] | [b'%', b'5', b'c' | b'C', after @ ..] => {
            Some(after)
        }
        _ => None,
    }
}

/// A query that was given as text: only illegal characters are encoded.
pub(crate) fn encode_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_illegal(&mut out, text, QUERY);
    out
}

/// Appends `text` to `out`. Characters in `illegal`, non-ASCII characters, and each `%` that does
/// not begin a percent triplet are encoded.
fn encode_illegal(out: &mut String, text: &str, illegal: &'static AsciiSet) {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (head, tail) = rest.split_at(at);
        out.extend(utf8_percent_encode(head, illegal));
        let triplet = tail.as_bytes().get(1..3);
        let valid = triplet.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        out.push_str(if valid { "%" } else { "%25" });
        rest = tail.get(1..).unwrap_or_default();
    }
    out.extend(utf8_percent_encode(rest, illegal));
}
