//! Tests of the platform keys with certificates of any validity period.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use serde_json::json;

use crate::clock;
use crate::crypto::{Apiv3Key, Certificate};
use crate::error::{Error, ErrorKind};
use crate::pipeline::certificate_fetch::CertificateSource;
use crate::pipeline::platform_keys::PlatformKeys;
use crate::pipeline::stack::BoxService;
use crate::proto::base_uri::BaseUri;
use crate::proto::signing_string;
use crate::sandbox::keys::{self, Issued};

const MINUTE: Duration = Duration::from_secs(60);

fn apiv3_key() -> Apiv3Key {
    Apiv3Key::new("0123456789abcdef0123456789abcdef").expect("key")
}

fn certificate(issued: &Issued) -> Certificate {
    Certificate::from_pem(&issued.pem).expect("certificate")
}

/// A response with these certificates, signed with the key of one.
fn response(listed: &[&Issued], signer: &Issued) -> http::Response<Bytes> {
    let rows = listed.iter().map(|issued| {
        let ciphertext = apiv3_key().encrypt(issued.pem.as_bytes(), "0123456789ab", "certificate").expect("encrypted");
        let encrypted = json!({ "ciphertext": ciphertext, "nonce": "0123456789ab", "associated_data": "certificate" });
        json!({ "serial_no": certificate(issued).serial(), "encrypt_certificate": encrypted })
    });
    let body = json!({ "data": rows.collect::<Vec<_>>() }).to_string();
    let timestamp = clock::now().to_string();
    let signature = signer.key().sign(&signing_string::response(&timestamp, "N", body.as_bytes())).expect("signed");
    http::Response::builder()
        .header("wechatpay-serial", certificate(signer).serial())
        .header("wechatpay-signature", BASE64_STANDARD.encode(signature))
        .header("wechatpay-timestamp", timestamp)
        .header("wechatpay-nonce", "N")
        .body(body.into())
        .expect("response")
}

/// Keys whose downloads have these responses, in this order.
fn platform_keys(responses: impl IntoIterator<Item = http::Response<Bytes>>) -> Arc<PlatformKeys> {
    let responses: Mutex<VecDeque<_>> = Mutex::new(responses.into_iter().collect());
    let responses = Arc::new(responses);
    let service = tower::service_fn(move |_| {
        let next = responses.lock().expect("responses").pop_front();
        std::future::ready(next.ok_or_else(|| Error::layer("no more downloads")))
    });
    let source = CertificateSource {
        service: BoxService::new(service),
        base_uri: BaseUri::official(),
        key: apiv3_key(),
        refresh_interval: MINUTE,
        shared: None,
    };
    PlatformKeys::new(BTreeMap::new(), Some(source), None)
}

fn fetch(keys: &Arc<PlatformKeys>) -> Result<Vec<Certificate>, Error> {
    crate::transport::runtime::block_on(keys.fetch_now())
}

#[test]
fn an_expired_certificate_does_not_vouch_for_a_download() {
    let expired = keys::issue(SystemTime::now() - MINUTE).expect("issued");
    let valid = keys::issue(SystemTime::now() + MINUTE).expect("issued");
    for (listed, signer, accepted) in [
        (vec![&expired], &expired, false),
        (vec![&valid, &expired], &expired, false),
        (vec![&valid, &expired], &valid, true),
        // Someone else's key.
        (vec![&expired], &valid, false),
    ] {
        let fetched = fetch(&platform_keys([response(&listed, signer)]));
        let kind = fetched.as_ref().err().map(Error::kind);
        assert_eq!(kind, (!accepted).then_some(ErrorKind::Verification), "{fetched:?}");
    }
    // A certificate that was downloaded before vouches for the next list, until it expires.
    let keys = platform_keys([response(&[&valid], &valid), response(&[&expired], &valid)]);
    fetch(&keys).expect("the first list");
    fetch(&keys).expect("signed with a known certificate");
}

#[test]
fn certificates_that_are_no_longer_listed_are_kept_until_they_expire() {
    let (first, second, expired) = (
        keys::issue(SystemTime::now() + MINUTE).expect("issued"),
        keys::issue(SystemTime::now() + MINUTE).expect("issued"),
        keys::issue(SystemTime::now() - MINUTE).expect("issued"),
    );
    let serial = |issued: &Issued| certificate(issued).serial().to_owned();
    let keys =
        platform_keys([response(&[&first], &first), response(&[&second], &second), response(&[&second], &second)]);
    let stored = || {
        let downloaded = keys.downloaded.read().expect("lock");
        downloaded.certificates.iter().map(|one| one.serial().to_owned()).collect::<Vec<_>>()
    };
    fetch(&keys).expect("the first list");
    keys.downloaded.write().expect("lock").certificates.push(certificate(&expired));
    fetch(&keys).expect("the second list");
    assert_eq!(stored(), [serial(&first), serial(&second)], "the expired one is dropped");
    assert!(keys.known_key(&serial(&first)).is_some(), "a response in transit");
    fetch(&keys).expect("the same list");
    assert_eq!(stored(), [serial(&first), serial(&second)], "each is stored once");
}

#[test]
fn an_expired_downloaded_certificate_is_unknown() {
    let certificate = |until| {
        let issued = keys::issue(until).expect("issued");
        Certificate::from_pem(&issued.pem).expect("certificate")
    };
    let now = SystemTime::now();
    let platform_keys = PlatformKeys::new(BTreeMap::new(), None, None);
    for (certificate, found) in
        [(certificate(now - Duration::from_secs(60)), false), (certificate(now + Duration::from_secs(60)), true)]
    {
        let serial = certificate.serial().to_owned();
        platform_keys.downloaded.write().expect("lock").certificates = vec![certificate];
        assert_eq!(platform_keys.known_key(&serial).is_some(), found);
        #[cfg(feature = "aws-lc-rs")]
        assert_eq!(platform_keys.known_encryption_key().is_some(), found);
        // In the settings, it verifies after its expiry too, and encrypts only while it is
        // valid.
        let key = platform_keys.downloaded.read().expect("lock").certificates[0].public_key().clone();
        let configured = PlatformKeys::new(BTreeMap::from([(serial.clone(), key)]), None, None);
        assert!(configured.known_key(&serial).is_some());
        #[cfg(feature = "aws-lc-rs")]
        assert_eq!(configured.known_encryption_key().is_some(), found);
    }
}
