//! Notifications of APIv2: XML whose fields are signed with the APIv2 key, or encrypted.
//!
//! Give them another `notify_url` than the notifications of APIv3, because the responses differ.
//!
//! Source: WeChat Pay, "支付结果通知", "退款结果通知" and similar pages of APIv2.
//!
//! ```
//! use wechatpay_chain::notify::v2::{NotificationVerifier, Reply};
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let (mchid, secret) = (wechatpay_chain::sandbox::MCHID, sandbox.secret());
//! # let paid = serde_json::json!({ "return_code": "SUCCESS", "out_trade_no": "1" });
//! # let body = sandbox.notification_v2(&paid)?;
//! let verifier = NotificationVerifier::new(mchid, secret)?;
//!
//! // In the handler of the notify_url, with the raw body of the request:
//! let reply = match verifier.verify(&body) {
//!     Ok(notification) => {
//!         println!("{}", notification.fields()["out_trade_no"]);
//!         Reply::success()
//!     }
//!     Err(error) => Reply::to(&error),
//! };
//! let xml = "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>";
//! assert_eq!(reply.body(), xml);
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ALGORITHM, check_length, decode_error, not_authentic};
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, aes_ecb, hash};
use crate::error::{Error, ErrorKind};
use crate::proto::v2::{Apiv2Credential, Fields};
use crate::proto::xml;

/// The fields of a refund notification, which WeChat Pay sends without a signature.
const UNSIGNED_FIELDS: [&str; 8] =
    ["return_code", "return_msg", "appid", "mch_id", "sub_appid", "sub_mch_id", "nonce_str", "req_info"];

/// Verifies and decrypts notifications of APIv2. A clone is cheap and shares everything.
///
/// A notification is accepted when its `mch_id` is this merchant or absent, and its `sign` is
/// valid. The length of `sign` decides between MD5 and HMAC-SHA256. A refund notification has no
/// `sign`: the APIv2 key has to decrypt its `req_info`, and `mch_id` is required. `sign` does not
/// cover nested fields, which APIv2 does not define.
///
/// A `sign` of APIv2 binds neither an address nor a purpose. A signed query that a browser sees,
/// such as that of `papay/h5entrustweb`, is also a validly signed message. Notifications carry no
/// time either, and WeChat Pay repeats a notification until the response is a success. So query the
/// order before you act on a notification.
#[derive(Clone)]
pub struct NotificationVerifier(Arc<Keys>);

struct Keys {
    credential: Apiv2Credential,
    apiv3_key: Option<Apiv3Key>,
}

impl NotificationVerifier {
    /// Creates a verifier for the merchant `mchid` with its APIv2 key.
    /// [`Client::notifications_v2`](crate::Client::notifications_v2) uses those of a client
    /// instead.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the key is empty or cannot be an APIv2 key.
    pub fn new(mchid: impl Into<String>, apiv2_key: impl Into<Secret>) -> Result<Self, Error> {
        let credential = Apiv2Credential::new(mchid, apiv2_key.into());
        let credential = credential.map_err(|reason| Error::config(format!("the APIv2 key {reason}")))?;
        Ok(NotificationVerifier::with(credential, None))
    }

    pub(crate) fn with(credential: Apiv2Credential, apiv3_key: Option<Apiv3Key>) -> Self {
        NotificationVerifier(Arc::new(Keys { credential, apiv3_key }))
    }

    /// Adds the APIv3 key, which decrypts the `event_ciphertext` of some notifications of APIv2,
    /// such as those of WeChat Pay Score.
    #[must_use]
    pub fn apiv3_key(self, key: Apiv3Key) -> Self {
        NotificationVerifier::with(self.0.credential.clone(), Some(key))
    }

    /// Verifies the raw body of a request, and decrypts what is encrypted in it. An authentic
    /// notification can report a failure: check `result_code` if there is one.
    ///
    /// # Errors
    /// [`Reply::to`] builds the response for each of them:
    /// - [`ErrorKind::TooLarge`]: the body is longer than 1 MiB.
    /// - [`ErrorKind::Verification`]: `sign` is missing or invalid, or the notification is for
    ///   another merchant.
    /// - [`ErrorKind::Decode`]: the body is not XML, or the key does not decrypt the encrypted
    ///   part.
    pub fn verify(&self, body: &[u8]) -> Result<Notification, Error> {
        check_length(body)?;
        let credential = &self.0.credential;
        let mut fields = xml::read(body)
            .map_err(|reason| decode_error(format!("the notification is not the expected XML: {reason}")))?;
        let is_encrypted = fields.get("req_info").and_then(Value::as_str).is_some_and(|info| !info.is_empty());
        let is_unsigned = is_encrypted && !fields.contains_key("sign");
        if is_unsigned {
            // Only `req_info` is authenticated. Anybody could have added other fields.
            fields.retain(|name, _| UNSIGNED_FIELDS.contains(&name.as_str()));
        } else {
            credential.verify(&fields).map_err(|reason| not_authentic(&reason))?;
        }
        match fields.get("mch_id") {
            Some(mchid) if *mchid != credential.mchid => return Err(not_authentic("it is for another merchant")),
            None if is_unsigned => return Err(not_authentic("it has no mch_id")),
            _ => {}
        }
        let resource = self.decrypt(&fields)?;
        if is_unsigned && resource.is_none() {
            return Err(not_authentic("it has no sign"));
        }
        let mut fields = Value::Object(fields);
        xml::sanitize(&mut fields);
        Ok(Notification { fields, resource, body: Bytes::copy_from_slice(body) })
    }

    /// The decrypted `req_info` or `event_ciphertext`; `None` if there is neither.
    fn decrypt(&self, fields: &Fields) -> Result<Option<Value>, Error> {
        let Keys { credential, apiv3_key } = &*self.0;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if let Some(ciphertext) = text("req_info") {
            let key = Secret::from(hash::md5(credential.secret.expose()));
            let plain = aes_ecb::decrypt(ciphertext, &key).map_err(|_| {
                decode_error(
                    "the req_info cannot be decrypted with this APIv2 key: compare the key with the one on the merchant platform",
                )
            })?;
            let decrypted = xml::fields(&plain)
                .map_err(|reason| decode_error(format!("the req_info is not the expected XML: {reason}")))?;
            return Ok(Some(decrypted));
        }
        let Some(ciphertext) = text("event_ciphertext") else { return Ok(None) };
        let algorithm = text("event_algorithm").unwrap_or_default();
        if algorithm != ALGORITHM {
            return Err(decode_error(format!(
                "the event is encrypted with {algorithm:?}: WeChat Pay uses {ALGORITHM}"
            )));
        }
        let key = apiv3_key.as_ref().ok_or_else(|| {
            decode_error(
                "the event is encrypted with the APIv3 key, which is missing: give it with NotificationVerifier::apiv3_key or \
                 the setting apiv3_key",
            )
        })?;
        let nonce = text("event_nonce").unwrap_or_default();
        let plain = key.decrypt(ciphertext, nonce, text("event_associated_data").unwrap_or_default())?;
        let decrypted = xml::fields(&plain)
            .map_err(|reason| decode_error(format!("the event_ciphertext is not the expected XML: {reason}")))?;
        Ok(Some(decrypted))
    }
}

/// An authentic notification of APIv2. All fields are strings, including amounts, which are in fen.
///
/// ```
/// # use serde_json::json;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let paid = json!({ "return_code": "SUCCESS", "total_fee": "100" });
/// # let body = sandbox.notification_v2(&paid)?;
/// let notification = sandbox.client()?.notifications_v2()?.verify(&body)?;
/// assert_eq!(notification.fields()["total_fee"], "100");
/// assert_eq!(notification.resource(), notification.fields()); // nothing was encrypted
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Notification {
    fields: Value,
    resource: Option<Value>,
    body: Bytes,
}

impl Notification {
    /// The fields, all of them strings.
    #[must_use]
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// The fields of the decrypted `req_info` or `event_ciphertext`, both of which contain XML;
    /// without either, the same as [`fields`](Self::fields).
    #[must_use]
    pub fn resource(&self) -> &Value {
        self.resource.as_ref().unwrap_or(&self.fields)
    }

    /// The `event_type`, such as `CHECK.SUCCESS`. Most notifications of APIv2 have none: then it is
    /// empty.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.fields.get("event_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Only the names of the fields: their values are personal data.
impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.as_object().into_iter().flat_map(|fields| fields.keys()).collect();
        f.debug_struct("Notification").field("fields", &names).finish_non_exhaustive()
    }
}

impl fmt::Debug for NotificationVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotificationVerifier").field("mchid", &self.0.credential.mchid).finish_non_exhaustive()
    }
}

/// The response to a notification of APIv2: status 200 and XML. After any response except success,
/// WeChat Pay delivers the notification again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(String);

impl Reply {
    /// The notification was accepted.
    #[must_use]
    pub fn success() -> Self {
        Reply::with_code("SUCCESS", "OK")
    }

    /// The notification cannot be processed now and should be delivered again, with a message.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::with_code("FAIL", message)
    }

    /// The response to a rejected notification. It does not reveal the details: the sender may be
    /// an attacker.
    #[must_use]
    pub fn to(error: &Error) -> Self {
        Reply::fail(match error.kind() {
            ErrorKind::Verification => "the signature does not hold",
            ErrorKind::TooLarge => "the body is too long",
            _ => "the notification cannot be read",
        })
    }

    fn with_code(code: &str, message: &str) -> Self {
        let fields = json!({ "return_code": code, "return_msg": message });
        Reply(fields.as_object().map(xml::write).unwrap_or_default())
    }

    /// The body, XML.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.0
    }
}

impl From<Reply> for http::Response<Bytes> {
    fn from(reply: Reply) -> Self {
        let mut response = http::Response::new(Bytes::from(reply.0));
        let xml = http::HeaderValue::from_static("text/xml; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, xml);
        response
    }
}
