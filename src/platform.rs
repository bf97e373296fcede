//! The platform's keys: which one verifies an answer, where new ones come from, and which one encrypts.
//!
//! Keys that the settings name are used as they are. With an APIv3 key the platform's certificates are fetched besides: when an
//! answer names a serial number that is not known, and from time to time in the background. Whatever goes wrong with that, the
//! keys that are there stay.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::BoxFuture;
use crate::clock::now;
use crate::crypto::{Apiv3Key, Certificate, PublicKey};
use crate::error::{BoxError, Error, ErrorKind, excerpt};
use crate::exchange::Exchange;
use crate::layer::BoxService;
use crate::layer::verify::Verifier;
use crate::options::Options;
use crate::proto::target::Base;
use crate::proto::{request, verify};
use crate::response::Response;

/// Ids of public keys begin so; the other serials are those of platform certificates.
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";
/// The path of the certificates.
const CERTIFICATES: &str = "v3/certificates";
/// After a fetch that did not bring the serial it was made for, the next waits so long: a serial that nobody knows must not
/// become a request for each call.
const PAUSE: Duration = Duration::from_secs(60);
/// After a fetch that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// A fetch takes no longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often the certificates are fetched anew, where the settings do not say. The service changes them at least ten days
/// before they expire.
pub(crate) const REFRESH: Duration = Duration::from_secs(12 * 60 * 60);

/// The platform's keys, shared by all calls of a client.
pub(crate) struct Platform {
    /// By id or serial number, from the settings. They are not looked at for their age: they are what the merchant says.
    settings: BTreeMap<String, PublicKey>,
    fetched: RwLock<Fetched>,
    source: Option<Source>,
    /// Held by the one who fetches; the others wait and then look again.
    flight: tokio::sync::Mutex<Option<Attempt>>,
}

/// Where certificates come from.
pub(crate) struct Source {
    /// Signs and sends, and verifies nothing: the first answer is verified with the certificate in it.
    pub(crate) unverified: BoxService,
    pub(crate) base: Base,
    pub(crate) key: Apiv3Key,
    pub(crate) every: Duration,
}

#[derive(Default)]
struct Fetched {
    certificates: Vec<Certificate>,
    at: Option<Instant>,
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

/// The id to send as `Wechatpay-Serial`, in public-key mode: the one public key where there is no other key.
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

impl Platform {
    pub(crate) fn new(settings: BTreeMap<String, PublicKey>, source: Option<Source>) -> Arc<Self> {
        Arc::new(Platform { settings, fetched: RwLock::default(), source, flight: tokio::sync::Mutex::new(None) })
    }

    fn find(&self, serial: &str) -> Option<PublicKey> {
        if let Some(key) = self.settings.get(serial) {
            return Some(key.clone());
        }
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let found = fetched.certificates.iter().find(|certificate| certificate.serial() == serial)?;
        // One that expired while the process slept is as good as unknown, and will be asked for anew.
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

    /// The key and its id that sensitive fields are encrypted with: the public key where there is one, else the certificate
    /// that is valid longest.
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
        let valid = fetched.certificates.iter().filter(|certificate| certificate.is_valid_at(now));
        let newest = valid.max_by_key(|certificate| certificate.not_after());
        let newest = newest.map(|certificate| (certificate.serial().to_owned(), certificate.public_key().clone()));
        newest.or_else(|| self.settings.iter().next().map(own))
    }

    pub(crate) fn apiv3_key(&self) -> Result<Apiv3Key, Error> {
        let source = self.source.as_ref().ok_or_else(|| missing("notifications come sealed with it"))?;
        Ok(source.key.clone())
    }

    /// Fetches the certificates now, and returns those that the platform has.
    pub(crate) async fn fetch_now(self: &Arc<Self>) -> Result<Vec<Certificate>, Error> {
        let source = self.source.as_ref().ok_or_else(|| missing("the platform's certificates come sealed with it"))?;
        let mut flight = self.flight.lock().await;
        self.fetch(source, &mut flight).await
    }

    /// Fetches unless `done` says that somebody else has, or it was tried a moment ago.
    async fn refresh(self: &Arc<Self>, done: impl Fn() -> bool) -> Result<(), String> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut flight = self.flight.lock().await;
        if done() {
            return Ok(());
        }
        if let Some(last) = flight.as_ref().filter(|last| last.at.elapsed() < last.pause()) {
            return match &last.outcome {
                Outcome::Failed(said) => Err(said.clone()),
                Outcome::Helped | Outcome::StillUnknown => Ok(()),
            };
        }
        self.fetch(source, &mut flight).await.map_err(|error| error.to_string())?;
        if !done() {
            *flight = Some(Attempt { at: Instant::now(), outcome: Outcome::StillUnknown });
        }
        Ok(())
    }

    async fn fetch(&self, source: &Source, flight: &mut Option<Attempt>) -> Result<Vec<Certificate>, Error> {
        let fetched = tokio::time::timeout(TIMEOUT, source.fetch(self)).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, format!("the platform's certificates did not come within {TIMEOUT:?}")))
        });
        let fetched = fetched.map_err(|error| error.with_call(&Method::GET, CERTIFICATES));
        let outcome = fetched.as_ref().map_or_else(|error| Outcome::Failed(error.to_string()), |_| Outcome::Helped);
        *flight = Some(Attempt { at: Instant::now(), outcome });
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

    /// Fetches in a task of its own when the last fetch is long ago. Nobody waits for it, and its failure changes nothing.
    fn refresh_in_background(self: &Arc<Self>) {
        let Some(source) = &self.source else { return };
        let due = {
            let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
            fetched.at.is_some_and(|at| at.elapsed() >= source.every)
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !due || self.flight.try_lock().is_err() {
            return;
        }
        let platform = Arc::clone(self);
        runtime.spawn(async move {
            let Some(source) = &platform.source else { return };
            let Ok(mut flight) = platform.flight.try_lock() else { return };
            if flight.as_ref().is_none_or(|last| last.at.elapsed() >= last.pause().min(source.every)) {
                let _ = platform.fetch(source, &mut flight).await;
            }
        });
    }
}

impl Source {
    async fn fetch(&self, platform: &Platform) -> Result<Vec<Certificate>, Error> {
        let template = request::template(CERTIFICATES)?;
        let mut request = request::build(Method::GET, &template, &Options::new(), &self.base)?;
        request.extensions_mut().insert(Exchange::default());
        let answer = self.unverified.clone().oneshot(request).await?;
        if !answer.status().is_success() {
            return Err(Error::answer(Response::new(answer, false)));
        }
        let certificates = self.open(answer.body())?;
        self.verify(platform, &answer, &certificates)?;
        Ok(certificates)
    }

    /// The certificates in an answer, out of the seal that only the APIv3 key opens.
    fn open(&self, body: &Bytes) -> Result<Vec<Certificate>, Error> {
        let wrong = |said: String| Error::new(ErrorKind::Decode, said);
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the answer with the platform's certificates is no JSON: {error}")))?;
        let rows = json.get("data").and_then(Value::as_array).filter(|rows| !rows.is_empty());
        let rows = rows.ok_or_else(|| wrong("the answer has no platform certificates".to_owned()))?;
        let mut certificates = Vec::with_capacity(rows.len());
        for row in rows {
            let sealed = &row["encrypt_certificate"];
            let field = |name: &str| {
                let text = sealed.get(name).and_then(Value::as_str);
                text.ok_or_else(|| wrong(format!("a platform certificate comes without {name}")))
            };
            let pem = self.key.decrypt(
                field("ciphertext")?,
                field("nonce")?,
                sealed.get("associated_data").and_then(Value::as_str).unwrap_or_default(),
            )?;
            let pem = String::from_utf8(pem).map_err(|_| wrong("a platform certificate is no text".to_owned()))?;
            let certificate = Certificate::from_pem(&pem)?;
            if row["serial_no"].as_str().is_none_or(|serial| !serial.eq_ignore_ascii_case(certificate.serial())) {
                return Err(wrong(format!(
                    "the platform certificate {} comes under another serial number",
                    certificate.serial()
                )));
            }
            certificates.push(certificate);
        }
        Ok(certificates)
    }

    /// The answer is signed by a key that is known, or by one of the certificates in it.
    fn verify(&self, platform: &Platform, answer: &http::Response<Bytes>, new: &[Certificate]) -> Result<(), Error> {
        let untrusted = |said: String| {
            let said = format!("the answer with the platform's certificates is not to be trusted: {said}");
            Error::new(ErrorKind::Verification, said)
        };
        let signed = verify::read(answer.headers(), answer.body(), now()).map_err(untrusted)?;
        let found = new.iter().find(|certificate| certificate.serial() == signed.serial);
        let key = found.map(|certificate| certificate.public_key().clone()).or_else(|| platform.find(signed.serial));
        let key = key.ok_or_else(|| untrusted("it is signed by a key that it does not hold".to_owned()))?;
        if key.verify(&signed.message, &signed.signature) {
            return Ok(());
        }
        Err(untrusted("its signature does not hold".to_owned()))
    }
}

/// The default verifier.
pub(crate) struct PlatformVerifier(pub(crate) Arc<Platform>);

impl Verifier for PlatformVerifier {
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
        let platform = Platform::new(BTreeMap::new(), None);
        for (certificate, found) in
            [(certificate(now - Duration::from_secs(60)), false), (certificate(now + Duration::from_secs(60)), true)]
        {
            let serial = certificate.serial().to_owned();
            platform.fetched.write().expect("lock").certificates = vec![certificate];
            assert_eq!(platform.find(&serial).is_some(), found);
            #[cfg(feature = "aws-lc-rs")]
            assert_eq!(platform.newest().is_some(), found);
        }
    }
}
