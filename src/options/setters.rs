//! Setters with types, beside the keys of the JSON object. Each is the option of the same name; see
//! the [table](crate#options).

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::keys::{Options, is_reserved};
#[cfg(feature = "catalog")]
use crate::catalog::Check;
use crate::error::Error;
use crate::proto::json_depth;
use crate::transport::sink::Sink;

/// ```
/// # use wechatpay_chain::sandbox::Sandbox;
/// # let sandbox = Sandbox::start()?;
/// # let client = sandbox.client()?;
/// # let orders = client.chain("v3/pay/transactions/out-trade-no/{out_trade_no}");
/// use std::time::Duration;
/// use wechatpay_chain::Options;
///
/// #[derive(serde::Serialize)]
/// struct Query { mchid: &'static str }
///
/// let options = Options::new()
///     .var("out_trade_no", "1217752501201407033233368018")
///     .query(&Query { mchid: "1900000109" })
///     .header("Accept-Language", "zh-CN")
///     .timeout(Duration::from_secs(5))
///     .retry(2);
/// let error = orders.get(options).unwrap_err();
/// assert_eq!(error.code(), Some("ORDER_NOT_EXIST"));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
impl Options {
    /// Sets the value of a variable of the path.
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        if is_reserved(&name) {
            self.fail(Error::options(format!(
                "the variable {name:?} has the name of a request option, and the options object cannot hold both: give it another name"
            )));
            return self;
        }
        self.with(name, value)
    }

    /// Sets the query, from a map or a structure. A field that is `None` is omitted.
    #[must_use]
    pub fn query(self, query: &impl Serialize) -> Self {
        self.with_serialized("query", query)
    }

    /// Sets the fields of the XML body of APIv2, from a map or a structure.
    #[must_use]
    pub fn xml(self, fields: &impl Serialize) -> Self {
        self.with_serialized("xml", fields)
    }

    /// Sets the fields of the body as `application/x-www-form-urlencoded`, from a map or a
    /// structure.
    #[must_use]
    pub fn form_params(self, fields: &impl Serialize) -> Self {
        self.with_serialized("form_params", fields)
    }

    /// Sets a header.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with("headers", Map::from_iter([(name.into(), Value::String(value.into()))]))
    }

    /// Sets another base URI for this call. It ends with `/`.
    #[must_use]
    pub fn base_uri(self, base_uri: impl Into<String>) -> Self {
        self.with("base_uri", base_uri.into())
    }

    /// Limits the duration of the whole call. Zero means no limit. The default is that of the
    /// client.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = Some(timeout);
        self
    }

    /// Limits the duration of each attempt to connect. Zero means no limit.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.http.connect_timeout = Some(timeout);
        self
    }

    /// Limits the wait for each piece of the response. Zero means no limit.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.config.read_timeout = Some(timeout);
        self
    }

    /// Repeats a failed call up to this many times, at most 10. A repeated call can be executed
    /// twice, unless the service recognizes it by its number.
    #[must_use]
    pub fn retry(self, times: u32) -> Self {
        self.with("retry", times)
    }

    /// Sets the proxy of this call, such as `http://proxy.example:3128`. Empty means no proxy.
    #[must_use]
    pub fn proxy(self, url: impl Into<String>) -> Self {
        self.with("proxy", url.into())
    }

    /// Follows up to this many redirects, at most 20. The default is not to follow any.
    #[must_use]
    pub fn max_redirects(self, max: u8) -> Self {
        self.with("allow_redirects", json!({ "max": max }))
    }

    /// Saves the body of a 2xx response as a file, completely or not at all. The
    /// [`Response`](crate::Response) then has no body.
    #[must_use]
    pub fn sink_file(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.set_or_keep_error("sink", |options| options.put_sink(Sink::Path(path)));
        self
    }

    /// Encrypts the fields of the JSON body at these paths, such as `contact.name`. Several calls
    /// add up.
    #[must_use]
    pub fn encrypt<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        let paths: Vec<String> = paths.into_iter().map(Into::into).collect();
        self.with("encrypt", paths)
    }

    /// Encrypts the fields that the documentation marks as encrypted.
    #[cfg(feature = "catalog")]
    #[cfg_attr(docsrs, doc(cfg(feature = "catalog")))]
    #[must_use]
    pub fn encrypt_documented(self) -> Self {
        self.with("encrypt", true)
    }

    /// Compares the call with its documentation before it is sent, in place of the setting of the
    /// client.
    #[cfg(feature = "catalog")]
    #[cfg_attr(docsrs, doc(cfg(feature = "catalog")))]
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.catalog.check = Some(check);
        self
    }

    /// Sets whether the merchant's certificate is presented over TLS, as some calls of APIv2
    /// require.
    #[must_use]
    pub fn security(self, present: bool) -> Self {
        self.with("security", present)
    }

    /// Sets whether the body is read from the connection as it is received. See
    /// [`Response::into_stream`](crate::Response::into_stream).
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        self.with("stream", stream)
    }

    /// Sets whether a response other than 2xx is an error. The default is `true`.
    #[must_use]
    pub fn http_errors(self, http_errors: bool) -> Self {
        self.with("http_errors", http_errors)
    }

    fn with_serialized(mut self, key: &str, value: &impl Serialize) -> Self {
        if let Err(reason) = json_depth::check_serialize(value) {
            self.set_or_keep_error(key, |_| Err(reason));
            return self;
        }
        match serde_json::to_value(value) {
            Ok(value) => self.with(key, value),
            Err(source) => {
                let error = Error::options(format!("the option {key:?} cannot be serialised: {source}"));
                self.fail(error.with_source(source));
                self
            }
        }
    }
}
