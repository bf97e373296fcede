//! A local WeChat Pay for tests (feature `sandbox`). Like the real service, it verifies requests,
//! rejects them with WeChat Pay's codes and messages, signs its responses, tracks balances, and
//! sends notifications.
//!
//! Calls go over a socket on the loopback interface. The keys are generated for each process and
//! have no value elsewhere. `docs/SANDBOX.md` describes the sandbox in detail.
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::sandbox::Sandbox;
//!
//! let sandbox = Sandbox::start()?;
//! let client = sandbox.client()?;
//! let cards = client.chain("v3/marketing/membercard-open/cards/{card_id}");
//! let response = cards.chain("permission-tokens").post(json!({
//!     "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
//!     "json": { "activate_type": "AUTO_ACTIVATE" },
//! }))?;
//! assert!(response.is_verified());
//! println!("{}", response.field::<String>("permission_token")?);
//! assert_eq!(sandbox.requests().len(), 1);
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

// The files are layered: each uses only files in its own group and in the groups above.

// Values and formats.
mod api_version;
mod china_time;
pub(crate) mod keys;
mod merchant;
mod path_template;
mod plausible;
mod private_file;
mod rows;
mod signature;
mod string_enum;
mod tls;

// The ledger: money and how it moves. Pure.
mod ledger;
mod ledger_orders;
mod ledger_profit_sharing;
mod ledger_records;
mod ledger_refunds;
#[cfg(test)]
mod ledger_tests;
mod ledger_transfers;

// The state of the sandbox.
mod creatable;
mod delivery;
mod difference;
mod fault;
mod mask;
mod mentioned;
mod nonces;
mod numbers;
mod objects;
mod outbox;
mod platform;
mod query_fields;
mod rate_limit;
mod recorded_call;
mod replay;
mod request_log;
mod state;
mod stub;

// The routes: authentication, validation and the handlers.
mod admin;
mod admin_actions;
mod admin_call;
mod admin_detail;
mod admin_list;
mod admin_rows;
mod admin_states;
mod api_bills;
mod api_certificates;
mod api_code_payments;
mod api_combined_orders;
mod api_deductions;
mod api_echo;
mod api_media;
mod api_member_cards;
mod api_orders;
mod api_profit_sharing;
mod api_refunds;
mod api_statements;
mod api_transfers;
mod api_v2;
mod api_v2_orders;
mod authenticate;
mod bill_text;
mod body_text;
mod command_text;
mod documented;
mod documented_check;
mod documented_pages;
mod documented_response;
mod documented_v2;
mod events;
mod overview;
mod refusal;
mod request;
mod resources;
mod response;
mod route_request;
mod routes;
mod schema;
mod sensitive_fields;
pub(crate) mod trigger;
mod upload;
mod v2;
mod v2_fields;

// The server: everything that is not pure.
mod body;
mod dispatch;
mod fault_injection;
mod inner;
mod loopback;
mod notification;
mod outbox_worker;
mod proxy;
mod redelivery;
mod refusal_log;
mod server;
mod store;
mod store_file;
mod wait;
mod wire_headers;

// The public interface.
mod builder;
mod control;
pub(crate) mod data_dir;
mod define_stub;
#[cfg(feature = "cli")]
pub(crate) mod environment;
mod expectation;
mod recording;
mod start;
mod views;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use builder::SandboxBuilder;
pub use expectation::Expectation;
#[cfg(feature = "cli")]
pub(crate) use fault::NAMES as FAULT_NAMES;
pub use fault::{Fault, Tamper};
#[cfg(feature = "cli")]
pub(crate) use loopback::control_call;
pub use merchant::{MCHID, PUBLIC_KEY_ID, SERIAL};
#[cfg(feature = "cli")]
pub(crate) use overview::MAX_FOLLOWED_CALLS;
pub use recording::Recording;
pub use request_log::Received;
pub use views::{Attempt, Order, Refund, SentNotification};

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::clock::now;
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, PrivateKey, PublicKey, random};
use crate::error::Error;
use crate::proto::json_depth;
use crate::transport::runtime;
use delivery::Message;
use inner::SandboxInner;

/// A running sandbox. Dropping this value stops the sandbox, and panics if the sandbox has
/// panicked.
pub struct Sandbox {
    inner: Arc<SandboxInner>,
    address: SocketAddr,
    tls_address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1, in a separate thread. Its state is kept in
    /// memory.
    ///
    /// The first start in a process generates two RSA keys, which takes a few tenths of a second.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if a key cannot be generated, a
    /// port cannot be opened, or a thread cannot be started.
    pub fn start() -> Result<Self, Error> {
        Sandbox::builder().start()
    }

    /// Returns a builder for a sandbox with other settings, such as a port, a data folder, or
    /// faster notifications.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// Returns the address on which the sandbox listens: `127.0.0.1` and the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the `base_uri` for clients: `http://127.0.0.1:.../`.
    #[must_use]
    pub fn base_uri(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns the `base_uri` with TLS, for calls that require the merchant certificate. The server
    /// certificate is issued by [`root_certificate`](Self::root_certificate).
    #[must_use]
    pub fn tls_base_uri(&self) -> String {
        format!("https://{}/", self.tls_address)
    }

    /// Returns the certificate, in PEM, of the authority that issued the server certificate of
    /// [`tls_base_uri`](Self::tls_base_uri).
    #[must_use]
    pub fn root_certificate(&self) -> &str {
        &self.inner.keys.tls.root_pem
    }

    /// Returns the merchant's APIv2 key.
    #[must_use]
    pub fn secret(&self) -> Secret {
        self.inner.keys.apiv2.secret.clone()
    }

    /// Checks that the ledger balances: income, expenses and the account must add up exactly.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the ledger does not balance.
    /// The message describes the first contradiction.
    pub fn audit(&self) -> Result<(), Error> {
        self.inner.read(|state| state.ledger.audit()).map_err(|reason| Error::new(crate::ErrorKind::Decode, reason))
    }

    /// Returns the state, like the control call `GET /sandbox/state`: `account`, `orders`,
    /// `refunds`, `transfers`, `calls` and `notifications`, newest first. It is meant for humans,
    /// and its format may change.
    #[must_use]
    pub fn overview(&self) -> Value {
        self.inner.read(|state| overview::build(state, None))
    }

    /// Creates the body of an APIv2 notification with these fields. It is signed with MD5, or with
    /// HMAC-SHA256 if the field `sign_type` or `algorithm` names it. An object in `req_info` or
    /// `event_ciphertext` is encrypted.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if `fields` is not an object.
    pub fn notification_v2(&self, fields: &Value) -> Result<Bytes, Error> {
        json_depth::check(fields).map_err(Error::options)?;
        notification::body_v2(&self.inner.keys, fields)
    }

    /// Returns the merchant's settings in the format of [`Client::factory`], with keys as PEM text.
    #[must_use]
    pub fn settings(&self) -> Value {
        json!({
            "mchid": MCHID,
            "serial": self.inner.keys.serial,
            "privateKey": self.inner.keys.merchant_pem,
            "certs": { PUBLIC_KEY_ID: self.inner.keys.platform_public_pem },
            "apiv3_key": self.inner.keys.apiv3_text,
            "secret": String::from_utf8_lossy(self.secret().expose()),
            "merchant": { "cert": self.inner.keys.tls.merchant_cert_pem, "key": self.inner.keys.merchant_pem },
            "base_uri": self.base_uri(),
            "proxy": "",
        })
    }

    /// Returns a client builder with the settings of the sandbox's merchant. These are set:
    ///
    /// | setting | value |
    /// | --- | --- |
    /// | `mchid` | [`MCHID`] |
    /// | `serial`, `private_key` | those of the merchant's certificate |
    /// | `platform_key` | the public key [`PUBLIC_KEY_ID`], so the client is in public-key mode |
    /// | `secret` | the APIv2 key |
    /// | `merchant_certificate`, `root_certificate` | for calls over TLS |
    /// | `base_uri` | [`base_uri`](Self::base_uri), without a proxy |
    ///
    /// `apiv3_key` is not set, as for a merchant that only makes calls. Notifications and the
    /// download of platform certificates need it:
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// let notifications = client.notifications()?;
    /// # let _ = notifications;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn client_builder(&self) -> ClientBuilder {
        Client::builder()
            .mchid(MCHID)
            .serial(&self.inner.keys.serial)
            .private_key(self.merchant_key())
            .platform_key(PUBLIC_KEY_ID, self.platform_key())
            .secret(self.secret())
            .merchant_certificate(&self.inner.keys.tls.merchant_cert_pem, &self.inner.keys.merchant_pem)
            .root_certificate(self.root_certificate())
            .base_uri(self.base_uri())
            .no_proxy()
    }

    /// Returns a client with the settings of [`client_builder`](Self::client_builder). The
    /// `apiv3_key` is not set, so [`Client::notifications`] fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config). For notifications, build the client with
    /// `client_builder().apiv3_key(sandbox.apiv3_key())`.
    ///
    /// # Errors
    /// The same as for [`ClientBuilder::build`], but these settings do not cause any.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_builder().build()
    }

    /// Returns the merchant's APIv3 key.
    #[must_use]
    pub fn apiv3_key(&self) -> Apiv3Key {
        self.inner.keys.apiv3_key.clone()
    }

    /// Creates a notification as WeChat Pay would send it now: signed, and with the resource
    /// encrypted with the APIv3 key.
    ///
    /// # Errors
    /// Fails if random bytes are not available or if signing fails, neither of which happens in
    /// practice.
    pub fn notification(
        &self,
        event_type: &str,
        original_type: &str,
        resource: &Value,
    ) -> Result<http::Request<Bytes>, Error> {
        json_depth::check(resource).map_err(Error::options)?;
        let signer = self.inner.read(|state| state.platform.signer(None, now()));
        let message = Message::v3(event_type, original_type, resource.clone());
        notification::request(&random::nonce()?, &message, &self.inner.keys, &signer)
    }

    /// Decrypts a sensitive field that was encrypted for a platform key. `id` is the ID of the
    /// public key or the serial number of a certificate.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if there is no platform key
    /// with this ID. Fails with [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the field was
    /// not encrypted for this key.
    pub fn decrypt(&self, id: &str, ciphertext: &str) -> Result<String, Error> {
        self.inner.read(|state| state.platform.decrypt(id, ciphertext))
    }

    /// Returns the merchant's private key.
    #[must_use]
    pub fn merchant_key(&self) -> PrivateKey {
        self.inner.keys.merchant.clone()
    }

    /// Returns the platform's public key, whose ID is [`PUBLIC_KEY_ID`].
    #[must_use]
    pub fn platform_key(&self) -> PublicKey {
        self.inner.keys.platform.public_key()
    }

    /// Returns the newest requests, oldest first, including rejected ones. The sandbox keeps up to
    /// 20,000 requests, which use up to 64 MiB with their responses.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.inner.read(|state| state.requests.calls().map(|call| call.received.clone()).collect())
    }

    /// Injects a fault into the next response. If several faults are injected, each response takes
    /// one, in order.
    pub fn inject(&self, fault: Fault) {
        let _ = self.inner.transact(|state| state.response_faults.push_back(fault));
    }

    /// Injects a fault into the next attempt to send a notification. These faults have a separate
    /// queue.
    pub fn inject_notification(&self, fault: Fault) {
        let _ = self.inner.transact(|state| state.notification_faults.push_back(fault));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // Waits for the writes in progress.
        let (_, pending) = self.inner.transact(|_| ());
        runtime::park_on(pending.written());
        let panicked = self.inner.panicked.load(Ordering::SeqCst) || ended.is_some_and(|ended| ended.is_err());
        // A bug in the sandbox must not look like a bug in the code under test.
        if panicked && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("the sandbox panicked; its panic message is above"));
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}
