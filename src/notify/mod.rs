//! NotificationVerifier: what WeChat Pay sends to the merchant's `notify_url`, verified over the raw body, decrypted, and answered.
//!
//! Source: WeChat Pay, "通知规则" and "回调验签".
//!
//! ```
//! use wechatpay_chain::notify::{NotificationVerifier, Reply};
//! # use serde_json::json;
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let (platform_key, apiv3_key) = (sandbox.platform_key(), sandbox.apiv3_key());
//! # let id = wechatpay_chain::sandbox::PUBLIC_KEY_ID;
//! # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "1" }))?;
//! # let (headers, body) = (request.headers(), request.body());
//! let notifications = NotificationVerifier::new([(id, platform_key)], apiv3_key)?;
//!
//! // In the handler of the notify_url, with the headers and the raw body of the request:
//! let reply = match notifications.verify(headers, body) {
//!     Ok(notification) => {
//!         println!("{} {}", notification.event_type(), notification.resource()["out_trade_no"]);
//!         Reply::success()
//!     }
//!     Err(error) => Reply::to(&error),
//! };
//! assert_eq!(reply.status(), 204);
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

#[cfg(feature = "axum")]
mod axum;
mod replay;
mod reply;
pub mod v2;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::client::promise::Promise;
use crate::clock;
use crate::crypto::{Apiv3Key, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::pipeline::platform_keys::{self, PlatformKeyVerifier, PlatformKeys};
use crate::pipeline::verify::Verifier;
use crate::proto::verify;
pub use replay::ReplayStore;
pub use reply::Reply;

/// The longest body that is looked at, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The one algorithm of APIv3.
const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// Verifies and opens notifications. A clone is cheap and shares everything.
///
/// A notification is accepted when its four headers are there once, its clock is within five minutes of ours, a platform key that is
/// known signed the raw body, it was not seen before, and the APIv3 key opens its resource.
///
/// With the feature `axum` it is the state that the extractor [`Notification`] needs. Its example stands at the [module](self); servers of all
/// kinds, ids and duplicates are in the manual, `docs/manual/notifications.md`.
#[derive(Clone)]
pub struct NotificationVerifier(Arc<Inner>);

struct Inner {
    verifier: Arc<dyn Verifier>,
    key: Apiv3Key,
    seen: Arc<dyn ReplayStore>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl NotificationVerifier {
    /// With platform keys by their id, `PUB_KEY_ID_...` or a certificate's serial number. [`Client::notifications`] uses those of a
    /// client instead, fetched certificates among them.
    ///
    /// [`Client::notifications`]: crate::Client::notifications
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: there is no key, or one does not fit its id.
    pub fn new(
        keys: impl IntoIterator<Item = (impl Into<String>, PublicKey)>,
        apiv3_key: Apiv3Key,
    ) -> Result<Self, Error> {
        let mut checked = BTreeMap::new();
        for (id, key) in keys {
            let id = platform_keys::normal_id(id.into());
            platform_keys::check_id(&id, &key)
                .map_err(|reason| Error::config(format!("the platform key {id:?}: {reason}")))?;
            checked.insert(id, key);
        }
        if checked.is_empty() {
            return Err(Error::config("without a platform key no notification can be verified: give at least one"));
        }
        Ok(NotificationVerifier::with(Arc::new(PlatformKeyVerifier(PlatformKeys::new(checked, None))), apiv3_key))
    }

    pub(crate) fn with(verifier: Arc<dyn Verifier>, key: Apiv3Key) -> Self {
        let seen = Arc::new(replay::Memory::default());
        NotificationVerifier(Arc::new(Inner { verifier, key, seen, clock: Arc::new(clock::now) }))
    }

    fn inner(self) -> Inner {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            verifier: Arc::clone(&shared.verifier),
            key: shared.key.clone(),
            seen: Arc::clone(&shared.seen),
            clock: Arc::clone(&shared.clock),
        })
    }

    /// Replaces the store that remembers notifications, as several instances behind one `notify_url` need.
    #[must_use]
    pub fn replay_store(self, store: impl ReplayStore) -> Self {
        NotificationVerifier(Arc::new(Inner { seen: Arc::new(store), ..self.inner() }))
    }

    /// Replaces the clock: seconds since 1970. For tests, such as of an old notification:
    ///
    /// ```
    /// # use wechatpay_chain::{ErrorKind, notify::NotificationVerifier, sandbox::{PUBLIC_KEY_ID, Sandbox}};
    /// # let sandbox = Sandbox::start()?;
    /// # let of = || NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key());
    /// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &serde_json::json!({}))?;
    /// let notifications = of()?.clock(|| 1_700_000_000);
    /// let error = notifications.verify(request.headers(), request.body()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Verification);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        NotificationVerifier(Arc::new(Inner { clock: Arc::new(clock), ..self.inner() }))
    }

    /// Verifies the headers and the raw body of a request, and opens it. Blocks this thread only if a certificate has to be
    /// fetched, or the store of the caller's takes its time.
    ///
    /// # Errors
    /// [`ErrorKind::Probe`]: the service tests whether wrong signatures are refused; [`ErrorKind::Verification`]: a header is
    /// missing or wrong, the clock is off, the signature does not hold; [`ErrorKind::Replay`]: it was seen before;
    /// [`ErrorKind::TooLarge`]: the body is longer than 1 MiB; [`ErrorKind::Decode`]: it is no JSON, or the APIv3 key does not
    /// open it. [`Reply::to`] makes the right answer of each.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notification, Error> {
        self.verify_async(headers, body).wait()
    }

    /// [`verify`](Self::verify), asynchronously.
    pub fn verify_async(&self, headers: &HeaderMap, body: &[u8]) -> Promise<Notification> {
        // A body that is too long is not copied, only counted.
        let body = Bytes::copy_from_slice(body.get(..=MAX_BYTES).unwrap_or(body));
        let (inner, headers) = (Arc::clone(&self.0), headers.clone());
        Promise::new(async move { inner.verify(&headers, body).await })
    }
}

impl Inner {
    async fn verify(&self, headers: &HeaderMap, body: Bytes) -> Result<Notification, Error> {
        if body.len() > MAX_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, format!("the notification is longer than {MAX_BYTES} bytes")));
        }
        if verify::is_probe(headers) {
            return Err(Error::new(
                ErrorKind::Probe,
                "the service tests whether wrong signatures are refused (WECHATPAY/SIGNTEST): refuse it, and nothing is wrong",
            ));
        }
        let forged = |reason: &str| {
            Error::new(ErrorKind::Verification, format!("the notification is not to be trusted: {reason}"))
        };
        let now = (self.clock)();
        let signed = verify::read(headers, &body, now).map_err(|reason| forged(&reason))?;
        let held = self.verifier.verify(signed.serial, &signed.message, &signed.signature).await;
        held.map_err(|reason| forged(&reason.to_string()))?;
        // What cannot be opened is not taken, and may come again when the key is right.
        let notification = self.open(body)?;
        // Only what is genuine is remembered, so that nobody can fill the store.
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seen = format!("{} {}", value(verify::TIMESTAMP), value(verify::NONCE));
        let until = now.saturating_add(2 * verify::MAX_CLOCK_OFFSET);
        let new = self.seen.insert(&seen, until).await.map_err(|source| {
            Error::new(ErrorKind::Replay, format!("the store of notifications failed: {source}")).with_source(source)
        })?;
        if !new {
            return Err(Error::new(
                ErrorKind::Replay,
                "the notification with this timestamp and nonce was seen before",
            ));
        }
        Ok(notification)
    }

    fn open(&self, body: Bytes) -> Result<Notification, Error> {
        let wrong = |reason: String| Error::new(ErrorKind::Decode, reason);
        let json: Value =
            serde_json::from_slice(&body).map_err(|error| wrong(format!("the notification is no JSON: {error}")))?;
        let sealed = &json["resource"];
        let field = |name: &str| {
            let text = sealed.get(name).and_then(Value::as_str);
            text.ok_or_else(|| wrong(format!("the notification's resource has no {name}")))
        };
        let algorithm = field("algorithm")?;
        if algorithm != ALGORITHM {
            return Err(wrong(format!(
                "the notification's resource is sealed by {algorithm:?}, and {ALGORITHM} is what APIv3 has"
            )));
        }
        let associated_data = sealed.get("associated_data").and_then(Value::as_str).unwrap_or_default();
        let plain = self.key.decrypt(field("ciphertext")?, field("nonce")?, associated_data)?;
        let resource = serde_json::from_slice(&plain)
            .map_err(|error| wrong(format!("the notification's resource is no JSON: {error}")))?;
        Ok(Notification { json, resource, body })
    }
}

/// A genuine notification, its resource in the clear.
///
/// WeChat Pay delivers one again, with the same [`id`](Self::id), until it is answered with success: whoever acts on it remembers
/// the id.
///
/// With the feature `axum` it is an extractor for handlers whose state has [`NotificationVerifier`]. Amounts are in fen.
///
/// ```
/// # use serde_json::json;
/// # use wechatpay_chain::{notify::NotificationVerifier, sandbox::{PUBLIC_KEY_ID, Sandbox}};
/// # let sandbox = Sandbox::start()?;
/// # let notifications = NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key())?;
/// # let paid = json!({ "out_trade_no": "order-1", "amount": { "total": 100, "currency": "CNY" } });
/// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &paid)?;
/// #[derive(serde::Deserialize)]
/// struct Paid { out_trade_no: String, amount: Amount }
/// #[derive(serde::Deserialize)]
/// struct Amount { total: u64 }
///
/// let notification = notifications.verify(request.headers(), request.body())?;
/// assert_eq!((notification.event_type(), notification.original_type()), ("TRANSACTION.SUCCESS", "transaction"));
/// assert_eq!(notification.resource()["out_trade_no"], "order-1");
/// let paid: Paid = notification.resource_as()?;
/// assert_eq!((paid.out_trade_no.as_str(), paid.amount.total), ("order-1", 100));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Notification {
    json: Value,
    resource: Value,
    body: Bytes,
}

impl Notification {
    fn text(&self, name: &str) -> &str {
        self.json.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The notification's id, the same in each delivery.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// What happened, such as `TRANSACTION.SUCCESS`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text("event_type")
    }

    /// What happened, as a sentence in Chinese.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.text("summary")
    }

    /// When, as RFC 3339.
    #[must_use]
    pub fn create_time(&self) -> &str {
        self.text("create_time")
    }

    /// What the resource is, such as `transaction`.
    #[must_use]
    pub fn original_type(&self) -> &str {
        self.json["resource"].get("original_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// What it happened to, decrypted.
    #[must_use]
    pub fn resource(&self) -> &Value {
        &self.resource
    }

    /// What it happened to, taken out, such as to decrypt its sensitive fields with
    /// [`PrivateKey::decrypt_fields`](crate::PrivateKey::decrypt_fields).
    #[must_use]
    pub fn into_resource(self) -> Value {
        self.resource
    }

    /// The resource in a type of the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when it is not of that type.
    pub fn resource_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.resource).map_err(|source| {
            Error::new(ErrorKind::Decode, format!("the resource is not of the type that was expected: {source}"))
                .with_source(source)
        })
    }

    /// The whole notification as it came, its resource sealed.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Without the resource, which is personal.
impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("id", &self.id())
            .field("event_type", &self.event_type())
            .field("create_time", &self.create_time())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NotificationVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotificationVerifier")
    }
}
