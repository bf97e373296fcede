//! The platform's keys: which one verifies an answer, where new ones come from, and which one
//! encrypts.
//!
//! Keys that the settings name are used as they are. With an APIv3 key the platform's certificates
//! are fetched besides: when an answer names a serial number that is not known, and from time to
//! time in the background. Whatever goes wrong with that, the keys that are there stay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use http::Method;
use tokio::sync::watch;

use crate::crypto::{Apiv3Key, Certificate, PublicKey};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::certificate_fetch::{CERTIFICATES, CertificateSource};
use crate::pipeline::verify::Verifier;
use crate::proto::excerpt::excerpt;
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// Ids of public keys begin so; the other serials are those of platform certificates.
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";
/// After a fetch that did not bring the serial it was made for, the next waits so long: a serial
/// that nobody knows must not become a request for each call.
const PAUSE: Duration = Duration::from_secs(60);
/// After a fetch that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// A fetch takes no longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often the certificates are fetched anew, where the settings do not say. The service changes
/// them at least ten days before they expire.
pub(crate) const REFRESH: Duration = Duration::from_secs(12 * 60 * 60);

/// The platform's keys, shared by all calls of a client.
pub(crate) struct PlatformKeys {
    /// By id or serial number, from the settings. They are not looked at for their age: they are
    /// what the merchant says.
    settings: BTreeMap<String, PublicKey>,
    fetched: RwLock<Fetched>,
    source: Option<CertificateSource>,
    flight: Mutex<InFlightFetch>,
}

#[derive(Default)]
struct Fetched {
    certificates: Vec<Certificate>,
    at: Option<Instant>,
}

/// The fetch that is under way, for those who wait, and the last one. A fetch is a task of its own
/// on the background runtime: it neither ends with the call that began it nor stands still with
/// that call's runtime.
#[derive(Default)]
struct InFlightFetch {
    under_way: Option<watch::Receiver<bool>>,
    last: Option<Attempt>,
}

/// The last fetch.
struct Attempt {
    at: Instant,
    outcome: Outcome,
}

enum Outcome {
    /// It brought what was missing, or nothing was; a rotation may follow at once.
    Helped,
    /// The certificates came, and the serial that was missing is not among them.
    StillUnknown,
    Failed(String),
}

impl Attempt {
    fn pause(&self) -> Duration {
        match self.outcome {
            Outcome::Helped => Duration::ZERO,
            Outcome::StillUnknown => PAUSE,
            Outcome::Failed(_) => PAUSE_AFTER_FAILURE,
        }
    }
}

/// The id to send as `Wechatpay-Serial`, in public-key mode: the one public key where there is no
/// other key.
pub(crate) fn public_key_id(keys: &BTreeMap<String, PublicKey>) -> Option<&str> {
    let mut ids = keys.keys();
    match (ids.next(), ids.next()) {
        (Some(id), None) if id.starts_with(PUBLIC_KEY_ID) => Some(id),
        _ => None,
    }
}

fn missing(what_for: &str) -> Error {
    Error::config(format!("the setting apiv3_key is missing: {what_for}"))
}

/// An id as the service writes it: serial numbers in capitals.
pub(crate) fn normal_id(mut id: String) -> String {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        id.make_ascii_uppercase();
    }
    id
}

/// Whether an id fits the key under it. The error says what is wrong.
pub(crate) fn check_id(id: &str, key: &PublicKey) -> Result<(), String> {
    let is_public_key_id = id
        .strip_prefix(PUBLIC_KEY_ID)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    let is_serial = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match key.certificate_serial() {
        _ if !is_public_key_id && !is_serial => {
            Err("it is neither PUB_KEY_ID_... nor the serial number of a certificate in hexadecimal".to_owned())
        }
        Some(serial) if is_public_key_id => Err(format!(
            "a certificate stands under the id of a public key: give pub_key.pem, or the certificate under its serial number {serial}"
        )),
        Some(serial) if !serial.eq_ignore_ascii_case(id) => {
            Err(format!("the certificate there has the serial number {serial}"))
        }
        _ => Ok(()),
    }
}

impl PlatformKeys {
    pub(crate) fn new(settings: BTreeMap<String, PublicKey>, source: Option<CertificateSource>) -> Arc<Self> {
        Arc::new(PlatformKeys { settings, fetched: RwLock::default(), source, flight: Mutex::default() })
    }

    fn find(&self, serial: &str) -> Option<PublicKey> {
        if let Some(key) = self.settings.get(serial) {
            return Some(key.clone());
        }
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let found = fetched.certificates.iter().find(|certificate| certificate.serial() == serial)?;
        // One that expired while the process slept is as good as unknown, and will be asked for
        // anew.
        found.is_valid_at(SystemTime::now()).then(|| found.public_key().clone())
    }

    fn known(&self) -> String {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let serials = fetched.certificates.iter().map(Certificate::serial);
        let known: Vec<_> = self.settings.keys().map(String::as_str).chain(serials).collect();
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    }

    /// The key that verifies, fetched if need be.
    pub(crate) async fn key(self: &Arc<Self>, serial: &str) -> Result<PublicKey, BoxError> {
        if let Some(key) = self.find(serial) {
            self.refresh_in_background();
            return Ok(key);
        }
        let serial_shown = excerpt(serial);
        if self.source.is_none() {
            return Err(format!(
                "it was made with the platform key {serial_shown:?}, and the settings know {}: add that key, from the merchant \
                 platform, under API security",
                self.known()
            )
            .into());
        }
        let refreshed = self.refresh(|| self.find(serial).is_some()).await;
        match (self.find(serial), refreshed) {
            (Some(key), _) => Ok(key),
            (None, Err(said)) => Err(format!(
                "it was made with the platform key {serial_shown:?}, which is not known, and fetching the platform's certificates failed: {said}"
            )
            .into()),
            (None, Ok(())) => Err(format!(
                "it was made with the platform key {serial_shown:?}, which is neither in the settings nor among the platform's \
                 certificates; known are {}; they are asked for again after a minute",
                self.known()
            )
            .into()),
        }
    }

    /// The key and its id that sensitive fields are encrypted with: the public key where there is
    /// one, else the certificate that is valid longest.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) async fn encryption_key(self: &Arc<Self>) -> Result<(String, PublicKey), Error> {
        if let Some(found) = self.newest() {
            return Ok(found);
        }
        if self.source.is_some() {
            let done = || self.newest().is_some();
            self.refresh(done).await.map_err(|said| {
                Error::new(
                    ErrorKind::Verification,
                    format!("fetching the platform's certificates to encrypt with failed: {said}"),
                )
            })?;
        }
        self.newest()
            .ok_or_else(|| Error::config("there is no platform key to encrypt with: add one with platform_key (certs)"))
    }

    #[cfg(feature = "aws-lc-rs")]
    fn newest(&self) -> Option<(String, PublicKey)> {
        let own = |(id, key): (&String, &PublicKey)| (id.clone(), key.clone());
        if let Some(found) = self.settings.iter().find(|(id, _)| id.starts_with(PUBLIC_KEY_ID)).map(own) {
            return Some(found);
        }
        let now = SystemTime::now();
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let fetched = fetched.certificates.iter().map(|one| (one.serial().to_owned(), one.public_key().clone()));
        // A bare key under a serial number has no end that could be known, and is used where there
        // is nothing better.
        let valid = self
            .settings
            .iter()
            .map(own)
            .chain(fetched)
            .filter(|(_, key)| key.not_after().is_none_or(|end| end >= now));
        valid.max_by_key(|(_, key)| key.not_after())
    }

    pub(crate) fn apiv3_key(&self) -> Result<Apiv3Key, Error> {
        let source = self.source.as_ref().ok_or_else(|| missing("notifications come sealed with it"))?;
        Ok(source.key.clone())
    }

    /// Fetches the certificates now, and returns those that the platform has.
    pub(crate) async fn fetch_now(self: &Arc<Self>) -> Result<Vec<Certificate>, Error> {
        if self.source.is_none() {
            return Err(missing("the platform's certificates come sealed with it"));
        }
        let platform = Arc::clone(self);
        let fetching = runtime::spawn(async move { platform.fetch().await })?;
        fetching.await.map_err(|ended| {
            Error::new(ErrorKind::Transport, "fetching the certificates ended early").with_source(ended)
        })?
    }

    fn flight(&self) -> MutexGuard<'_, InFlightFetch> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a fetch, its own or another's, unless one was made a moment ago.
    async fn refresh(self: &Arc<Self>, done: impl Fn() -> bool) -> Result<(), String> {
        if self.join(&done).await? {
            // The fetch of another may have begun before the platform had the key that is missing
            // here.
            self.join(&done).await?;
        }
        Ok(())
    }

    /// Joins the fetch that is under way, or begins one; whether it was another's and did not help.
    async fn join(self: &Arc<Self>, done: &impl Fn() -> bool) -> Result<bool, String> {
        let (mut under_way, anothers) = {
            let mut flight = self.flight();
            if done() {
                return Ok(false);
            }
            match (&flight.under_way, &flight.last) {
                (Some(under_way), _) => (under_way.clone(), true),
                (None, Some(last)) if last.at.elapsed() < last.pause() => {
                    return match &last.outcome {
                        Outcome::Failed(said) => Err(said.clone()),
                        Outcome::Helped | Outcome::StillUnknown => Ok(false),
                    };
                }
                (None, _) => (self.begin(&mut flight).map_err(|error| error.to_string())?, false),
            }
        };
        // A little longer than a fetch can take; the sender is dropped only if the task panicked.
        let arrived =
            tokio::time::timeout(TIMEOUT + Duration::from_secs(5), under_way.wait_for(|arrived| *arrived)).await;
        if !matches!(arrived, Ok(Ok(_))) {
            self.flight().under_way = None;
            return Err("the fetch ended without a result".to_owned());
        }
        if done() {
            return Ok(false);
        }
        match &mut self.flight().last {
            Some(Attempt { outcome: Outcome::Failed(said), .. }) => return Err(said.clone()),
            Some(last) if !anothers => last.outcome = Outcome::StillUnknown,
            _ => {}
        }
        Ok(anothers)
    }

    /// Begins a fetch.
    fn begin(self: &Arc<Self>, flight: &mut InFlightFetch) -> Result<watch::Receiver<bool>, Error> {
        let (arrived, under_way) = watch::channel(false);
        let platform = Arc::clone(self);
        runtime::spawn(async move {
            let fetched = platform.fetch().await;
            drop(fetched);
            platform.flight().under_way = None;
            let _ = arrived.send(true);
        })?;
        flight.under_way = Some(under_way.clone());
        Ok(under_way)
    }

    async fn fetch(&self) -> Result<Vec<Certificate>, Error> {
        let Some(source) = &self.source else { return Ok(Vec::new()) };
        let fetched =
            tokio::time::timeout(TIMEOUT, source.fetch(|serial| self.find(serial))).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("the platform's certificates did not come within {TIMEOUT:?}"),
                ))
            });
        let fetched = fetched.map_err(|error| error.with_call(&Method::GET, CERTIFICATES));
        let outcome = fetched.as_ref().map_or_else(|error| Outcome::Failed(error.to_string()), |_| Outcome::Helped);
        self.flight().last = Some(Attempt { at: Instant::now(), outcome });
        let certificates = fetched?;
        let mut kept = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        // A certificate that is no longer offered may still have signed what is on its way.
        kept.certificates
            .retain(|old| old.is_valid_at(now) && !certificates.iter().any(|new| new.serial() == old.serial()));
        kept.certificates.extend(certificates.iter().cloned());
        kept.at = Some(Instant::now());
        Ok(certificates)
    }

    /// Begins a fetch when the last one is long ago. Nobody waits for it, and its failure changes
    /// nothing.
    fn refresh_in_background(self: &Arc<Self>) {
        let Some(source) = &self.source else { return };
        let due = {
            let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
            fetched.at.is_some_and(|at| at.elapsed() >= source.refresh_interval)
        };
        if !due {
            return;
        }
        let mut flight = self.flight();
        let rested =
            flight.last.as_ref().is_none_or(|last| last.at.elapsed() >= last.pause().min(source.refresh_interval));
        if flight.under_way.is_none() && rested {
            // Without a thread to fetch on there is no refresh, and the keys stay as they are.
            let _ = self.begin(&mut flight);
        }
    }
}

/// The default verifier.
pub(crate) struct PlatformKeyVerifier(pub(crate) Arc<PlatformKeys>);

impl Verifier for PlatformKeyVerifier {
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            if self.0.key(serial).await?.verify(message, signature) {
                return Ok(());
            }
            Err(format!(
                "it does not hold under the key {:?}: the message was changed on its way, or the key in the settings is not the one of that id",
                excerpt(serial)
            )
            .into())
        })
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;
    use crate::sandbox::keys;

    #[test]
    fn a_certificate_that_expired_is_as_good_as_unknown() {
        let certificate = |until| {
            let issued = keys::issue(900, until).expect("issued");
            Certificate::from_pem(&issued.pem).expect("certificate")
        };
        let now = SystemTime::now();
        let platform = PlatformKeys::new(BTreeMap::new(), None);
        for (certificate, found) in
            [(certificate(now - Duration::from_secs(60)), false), (certificate(now + Duration::from_secs(60)), true)]
        {
            let serial = certificate.serial().to_owned();
            platform.fetched.write().expect("lock").certificates = vec![certificate];
            assert_eq!(platform.find(&serial).is_some(), found);
            #[cfg(feature = "aws-lc-rs")]
            assert_eq!(platform.newest().is_some(), found);
            // The same from the settings: it verifies what the merchant says it verifies, and
            // encrypts only while it is valid.
            let key = platform.fetched.read().expect("lock").certificates[0].public_key().clone();
            let settings = PlatformKeys::new(BTreeMap::from([(serial.clone(), key)]), None);
            assert!(settings.find(&serial).is_some());
            #[cfg(feature = "aws-lc-rs")]
            assert_eq!(settings.newest().is_some(), found);
        }
    }
}
