//! The order of the layers, and the caller's own layers, signers and verifiers.

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

fn entries(log: &Log) -> Vec<String> {
    log.lock().expect("log").clone()
}

/// A layer that logs requests and responses.
macro_rules! logging_layer {
    ($log:expr, $name:literal) => {{
        let (requests, responses) = (Arc::clone(&$log), Arc::clone(&$log));
        ServiceBuilder::new()
            .layer(MapRequestLayer::new(move |request: Request<Bytes>| {
                let signed = request.headers().contains_key("authorization");
                requests.lock().expect("log").push(format!("{} request, signed: {signed}", $name));
                request
            }))
            .layer(MapResponseLayer::new(move |response: Response<Bytes>| {
                responses.lock().expect("log").push(format!("{} response", $name));
                response
            }))
            .into_inner()
    }};
}

#[test]
fn layers_see_requests_before_signing_and_responses_after_verification() {
    let sandbox = sandbox();
    let log = Log::default();
    let client = sandbox
        .client_builder()
        .layer(logging_layer!(log, "outer"))
        .layer(logging_layer!(log, "inner"))
        .build()
        .expect("client");
    client.chain(CARDS).post(options()).expect("response");
    assert_eq!(
        entries(&log),
        ["outer request, signed: false", "inner request, signed: false", "inner response", "outer response"]
    );
    // A response with an invalid signature does not reach them.
    log.lock().expect("log").clear();
    sandbox.inject(Fault::UnknownSerial);
    client.chain(CARDS).post(options()).expect_err("unknown serial");
    assert_eq!(entries(&log), ["outer request, signed: false", "inner request, signed: false"]);
}

#[test]
fn the_request_is_signed_as_the_layers_changed_it() {
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
fn a_layer_cannot_send_the_signature_to_another_host() {
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
fn an_error_of_a_layer_is_the_source_of_the_error() {
    use std::error::Error as _;
    #[derive(Clone)]
    struct Failing;
    impl<S> tower::Layer<S> for Failing {
        type Service =
            tower::util::ServiceFn<fn(Request<Bytes>) -> std::future::Ready<Result<Response<Bytes>, std::io::Error>>>;
        fn layer(&self, _: S) -> Self::Service {
            tower::service_fn(|_| std::future::ready(Err(std::io::Error::other("quota used up"))))
        }
    }
    let client = sandbox().client_builder().layer(Failing).build().expect("client");
    let error = client.chain(CARDS).post(options()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Layer);
    assert_eq!(error.source().expect("source").to_string(), "quota used up");
    assert!(error.to_string().starts_with("POST v3/"), "{error}");
}

/// Signs in another task after a pause, as a client of a signing service does.
struct RemoteSigner(PrivateKey);

impl Signer for RemoteSigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            let (key, message) = (self.0.clone(), message.to_vec());
            // The timer needs a runtime that runs while the thread of the caller is blocked.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let bytes = tokio::spawn(async move { key.sign(&message) }).await??;
            Ok(Signature::new(sandbox::SERIAL, bytes))
        })
    }
}

/// Logs the serial of each response that it verifies.
struct LoggingVerifier(PublicKey, Log);

impl Verifier for LoggingVerifier {
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

fn client_with_own_signer_and_verifier(sandbox: &Sandbox, log: &Log) -> Client {
    Client::builder()
        .mchid(sandbox::MCHID)
        .signer(RemoteSigner(sandbox.merchant_key()))
        .verifier(LoggingVerifier(sandbox.platform_key(), Arc::clone(log)))
        .base_uri(sandbox.base_uri())
        .no_proxy()
        .build()
        .expect("client")
}

#[tokio::test(flavor = "current_thread")]
async fn a_custom_signer_and_verifier_are_used() {
    let (sandbox, log) = (sandbox(), Log::default());
    let client = client_with_own_signer_and_verifier(&sandbox, &log);
    assert!(client.chain(CARDS).post(options()).expect("synchronous").is_verified());
    assert!(client.chain(CARDS).post_async(options()).await.expect("asynchronous").is_verified());
    assert_eq!(entries(&log), [sandbox::PUBLIC_KEY_ID, sandbox::PUBLIC_KEY_ID]);
    // The client itself checks what needs no key.
    sandbox.inject(Fault::Clock(-400));
    assert_eq!(client.chain(CARDS).post(options()).expect_err("old").kind(), ErrorKind::Verification);
    assert_eq!(entries(&log).len(), 2);
}

#[test]
fn a_custom_verifier_verifies_notifications() {
    let (sandbox, log) = (sandbox(), Log::default());
    let client = Client::builder()
        .mchid(sandbox::MCHID)
        .signer(RemoteSigner(sandbox.merchant_key()))
        .verifier(LoggingVerifier(sandbox.platform_key(), Arc::clone(&log)))
        .apiv3_key(sandbox.apiv3_key())
        .build()
        .expect("client");
    let request = sandbox.notification("A", "b", &json!({ "c": 1 })).expect("created");
    let verified = client.notifications().expect("key").verify(request.headers(), request.body()).expect("valid");
    assert_eq!(verified.resource(), &json!({ "c": 1 }));
    assert_eq!(entries(&log), [sandbox::PUBLIC_KEY_ID]);
    // All verifiers of a client share the record of IDs they have seen.
    let again = client.clone().notifications().expect("key").verify(request.headers(), request.body());
    assert_eq!(again.expect_err("seen").kind(), ErrorKind::Replay);
}

#[test]
fn an_error_of_the_signer_is_reported_and_nothing_is_sent() {
    struct Failing;
    impl Signer for Failing {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            Box::pin(async { Err("the vault is sealed".into()) })
        }
    }
    let sandbox = sandbox();
    let client = Client::builder().mchid("1900000109").signer(Failing);
    let client = client.platform_key("PUB_KEY_ID_1", sandbox.platform_key()).base_uri(sandbox.base_uri()).build();
    let error = client.expect("client").chain(CARDS).post(options()).expect_err("signer error");
    assert_eq!(error.kind(), ErrorKind::Sign);
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    assert!(sandbox.requests().is_empty());
}

#[test]
fn in_public_key_mode_the_request_names_the_key() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    client.chain(CARDS).post(options()).expect("response");
    let mut own = options();
    own["headers"] = json!({ "Wechatpay-Serial": "MINE" });
    let error = client.chain(CARDS).post(own).expect_err("the sandbox has no such key");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let both =
        sandbox.client_builder().platform_key("5157F09EFDC096DE15EBE81A47057A7200000000", sandbox.platform_key());
    both.build().expect("client").chain(CARDS).post(options()).expect("response");
    let serials: Vec<_> = sandbox.requests().iter().map(|r| r.headers.get("wechatpay-serial").cloned()).collect();
    assert_eq!(serials[0].as_ref().expect("default"), sandbox::PUBLIC_KEY_ID);
    assert_eq!(serials[1].as_ref().expect("the caller's header"), "MINE");
    assert_eq!(serials[2], None, "with certificates, too, the service chooses");
}
