//! APIv2: bills, uploads, layers, proxies, and combinations that are refused.

use std::io::Read;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::json;
use wechatpay_chain::crypto::hash;
use wechatpay_chain::sandbox::{Fault, MCHID};
use wechatpay_chain::{ErrorKind, Media, Options};

use crate::support::{SharedBuffer, sandbox, start};
use crate::v2::calls::{order, over_tls, refund};

#[test]
fn bills_are_saved_and_their_errors_are_not() {
    let (sandbox, client) = start();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("bill.csv");
    let options =
        || json!({ "sink": path.to_str(), "xml": { "appid": "wx", "mch_id": MCHID, "bill_date": "20261101" } });
    let content = || std::fs::read(&path);

    // The service reports a missing bill in XML, with the status 200.
    for xml in [
        "<xml><return_code>FAIL</return_code><return_msg>No Bill Exist</return_msg></xml>",
        " \n<xml>\n<return_code><![CDATA[FAIL]]></return_code><return_msg>No Bill Exist</return_msg><error_code>20002</error_code></xml>",
    ] {
        sandbox.stub("POST", "v2/pay/downloadbill", 200, xml.into());
        let error = client.chain("v2/pay/downloadbill").post(options()).expect_err("no bill");
        assert_eq!(error.kind(), ErrorKind::Fail, "{error}");
        assert!(error.message().contains("No Bill Exist"), "{error}");
        assert!(content().is_err(), "no file");
        let mut without_errors = options();
        without_errors["http_errors"] = false.into();
        let response = client.chain("v2/pay/downloadbill").post(without_errors).expect("response");
        assert_eq!(response.xml().expect("xml")["return_code"], "FAIL");
        assert!(content().is_err(), "no file");
        let mut streamed = options();
        streamed.as_object_mut().expect("object").remove("sink");
        streamed["stream"] = true.into();
        assert_eq!(client.chain("v2/pay/downloadbill").post(streamed).expect_err("no bill").kind(), ErrorKind::Fail);
    }

    for page in ["<html>gateway</html>", "<xml><a>1</a></xml>"] {
        sandbox.stub("POST", "v2/pay/downloadbill", 200, page.into());
        let error = client.chain("v2/pay/downloadbill").post(options()).expect_err("no bill");
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert!(content().is_err(), "no file");
    }
    sandbox.stub("POST", "v2/pay/downloadbill", 200, "\u{feff}交易时间,公众账号ID\n`2026,`wx\n".into());
    client.chain("v2/pay/downloadbill").post(options()).expect("bill");
    assert_eq!(content().expect("file"), "\u{feff}交易时间,公众账号ID\n`2026,`wx\n".as_bytes());
    sandbox.file("v2/pay/downloadbill", 3_000_000);
    client.chain("v2/pay/downloadbill").post(options()).expect("bill");
    assert_eq!(content().expect("file").len(), 3_000_000);
    let mut streamed = options();
    streamed.as_object_mut().expect("object").remove("sink");
    streamed["stream"] = true.into();
    let mut whole = Vec::new();
    let bill = client.chain("v2/pay/downloadbill").post(streamed).expect("bill");
    bill.into_stream().read_to_end(&mut whole).expect("read");
    assert_eq!(whole, content().expect("file"));
    sandbox.inject(Fault::CutBody(10_000));
    let error = client.chain("v2/pay/downloadbill").post(options()).expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1, "only the old bill");
}

#[test]
fn uploads_are_signed() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v2/secapi/mch/uploadmedia", 200, json!({ "media_id": "m" }));
    let upload = |options: Options| {
        let response = client.chain("v2/secapi/mch/uploadmedia").post(options).expect("valid sign");
        assert_eq!(response.xml().expect("xml")["media_id"], "m");
        let request = sandbox.requests().pop().expect("a request");
        String::from_utf8(request.body.to_vec()).expect("text")
    };
    let field = |body: &str, name: &str| {
        let (_, rest) = body
            .split_once(&format!("form-data; name=\"{name}\"\r\n\r\n"))
            .unwrap_or_else(|| panic!("{name} in {body}"));
        rest.split_once("\r\n").expect("end").0.to_owned()
    };
    let body = upload(Media::from_bytes("id.png", "abc").into());
    let signed = format!("mch_id={MCHID}&media_hash={}&sign_type=HMAC-SHA256", hash::md5("abc"));
    let signed = {
        let mut parts: Vec<_> = signed.split('&').collect();
        parts.sort_unstable();
        parts.join("&")
    };
    assert_eq!(field(&body, "sign"), hash::sign(hash::HMAC_SHA256, &signed, &sandbox.secret()).expect("sign"));
    assert!(body.contains("name=\"media\"; filename=\"id.png\"") && body.contains("\r\nabc\r\n"), "{body}");

    // Parts given by the caller keep their order, and their sign is replaced.
    let parts = json!({ "multipart": [
        { "name": "mch_id", "contents": MCHID }, { "name": "sign", "contents": "old" }, { "name": "media_hash", "contents": "h" },
        { "name": "media", "contents": "abc", "filename": "id.png" },
    ]});
    let body = upload(parts.into());
    assert_eq!(
        field(&body, "sign"),
        hash::sign(hash::MD5, &format!("mch_id={MCHID}&media_hash=h"), &sandbox.secret()).expect("sign")
    );
    assert!(body.find("\"sign\"") < body.find("\"media_hash\""));
    let error = client
        .chain("v2/secapi/mch/uploadmedia")
        .post(Media::from_bytes("a", "b").meta(json!({ "mch_id": "1" })))
        .expect_err("guard");
    assert_eq!(error.kind(), ErrorKind::Options);
}

#[test]
fn the_sign_covers_what_a_layer_changed() {
    let sandbox = sandbox();
    let seen = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&seen);
    let client = sandbox
        .client_builder()
        .layer(tower::util::MapRequestLayer::new(move |request: http::Request<Bytes>| {
            *log.lock().expect("log") = String::from_utf8_lossy(request.body()).into_owned();
            let added =
                String::from_utf8_lossy(request.body()).replace("</xml>", "<attach>by the layer</attach></xml>");
            request.map(|_| added.into())
        }))
        .build()
        .expect("client");
    let mut options = order("layer");
    options["xml"]["nonce_str"] = "the caller's".into();
    client.chain("v2/pay/unifiedorder").post(options).expect("the sign covers the changed body");
    assert!(!seen.lock().expect("log").contains("sign>"), "not signed yet");
    let sent = sandbox.requests().pop().expect("request");
    let sent = String::from_utf8_lossy(&sent.body).into_owned();
    assert!(sent.contains("by the layer") && sent.contains("<nonce_str>the caller's</nonce_str>"), "{sent}");
}

#[test]
fn requests_and_responses_that_are_not_trusted_are_refused() {
    let sandbox = sandbox();
    let diverted = sandbox
        .client_builder()
        .layer(tower::util::MapRequestLayer::new(|mut request: http::Request<Bytes>| {
            *request.uri_mut() = "https://evil.example/pay/orderquery".parse().expect("uri");
            request
        }))
        .build()
        .expect("client");
    let query = json!({ "xml": { "appid": "wx", "mch_id": MCHID, "out_trade_no": "1" } });
    let error = diverted.chain("v2/pay/orderquery").post(&query).expect_err("another host");
    assert!(error.message().contains("must not receive"), "{error}");
    let client = sandbox.client().expect("client");
    // The base_uri of the call is used and not the client's.
    let mut own = query.clone();
    own["base_uri"] = sandbox.tls_base_uri().into();
    let error = client.chain("v2/pay/orderquery").post(own).expect_err("none");
    assert_eq!(error.code(), Some("ORDERNOTEXIST"), "{error}");
    let mut redirected = query.clone();
    redirected["allow_redirects"] = true.into();
    let error = client.chain("v2/pay/orderquery").post(redirected).expect_err("redirects");
    assert!(error.message().contains("allow_redirects"), "{error}");
    let sent = sandbox.requests().len();
    let mut encrypted = query.clone();
    encrypted["encrypt"] = "a".into();
    assert_eq!(client.chain("v2/pay/orderquery").post(encrypted).expect_err("encrypt").kind(), ErrorKind::Options);
    assert_eq!(sandbox.requests().len(), sent);
    // A response is a success, and needs a sign, even with a control character in its return_code.
    let odd = "<xml><return_code>SUCCESS&#8;</return_code><trade_state>SUCCESS</trade_state></xml>";
    sandbox.stub("POST", "v2/pay/orderquery", 200, odd.into());
    let mut without_errors = query.clone();
    without_errors["http_errors"] = false.into();
    assert_eq!(
        client.chain("v2/pay/orderquery").post(without_errors).expect_err("forged").kind(),
        ErrorKind::Verification
    );
    // A file on a path whose responses are signed is not written to the sink.
    sandbox.stub("POST", "v2/pay/orderquery", 200, "`no XML at all".into());
    let written = SharedBuffer::default();
    let options = Options::from(&query).sink(written.clone());
    assert_eq!(client.chain("v2/pay/orderquery").post(options).expect_err("unsigned").kind(), ErrorKind::Verification);
    assert!(written.bytes().is_empty());
    // XML can be read as a stream.
    sandbox.stub("POST", "v2/payitil/report", 200, json!({}));
    let mut streamed = query.clone();
    streamed["stream"] = true.into();
    let mut text = String::new();
    let report = client.chain("v2/payitil/report").post(streamed).expect("reported");
    report.into_stream().read_to_string(&mut text).expect("read");
    assert!(text.starts_with("<xml>"), "{text}");
}

/// A status other than 2xx does not make a forged signature harmless.
#[test]
fn a_rejection_with_an_invalid_sign_is_not_a_refusal() {
    let (sandbox, client) = start();
    let query = json!({ "xml": { "appid": "wx", "mch_id": MCHID, "out_trade_no": "1" } });
    let fields = "err_code=ORDERNOTEXIST&return_code=FAIL";
    let sign = hash::sign(hash::MD5, fields, &sandbox.secret()).expect("sign");
    let error = |path: &str, status: u16, sign: &str| {
        let body = format!("<xml><err_code>ORDERNOTEXIST</err_code><return_code>FAIL</return_code>{sign}</xml>");
        sandbox.inject(Fault::Gateway(
            http::Response::builder().status(status).body(Bytes::from(body)).expect("response"),
        ));
        client.chain(path).post(&query).expect_err("rejected")
    };
    let path = "v2/pay/orderquery";
    for status in [400, 404, 500] {
        // Signed, unsigned, and forged.
        let signed = error(path, status, &format!("<sign>{sign}</sign>"));
        assert_eq!(signed.code(), Some("ORDERNOTEXIST"), "{signed}");
        assert_eq!((signed.is_verified(), signed.is_refusal()), (true, status < 500), "{signed}");
        let unsigned = error(path, status, "");
        assert_eq!(unsigned.code(), Some("ORDERNOTEXIST"), "{unsigned}");
        assert!(!unsigned.is_verified() && !unsigned.is_refusal() && unsigned.to_string().contains("(unverified)"));
        for sign in [sign.to_lowercase(), sign.replace('A', "B").replace('0', "1"), String::new()] {
            let forged = error(path, status, &format!("<sign>{sign}</sign>"));
            assert_eq!((forged.kind(), forged.code()), (ErrorKind::Verification, None), "{forged}");
            assert!(!forged.is_verified() && !forged.is_refusal(), "{forged}");
        }
    }
    // On a path whose responses are unsigned, a sign proves nothing.
    let error = error("v2/mmpaymkttransfers/gethbinfo", 400, "<sign>x</sign>");
    assert!(error.code() == Some("ORDERNOTEXIST") && !error.is_verified(), "{error}");
}

#[test]
fn the_certificate_is_presented_through_a_proxy() {
    let sandbox = sandbox();
    let client = over_tls(&sandbox);
    client.chain("v2/pay/unifiedorder").post(order("proxied")).expect("placed");
    sandbox.pay("proxied").expect("paid");
    // A proxy that supports CONNECT.
    let proxy = crate::support::server(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("text");
        let to = head
            .strip_prefix("CONNECT ")
            .expect("a tunnel")
            .split(' ')
            .next()
            .expect("address")
            .parse()
            .expect("address");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        crate::support::relay(stream, to).await
    });
    let mut options = refund("proxied");
    options["proxy"] = format!("http://{proxy}").into();
    client.chain("v2/secapi/pay/refund").post(options).expect("the service got the certificate");
}
