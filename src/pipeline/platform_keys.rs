//! The platform's keys: which one verifies a response, and which one encrypts sensitive fields.
//!
//! Pattern: a read-through cache with single-flight downloads. The keys in the settings are fixed.
//! With an APIv3 key, the platform certificates are also downloaded: when a response names an
//! unknown serial number, and periodically in the background. Concurrent calls share one download.
//! A failed download does not remove a key.
//!
//! Source: WeChat Pay, "获取平台证书列表".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use http::Method;
use tokio::sync::watch;

use crate::crypto::{Apiv3Key, Certificate, PublicKey};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::certificate_fetch::{CERTIFICATES, CertificateSource, Need};
use crate::pipeline::platform_key_id::{is_public_key_id, names_public_key, unknown_public_key};
use crate::pipeline::trace;
use crate::pipeline::verify::Verifier;
use crate::proto::excerpt::excerpt;
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// The delay before the next fetch when the last one did not contain the serial number that it was
/// started for. Otherwise each response with an unknown serial number would cause a request.
const DELAY_AFTER_UNKNOWN_KEY: Duration = Duration::from_secs(60);
/// The delay before the next fetch when the last one failed.
const DELAY_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The time limit of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
/// The default interval between fetches in the background. WeChat Pay replaces a certificate at
/// least ten days before it expires.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);

/// The platform's keys, shared by all calls of a client.
pub(crate) struct PlatformKeys {
    /// The keys in the settings, by ID or serial number. Their validity period is not checked for
    /// verification; the configuration is authoritative.
    configured: BTreeMap<String, PublicKey>,
    pub(super) downloaded: RwLock<Downloaded>,
    /// `None` without an APIv3 key.
    source: Option<CertificateSource>,
    /// The serial number of the merchant's certificate, for messages.
    merchant_serial: Option<String>,
    fetches: Mutex<FetchState>,
}

/// The downloaded certificates, and the time of the last successful fetch.
#[derive(Default)]
pub(super) struct Downloaded {
    pub(super) certificates: Vec<Certificate>,
    at: Option<Instant>,
}

/// The fetch in flight, if any, and the last one that ended.
#[derive(Default)]
struct FetchState {
    in_flight: Option<InFlightFetch>,
    last: Option<EndedFetch>,
}

/// A fetch in flight, which any number of calls can wait for. Its channel receives `true` when the
/// fetch has ended.
///
/// The fetch is a task of its own on a background thread, so it neither ends with the call that
/// started it nor depends on that call's runtime being polled.
#[derive(Clone)]
struct InFlightFetch(watch::Receiver<bool>);

impl InFlightFetch {
    /// Waits until the fetch has ended. Returns false if its task ended without a result.
    async fn wait_until_ended(&mut self) -> bool {
        // A little longer than a fetch can take. The sender is dropped only if the task panicked.
        let limit = FETCH_TIMEOUT + Duration::from_secs(5);
        let ended = std::pin::pin!(self.0.wait_for(|ended| *ended));
        matches!(runtime::timeout(limit, ended).await, Some(Ok(_)))
    }
}

/// A fetch that has ended.
struct EndedFetch {
    at: Instant,
    outcome: FetchOutcome,
}

enum FetchOutcome {
    /// The certificates were downloaded, and the key that was needed, if any, is among them.
    Complete,
    /// The certificates were downloaded, and the key that was needed is not among them.
    KeyNotFound,
    Failed(String),
}

impl EndedFetch {
    /// The minimum time between this fetch and the next one.
    fn delay(&self) -> Duration {
        match self.outcome {
            FetchOutcome::Complete => Duration::ZERO,
            FetchOutcome::KeyNotFound => DELAY_AFTER_UNKNOWN_KEY,
            FetchOutcome::Failed(_) => DELAY_AFTER_FAILURE,
        }
    }
}

/// The ID to send as `Wechatpay-Serial` in public-key mode: that of the only key, if it is a public
/// key. `None` in any other case.
pub(crate) fn public_key_id(keys: &BTreeMap<String, PublicKey>) -> Option<&str> {
    let mut ids = keys.keys();
    match (ids.next(), ids.next()) {
        (Some(id), None) if is_public_key_id(id) => Some(id),
        _ => None,
    }
}

fn missing_apiv3_key(reason: &str) -> Error {
    Error::config(format!("the setting apiv3_key is missing: {reason}"))
}

impl PlatformKeys {
    pub(crate) fn new(
        configured: BTreeMap<String, PublicKey>,
        source: Option<CertificateSource>,
        merchant_serial: Option<String>,
    ) -> Arc<Self> {
        let (downloaded, fetches) = (RwLock::default(), Mutex::default());
        Arc::new(PlatformKeys { configured, downloaded, source, merchant_serial, fetches })
    }

    /// The key with this ID or serial number, if it is known and valid. Does not download.
    pub(crate) fn known_key(&self, serial: &str) -> Option<PublicKey> {
        if let Some(key) = self.configured.get(serial) {
            return Some(key.clone());
        }
        let downloaded = self.downloaded.read().unwrap_or_else(PoisonError::into_inner);
        let found = downloaded.certificates.iter().find(|certificate| certificate.serial() == serial)?;
        // A downloaded certificate can expire, for example while the process is suspended. It then
        // counts as unknown, and the certificates are downloaded again.
        found.is_valid_at(SystemTime::now()).then(|| found.public_key().clone())
    }

    /// The ID or serial number of the known key that verifies this signature.
    #[cfg(feature = "cli")]
    pub(crate) fn known_signer(&self, message: &[u8], signature: &[u8]) -> Option<String> {
        let downloaded = self.downloaded.read().unwrap_or_else(PoisonError::into_inner);
        let certificates = downloaded.certificates.iter().map(|one| (one.serial(), one.public_key()));
        let mut keys = self.configured.iter().map(|(id, key)| (id.as_str(), key)).chain(certificates);
        keys.find(|(_, key)| key.verify(message, signature)).map(|(id, _)| id.to_owned())
    }

    /// The IDs and serial numbers of all keys, for messages.
    fn known_ids(&self) -> String {
        let downloaded = self.downloaded.read().unwrap_or_else(PoisonError::into_inner);
        let serials = downloaded.certificates.iter().map(Certificate::serial);
        let serials = serials.filter(|serial| !self.configured.contains_key(*serial));
        let ids: Vec<_> = self.configured.keys().map(String::as_str).chain(serials).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }

    /// The key that verifies signatures with this serial number, downloaded if it is unknown.
    async fn verification_key(self: &Arc<Self>, serial: &str) -> Result<PublicKey, BoxError> {
        if let Some(key) = self.known_key(serial) {
            self.refresh_in_background();
            return Ok(key);
        }
        if names_public_key(serial) {
            return Err(format!("{}; the known keys are {}", unknown_public_key(serial), self.known_ids()).into());
        }
        let shown = excerpt(serial);
        if self.merchant_serial.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(serial)) {
            return Err(format!(
                "Wechatpay-Serial names the merchant's own certificate {shown:?} (the setting serial), which signs requests: \
                 WeChat Pay signs with a platform key"
            )
            .into());
        }
        if self.source.is_none() {
            return Err(format!(
                "it was made with the platform certificate {shown:?}, which is not one of the platform keys: set the apiv3_key, \
                 with which certificates are downloaded, or add the certificate with ClientBuilder::platform_key (certs); the \
                 known keys are {}",
                self.known_ids()
            )
            .into());
        }
        let refreshed = self.refresh(Some(serial), || self.known_key(serial).is_some()).await;
        match (self.known_key(serial), refreshed) {
            (Some(key), _) => Ok(key),
            (None, Err(reason)) => Err(format!(
                "it was made with the platform certificate {shown:?}, which is unknown, and downloading the platform certificates failed: {reason}"
            )
            .into()),
            (None, Ok(())) => Err(format!(
                "it was made with the platform certificate {shown:?}, which is neither in the settings nor among the platform \
                 certificates; the known keys are {}; the next download is possible after a minute",
                self.known_ids()
            )
            .into()),
        }
    }

    /// The key that encrypts sensitive fields, with its ID or serial number: a public key if there
    /// is one, otherwise the certificate that expires last. Downloads the certificates if there is
    /// no key.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) async fn encryption_key(self: &Arc<Self>) -> Result<(String, PublicKey), Error> {
        if let Some(found) = self.known_encryption_key() {
            return Ok(found);
        }
        if self.source.is_some() {
            let is_found = || self.known_encryption_key().is_some();
            self.refresh(None, is_found).await.map_err(|reason| {
                Error::new(
                    ErrorKind::Verification,
                    format!("downloading the platform certificates for encryption failed: {reason}"),
                )
            })?;
        }
        self.known_encryption_key()
            .ok_or_else(|| Error::config("there is no platform key for encryption: add one with platform_key (certs)"))
    }

    /// [`encryption_key`](Self::encryption_key) without a download.
    #[cfg(feature = "aws-lc-rs")]
    pub(super) fn known_encryption_key(&self) -> Option<(String, PublicKey)> {
        let owned = |(id, key): (&String, &PublicKey)| (id.clone(), key.clone());
        if let Some(found) = self.configured.iter().find(|(id, _)| is_public_key_id(id)).map(owned) {
            return Some(found);
        }
        let now = SystemTime::now();
        let downloaded = self.downloaded.read().unwrap_or_else(PoisonError::into_inner);
        let downloaded = downloaded.certificates.iter().map(|one| (one.serial().to_owned(), one.public_key().clone()));
        // The expiry of a bare key under a serial number is unknown. `None` is the smallest value,
        // so such a key is used only if there is no valid certificate.
        let valid = self
            .configured
            .iter()
            .map(owned)
            .chain(downloaded)
            .filter(|(_, key)| key.not_after().is_none_or(|end| end >= now));
        valid.max_by_key(|(_, key)| key.not_after())
    }

    /// The APIv3 key; [`ErrorKind::Config`] without one.
    pub(crate) fn apiv3_key(&self) -> Result<Apiv3Key, Error> {
        let source = self.source.as_ref().ok_or_else(|| missing_apiv3_key("notifications are encrypted with it"))?;
        Ok(source.key.clone())
    }

    /// Downloads the certificates now, and returns the current ones.
    pub(crate) async fn fetch_now(self: &Arc<Self>) -> Result<Vec<Certificate>, Error> {
        if self.source.is_none() {
            return Err(missing_apiv3_key("the platform certificates are encrypted with it"));
        }
        let platform_keys = Arc::clone(self);
        let fetch = runtime::spawn(async move { platform_keys.fetch(&Need::Now).await })?;
        fetch.await.map_err(|ended| {
            Error::new(ErrorKind::Transport, "the download of the platform certificates ended early").with_source(ended)
        })?
    }

    fn fetches(&self) -> MutexGuard<'_, FetchState> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Downloads the certificates, unless the delay after the last fetch is not over. `is_found`
    /// returns whether the needed key is known. The error is that of a failed fetch.
    async fn refresh(self: &Arc<Self>, serial: Option<&str>, is_found: impl Fn() -> bool) -> Result<(), String> {
        let need = || serial.map_or(Need::Recent, |serial| Need::Serial(serial.to_owned()));
        if self.join_or_start(need(), &is_found).await? {
            // The joined fetch may have started before the platform published the needed key, so
            // one more fetch is needed.
            self.join_or_start(need(), &is_found).await?;
        }
        Ok(())
    }

    /// Waits for the fetch in flight, or for a new one. Returns true if it joined the fetch of
    /// another call and the key is still unknown.
    async fn join_or_start(self: &Arc<Self>, need: Need, is_found: &impl Fn() -> bool) -> Result<bool, String> {
        let (mut fetch, joined) = {
            let mut fetches = self.fetches();
            if is_found() {
                return Ok(false);
            }
            match (&fetches.in_flight, &fetches.last) {
                (Some(fetch), _) => (fetch.clone(), true),
                (None, Some(last)) if last.at.elapsed() < last.delay() => {
                    return match &last.outcome {
                        FetchOutcome::Failed(reason) => Err(reason.clone()),
                        FetchOutcome::Complete | FetchOutcome::KeyNotFound => Ok(false),
                    };
                }
                (None, _) => (self.start(&mut fetches, need).map_err(|error| error.to_string())?, false),
            }
        };
        if !fetch.wait_until_ended().await {
            self.fetches().in_flight = None;
            return Err("the download ended without a result".to_owned());
        }
        if is_found() {
            return Ok(false);
        }
        match &mut self.fetches().last {
            Some(EndedFetch { outcome: FetchOutcome::Failed(reason), .. }) => return Err(reason.clone()),
            Some(last) if !joined => last.outcome = FetchOutcome::KeyNotFound,
            _ => {}
        }
        Ok(joined)
    }

    /// Starts a fetch on the background runtime. Fails if that runtime cannot be started.
    fn start(self: &Arc<Self>, fetches: &mut FetchState, need: Need) -> Result<InFlightFetch, Error> {
        let (ended, receiver) = watch::channel(false);
        let platform_keys = Arc::clone(self);
        runtime::spawn(async move {
            // Waiting calls read the outcome from the state.
            drop(platform_keys.fetch(&need).await);
            platform_keys.fetches().in_flight = None;
            let _ = ended.send(true);
        })?;
        let fetch = InFlightFetch(receiver);
        fetches.in_flight = Some(fetch.clone());
        Ok(fetch)
    }

    /// Downloads the certificates, and stores them and the outcome.
    async fn fetch(&self, need: &Need) -> Result<Vec<Certificate>, Error> {
        let Some(source) = &self.source else { return Ok(Vec::new()) };
        let fetch = tokio::time::timeout(FETCH_TIMEOUT, source.fetch(need, |serial| self.known_key(serial)));
        let fetched = fetch.await.unwrap_or_else(|_| {
            let message = format!("the platform certificates were not received within {FETCH_TIMEOUT:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        });
        let fetched = fetched.map_err(|error| error.with_call(&Method::GET, CERTIFICATES));
        let outcome = match &fetched {
            Ok(_) => FetchOutcome::Complete,
            Err(error) => FetchOutcome::Failed(error.to_string()),
        };
        self.fetches().last = Some(EndedFetch { at: Instant::now(), outcome });
        trace::certificates(fetched.as_deref(), |serial| self.known_key(serial).is_some());
        let certificates = fetched?;
        let mut downloaded = self.downloaded.write().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        // A certificate that is no longer listed may still have signed a response in transit.
        downloaded
            .certificates
            .retain(|old| old.is_valid_at(now) && !certificates.iter().any(|new| new.serial() == old.serial()));
        downloaded.certificates.extend(certificates.iter().cloned());
        downloaded.at = Some(Instant::now());
        Ok(certificates)
    }

    /// Starts a fetch if the refresh interval has passed. Calls do not wait for it, and a failure
    /// has no effect on them.
    fn refresh_in_background(self: &Arc<Self>) {
        let Some(source) = &self.source else { return };
        let is_due = {
            let downloaded = self.downloaded.read().unwrap_or_else(PoisonError::into_inner);
            downloaded.at.is_some_and(|at| at.elapsed() >= source.refresh_interval)
        };
        if !is_due {
            return;
        }
        let mut fetches = self.fetches();
        let is_delay_over =
            fetches.last.as_ref().is_none_or(|last| last.at.elapsed() >= last.delay().min(source.refresh_interval));
        if fetches.in_flight.is_none() && is_delay_over {
            // If the background runtime cannot be started, the keys remain as they are.
            let _ = self.start(&mut fetches, Need::Recent);
        }
    }
}

/// The default verifier: verifies with the platform's keys.
pub(crate) struct PlatformKeyVerifier(pub(crate) Arc<PlatformKeys>);

impl Verifier for PlatformKeyVerifier {
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            if self.0.verification_key(serial).await?.verify(message, signature) {
                return Ok(());
            }
            let shown = excerpt(serial);
            Err(if self.0.configured.contains_key(serial) {
                format!(
                    "it does not match the platform key {shown:?}: the message was changed after it was signed, or the key in the \
                     settings does not belong to this ID"
                )
            } else {
                format!(
                    "it does not match the platform certificate {shown:?}, which was downloaded: the message was changed after it \
                     was signed"
                )
            }
            .into())
        })
    }
}
