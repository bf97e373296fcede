//! APIv2 notifications: XML whose fields are signed or encrypted with the APIv2 key.
//!
//! Use a different `notify_url` for them than for APIv3 notifications, because the responses
//! differ.
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
//! // In the handler of the notify_url, pass the raw body of the request:
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

use super::{ALGORITHM, Inbox, check_length, decode_error, not_authentic};
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, aes_ecb, hash};
use crate::error::{Error, ErrorKind};
use crate::pipeline::trace;
use crate::proto::excerpt;
use crate::proto::v2::{Apiv2Credential, Fields};
use crate::proto::xml;

/// The fields of a refund notification, which WeChat Pay sends without a signature.
const UNSIGNED_FIELDS: [&str; 8] =
    ["return_code", "return_msg", "appid", "mch_id", "sub_appid", "sub_mch_id", "nonce_str", "req_info"];

/// Verifies and decrypts APIv2 notifications. Clones are cheap and share the keys.
///
/// A notification is accepted if its `sign` is valid and its `mch_id` is this merchant's or absent.
/// The length of `sign` selects MD5 or HMAC-SHA256. A refund notification has no `sign`; it is
/// accepted if its `mch_id` is this merchant's and its `req_info` can be decrypted with the APIv2
/// key. `sign` does not cover nested fields, which APIv2 does not define.
///
/// An APIv2 `sign` covers neither the URL nor the purpose of a message. A signed query that is
/// visible in a browser, such as that of `papay/h5entrustweb`, could therefore be sent as a
/// notification. Notifications have no timestamp either, so replays cannot be detected. Therefore,
/// query the order before you act on a notification.
#[derive(Clone)]
pub struct NotificationVerifier(pub(super) Arc<Keys>);

pub(super) struct Keys {
    credential: Apiv2Credential,
    apiv3_key: Option<Apiv3Key>,
    pub(super) inbox: Inbox,
}

impl NotificationVerifier {
    /// Creates a verifier from a merchant ID and its APIv2 key. Alternatively,
    /// [`Client::notifications_v2`](crate::Client::notifications_v2) returns a verifier with those
    /// of a client.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if the key is empty or cannot be an APIv2 key.
    pub fn new(mchid: impl Into<String>, apiv2_key: impl Into<Secret>) -> Result<Self, Error> {
        let credential = Apiv2Credential::new(mchid, apiv2_key.into());
        let credential = credential.map_err(|reason| Error::config(format!("the APIv2 key {reason}")))?;
        Ok(NotificationVerifier::with(credential, None))
    }

    pub(crate) fn with(credential: Apiv2Credential, apiv3_key: Option<Apiv3Key>) -> Self {
        NotificationVerifier(Arc::new(Keys { credential, apiv3_key, inbox: Inbox::default() }))
    }

    /// Adds the APIv3 key, which decrypts the `event_ciphertext` of some APIv2 notifications, such
    /// as those of WeChat Pay Score.
    #[must_use]
    pub fn apiv3_key(self, key: Apiv3Key) -> Self {
        let (credential, inbox) = (self.0.credential.clone(), self.0.inbox.clone());
        NotificationVerifier(Arc::new(Keys { credential, apiv3_key: Some(key), inbox }))
    }

    /// Replaces the inbox of [`handle`](Self::handle). The default one is in the memory of this
    /// process. If several processes share one `notify_url`, use a shared [store](crate::store).
    #[must_use]
    pub fn inbox(self, inbox: Inbox) -> Self {
        let (credential, apiv3_key) = (self.0.credential.clone(), self.0.apiv3_key.clone());
        NotificationVerifier(Arc::new(Keys { credential, apiv3_key, inbox }))
    }

    /// Verifies the raw body of a request, and decrypts its encrypted part, if any. An authentic
    /// notification can report a failure, so check `result_code` if it is present.
    ///
    /// # Errors
    /// [`Reply::to`] creates the response for each of these errors:
    /// - [`ErrorKind::TooLarge`]: the body is longer than 1 MiB.
    /// - [`ErrorKind::Verification`]: `sign` is missing or invalid, or the notification is for
    ///   another merchant.
    /// - [`ErrorKind::Decode`]: the body is not XML, or its encrypted part cannot be decrypted with
    ///   the key.
    pub fn verify(&self, body: &[u8]) -> Result<Notification, Error> {
        self.check(body).inspect_err(trace::refused_notification)
    }

    fn check(&self, body: &[u8]) -> Result<Notification, Error> {
        check_length(body)?;
        let credential = &self.0.credential;
        let mut fields = xml::read(body)
            .map_err(|reason| decode_error(format!("the notification is not the expected XML: {reason}")))?;
        let is_encrypted = fields.get("req_info").and_then(Value::as_str).is_some_and(|info| !info.is_empty());
        let is_unsigned = is_encrypted && !fields.contains_key("sign");
        if is_unsigned {
            // Only `req_info` is authenticated. An attacker could have added the other fields.
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
        let Keys { credential, apiv3_key, .. } = &*self.0;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if let Some(ciphertext) = text("req_info") {
            let key = Secret::from(hash::md5(credential.secret.expose()));
            let plain = aes_ecb::decrypt(ciphertext, &key).map_err(|error| {
                decode_error(match error.message() {
                    aes_ecb::DAMAGED => "the req_info is not base64 of whole blocks of AES, so it is damaged",
                    _ => {
                        "the req_info cannot be decrypted with this APIv2 key: compare the key with the one on the merchant platform"
                    }
                })
            })?;
            let decrypted = xml::fields(&plain)
                .map_err(|reason| decode_error(format!("the req_info is not the expected XML: {reason}")))?;
            return Ok(Some(decrypted));
        }
        let Some(ciphertext) = text("event_ciphertext") else { return Ok(None) };
        let algorithm = text("event_algorithm").unwrap_or_default();
        if algorithm != ALGORITHM {
            return Err(decode_error(format!(
                "the event is encrypted with {}: WeChat Pay uses {ALGORITHM}",
                excerpt::name(algorithm)
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

/// An authentic APIv2 notification. All fields are strings, including amounts, which are in fen.
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
    /// Returns the fields, all of which are strings.
    #[must_use]
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// Returns the fields of the decrypted `req_info` or `event_ciphertext`, both of which contain
    /// XML. If nothing is encrypted, returns the same as [`fields`](Self::fields).
    #[must_use]
    pub fn resource(&self) -> &Value {
        self.resource.as_ref().unwrap_or(&self.fields)
    }

    /// Returns the `event_type`, such as `CHECK.SUCCESS`. It is empty for most APIv2 notifications,
    /// which do not have this field.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.fields.get("event_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the key under which the inbox stores the notification. It contains the merchant and
    /// what identifies the notification:
    ///
    /// | notification | fields |
    /// | --- | --- |
    /// | with an `event_id`, such as those of WeChat Pay Score | `event_id` |
    /// | refund | `refund_id` and `refund_status` of the `req_info` |
    /// | contract (papay) | `contract_id`, `change_type` and `operate_time` |
    /// | payment | `transaction_id`, `result_code` and `trade_state` |
    /// | any other | the SHA-256 digest of all fields except `nonce_str`, `sign` and `sign_type` |
    ///
    /// The state is part of the key, because a refund or a payment can be reported with another
    /// state later.
    #[must_use]
    pub fn inbox_key(&self) -> String {
        let text = |fields: &Value, name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (fields, resource) = (&self.fields, self.resource());
        let identified = [
            ("event", fields, ["event_id", "", ""]),
            ("refund", resource, ["refund_id", "refund_status", ""]),
            ("contract", fields, ["contract_id", "change_type", "operate_time"]),
            ("payment", fields, ["transaction_id", "result_code", "trade_state"]),
        ];
        let found = identified.iter().find_map(|(kind, fields, names)| {
            let values = names.map(|name| text(fields, name));
            // The second field tells a contract from a payment under a contract.
            let is_complete = !values[0].is_empty() && (names[1].is_empty() || !values[1].is_empty());
            is_complete.then(|| format!("{kind}:{}", values.join(":").trim_end_matches(':')))
        });
        let identity = found.unwrap_or_else(|| {
            let all = fields.as_object().into_iter().flatten();
            let signed = all.filter(|(name, _)| !["nonce_str", "sign", "sign_type"].contains(&name.as_str()));
            let sorted: std::collections::BTreeMap<_, _> = signed.collect();
            format!("digest:{}", hash::sha256(json!(sorted).to_string()))
        });
        format!("v2:{}:{identity}", text(fields, "mch_id"))
    }

    /// Returns the raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Shows only the names of the fields, because their values are personal data.
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

/// The response to an APIv2 notification: status 200 and XML. Unless it is a success, WeChat Pay
/// delivers the notification again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(String);

impl Reply {
    /// Reports that the notification was accepted.
    #[must_use]
    pub fn success() -> Self {
        Reply::with_code("SUCCESS", "OK")
    }

    /// Requests another delivery, because the notification cannot be processed now.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::with_code("FAIL", message)
    }

    /// Creates the response to a rejected notification. It does not reveal details, because the
    /// sender may be an attacker.
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

    /// Returns the body, which is XML.
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
