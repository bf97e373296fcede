//! The order of the stack, and what may be replaced in it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use serde_json::json;
use tower::ServiceBuilder;
use tower::util::{MapRequestLayer, MapResponseLayer};
use wechatpay_chain::sandbox::{self, Fault, Sandbox};
use wechatpay_chain::{BoxError, BoxFuture, Client, ErrorKind, PrivateKey, PublicKey, Signature, Signer, Verifier};

use crate::support::{CARDS, options, sandbox};

type Log = Arc<Mutex<Vec<String>>>;

fn noted(log: &Log) -> Vec<String> {
    log.lock().expect("log").clone()
}

/// A layer that notes what it sees on the way in and out.
macro_rules! notes {
    ($log:expr, $name:literal) => {{
        let (going, coming) = (Arc::clone(&$log), Arc::clone(&$log));
        ServiceBuilder::new()
            .layer(MapRequestLayer::new(move |request: Request<Bytes>| {
                let signed = request.headers().contains_key("authorization");
                going.lock().expect("log").push(format!("{} request, signed: {signed}", $name));
                request
            }))
            .layer(MapResponseLayer::new(move |response: Response<Bytes>| {
                coming.lock().expect("log").push(format!("{} answer", $name));
                response
            }))
            .into_inner()
    }};
}

#[test]
fn layers_see_requests_before_signing_and_answers_after_verification() {
    let sandbox = sandbox();
    let log = Log::default();
    let client =
        sandbox.client_builder().layer(notes!(log, "outer")).layer(notes!(log, "inner")).build().expect("client");
    client.chain(CARDS).post(options()).expect("answer");
    assert_eq!(
        noted(&log),
        ["outer request, signed: false", "inner request, signed: false", "inner answer", "outer answer"]
    );
    // An answer that does not hold never reaches them.
    log.lock().expect("log").clear();
    sandbox.inject(Fault::UnknownSerial);
    client.chain(CARDS).post(options()).expect_err("unknown serial");
    assert_eq!(noted(&log), ["outer request, signed: false", "inner request, signed: false"]);
}

#[test]
fn what_a_layer_changes_is_what_is_signed() {
    let sandbox = sandbox();
    let change = MapRequestLayer::new(|mut request: Request<Bytes>| {
        *request.body_mut() = Bytes::from_static(br#"{"activate_type":"CHANGED"}"#);
        request.headers_mut().insert("x-added", HeaderValue::from_static("1"));
        request
    });
    let client = sandbox.client_builder().layer(change).build().expect("client");
    client.chain(CARDS).post(options()).expect("the signature covers the changed body");
    let request = &sandbox.requests()[0];
    assert_eq!(&request.body[..], br#"{"activate_type":"CHANGED"}"#);
    assert_eq!(request.headers["x-added"], "1");
}

#[test]
fn a_layer_cannot_carry_the_credential_elsewhere() {
    let sandbox = sandbox();
    let divert = MapRequestLayer::new(|mut request: Request<Bytes>| {
        *request.uri_mut() = "http://evil.example/v3/x".parse().expect("uri");
        *request.extensions_mut() = http::Extensions::new();
        request
    });
    let client = sandbox.client_builder().layer(divert).build().expect("client");
    let error = client.chain(CARDS).post(options()).expect_err("diverted");
    assert_eq!(error.kind(), ErrorKind::Path);
    assert!(error.to_string().contains("evil.example"), "{error}");
}

#[test]
fn an_error_of_a_layer_is_a_source() {
    use std::error::Error as _;
    #[derive(Clone)]
    struct Refuse;
    impl<S> tower::Layer<S> for Refuse {
        type Service =
            tower::util::ServiceFn<fn(Request<Bytes>) -> std::future::Ready<Result<Response<Bytes>, std::io::Error>>>;
        fn layer(&self, _: S) -> Self::Service {
            tower::service_fn(|_| std::future::ready(Err(std::io::Error::other("quota used up"))))
        }
    }
    let client = sandbox().client_builder().layer(Refuse).build().expect("client");
    let error = client.chain(CARDS).post(options()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Layer);
    assert_eq!(error.source().expect("source").to_string(), "quota used up");
    assert!(error.to_string().starts_with("POST v3/"), "{error}");
}

/// Signs on another thread and wakes the call, as a signing service over the network does.
struct Remote(PrivateKey);

impl Signer for Remote {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            let (key, message) = (self.0.clone(), message.to_vec());
            // Needs a timer, and with it a runtime that moves while the caller's thread is blocked.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let bytes = tokio::spawn(async move { key.sign(&message) }).await??;
            Ok(Signature::new(sandbox::SERIAL, bytes))
        })
    }
}

struct Lookup(PublicKey, Log);

impl Verifier for Lookup {
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            self.1.lock().expect("log").push(serial.to_owned());
            self.0.verify(message, signature).then_some(()).ok_or_else(|| "forged".into())
        })
    }
}

fn remote(sandbox: &Sandbox, log: &Log) -> Client {
    Client::builder()
        .mchid(sandbox::MCHID)
        .signer(Remote(sandbox.merchant_key()))
        .verifier(Lookup(sandbox.platform_key(), Arc::clone(log)))
        .base_uri(sandbox.base_uri())
        .no_proxy()
        .build()
        .expect("client")
}

#[tokio::test(flavor = "current_thread")]
async fn signer_and_verifier_of_the_callers_own() {
    let (sandbox, log) = (sandbox(), Log::default());
    let client = remote(&sandbox, &log);
    assert!(client.chain(CARDS).post(options()).expect("synchronous").is_verified());
    assert!(client.chain(CARDS).post_async(options()).await.expect("asynchronous").is_verified());
    assert_eq!(noted(&log), [sandbox::PUBLIC_KEY_ID, sandbox::PUBLIC_KEY_ID]);
    // The checks that need no key stay the client's own.
    sandbox.inject(Fault::Clock(-400));
    assert_eq!(client.chain(CARDS).post(options()).expect_err("old").kind(), ErrorKind::Verification);
    assert_eq!(noted(&log).len(), 2);
}

#[test]
fn a_verifier_of_the_callers_own_verifies_notifications_too() {
    let (sandbox, log) = (sandbox(), Log::default());
    let client = Client::builder()
        .mchid(sandbox::MCHID)
        .signer(Remote(sandbox.merchant_key()))
        .verifier(Lookup(sandbox.platform_key(), Arc::clone(&log)))
        .apiv3_key(sandbox.apiv3_key())
        .build()
        .expect("client");
    let request = sandbox.notification("A", "b", &json!({ "c": 1 })).expect("made");
    let verified = client.notifications().expect("key").verify(request.headers(), request.body()).expect("genuine");
    assert_eq!(verified.resource(), &json!({ "c": 1 }));
    assert_eq!(noted(&log), [sandbox::PUBLIC_KEY_ID]);
    // What one has seen, all of the client's have seen.
    let again = client.clone().notifications().expect("key").verify(request.headers(), request.body());
    assert_eq!(again.expect_err("seen").kind(), ErrorKind::Replay);
}

#[test]
fn a_signer_that_refuses() {
    struct Refuse;
    impl Signer for Refuse {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            Box::pin(async { Err("the vault is sealed".into()) })
        }
    }
    let sandbox = sandbox();
    let client = Client::builder().mchid("1900000109").signer(Refuse);
    let client = client.platform_key("PUB_KEY_ID_1", sandbox.platform_key()).base_uri(sandbox.base_uri()).build();
    let error = client.expect("client").chain(CARDS).post(options()).expect_err("sealed");
    assert_eq!(error.kind(), ErrorKind::Sign);
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    assert!(sandbox.requests().is_empty());
}

#[test]
fn in_public_key_mode_the_key_is_named_in_the_request() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    client.chain(CARDS).post(options()).expect("answer");
    let mut own = options();
    own["headers"] = json!({ "Wechatpay-Serial": "MINE" });
    client.chain(CARDS).post(own).expect("answer");
    let both =
        sandbox.client_builder().platform_key("5157F09EFDC096DE15EBE81A47057A7200000000", sandbox.platform_key());
    both.build().expect("client").chain(CARDS).post(options()).expect("answer");
    let serials: Vec<_> = sandbox.requests().iter().map(|r| r.headers.get("wechatpay-serial").cloned()).collect();
    assert_eq!(serials[0].as_ref().expect("default"), sandbox::PUBLIC_KEY_ID);
    assert_eq!(serials[1].as_ref().expect("the caller's wins"), "MINE");
    assert_eq!(serials[2], None, "with certificates besides, the service chooses");
}
