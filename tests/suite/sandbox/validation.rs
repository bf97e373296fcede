//! The sandbox checks signatures as strictly as the service, and explains invalid ones.

use std::io::Write;

use crate::support::{each_hint_names_its_condition, sandbox};

#[test]
fn invalid_and_repeated_authorization_headers_are_refused() {
    let sandbox = sandbox();
    // Without the client, since it would not send these headers.
    let send = |authorization: &[String]| {
        let mut request =
            "GET /v3/x HTTP/1.1\r\nhost: x\r\naccept: */*\r\nuser-agent: b\r\nconnection: close\r\n".to_owned();
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
            "POST {target} HTTP/1.1\r\nhost: x\r\naccept: */*\r\nuser-agent: b\r\nconnection: close\r\n\
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
    type Message<'a> = &'a dyn Fn(i64, &str) -> String;
    let mistakes: [(&str, Message<'_>); 14] = [
        ("the body was left out", &|t, n| format!("POST\n{target}\n{t}\n{n}\n\n")),
        ("the query was left out", &|t, n| format!("POST\n/v3/pay/transactions/native\n{t}\n{n}\n{body}\n")),
        ("without its question mark", &|t, n| format!("POST\n{}\n{t}\n{n}\n{body}\n", target.replace('?', ""))),
        ("the line feed at the end is missing", &|t, n| format!("POST\n{target}\n{t}\n{n}\n{body}")),
        ("the method was signed in lower case", &|t, n| format!("post\n{target}\n{t}\n{n}\n{body}\n")),
        ("another method was signed", &|t, n| format!("GET\n{target}\n{t}\n{n}\n{body}\n")),
        ("before it was percent-encoded", &|t, n| {
            format!("POST\n/v3/pay/transactions/native?q=中\n{t}\n{n}\n{body}\n")
        }),
        ("the URL of the real service was signed", &|t, n| {
            format!("POST\nhttps://api.mch.weixin.qq.com{target}\n{t}\n{n}\n{body}\n")
        }),
        ("the whole URL was signed instead of path and query", &|t, n| {
            format!("POST\n{}{target}\n{t}\n{n}\n{body}\n", sandbox.base_uri().trim_end_matches('/'))
        }),
        ("the leading slash of the path is missing", &|t, n| {
            format!("POST\n{}\n{t}\n{n}\n{body}\n", target.trim_start_matches('/'))
        }),
        ("the timestamp was signed in milliseconds", &|t, n| format!("POST\n{target}\n{t}000\n{n}\n{body}\n")),
        ("with escaped slashes and non-ASCII characters", &|t, n| {
            format!("POST\n{target}\n{t}\n{n}\n{{\"b\":\"\\u4e2d\\/\",\"a\":1}}\n")
        }),
        ("the keys of the body were sorted", &|t, n| format!("POST\n{target}\n{t}\n{n}\n{{\"a\":1,\"b\":\"中/\"}}\n")),
        // Three mistakes at once.
        ("no usual mistake explains the signature", &|t, n| format!("get\n{target}\n{t}000\n{n}\n")),
    ];
    let rows = mistakes.map(|(mistake, message)| (mistake, send(message)));
    assert!(rows[0].1.contains("first difference in line 5, column 1"), "{}", rows[0].1);
    assert!(rows[1].1.contains("line 2"), "{}", rows[1].1);
    each_hint_names_its_condition(&rows);
    let calls = sandbox.overview()["calls"].clone();
    assert!(calls.as_array().expect("calls").iter().all(|call| call["valid"] == false));
}
