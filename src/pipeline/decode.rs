//! The body of a response as JSON or XML. An error names the field, the line and the length, and no
//! text of the body, which may be personal.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::pipeline::response::Response;
use crate::proto::excerpt::content_description;
use crate::proto::json_decode::{self, FromJson};
use crate::proto::xml;

impl Response {
    /// Deserializes the JSON body: into a type of your own, or into [`Value`] for any JSON, which
    /// keeps the order of the keys. APIv3 amounts are integers, in fen. [`field`](Self::field)
    /// returns a single field.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let message = serde_json::json!({ "json": { "echo_message": "hello" } });
    /// # let response = client.chain("v3/security/echo").post(message)?;
    /// #[derive(serde::Deserialize)]
    /// struct Echo { echo_message: String }
    /// let echo: Echo = response.json()?;
    /// assert_eq!(echo.echo_message, "hello");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the body is not JSON or does not match the type. The
    /// empty body of `204 No Content` is not JSON.
    pub fn json<T: FromJson>(&self) -> Result<T, Error> {
        json_decode::from_slice(self.body()).map_err(|reason| self.decode_error("JSON", &reason))
    }

    /// Parses the body of an APIv2 response. Returns the fields below the root element as strings,
    /// in their order. An element that contains elements becomes an object; elements with the same
    /// name become an array. Characters that XML forbids, such as control characters in nicknames,
    /// are removed.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let order = client.chain("v2/pay/unifiedorder").post(json!({ "xml": {
    ///     "appid": "wx8888888888888888", "mch_id": "1900000109", "body": "a book",
    ///     "out_trade_no": "1217752501201407033233368018", "total_fee": 888,
    ///     "spbill_create_ip": "123.12.12.123", "notify_url": "https://example.com/notify",
    ///     "trade_type": "NATIVE", "product_id": "12235413214070356458058",
    /// }}))?;
    /// assert!(order.xml()?["code_url"].as_str().is_some_and(|url| url.starts_with("weixin://")));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the body is not XML, has a document type declaration, or
    /// exceeds the limits on depth and number of elements.
    pub fn xml(&self) -> Result<Value, Error> {
        xml::fields(self.body()).map_err(|reason| self.decode_error("XML", &reason))
    }

    /// Returns one field of the JSON body. A field that is missing is an error that names it.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let message = serde_json::json!({ "json": { "echo_message": "hello" } });
    /// let response = client.chain("v3/security/echo").post(message)?;
    /// assert_eq!(response.field::<String>("echo_message")?, "hello");
    /// let error = response.field::<String>("code_url").unwrap_err();
    /// assert!(error.message().ends_with("the field code_url is missing"));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the body is not a JSON object, does not have the field,
    /// or if its value does not match the type. An optional field is an `Option<T>`: a missing
    /// field and `null` are `None`.
    pub fn field<T: FromJson>(&self, name: &str) -> Result<T, Error> {
        self.at(&[name])
    }

    /// Returns a value of the JSON body by a JSON Pointer (RFC 6901), such as `"/amount/total"` or
    /// `"/data/0/mchid"`. If it is missing, the error names the first field that is missing.
    ///
    /// ```
    /// # use serde_json::json;
    /// use wechatpay_chain::{Response, http};
    /// let order = json!({ "amount": { "total": 888 }, "promotion_detail": [{ "name": "x" }] });
    /// let response = Response::from(http::Response::new(order.to_string()));
    /// assert_eq!(response.pointer::<u64>("/amount/total")?, 888);
    /// assert_eq!(response.pointer::<String>("/promotion_detail/0/name")?, "x");
    /// let error = response.pointer::<u64>("/amount/payer_total").unwrap_err();
    /// assert!(error.message().ends_with("the field amount.payer_total is missing"));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`field`](Self::field).
    pub fn pointer<T: FromJson>(&self, pointer: &str) -> Result<T, Error> {
        let names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let message = format!("the JSON Pointer {pointer:?} does not begin with \"/\": write \"/amount/total\"");
            return Err(self.unreadable(message));
        }
        self.at(&names.collect::<Vec<_>>())
    }

    /// The value that these names lead to.
    fn at<T: DeserializeOwned>(&self, names: &[impl AsRef<str>]) -> Result<T, Error> {
        let json: Value = self.json()?;
        let (mut value, mut path) = (&json, String::new());
        for name in names.iter().map(AsRef::as_ref) {
            let next = match value {
                Value::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
                other => other.get(name),
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            let Some(next) = next else {
                let missing = || self.decode_error("JSON", &format!("the field {path} is missing"));
                return json_decode::absent().ok_or_else(missing);
            };
            value = next;
        }
        json_decode::from_value_at(value, &path).map_err(|reason| self.decode_error("JSON", &reason))
    }

    /// An error about this response, which contains it and its call.
    pub(crate) fn unreadable(&self, message: impl Into<String>) -> Error {
        let error = Error::new(ErrorKind::Decode, message).with_response(self.clone());
        match &self.call {
            Some((method, template)) => error.with_call(method, template),
            None => error,
        }
    }

    fn decode_error(&self, expected: &str, reason: &str) -> Error {
        if self.is_delivered() {
            return self.unreadable(format!("the body went to a sink or a stream, and {expected} is read from memory"));
        }
        if self.body().is_empty() {
            return self.unreadable(format!("the body is empty, and {expected} was expected"));
        }
        let content = content_description(self.headers(), self.body().len());
        self.unreadable(format!("the body is not the expected {expected}, {content}: {reason}"))
    }
}
