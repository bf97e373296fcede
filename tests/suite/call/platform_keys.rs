//! The platform's certificates: fetched, refreshed, rotated; and how all of that can go wrong.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response as Answer, StatusCode};
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

fn fetches(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.target == "/v3/certificates").count()
}

#[test]
fn the_first_answer_brings_the_certificate_that_verifies_it() {
    let (sandbox, client) = start();
    for _ in 0..3 {
        assert!(client.chain(CARDS).post(options()).expect("answer").is_verified());
    }
    assert_eq!(fetches(&sandbox), 1);
    let fetched = client.certificates().expect("certificates");
    assert_eq!(fetched.len(), 1);
    assert!(
        fetched[0].serial().starts_with("7132D72A") && fetched[0].subject().contains("Tenpay.com sign"),
        "{fetched:?}"
    );
}

#[test]
fn a_thousand_calls_that_wait_cause_one_fetch() {
    let (sandbox, client) = start();
    run(async {
        let calls: Vec<_> = (0..1000).map(|_| tokio::spawn(client.chain(CARDS).post_async(options()))).collect();
        for call in calls {
            assert!(call.await.expect("task").expect("answer").is_verified());
        }
    });
    assert_eq!((fetches(&sandbox), sandbox.requests().len()), (1, 1001));
}

#[test]
fn a_rotation_in_the_middle_of_ten_thousand_calls_fails_none() {
    let (sandbox, client) = start();
    run(async {
        let mut rotated = 0;
        for batch in 0..100 {
            let calls: Vec<_> = (0..100).map(|_| tokio::spawn(client.chain(CARDS).post_async(options()))).collect();
            if batch == 50 {
                // While a hundred are on their way, and more are before and after.
                sandbox.rotate_certificate().expect("certificate");
                rotated += 1;
            }
            for call in calls {
                assert!(call.await.expect("task").expect("answer").is_verified());
            }
        }
        assert_eq!(rotated, 1);
    });
    assert_eq!((sandbox.requests().len(), fetches(&sandbox)), (10_002, 2), "one at the start, one for the new key");
}

#[test]
fn a_serial_that_nobody_knows_is_asked_for_once_a_minute() {
    let (sandbox, client) = start();
    client.chain(CARDS).post(options()).expect("answer");
    for _ in 0..5 {
        sandbox.inject(Fault::UnknownSerial);
        let error = client.chain(CARDS).post(options()).expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::Verification);
        assert!(error.to_string().contains("neither in the settings nor among the platform's certificates"), "{error}");
    }
    assert_eq!(fetches(&sandbox), 2, "one for the first call, one for the serial that nobody knows");
    client.chain(CARDS).post(options()).expect("the known key still works");
}

#[test]
fn a_fetch_that_fails_locks_nobody_out() {
    let (sandbox, _) = start();
    let gateway = || Fault::Gateway(Answer::builder().status(502).body(Bytes::from("<html>")).expect("answer"));
    // The first call's own answer, then the fetch.
    let client = by_certificate(&sandbox).build().expect("client");
    sandbox.inject(Fault::Delay(Duration::ZERO));
    sandbox.inject(gateway());
    let error = client.chain(CARDS).post(options()).expect_err("no key yet");
    assert!(error.to_string().contains("fetching the platform's certificates failed"), "{error}");
    assert!(error.to_string().contains("502"), "{error}");
    // Not asked again at once; asked by hand, it works, and then every call does.
    client.chain(CARDS).post(options()).expect_err("a moment ago");
    assert_eq!(fetches(&sandbox), 1);
    client.certificates().expect("certificates");
    client.chain(CARDS).post(options()).expect("answer");
    // A background refresh that fails leaves the keys as they are.
    let eager = by_certificate(&sandbox).refresh_certificates_every(Duration::ZERO).build().expect("client");
    eager.certificates().expect("certificates");
    let before = fetches(&sandbox);
    // Which of calls and fetches takes which fault is nobody's to say: each spoils certificates, and nothing else.
    for _ in 0..1000 {
        sandbox.inject(Fault::Tamper(Box::new(|answer| {
            if String::from_utf8_lossy(answer.body()).contains("encrypt_certificate") {
                *answer.status_mut() = StatusCode::BAD_GATEWAY;
                *answer.body_mut() = Bytes::from("<html>");
            }
        })));
    }
    let began = Instant::now();
    while fetches(&sandbox) < before + 3 && began.elapsed() < Duration::from_secs(60) {
        assert!(eager.chain(CARDS).post(options()).expect("answer").is_verified());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(fetches(&sandbox) >= before + 3, "it was refreshed in the background");
    assert!(eager.certificates().expect_err("spoiled").to_string().contains("502"), "and each of them failed");
    assert!(eager.chain(CARDS).post(options()).expect("answer").is_verified());
}

#[test]
fn what_is_wrong_with_the_certificates_is_said() {
    let (sandbox, _) = start();
    let other = by_certificate(&sandbox).apiv3_key("another key of thirty-two bytes!").build().expect("client");
    let error = other.certificates().expect_err("sealed");
    assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("APIv3 key"), "{error}");
    let error = other.chain(CARDS).post(options()).expect_err("sealed");
    assert!(error.kind() == ErrorKind::Verification && error.to_string().contains("APIv3 key"), "{error}");

    let client = by_certificate(&sandbox).build().expect("client");
    let change = |from: &'static str, to: &'static str| {
        Fault::Tamper(Box::new(move |answer| {
            let body = String::from_utf8(answer.body().to_vec()).expect("text").replace(from, to);
            *answer.body_mut() = body.into();
        }))
    };
    for (fault, words) in [
        (change("\"associated_data\":\"certificate\"", "\"associated_data\":\"certificatE\""), "cannot be decrypted"),
        (change("\"serial_no\":\"71", "\"serial_no\":\"72"), "under another serial number"),
        (change("\"data\"", "\"dato\""), "no platform certificates"),
        (change("{", "["), "no JSON"),
        (change("effective_time", "effective_tim"), "signature does not hold"),
        (Fault::UnknownSerial, "a key that it does not hold"),
        (Fault::Clock(-400), "behind this machine's clock"),
    ] {
        sandbox.inject(fault);
        let error = client.certificates().expect_err(words);
        assert!(error.to_string().contains(words), "{words:?} not in {error}");
    }
    assert!(client.certificates().is_ok());
    // A merchant in public-key mode has none.
    let none = crate::support::sandbox();
    let error = by_certificate(&none).build().expect("client").certificates().expect_err("none");
    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"));
    let error = none.client().expect("client").certificates().expect_err("no key");
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("apiv3_key is missing"), "{error}");
    let error = Client::factory(json!({ "apiv3_key": "short" })).expect_err("short");
    assert!(error.to_string().contains("apiv3_key: the APIv3 key has 5 bytes"), "{error}");
}

#[test]
fn public_key_and_certificates_side_by_side() {
    let sandbox = sandbox();
    // The merchant has switched to the public key, and some answers still come signed by a certificate.
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    client.chain(CARDS).post(options()).expect("by the public key");
    sandbox.rotate_certificate().expect("certificate");
    client.chain(CARDS).post(options()).expect("by the public key, which the request names");
    assert_eq!(fetches(&sandbox), 0);
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let both = sandbox.client_builder().platform_key(certificate.serial(), &certificate).build().expect("client");
    both.chain(CARDS).post(options()).expect("by the certificate in the settings");
    let mut by_certificate = options();
    by_certificate["headers"] = json!({ "Wechatpay-Serial": certificate.serial() });
    client.chain(CARDS).post(by_certificate).expect("by a certificate that is fetched");
    assert_eq!(fetches(&sandbox), 1);
}

#[test]
fn a_fetch_stands_still_with_nobodys_runtime() {
    let (sandbox, client) = start();
    sandbox.inject(Fault::Delay(Duration::ZERO)); // the call's own answer
    sandbox.inject(Fault::Delay(Duration::from_millis(300))); // the certificates
    // A call that is fetching, and that nobody polls any more.
    let parked = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let mut begun = Box::pin(client.chain(CARDS).post_async(options()));
    parked.block_on(async {
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut begun).await.is_err());
    });
    // Synchronous calls, on this thread and inside of a runtime of one thread that awaits the same.
    assert!(client.chain(CARDS).post(options()).expect("not held up").is_verified());
    let (other, request) =
        (by_certificate(&sandbox).build().expect("client"), sandbox.notification("A", "b", &json!({})).expect("made"));
    let notifications = other.notifications().expect("key");
    sandbox.inject(Fault::Delay(Duration::from_millis(300)));
    parked.block_on(async {
        let waiting = tokio::spawn(notifications.verify_async(request.headers(), request.body()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second = sandbox.notification("A", "b", &json!({})).expect("made");
        notifications.verify(second.headers(), second.body()).expect("not held up");
        waiting.await.expect("task").expect("not held up");
    });
    assert!(parked.block_on(begun).expect("polled again").is_verified());
    assert_eq!(fetches(&sandbox), 2, "one for each client");
}

#[test]
fn a_cancelled_call_does_not_cancel_the_fetch() {
    let (sandbox, client) = start();
    sandbox.inject(Fault::Delay(Duration::ZERO));
    sandbox.inject(Fault::Delay(Duration::from_millis(600)));
    let impatient = |client: &Client| {
        let mut options = options();
        options["timeout"] = json!(0.2);
        client.chain(CARDS).post(options)
    };
    assert!(impatient(&client).expect_err("too slow").is_timeout());
    std::thread::sleep(Duration::from_millis(700));
    assert!(impatient(&client).expect("the key has come meanwhile").is_verified());
    assert_eq!(fetches(&sandbox), 1);
}
