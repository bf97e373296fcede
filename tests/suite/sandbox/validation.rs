//! The sandbox checks signatures as strictly as the service, and explains invalid ones.

use std::io::Write;

use crate::support::sandbox;

#[test]
fn invalid_and_repeated_authorization_headers_are_refused() {
    let sandbox = sandbox();
    // Without the client, since it would not send these headers.
    let send = |authorization: &[String]| {
        let mut request =
            "GET /v3/x HTTP/1.1\r\nhost: x\r\naccept: a\r\nuser-agent: b\r\nconnection: close\r\n".to_owned();
        authorization.iter().for_each(|value| request += &format!("authorization: {value}\r\n"));
        let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
        stream.write_all(format!("{request}\r\n").as_bytes()).expect("sent");
        let mut response = String::new();
        std::io::Read::read_to_string(&mut stream, &mut response).expect("response");
        response
    };
    let header = |mchid: &str, serial: &str, age: i64| {
        let timestamp = wechatpay_chain::formatter::timestamp() - age;
        let nonce = wechatpay_chain::formatter::nonce().expect("nonce");
        let message = wechatpay_chain::formatter::request("GET", "/v3/x", timestamp, &nonce, b"");
        let signature = sandbox.merchant_key().sign(&message).expect("signature");
        let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
        wechatpay_chain::formatter::authorization(mchid, &nonce, &signature, timestamp, serial)
    };
    let (mchid, serial) = (wechatpay_chain::sandbox::MCHID, wechatpay_chain::sandbox::SERIAL);
    // The same request twice, as in a replay attack.
    let once = header(mchid, serial, 0);
    assert!(send(std::slice::from_ref(&once)).contains("RESOURCE_NOT_EXISTS"));
    let again = send(&[once]);
    assert!(again.contains("401") && again.contains("nonce_str"), "{again}");
    for (values, expected) in [
        (vec![header(mchid, serial, 0)], "RESOURCE_NOT_EXISTS"),
        (vec![header(mchid, serial, 299)], "RESOURCE_NOT_EXISTS"),
        (vec![header(mchid, serial, 302)], "timestamp"),
        (vec![header(mchid, serial, -302)], "timestamp"),
        (vec![header(mchid, "00", 0)], "serial_no"),
        (vec![header("1", serial, 0)], "MCH_NOT_EXISTS"),
        (vec![header(mchid, serial, 0), header(mchid, serial, 0)], "appears twice"),
        (vec![], "is missing"),
        (vec!["Basic eA==".to_owned()], "scheme"),
        (vec![header(mchid, serial, 0).replace("signature=\"", "signature=\"A")], "sign not match"),
    ] {
        let response = send(&values);
        assert!(response.contains(expected), "{expected:?} not in {response}");
    }
}

/// Common mistakes in the signed message.
#[test]
fn the_mistake_in_an_invalid_signature_is_named() {
    let sandbox = sandbox();
    let body = r#"{"b":"中/","a":1}"#;
    let target = "/v3/pay/transactions/native?q=%E4%B8%AD";
    let send = |message: &dyn Fn(i64, &str) -> String| {
        let (timestamp, nonce) =
            (wechatpay_chain::formatter::timestamp(), wechatpay_chain::formatter::nonce().expect("nonce"));
        let signature = sandbox.merchant_key().sign(message(timestamp, &nonce).as_bytes()).expect("signature");
        let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
        let (mchid, serial) = (wechatpay_chain::sandbox::MCHID, wechatpay_chain::sandbox::SERIAL);
        let header = wechatpay_chain::formatter::authorization(mchid, &nonce, &signature, timestamp, serial);
        let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\naccept: a\r\nuser-agent: b\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nauthorization: {header}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut response = String::new();
        std::io::Read::read_to_string(&mut stream, &mut response).expect("response");
        let json: serde_json::Value =
            serde_json::from_str(response.split_once("\r\n\r\n").expect("head").1).expect("JSON");
        assert_eq!(json["code"], "SIGN_ERROR", "{json}");
        assert_eq!(json["detail"]["sign_information"]["url"], target, "{json}");
        json["detail"]["sandbox"]["reason"].as_str().expect("reason").to_owned()
    };
    let message = send(&|t, n| format!("POST\n{target}\n{t}\n{n}\n"));
    assert!(
        message.contains("the body was left out") && message.contains("first difference in line 5, column 1"),
        "{message}"
    );
    let message = send(&|t, n| format!("POST\n/v3/pay/transactions/native\n{t}\n{n}\n{body}\n"));
    assert!(message.contains("the query was left out") && message.contains("line 2"), "{message}");
    for (message, expected) in [
        (
            &(|t: i64, n: &str| format!("POST\n{target}\n{t}\n{n}\n{body}")) as &dyn Fn(i64, &str) -> String,
            "line feed at the end",
        ),
        (&|t, n| format!("post\n{target}\n{t}\n{n}\n{body}\n"), "lower case"),
        (
            &|t, n| format!("POST\n/v3/pay/transactions/native?q=中\n{t}\n{n}\n{body}\n"),
            "before it was percent-encoded",
        ),
        (&|t, n| format!("POST\nhttps://api.mch.weixin.qq.com{target}\n{t}\n{n}\n{body}\n"), "the real service"),
        (&|t, n| format!("POST\n{target}\n{t}000\n{n}\n{body}\n"), "milliseconds"),
        (&|t, n| format!("POST\n{target}\n{t}\n{n}\n{{\"b\":\"\\u4e2d\\/\",\"a\":1}}\n"), "escaped"),
        (&|t, n| format!("POST\n{target}\n{t}\n{n}\n{{\"a\":1,\"b\":\"中/\"}}\n"), "sorted"),
        (&|t, n| format!("get\n{target}\n{t}000\n{n}\n"), "no usual mistake"),
    ] {
        let message = send(message);
        assert!(message.contains(expected), "{expected:?} not in {message:?}");
    }
    let calls = sandbox.overview()["calls"].clone();
    assert!(calls.as_array().expect("calls").iter().all(|call| call["valid"] == false));
}
