//! The hints in errors of calls that were sent: each for its condition, not for neighbouring ones.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response as HttpResponse, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID, SERIAL, Sandbox};
use wechatpay_chain::{BoxError, BoxFuture, Client, ClientBuilder, PrivateKey, Signature, Signer};

use crate::support::{
    CARDS, by_certificate, client_at, each_hint_names_its_condition, options, raw_server, sandbox, tls_server,
};

/// The message of a call that fails.
fn failure(client: &Client) -> String {
    client.chain(CARDS).post(options()).expect_err("a failure").to_string()
}

fn build(builder: ClientBuilder) -> Client {
    builder.build().expect("client")
}

/// Another merchant's private key.
pub(super) fn other_key() -> PrivateKey {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("der");
    PrivateKey::from_der(der.as_ref()).expect("key")
}

fn certificate_downloads(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.target == "/v3/certificates").count()
}

fn set_serial(serial: &'static str) -> Fault {
    Fault::Tamper(Box::new(move |response| {
        response.headers_mut().insert("wechatpay-serial", serial.parse().expect("serial"));
    }))
}

fn change_body() -> Fault {
    Fault::Tamper(Box::new(|response| *response.body_mut() = Bytes::from_static(b"{}")))
}

#[test]
fn a_platform_key_that_is_not_known() {
    const UNKNOWN: &str = "PUB_KEY_ID_0119000001092024111100326200001234";
    const CERTIFICATE: &str = "7132D72A03E93CDDF8C03BBD1F37EEDF12345678";
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    let (with_apiv3_key, without) = (build(by_certificate(&sandbox)), build(sandbox.client_builder()));
    let with_fault = |client: &Client, fault: Fault| {
        sandbox.inject(fault);
        failure(client)
    };
    let add_public_key = "add it with ClientBuilder::platform_key (certs)";
    let mut rows = vec![(add_public_key, with_fault(&without, set_serial(UNKNOWN)))];
    // The list of certificates never contains a public key, so it is not downloaded.
    rows.push((add_public_key, with_fault(&with_apiv3_key, set_serial(UNKNOWN))));
    assert_eq!(certificate_downloads(&sandbox), 0);
    for (_, message) in &rows {
        assert!(message.contains(UNKNOWN) && message.contains("账户中心 > API安全 > 微信支付公钥"), "{message}");
    }
    rows.push(("set the apiv3_key, with which certificates", with_fault(&without, set_serial(CERTIFICATE))));
    rows.push(("in the settings does not belong to this ID", with_fault(&without, change_body())));
    let wrong_key = sandbox.client_builder().platform_key(PUBLIC_KEY_ID, other_key().public_key());
    rows.push(("in the settings does not belong to this ID", failure(&build(wrong_key))));
    let gateway = HttpResponse::builder().status(502).body(Bytes::from("<html>")).expect("response");
    sandbox.inject(Fault::Delay(Duration::ZERO));
    rows.push((
        "downloading the platform certificates failed",
        with_fault(&build(by_certificate(&sandbox)), Fault::Gateway(gateway)),
    ));
    rows.push((
        "neither in the settings nor among the platform certificates",
        with_fault(&with_apiv3_key, set_serial(CERTIFICATE)),
    ));
    rows.push(("which was downloaded: the message was changed", with_fault(&with_apiv3_key, change_body())));
    each_hint_names_its_condition(&rows);
    assert_eq!(certificate_downloads(&sandbox), 2);
    // The list of certificates itself may be signed with the public key.
    let downloaded = |serial| {
        sandbox.inject(set_serial(serial));
        with_apiv3_key.certificates().expect_err("unknown key").to_string()
    };
    each_hint_names_its_condition(&[
        (add_public_key, downloaded(UNKNOWN)),
        ("it is signed with a key that it does not contain", downloaded(CERTIFICATE)),
    ]);
    // A merchant in public-key mode has no certificates.
    let none = crate::support::sandbox();
    let client = build(by_certificate(&none));
    let download = || client.certificates().expect_err("no certificates").to_string();
    let gateway = HttpResponse::builder().status(404).body(Bytes::from("<html>")).expect("response");
    let encrypt = json!({ "json": { "name": "x" }, "encrypt": "name" });
    each_hint_names_its_condition(&[
        ("the merchant has no platform certificates, because", download()),
        ("the merchant has no platform certificates, because", {
            client.chain("v3/x").post(encrypt).expect_err("no key").to_string()
        }),
        ("the body contains no error message of WeChat Pay", {
            none.inject(Fault::Gateway(gateway));
            download()
        }),
    ]);
}

#[test]
fn a_response_without_a_signature() {
    let sandbox = sandbox();
    let client = build(sandbox.client_builder().secret(sandbox.secret()));
    let page = |status: StatusCode, body: &'static str| {
        let response = HttpResponse::builder().status(status).body(Bytes::from_static(body.as_bytes()));
        sandbox.inject(Fault::Gateway(response.expect("response")));
    };
    let message = |path: &str| client.chain(path).get(()).expect_err("a failure").to_string();
    let (xml, html) = ("<xml><return_code>SUCCESS</return_code></xml>", "<html>log in</html>");
    let v2 = |body| {
        page(StatusCode::OK, body);
        let fields = json!({ "xml": { "mch_id": "1900000109", "out_trade_no": "1" } });
        client.chain("v2/pay/orderquery").post(fields).expect_err("a failure").to_string()
    };
    let v3 = |path, status, body| {
        page(status, body);
        message(path)
    };
    let (no_version, is_xml) = ("the path has no segment \"v3\"", "the body is XML, as of APIv2, whose paths begin");
    each_hint_names_its_condition(&[
        (is_xml, v3("v3/pay/unifiedorder", StatusCode::OK, xml)),
        ("", v3("v3/pay/unifiedorder", StatusCode::OK, html)),
        ("", v3("hk/v3/statement", StatusCode::OK, html)),
        (no_version, v3("pay/unifiedorder", StatusCode::OK, xml)),
        (no_version, v3("pay/transactions/native", StatusCode::OK, html)),
        (no_version, v3("pay/transactions/native", StatusCode::NOT_FOUND, html)),
        ("", v3("v3/pay/transactions/native", StatusCode::NOT_FOUND, html)),
        ("", v3("pay/transactions/native", StatusCode::BAD_GATEWAY, html)),
        // The path of an APIv2 call has its prefix.
        ("it has no sign", v2(xml)),
        ("it is not the expected XML", v2(html)),
    ]);
    // The sandbox reads a path without a version as one of APIv2.
    let message = message("pay/transactions/id/{id}".replace("{id}", "1").as_str());
    assert!(message.contains(no_version), "{message}");
}

/// A signer with another key, or another serial number, than the merchant's.
struct OwnSigner(PrivateKey, &'static str);

impl Signer for OwnSigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move { Ok(Signature::new(self.1, self.0.sign(message)?)) })
    }
}

#[test]
fn a_rejected_signature_of_an_own_signer() {
    let sandbox = sandbox();
    let own = |key, serial| {
        let builder = Client::builder().mchid("1900000109").platform_key(PUBLIC_KEY_ID, sandbox.platform_key());
        build(builder.base_uri(sandbox.base_uri()).no_proxy().signer(OwnSigner(key, serial)))
    };
    let settings = |builder: ClientBuilder| failure(&build(builder));
    each_hint_names_its_condition(&[
        ("the signer signs other bytes, or with another key", failure(&own(other_key(), SERIAL))),
        ("private_key does not belong", settings(sandbox.client_builder().private_key(other_key()))),
        ("the serial number that the signer returned", failure(&own(sandbox.merchant_key(), "00AB"))),
        ("the setting serial is unknown", settings(sandbox.client_builder().serial("00AB"))),
        ("the setting mchid is unknown", {
            let unknown = json!({ "code": "SIGN_ERROR", "message": "x", "detail": { "field": "mchid" } });
            sandbox.inject(Fault::Tamper(Box::new(move |response| {
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                *response.body_mut() = unknown.to_string().into();
            })));
            settings(sandbox.client_builder())
        }),
    ]);
}

#[test]
fn a_connection_that_cannot_be_made() {
    let sandbox = sandbox();
    let params = || CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    let key = KeyPair::generate().expect("key");
    let leaf = params().self_signed(&key).expect("certificate");
    let mut params = params();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("certificate");
    let (leaf_server, authority_server) =
        (tls_server(leaf.der().clone(), &key), tls_server(authority.der().clone(), &key));
    let call = |builder: ClientBuilder, host: &str, port: u16| {
        failure(&build(builder.base_uri(format!("https://{host}:{port}/"))))
    };
    let trusting = |pem: &str| sandbox.client_builder().root_certificate(pem);
    let garbage = raw_server("garbage\r\n\r\n");
    let not_issued = "neither by a public authority nor by one of ClientBuilder::root_certificate";
    each_hint_names_its_condition(&[
        (not_issued, call(sandbox.client_builder(), "localhost", leaf_server.port())),
        // It issued another certificate than this one.
        (not_issued, call(trusting(sandbox.root_certificate()), "localhost", leaf_server.port())),
        ("the certificate of an authority (CA:TRUE)", {
            call(trusting(&authority.pem()), "localhost", authority_server.port())
        }),
        ("the certificate of an authority (CA:TRUE)", {
            call(sandbox.client_builder(), "localhost", authority_server.port())
        }),
        ("not valid for name", call(trusting(&leaf.pem()), "127.0.0.1", leaf_server.port())),
        ("Connection refused", call(sandbox.client_builder(), "127.0.0.1", crate::support::unused_address().port())),
        ("base_uri may have to begin with https", failure(&client_at(&sandbox, garbage))),
        ("", call(sandbox.client_builder(), "127.0.0.1", garbage.port())),
    ]);
}

#[test]
fn a_wrong_clock() {
    let sandbox = sandbox();
    let client = build(sandbox.client_builder());
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    let with_date = |date: SystemTime| {
        sandbox.inject(Fault::Tamper(Box::new(move |response| {
            let date = httpdate::fmt_http_date(date);
            response.headers_mut().insert("date", date.parse().expect("date"));
            *response.body_mut() = Bytes::from_static(b"{}");
        })));
        failure(&client)
    };
    each_hint_names_its_condition(&[
        ("ahead of WeChat Pay's: synchronize it with NTP", with_date(now - hour)),
        ("behind WeChat Pay's: synchronize it with NTP", with_date(now + hour)),
        ("", with_date(now)),
    ]);
}

/// Whether the request may have been processed.
#[test]
fn an_outcome_that_is_unknown() {
    let sandbox = sandbox();
    let client = build(sandbox.client_builder());
    let with_fault = |fault: Fault| {
        sandbox.inject(fault);
        failure(&client)
    };
    let status = |status: u16| {
        let response = HttpResponse::builder().status(status).body(Bytes::from_static(b"{}")).expect("response");
        with_fault(Fault::Gateway(response))
    };
    let raw = |response: &str| failure(&client_at(&sandbox, raw_server(response)));
    let stream = |response: &str| {
        let client = client_at(&sandbox, raw_server(response));
        let error = client.chain("v3/billdownload/file").get(json!({ "sink": "/tmp/never-written" }));
        error.expect_err("truncated").to_string()
    };
    each_hint_names_its_condition(&[
        (
            "broke before the response; the request may have arrived, so query before repeating it",
            with_fault(Fault::Hangup),
        ),
        (
            "the response broke off; the request has arrived, so query before repeating it",
            with_fault(Fault::CutBody(5)),
        ),
        (
            "so the outcome is unknown: query before repeating the call",
            raw("HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n"),
        ),
        ("the service responded with a redirect, which is not followed", status(302)),
        ("the body contains no error message of WeChat Pay", status(500)),
        ("so a truncated body would not be noticed", stream("HTTP/1.1 200 OK\r\n\r\nfile")),
        ("query before repeating it; the last one failed", {
            // The second attempt finds the server gone.
            let gone = crate::support::unused_address();
            let listener = std::net::TcpListener::bind(gone).expect("a port");
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("accepted");
                let _ = std::io::Read::read(&mut stream, &mut [0; 65536]);
            });
            let mut options = options();
            options["retry"] = json!({ "times": 1, "pause": 0.1 });
            let error = client_at(&sandbox, gone).chain(CARDS).post(options).expect_err("gone");
            server.join().expect("ended");
            error.to_string()
        }),
    ]);
}
