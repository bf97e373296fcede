//! The platform's keys and certificates: download, refresh, rotation, and their failures.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response as HttpResponse, StatusCode};
use serde_json::json;
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, ErrorKind};

use crate::support::{CARDS, by_certificate, options, run, sandbox};

fn start() -> (Sandbox, Client) {
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    let client = by_certificate(&sandbox).build().expect("client");
    (sandbox, client)
}

fn downloads(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.target == "/v3/certificates").count()
}

#[test]
fn the_first_response_causes_the_certificates_to_be_downloaded() {
    let (sandbox, client) = start();
    for _ in 0..3 {
        assert!(client.chain(CARDS).post(options()).expect("response").is_verified());
    }
    assert_eq!(downloads(&sandbox), 1);
    let fetched = client.certificates().expect("certificates");
    assert_eq!(fetched.len(), 1);
    assert!(
        fetched[0].serial().starts_with("7132D72A") && fetched[0].subject().contains("Tenpay.com sign"),
        "{fetched:?}"
    );
}

#[test]
fn a_thousand_concurrent_calls_share_one_download() {
    let (sandbox, client) = start();
    run(async {
        let calls: Vec<_> = (0..1000).map(|_| tokio::spawn(client.chain(CARDS).post_async(options()))).collect();
        for call in calls {
            assert!(call.await.expect("task").expect("response").is_verified());
        }
    });
    assert_eq!((downloads(&sandbox), sandbox.requests().len()), (1, 1001));
}

#[test]
fn a_rotation_during_ten_thousand_calls_fails_none_of_them() {
    let (sandbox, client) = start();
    run(async {
        let mut rotated = 0;
        for batch in 0..100 {
            let calls: Vec<_> = (0..100).map(|_| tokio::spawn(client.chain(CARDS).post_async(options()))).collect();
            if batch == 50 {
                // A hundred calls are under way.
                sandbox.rotate_certificate().expect("certificate");
                rotated += 1;
            }
            for call in calls {
                assert!(call.await.expect("task").expect("response").is_verified());
            }
        }
        assert_eq!(rotated, 1);
    });
    assert_eq!((sandbox.requests().len(), downloads(&sandbox)), (10_002, 2), "one at the start, one for the new key");
}

/// A response that names a platform certificate that was never issued.
fn unknown_certificate() -> Fault {
    Fault::Tamper(Box::new(|response| {
        let serial = "7132D72A03E93CDDF8C03BBD1F37EEDF12345678".parse().expect("serial");
        response.headers_mut().insert("wechatpay-serial", serial);
    }))
}

#[test]
fn an_unknown_serial_causes_one_download_a_minute() {
    let (sandbox, client) = start();
    client.chain(CARDS).post(options()).expect("response");
    for _ in 0..5 {
        sandbox.inject(unknown_certificate());
        let error = client.chain(CARDS).post(options()).expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::Verification);
        assert!(error.to_string().contains("neither in the settings nor among the platform certificates"), "{error}");
    }
    assert_eq!(downloads(&sandbox), 2, "one for the first call, one for the unknown serial");
    client.chain(CARDS).post(options()).expect("the known key still works");
}

#[test]
fn calls_recover_after_a_failed_download() {
    let (sandbox, _) = start();
    let gateway = || Fault::Gateway(HttpResponse::builder().status(502).body(Bytes::from("<html>")).expect("response"));
    // The faults are used by the first call and by the download of the certificates, in this order.
    let client = by_certificate(&sandbox).build().expect("client");
    sandbox.inject(Fault::Delay(Duration::ZERO));
    sandbox.inject(gateway());
    let error = client.chain(CARDS).post(options()).expect_err("no key yet");
    assert!(error.to_string().contains("downloading the platform certificates failed"), "{error}");
    assert!(error.to_string().contains("502"), "{error}");
    // The next call does not download again at once. `certificates` does, and then calls work.
    client.chain(CARDS).post(options()).expect_err("no key yet");
    assert_eq!(downloads(&sandbox), 1);
    client.certificates().expect("certificates");
    client.chain(CARDS).post(options()).expect("response");
    // A background refresh that fails leaves the keys as they are.
    let eager = by_certificate(&sandbox).refresh_certificates_every(Duration::ZERO).build().expect("client");
    eager.certificates().expect("certificates");
    let before = downloads(&sandbox);
    // Calls and downloads use the faults in any order, so each fault changes only certificates.
    for _ in 0..1000 {
        sandbox.inject(Fault::Tamper(Box::new(|response| {
            if String::from_utf8_lossy(response.body()).contains("encrypt_certificate") {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                *response.body_mut() = Bytes::from("<html>");
            }
        })));
    }
    let began = Instant::now();
    while downloads(&sandbox) < before + 3 && began.elapsed() < Duration::from_secs(60) {
        assert!(eager.chain(CARDS).post(options()).expect("response").is_verified());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(downloads(&sandbox) >= before + 3, "refreshed in the background");
    assert!(eager.certificates().expect_err("tampered").to_string().contains("502"), "each refresh failed");
    assert!(eager.chain(CARDS).post(options()).expect("response").is_verified());
}

#[test]
fn each_problem_with_the_certificates_has_its_own_message() {
    let (sandbox, _) = start();
    let other = by_certificate(&sandbox).apiv3_key("another key of thirty-two bytes!").build().expect("client");
    let error = other.certificates().expect_err("wrong APIv3 key");
    assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("APIv3 key"), "{error}");
    let error = other.chain(CARDS).post(options()).expect_err("wrong APIv3 key");
    assert!(error.kind() == ErrorKind::Verification && error.to_string().contains("APIv3 key"), "{error}");

    let client = by_certificate(&sandbox).build().expect("client");
    let change = |from: &'static str, to: &'static str| {
        Fault::Tamper(Box::new(move |response| {
            let body = String::from_utf8(response.body().to_vec()).expect("text").replace(from, to);
            *response.body_mut() = body.into();
        }))
    };
    for (fault, expected) in [
        (change("\"associated_data\":\"certificate\"", "\"associated_data\":\"certificatE\""), "cannot be decrypted"),
        (change("\"serial_no\":\"71", "\"serial_no\":\"72"), "has another serial number"),
        (change("\"data\"", "\"dato\""), "no platform certificates"),
        (change("{", "["), "not JSON"),
        (change("effective_time", "effective_tim"), "signature is invalid"),
        (unknown_certificate(), "a key that it does not contain"),
        (Fault::UnknownSerial, "which is not one of the platform keys: add it"),
        (Fault::Clock(-400), "behind this machine's clock"),
    ] {
        sandbox.inject(fault);
        let error = client.certificates().expect_err(expected);
        assert!(error.to_string().contains(expected), "{expected:?} not in {error}");
    }
    assert!(client.certificates().is_ok());
    // A merchant in public-key mode has no certificates.
    let none = crate::support::sandbox();
    let error = by_certificate(&none).build().expect("client").certificates().expect_err("none");
    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"));
    let error = none.client().expect("client").certificates().expect_err("no key");
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("apiv3_key is missing"), "{error}");
    let error = Client::factory(json!({ "apiv3_key": "short" })).expect_err("short");
    assert!(error.to_string().contains("apiv3_key: the APIv3 key has 5 bytes"), "{error}");
}

#[test]
fn a_client_with_a_public_key_can_use_certificates_too() {
    let sandbox = sandbox();
    // The merchant has switched to the public key, and some responses are still signed with a
    // certificate.
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    client.chain(CARDS).post(options()).expect("by the public key");
    sandbox.rotate_certificate().expect("certificate");
    client.chain(CARDS).post(options()).expect("by the public key, which the request names");
    assert_eq!(downloads(&sandbox), 0);
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let both = sandbox.client_builder().platform_key(certificate.serial(), &certificate).build().expect("client");
    both.chain(CARDS).post(options()).expect("by the certificate in the settings");
    let mut by_certificate = options();
    by_certificate["headers"] = json!({ "Wechatpay-Serial": certificate.serial() });
    client.chain(CARDS).post(by_certificate).expect("by a downloaded certificate");
    assert_eq!(downloads(&sandbox), 1);
}

#[test]
fn a_download_continues_when_its_caller_is_not_polled() {
    let (sandbox, client) = start();
    sandbox.inject(Fault::Delay(Duration::ZERO)); // for the call
    sandbox.inject(Fault::Delay(Duration::from_millis(300))); // for the download
    // A call that downloads the certificates and is not polled any more.
    let parked = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let mut begun = Box::pin(client.chain(CARDS).post_async(options()));
    parked.block_on(async {
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut begun).await.is_err());
    });
    // Synchronous calls, on this thread and within a runtime with one thread that waits for the
    // same download.
    assert!(client.chain(CARDS).post(options()).expect("not blocked").is_verified());
    let (other, request) = (
        by_certificate(&sandbox).build().expect("client"),
        sandbox.notification("A", "b", &json!({})).expect("created"),
    );
    let notifications = other.notifications().expect("key");
    sandbox.inject(Fault::Delay(Duration::from_millis(300)));
    parked.block_on(async {
        let waiting = tokio::spawn(notifications.verify_async(request.headers(), request.body()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second = sandbox.notification("A", "b", &json!({})).expect("created");
        notifications.verify(second.headers(), second.body()).expect("not blocked");
        waiting.await.expect("task").expect("not blocked");
    });
    assert!(parked.block_on(begun).expect("polled again").is_verified());
    assert_eq!(downloads(&sandbox), 2, "one for each client");
}

#[test]
fn a_cancelled_call_does_not_cancel_the_fetch() {
    let (sandbox, client) = start();
    sandbox.inject(Fault::Delay(Duration::ZERO));
    sandbox.inject(Fault::Delay(Duration::from_millis(600)));
    let call_with_timeout = |client: &Client| {
        let mut options = options();
        options["timeout"] = json!(0.2);
        client.chain(CARDS).post(options)
    };
    assert!(call_with_timeout(&client).expect_err("too slow").is_timeout());
    std::thread::sleep(Duration::from_millis(700));
    assert!(call_with_timeout(&client).expect("the key is there").is_verified());
    assert_eq!(downloads(&sandbox), 1);
}
