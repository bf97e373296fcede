//! NotificationVerifier of APIv2 (feature `v2`): XML, signed in its fields with the APIv2 key, or sealed with it.
//!
//! Source: WeChat Pay, "支付结果通知", "退款结果通知" and the like of APIv2. Their address should not be that of APIv3's notifications:
//! the answers have another form.
//!
//! ```
//! use wechatpay_chain::notify::v2::{NotificationVerifier, Reply};
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let (mchid, secret) = (wechatpay_chain::sandbox::MCHID, sandbox.secret());
//! # let body = sandbox.notification_v2(&serde_json::json!({ "return_code": "SUCCESS", "out_trade_no": "1" }))?;
//! let notifications = NotificationVerifier::new(mchid, secret)?;
//!
//! // In the handler of the notify_url, with the raw body of the request:
//! let reply = match notifications.verify(&body) {
//!     Ok(notification) => {
//!         println!("{}", notification.fields()["out_trade_no"]);
//!         Reply::success()
//!     }
//!     Err(error) => Reply::to(&error),
//! };
//! assert_eq!(reply.body(), "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>");
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ALGORITHM, MAX_BYTES};
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, aes_ecb, hash};
use crate::error::{Error, ErrorKind};
use crate::proto::v2::{Credential, Fields};
use crate::proto::xml;

/// The fields beside `req_info` that the service sends without a signature.
const UNSIGNED: [&str; 8] =
    ["return_code", "return_msg", "appid", "mch_id", "sub_appid", "sub_mch_id", "nonce_str", "req_info"];

/// Verifies and opens notifications of APIv2. A clone is cheap and shares everything.
///
/// A notification is accepted when it names this merchant or none, and its `sign` holds, MD5 or HMAC-SHA256 by its length. The one
/// about refunds has no `sign`: there the APIv2 key must open its `req_info`. Fields inside of another field are not covered by
/// the `sign`, as APIv2 defines none for them.
///
/// What APIv2 signs binds neither an address nor a purpose: a signed query that a browser sees, as that of `papay/h5entrustweb`, is a signed
/// message like any other. So look up what a notification tells, by a call, before acting on it.
///
/// APIv2's notifications carry no time, and WeChat Pay delivers one again until it is answered: whoever acts on it looks up the
/// order first.
#[derive(Clone)]
pub struct NotificationVerifier(Arc<Inner>);

struct Inner {
    credential: Credential,
    apiv3_key: Option<Apiv3Key>,
}

impl NotificationVerifier {
    /// For the merchant `mchid` with its APIv2 key. [`Client::notifications_v2`](crate::Client::notifications_v2) uses those of a
    /// client instead.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the key is empty, or no APIv2 key.
    pub fn new(mchid: impl Into<String>, apiv2_key: impl Into<Secret>) -> Result<Self, Error> {
        let credential = Credential::new(mchid, apiv2_key.into());
        let credential = credential.map_err(|reason| Error::config(format!("the APIv2 key {reason}")))?;
        Ok(NotificationVerifier::with(credential, None))
    }

    pub(crate) fn with(credential: Credential, apiv3_key: Option<Apiv3Key>) -> Self {
        NotificationVerifier(Arc::new(Inner { credential, apiv3_key }))
    }

    /// The APIv3 key, which opens the notifications of APIv2 that have an `event_ciphertext`, such as those of WeChat Pay Score.
    #[must_use]
    pub fn apiv3_key(self, key: Apiv3Key) -> Self {
        NotificationVerifier::with(self.0.credential.clone(), Some(key))
    }

    /// Verifies the raw body of a request, and opens it. What is genuine may still tell of a failure: look at `result_code` where there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]: the `sign` is missing or does not hold, or it is for another merchant;
    /// [`ErrorKind::TooLarge`]: the body is longer than 1 MiB; [`ErrorKind::Decode`]: it is no XML, or the key does not open what
    /// is sealed in it. [`Reply::to`] makes the right answer of each.
    pub fn verify(&self, body: &[u8]) -> Result<Notification, Error> {
        let Inner { credential, .. } = &*self.0;
        if body.len() > MAX_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, format!("the notification is longer than {MAX_BYTES} bytes")));
        }
        let forged = |reason: &str| {
            Error::new(ErrorKind::Verification, format!("the notification is not to be trusted: {reason}"))
        };
        let mut fields = xml::read(body)
            .map_err(|reason| decode(format!("the notification is no XML of the service's: {reason}")))?;
        // Only what the APIv2 key opens may go without a sign.
        let sealed = fields.get("req_info").is_some_and(|info| info.as_str().is_some_and(|info| !info.is_empty()));
        let unsigned = sealed && !fields.contains_key("sign");
        if unsigned {
            // Whatever else stands beside it may be anybody's.
            fields.retain(|name, _| UNSIGNED.contains(&name.as_str()));
        } else {
            credential.verify(&fields).map_err(|reason| forged(&reason))?;
        }
        match fields.get("mch_id") {
            Some(mchid) if *mchid != credential.mchid => return Err(forged("it is for another merchant")),
            None if unsigned => return Err(forged("it names no merchant")),
            _ => {}
        }
        let resource = self.open(&fields)?;
        if unsigned && resource.is_none() {
            return Err(forged("it has no sign"));
        }
        let mut fields = Value::Object(fields);
        xml::sanitize(&mut fields);
        Ok(Notification { fields, resource, body: Bytes::copy_from_slice(body) })
    }

    /// What is sealed in the fields, if anything is.
    fn open(&self, fields: &Fields) -> Result<Option<Value>, Error> {
        let Inner { credential, apiv3_key } = &*self.0;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if let Some(sealed) = text("req_info") {
            let key = Secret::from(hash::md5(credential.secret.expose()));
            let plain = aes_ecb::decrypt(sealed, &key).map_err(|_| {
                decode("the req_info does not open with this APIv2 key: compare the key with the one on the merchant platform")
            })?;
            let opened = xml::fields(&plain).map_err(|reason| decode(format!("the req_info is no XML: {reason}")))?;
            return Ok(Some(opened));
        }
        let Some(sealed) = text("event_ciphertext") else { return Ok(None) };
        let algorithm = text("event_algorithm").unwrap_or_default();
        if algorithm != ALGORITHM {
            return Err(decode(format!(
                "the event is sealed by {algorithm:?}, and {ALGORITHM} is what the service has"
            )));
        }
        let key = apiv3_key.as_ref().ok_or_else(|| {
            decode("the event is sealed with the APIv3 key, which is missing: give it with NotificationVerifier::apiv3_key or the setting apiv3_key")
        })?;
        let nonce = text("event_nonce").unwrap_or_default();
        let plain = key.decrypt(sealed, nonce, text("event_associated_data").unwrap_or_default())?;
        let opened = serde_json::from_slice(&plain);
        opened.map(Some).map_err(|error| decode(format!("the event is no JSON: {error}")))
    }
}

fn decode(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, reason)
}

/// A genuine notification of APIv2. Its fields are texts, amounts among them, in fen.
///
/// ```
/// # use serde_json::json;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let body = sandbox.notification_v2(&json!({ "return_code": "SUCCESS", "result_code": "SUCCESS", "total_fee": "100" }))?;
/// let notification = sandbox.client()?.notifications_v2()?.verify(&body)?;
/// assert_eq!(notification.fields()["total_fee"], "100");
/// assert_eq!(notification.resource(), notification.fields()); // nothing in it was sealed
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Notification {
    fields: Value,
    resource: Option<Value>,
    body: Bytes,
}

impl Notification {
    /// The fields, each a string.
    #[must_use]
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// What was sealed in `req_info` or `event_ciphertext`, in the clear; where nothing was, the fields themselves.
    #[must_use]
    pub fn resource(&self) -> &Value {
        self.resource.as_ref().unwrap_or(&self.fields)
    }

    /// The `event_type`, such as `CHECK.SUCCESS`; most notifications of APIv2 have none.
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

/// Names of fields only: values are personal.
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

/// The answer to a notification of APIv2: status 200 and XML. Anything but success makes WeChat Pay deliver it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(String);

impl Reply {
    /// It was taken.
    #[must_use]
    pub fn success() -> Self {
        Reply::of("SUCCESS", "OK")
    }

    /// It was not taken, and is to be delivered again; with a message for the service's records.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::of("FAIL", message)
    }

    /// The answer to a notification that was not accepted. It does not say why: whoever sent it may be a stranger.
    #[must_use]
    pub fn to(error: &Error) -> Self {
        Reply::fail(match error.kind() {
            ErrorKind::Verification => "the signature does not hold",
            ErrorKind::TooLarge => "the body is too long",
            _ => "the notification cannot be read",
        })
    }

    fn of(code: &str, message: &str) -> Self {
        let fields = json!({ "return_code": code, "return_msg": message });
        Reply(fields.as_object().map(xml::write).unwrap_or_default())
    }

    /// The XML.
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
