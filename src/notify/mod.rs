//! Notifications of APIv3: the requests that WeChat Pay sends to the merchant's `notify_url`.
//!
//! A [`NotificationVerifier`] verifies the signature of the raw body and decrypts the resource. A
//! [`Reply`] is the response to WeChat Pay.
//!
//! Source: WeChat Pay, "通知规则" and "回调验签".
//!
//! ```
//! use wechatpay_chain::notify::{NotificationVerifier, Reply};
//! # use serde_json::json;
//! # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
//! # let (platform_key, apiv3_key) = (sandbox.platform_key(), sandbox.apiv3_key());
//! # let id = wechatpay_chain::sandbox::PUBLIC_KEY_ID;
//! # let order = json!({ "out_trade_no": "1" });
//! # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &order)?;
//! # let (headers, body) = (request.headers(), request.body());
//! let verifier = NotificationVerifier::new([(id, platform_key)], apiv3_key)?;
//!
//! // In the handler of the notify_url, pass the headers and the raw body of the request:
//! let reply = match verifier.verify(headers, body) {
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
pub mod event_type;
mod handled;
mod inbox;
mod outcome;
mod reply;
pub mod v2;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::clock;
use crate::crypto::{Apiv3Key, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::pipeline::platform_key_id;
use crate::pipeline::platform_keys::{PlatformKeyVerifier, PlatformKeys};
use crate::pipeline::send::Promise;
use crate::pipeline::trace;
use crate::pipeline::verify::Verifier;
use crate::proto::json_decode::{self, FromJson};
use crate::proto::{excerpt, verify};
use crate::store::ReplayMemory;
pub use crate::store::ReplayStore;
use crate::transport::runtime;

pub use handled::Handled;
pub use inbox::Inbox;
pub use outcome::Outcome;
pub use reply::Reply;

/// The longest accepted body, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The encryption algorithm of APIv3. There is only this one.
const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// Verifies and decrypts notifications. Clones are cheap and share the keys and the replay store.
///
/// A notification is accepted if:
/// - each of the four signature headers appears exactly once,
/// - its timestamp is within five minutes of the local clock,
/// - the signature of the raw body is valid for a known platform key,
/// - it was not received before, and
/// - its resource can be decrypted with the APIv3 key.
///
/// With the feature `axum`, put it into the state of the router, where the extractor
/// [`Notification`] finds it. The [module documentation](self) has an example. For other servers,
/// and for duplicate deliveries, see `docs/manual/notifications.md`.
#[derive(Clone)]
pub struct NotificationVerifier(Arc<VerifierInner>);

struct VerifierInner {
    verifier: Arc<dyn Verifier>,
    apiv3_key: Apiv3Key,
    replay_store: Arc<dyn ReplayStore>,
    inbox: Inbox,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl NotificationVerifier {
    /// Creates a verifier from the APIv3 key and platform keys, each with its ID: `PUB_KEY_ID_...`
    /// or the serial number of a certificate. Alternatively, [`Client::notifications`] returns a
    /// verifier with the keys of a client, including the certificates that it downloads.
    ///
    /// [`Client::notifications`]: crate::Client::notifications
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if `keys` is empty, or if a key does not match its ID.
    pub fn new(
        keys: impl IntoIterator<Item = (impl Into<String>, PublicKey)>,
        apiv3_key: Apiv3Key,
    ) -> Result<Self, Error> {
        let mut checked = BTreeMap::new();
        for (id, key) in keys {
            let id = platform_key_id::normalize_id(id.into());
            platform_key_id::validate_id(&id, &key).map_err(|reason| {
                Error::config(format!("the platform key {}: {reason}", platform_key_id::shown_id(&id)))
            })?;
            checked.insert(id, key);
        }
        if checked.is_empty() {
            return Err(Error::config("notifications cannot be verified without a platform key: give at least one"));
        }
        Ok(NotificationVerifier::with(Arc::new(PlatformKeyVerifier(PlatformKeys::new(checked, None, None))), apiv3_key))
    }

    pub(crate) fn with(verifier: Arc<dyn Verifier>, apiv3_key: Apiv3Key) -> Self {
        let replay_store = Arc::new(ReplayMemory::default());
        let (inbox, clock) = (Inbox::default(), Arc::new(clock::now));
        NotificationVerifier(Arc::new(VerifierInner { verifier, apiv3_key, replay_store, inbox, clock }))
    }

    /// Returns the inner state, or a copy if a clone shares it.
    fn into_inner(self) -> VerifierInner {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| VerifierInner {
            verifier: Arc::clone(&shared.verifier),
            apiv3_key: shared.apiv3_key.clone(),
            replay_store: Arc::clone(&shared.replay_store),
            inbox: shared.inbox.clone(),
            clock: Arc::clone(&shared.clock),
        })
    }

    /// Replaces the store that detects replays. If several instances share one `notify_url`, use a
    /// shared store, unless they share an [inbox](Self::inbox).
    #[must_use]
    pub fn replay_store(self, store: impl ReplayStore) -> Self {
        NotificationVerifier(Arc::new(VerifierInner { replay_store: Arc::new(store), ..self.into_inner() }))
    }

    /// Replaces the inbox of [`handle`](Self::handle). The default one is in the memory of this
    /// process. If several processes share one `notify_url`, use a shared [store](crate::store).
    #[must_use]
    pub fn inbox(self, inbox: Inbox) -> Self {
        NotificationVerifier(Arc::new(VerifierInner { inbox, ..self.into_inner() }))
    }

    /// Replaces the clock, for use in tests. `clock` returns the time in seconds since 1970.
    ///
    /// ```
    /// # use wechatpay_chain::ErrorKind;
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// # let event = serde_json::json!({});
    /// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &event)?;
    /// let verifier = client.notifications()?.clock(|| 1_700_000_000);
    /// let error = verifier.verify(request.headers(), request.body()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Verification);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        NotificationVerifier(Arc::new(VerifierInner { clock: Arc::new(clock), ..self.into_inner() }))
    }

    /// Verifies the headers and the raw body of a request, and decrypts the resource. This blocks
    /// the thread only if it has to download a platform certificate or wait for the replay store.
    ///
    /// # Errors
    /// [`Reply::to`] creates the response for each of these errors:
    /// - [`ErrorKind::TooLarge`]: the body is longer than 1 MiB.
    /// - [`ErrorKind::Probe`]: the signature is deliberately wrong, because WeChat Pay tests
    ///   whether it is rejected.
    /// - [`ErrorKind::Verification`]: a header is missing or wrong, the timestamp is more than five
    ///   minutes off, or the signature is invalid.
    /// - [`ErrorKind::Decode`]: the body is not JSON, or the resource cannot be decrypted with the
    ///   APIv3 key.
    /// - [`ErrorKind::Replay`]: the notification was received before, or the replay store failed.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notification, Error> {
        self.verify_async(headers, body).wait()
    }

    /// Decrypts a notification that anyone could have sent.
    #[cfg(feature = "cli")]
    pub(crate) fn decrypt_unverified(&self, body: &[u8]) -> Result<Notification, Error> {
        check_length(body)?;
        self.0.decrypt(Bytes::copy_from_slice(body))
    }

    /// The asynchronous form of [`verify`](Self::verify).
    pub fn verify_async(&self, headers: &HeaderMap, body: &[u8]) -> Promise<Notification> {
        // If the body is too long, only its first MAX_BYTES + 1 bytes are copied.
        let body = Bytes::copy_from_slice(body.get(..=MAX_BYTES).unwrap_or(body));
        let (inner, headers) = (Arc::clone(&self.0), headers.clone());
        Promise::new(async move { inner.verify(&headers, body).await.inspect_err(trace::refused_notification) })
    }
}

impl VerifierInner {
    async fn verify(&self, headers: &HeaderMap, body: Bytes) -> Result<Notification, Error> {
        check_length(&body)?;
        if verify::is_probe(headers) {
            return Err(Error::new(
                ErrorKind::Probe,
                "WeChat Pay tests whether wrong signatures are rejected (WECHATPAY/SIGNTEST): reject it, nothing is wrong",
            ));
        }
        let now = (self.clock)();
        let signed = verify::check_headers(headers, &body, now).map_err(|reason| not_authentic(&reason))?;
        let verified = self.verifier.verify(signed.serial, &signed.message, &signed.signature).await;
        verified.map_err(|reason| not_authentic(&reason.to_string()))?;
        // Decrypt before storing, so that a notification is not a replay if the first attempt
        // failed because of a wrong APIv3 key.
        let notification = self.decrypt(body)?;
        // Store only after verification, so that forged requests cannot fill the store.
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seen = format!("{} {}", value(verify::TIMESTAMP), value(verify::NONCE));
        let until = now.saturating_add(2 * verify::MAX_CLOCK_OFFSET);
        let inserting = std::pin::pin!(self.replay_store.insert(&seen, until));
        let inserted = runtime::timeout(inbox::STORE_TIMEOUT, inserting).await;
        let is_new = inserted.unwrap_or_else(|| Err("it did not respond in time".into())).map_err(|source| {
            Error::new(ErrorKind::Replay, format!("the replay store failed: {source}")).with_source(source)
        })?;
        if !is_new {
            return Err(Error::new(
                ErrorKind::Replay,
                "a notification with this timestamp and nonce was received before",
            ));
        }
        Ok(notification)
    }

    fn decrypt(&self, body: Bytes) -> Result<Notification, Error> {
        let envelope: Value = serde_json::from_slice(&body)
            .map_err(|error| decode_error(format!("the notification is not JSON: {error}")))?;
        let encrypted = &envelope["resource"];
        let field = |name: &str| {
            let text = encrypted.get(name).and_then(Value::as_str);
            text.ok_or_else(|| decode_error(format!("the notification's resource has no {name}")))
        };
        let algorithm = field("algorithm")?;
        if algorithm != ALGORITHM {
            return Err(decode_error(format!(
                "the notification's resource is encrypted with {}: APIv3 uses {ALGORITHM}",
                excerpt::name(algorithm)
            )));
        }
        let associated_data = encrypted.get("associated_data").and_then(Value::as_str).unwrap_or_default();
        let plain = self.apiv3_key.decrypt(field("ciphertext")?, field("nonce")?, associated_data)?;
        let resource = serde_json::from_slice(&plain)
            .map_err(|error| decode_error(format!("the notification's resource is not JSON: {error}")))?;
        Ok(Notification { envelope, resource, body })
    }
}

fn check_length(body: &[u8]) -> Result<(), Error> {
    if body.len() > MAX_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, format!("the notification is longer than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn not_authentic(reason: &str) -> Error {
    Error::new(ErrorKind::Verification, format!("the notification is not authentic: {reason}"))
}

fn decode_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, message)
}

/// An authentic notification with its decrypted resource.
///
/// WeChat Pay redelivers a notification, with the same [`id`](Self::id), until it receives a
/// success response. To avoid processing a notification twice, store the ID of each one that you
/// process.
///
/// With the feature `axum`, it is an extractor for handlers whose state contains a
/// [`NotificationVerifier`]. Amounts are in fen.
///
/// ```
/// # use serde_json::json;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
/// # let verifier = client.notifications()?;
/// # let paid = json!({ "out_trade_no": "order-1", "amount": { "total": 100 } });
/// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &paid)?;
/// #[derive(serde::Deserialize)]
/// struct Paid { out_trade_no: String, amount: Amount }
/// #[derive(serde::Deserialize)]
/// struct Amount { total: u64 }
///
/// let notification = verifier.verify(request.headers(), request.body())?;
/// assert_eq!(notification.event_type(), "TRANSACTION.SUCCESS");
/// assert_eq!(notification.original_type(), "transaction");
/// assert_eq!(notification.resource()["out_trade_no"], "order-1");
/// let paid: Paid = notification.json()?;
/// assert_eq!((paid.out_trade_no.as_str(), paid.amount.total), ("order-1", 100));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Notification {
    envelope: Value,
    resource: Value,
    body: Bytes,
}

impl Notification {
    fn text(&self, name: &str) -> &str {
        self.envelope.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the ID of the notification, which is the same in each delivery.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Returns the key under which the inbox stores the notification: `v3:` and the
    /// [`id`](Self::id).
    #[must_use]
    pub fn inbox_key(&self) -> String {
        format!("v3:{}", self.id())
    }

    /// Returns the type of the event, such as `TRANSACTION.SUCCESS`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text("event_type")
    }

    /// Returns a description of the event, in Chinese.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.text("summary")
    }

    /// Returns the time of the event in RFC 3339 format.
    #[must_use]
    pub fn create_time(&self) -> &str {
        self.text("create_time")
    }

    /// Returns the type of the resource, such as `transaction`.
    #[must_use]
    pub fn original_type(&self) -> &str {
        self.envelope["resource"].get("original_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the decrypted resource: the order, the refund, ...
    #[must_use]
    pub fn resource(&self) -> &Value {
        &self.resource
    }

    /// Returns the decrypted resource by value. To decrypt its sensitive fields, use
    /// [`PrivateKey::decrypt_fields`](crate::PrivateKey::decrypt_fields).
    #[must_use]
    pub fn into_resource(self) -> Value {
        self.resource
    }

    /// Deserializes the decrypted resource into `T`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the resource does not match `T`.
    pub fn json<T: FromJson>(&self) -> Result<T, Error> {
        json_decode::from_value(&self.resource)
            .map_err(|reason| decode_error(format!("the resource does not match the expected type: {reason}")))
    }

    /// The whole notification as received, with the encrypted resource.
    #[cfg(feature = "cli")]
    pub(crate) fn envelope(&self) -> &Value {
        &self.envelope
    }

    /// Returns the raw body: the whole notification as received, with the encrypted resource.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Omits the resource, which contains personal data.
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
