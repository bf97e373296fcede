//! A local WeChat Pay (feature `sandbox`): verifies requests as the service does, answers signed, and refuses in the service's own words.
//!
//! It is the test server of this crate and of whoever uses it. Calls are made over a real socket on the loopback address; the
//! keys are made anew for each process, so nothing of it is worth stealing. Its manual is `docs/SANDBOX.md`.
//!
//! ```
//! use serde_json::json;
//! use wechatpay_chain::sandbox::Sandbox;
//!
//! let sandbox = Sandbox::start()?;
//! let client = sandbox.client()?;
//! let response = client.chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens").post(json!({
//!     "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
//!     "json": { "activate_type": "AUTO_ACTIVATE" },
//! }))?;
//! assert!(response.is_verified());
//! assert!(response.json()?["permission_token"].is_string());
//! assert_eq!(sandbox.requests().len(), 1);
//! # Ok::<(), wechatpay_chain::Error>(())
//! ```

mod answer;
mod api_misc;
mod api_money;
mod api_pay;
mod book;
mod books;
mod builder;
mod check;
mod control;
mod explain;
mod fault;
mod fields;
pub(crate) mod home;
pub(crate) mod keys;
mod notification;
mod orders;
mod outbox;
mod reply;
mod routes;
mod server;
mod sharings;
mod store;
mod tls;
mod transfers;
mod upload;
mod v2;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, Certificate, PrivateKey, PublicKey, random};
use crate::error::Error;
use crate::proto::v2::Credential;
use crate::transport::http_client::Transport;
use book::Book;
pub use builder::SandboxBuilder;
pub use fault::{Fault, Tamper};
use keys::Keys;
#[cfg(feature = "cli")]
pub(crate) use notification::call;

/// The merchant that the sandbox knows.
pub const MCHID: &str = "1900000109";
/// The serial number of that merchant's certificate.
pub const SERIAL: &str = "3775B6A45ACD588826D15E583A95F5DDC0FFEE00";
/// The id of the platform's public key.
pub const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000001092026010100000000000000";

/// The id of a platform key that nobody knows.
const UNKNOWN_SERIAL: &str = "PUB_KEY_ID_0000000000000000000000000000000000";

/// A running sandbox. Dropping it ends it, and panics if a request made it panic.
pub struct Sandbox {
    state: Arc<State>,
    address: SocketAddr,
    tls_address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's tasks share.
struct State {
    keys: Arc<Keys>,
    book: Mutex<Book>,
    store: store::Store,
    /// Sends notifications.
    transport: Transport,
    /// Where refused signatures are explained, a text each.
    log: Option<server::Log>,
    panicked: AtomicBool,
}

impl State {
    /// The merchant's APIv2 key.
    fn apiv2(&self) -> &Credential {
        &self.keys.apiv2
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what was encrypted for the platform key `id`.
    fn decrypt(&self, id: &str, ciphertext: &str) -> Result<String, Error> {
        let issued = self.book().certificates.iter().find(|issued| issued.serial == id).cloned();
        let key = match &issued {
            Some(issued) => &issued.key,
            None if id == PUBLIC_KEY_ID => &self.keys.platform,
            None => return Err(Error::options(format!("the sandbox has no platform key {id:?}"))),
        };
        let text = key.decrypt(ciphertext)?;
        String::from_utf8(text).map_err(|_| Error::new(crate::ErrorKind::Decode, "the field is no text in UTF-8"))
    }

    /// The same, for callers that are no tasks of the server.
    fn keep_now(&self) -> Result<(), Error> {
        match crate::transport::runtime::parked(self.kept()) {
            true => Ok(()),
            false => Err(Error::config("the sandbox's store cannot be written")),
        }
    }

    /// Hands over what changed, and returns when it is kept. `false`: it is not, and must not be answered.
    async fn kept(&self) -> bool {
        let changes = self.book().books.take_changes();
        match self.store.keep(changes) {
            Some(done) => done.await.unwrap_or(false),
            None => true,
        }
    }
}

/// A request as the sandbox received it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as in the request line.
    pub target: String,
    /// The headers, `Authorization` among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The status of the answer.
    pub status: StatusCode,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox on a free port of the loopback address, on a thread of its own, everything in memory.
    ///
    /// The first one of a process makes two RSA keys, which takes some tenths of a second.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when there is no key, port or thread to be had.
    pub fn start() -> Result<Self, Error> {
        Sandbox::builder().start()
    }

    /// Begins a sandbox with other settings: a port, a folder that keeps its state, quicker notifications.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// Where it listens: `127.0.0.1` and the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `base_uri` of its clients: `http://127.0.0.1:.../`.
    #[must_use]
    pub fn base_uri(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The same over TLS, by an authority of its own, [`root_certificate`](Self::root_certificate): for the calls that demand the
    /// merchant's certificate.
    #[must_use]
    pub fn tls_base_uri(&self) -> String {
        format!("https://{}/", self.tls_address)
    }

    /// The authority of [`tls_base_uri`](Self::tls_base_uri), in PEM.
    #[must_use]
    pub fn root_certificate(&self) -> &str {
        &self.state.keys.tls.root_pem
    }

    /// The merchant's APIv2 key.
    #[must_use]
    pub fn secret(&self) -> Secret {
        self.state.apiv2().secret.clone()
    }

    /// The buyer pays an order, or all of a combined one: its state is `SUCCESS` from now on, and its `notify_url` is told. Returns the
    /// number of the transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): there is no such order, or it cannot be paid any more.
    pub fn pay(&self, out_trade_no: &str) -> Result<String, Error> {
        let paid = control::pay(&mut self.state.book(), out_trade_no)?;
        self.state.keep_now()?;
        Ok(paid)
    }

    /// The user takes a transfer: its state is `SUCCESS` from now on, and its `notify_url` is told.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): there is no such transfer, or it was cancelled.
    pub fn confirm_transfer(&self, out_bill_no: &str) -> Result<(), Error> {
        control::confirm(&mut self.state.book(), out_bill_no)?;
        self.state.keep_now()
    }

    /// Makes a control call, as `POST /sandbox/{call}` does from any language, with its fields: `refund`, `replay`, `probe`, `card`, ...; they
    /// stand in `docs/SANDBOX.md`. Returns its answer, which names the notifications that were put on their way.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// let answer = sandbox.control("probe", &serde_json::json!({ "notify_url": "http://127.0.0.1:9/" }))?;
    /// assert_eq!(answer["notifications"][0]["outcome"], "waiting");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): there is no such call, a field is missing, or the books do not allow it.
    pub fn control(&self, call: &str, fields: &Value) -> Result<Value, Error> {
        let answer = control::call(call, fields, &self.state)?;
        self.state.keep_now()?;
        Ok(answer)
    }

    /// Whether its books balance: what came in, went out and is there adds up, to the fen.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode): they do not, and where.
    pub fn audit(&self) -> Result<(), Error> {
        self.state.book().books.audit().map_err(|said| Error::new(crate::ErrorKind::Decode, said))
    }

    /// Its state, as the control call `GET /sandbox/state` answers it: `account`, `orders`, `refunds`, `transfers`, `calls` and
    /// `notifications`, newest first. For looking at; its form may change.
    #[must_use]
    pub fn overview(&self) -> Value {
        control::overview(&self.state.book())
    }

    /// A notification of APIv2 with these fields, as the service would send it: its body, signed with HMAC-SHA256.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): `fields` is no object.
    pub fn notification_v2(&self, fields: &Value) -> Result<Bytes, Error> {
        notification::make_v2(self.state.apiv2(), fields)
    }

    /// Offers a file of `length` bytes at a path, unsigned as bills are, and returns its SHA-1 in hexadecimal. The bytes are made
    /// as they are sent, so that a file of any size costs no memory.
    ///
    /// See [`Download`](crate::Download) for its use.
    pub fn file(&self, template: &str, length: u64) -> String {
        let stub = routes::Stub::file(template, length);
        self.state.book().stubs.push(stub);
        reply::file_sha1(length)
    }

    /// The settings of its merchant in the form of [`Client::factory`], keys as PEM text.
    #[must_use]
    pub fn settings(&self) -> Value {
        json!({
            "mchid": MCHID,
            "serial": SERIAL,
            "privateKey": self.state.keys.merchant_pem,
            "certs": { PUBLIC_KEY_ID: self.state.keys.platform_public_pem },
            "apiv3_key": self.state.keys.apiv3_text,
            "secret": String::from_utf8_lossy(self.secret().expose()),
            "merchant": { "cert": self.state.keys.tls.merchant_cert_pem, "key": self.state.keys.merchant_pem },
            "base_uri": self.base_uri(),
            "proxy": "",
        })
    }

    /// The settings of its merchant, to be changed or built.
    pub fn client_builder(&self) -> ClientBuilder {
        Client::builder()
            .mchid(MCHID)
            .serial(SERIAL)
            .private_key(self.merchant_key())
            .platform_key(PUBLIC_KEY_ID, self.platform_key())
            .secret(self.secret())
            .merchant_certificate(&self.state.keys.tls.merchant_cert_pem, &self.state.keys.merchant_pem)
            .root_certificate(self.root_certificate())
            .base_uri(self.base_uri())
            .no_proxy()
    }

    /// A client of its merchant.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`], none of which these settings cause.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_builder().build()
    }

    /// Issues a platform certificate and signs with it from now on, unless a request names the public key: a merchant in
    /// platform-certificate mode. Called again it is a rotation; the older certificates stay in force.
    ///
    /// Returns the new certificate. The first ones of a process take some tenths of a second each.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when no key can be made.
    pub fn rotate_certificate(&self) -> Result<Certificate, Error> {
        let issued = book::rotate(&self.state)?;
        Certificate::from_pem(&issued.pem)
    }

    /// The merchant's APIv3 key.
    #[must_use]
    pub fn apiv3_key(&self) -> Apiv3Key {
        self.state.keys.apiv3_key.clone()
    }

    /// A notification as the service would send it now: signed, its resource sealed with the APIv3 key.
    ///
    /// # Errors
    /// Those of the libraries for random bytes and RSA, which have no reason to fail.
    pub fn notification(
        &self,
        event_type: &str,
        original_type: &str,
        resource: &Value,
    ) -> Result<http::Request<Bytes>, Error> {
        let (key, serial) = self.state.book().signing_key(&self.state.keys, None);
        let made = notification::Made { id: &random::nonce()?, event_type, original_type, resource };
        notification::make(&self.state.keys.apiv3_key, &key, &serial, crate::clock::now(), &made)
    }

    /// Sends a notification to a `notify_url` and returns the answer. The address must be on this machine: 127.0.0.1, `[::1]` or
    /// `localhost`.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): the URL is none, or of another machine; those of a connection.
    pub fn notify(&self, url: &str, notification: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        notification::send(url, notification)
    }

    /// Decrypts a sensitive field that was encrypted for the platform key `id`: the public key's, or a certificate's serial number.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): no platform key has that id;
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode): the field was not encrypted for it.
    pub fn decrypt(&self, id: &str, ciphertext: &str) -> Result<String, Error> {
        self.state.decrypt(id, ciphertext)
    }

    /// The merchant's private key.
    #[must_use]
    pub fn merchant_key(&self) -> PrivateKey {
        self.state.keys.merchant.clone()
    }

    /// The platform's public key, whose id is [`PUBLIC_KEY_ID`].
    #[must_use]
    pub fn platform_key(&self) -> PublicKey {
        self.state.keys.platform.public_key()
    }

    /// The requests so far, oldest first, refused ones too; the newest 20,000 of them.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.state.book().received.iter().cloned().collect()
    }

    /// Puts a fault into the next answer. Faults wait in a queue: each answer takes one.
    pub fn inject(&self, fault: Fault) {
        self.state.book().faults.push_back(fault);
    }

    /// Puts a fault into the next attempt to send a notification of an order, a refund or a transfer. They wait in a queue of their own.
    pub fn inject_notification(&self, fault: Fault) {
        self.state.book().notification_faults.push_back(fault);
    }

    /// Answers an endpoint that the sandbox does not know: `template` is its path, with variables as `{x}`.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// # let sandbox = Sandbox::start()?;
    /// sandbox.stub("GET", "v3/certificates/{serial}", 200, json!({ "data": [] }));
    /// let response = sandbox.client()?.chain("v3/certificates/{serial}").get(json!({ "serial": "1" }))?;
    /// assert_eq!(response.json()?, json!({ "data": [] }));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn stub(&self, method: &str, template: &str, status: u16, response: Value) {
        let stub = routes::Stub::new(method, template, status, response);
        self.state.book().stubs.push(stub);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // Whatever the outbox noted last.
        let _ = self.state.keep_now();
        let panicked = self.state.panicked.load(Ordering::SeqCst) || ended.is_some_and(|ended| ended.is_err());
        // A fault of the sandbox must not look like one of the code under test.
        if panicked && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("the sandbox panicked while it answered; its message is above"));
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}
