//! `wxpay sign` and `wxpay verify`.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID, SERIAL, Sandbox};

use super::{Settings, text};
use crate::support::{each_hint_names_its_condition, sandbox};

/// Runs a command; returns the exit code, standard output and standard error.
fn run(settings: &Settings, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = settings.run(arguments, input);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the clock");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// A captured request whose signature covers `signed`.
fn request(sandbox: &Sandbox, line: &str, time: i64, signed: &str, body: &str) -> String {
    let signature = BASE64_STANDARD.encode(sandbox.merchant_key().sign(signed.as_bytes()).expect("signed"));
    format!(
        "{line} HTTP/1.1\r\nHost: api.mch.weixin.qq.com\r\nAuthorization: WECHATPAY2-SHA256-RSA2048 \
         mchid=\"1900000109\",serial_no=\"{SERIAL}\",timestamp=\"{time}\",nonce_str=\"N\",signature=\"{signature}\"\r\n\r\n{body}"
    )
}

/// Replaces the third character of the signature that follows `before`.
fn flip_signature(text: &str, before: &str) -> String {
    let at = text.find(before).expect("a signature") + before.len() + 2;
    let other = if text[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// The signature in an `Authorization`.
fn signature_of(request: &str) -> String {
    let (_, rest) = request.split_once("signature=\"").expect("a signature");
    rest.split('"').next().expect("quoted").to_owned()
}

/// A signature by a key that no settings contain.
fn other_key_signature(message: &str) -> String {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    pair.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).expect("signed");
    BASE64_STANDARD.encode(signature)
}

#[test]
fn a_signed_request_is_accepted() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let body = settings.path("body.json");
    std::fs::write(&body, "{\"echo_message\":\"hello\"}").expect("written");
    let url = format!("{}v3/security/echo", sandbox.base_uri());
    let (code, header, notes) = run(&settings, &["sign", "request", "post", &url, "--body", &body], "");
    assert_eq!(code, Some(0), "{notes}");
    assert!(notes.contains("  POST\\n\n  /v3/security/echo\\n\n"), "{notes}");
    assert!(notes.ends_with("  {\"echo_message\":\"hello\"}\\n\n"), "{notes}");
    // `wxpay verify` and the sandbox accept a request with this header.
    let captured = format!("POST {url} HTTP/1.1\nauthorization: {header}\n{{\"echo_message\":\"hello\"}}");
    let (code, valid, notes) = run(&settings, &["verify", "request", "-"], &captured);
    assert_eq!((code, notes.as_str()), (Some(0), ""), "{valid}");
    assert_eq!(valid, "the signature is valid: it was made with the merchant's private key\n");
    let sent = crate::support::run(async {
        let address = sandbox.address();
        let text = format!(
            "POST /v3/security/echo HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\nuser-agent: x\r\n\
             content-type: application/json\r\ncontent-length: 24\r\nconnection: close\r\nauthorization: {}\r\n\r\n\
             {{\"echo_message\":\"hello\"}}",
            header.trim()
        );
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.expect("sent");
        let mut response = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut response).await.expect("received");
        response
    });
    assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    // With the same nonce and time, another program creates the same signature.
    let fixed = ["sign", "request", "GET", "/v3/x?a=b", "--nonce", "N", "--timestamp", "1700000000"];
    let (_, header, notes) = run(&settings, &fixed, "");
    let expected = request(&sandbox, "GET /v3/x?a=b", 1_700_000_000, "GET\n/v3/x?a=b\n1700000000\nN\n\n", "");
    assert!(expected.contains(header.trim()), "{header}{notes}");
}

#[test]
fn the_mistake_in_a_request_is_found() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let time = now();
    let verify = |line: &str, time: i64, signed: &str, body: &str| {
        run(&settings, &["verify", "request", "-"], &request(&sandbox, line, time, signed, body))
    };
    let good = format!("POST\n/v3/x\n{time}\nN\n{{\"a\": 1}}\n");
    let (code, _, notes) = verify("POST /v3/x", time, &good, "{\"a\": 1}");
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    for (line, signed, body, expected) in [
        ("POST /v3/x", good.trim_end().to_owned(), "{\"a\": 1}", "the line feed at the end is missing"),
        ("POST /v3/x", good.replace(": 1", ":1"), "{\"a\": 1}", "the body was serialized again after signing"),
        ("POST /v3/x?b=c", good.clone(), "{\"a\": 1}", "the query was left out"),
        (
            "POST /v3/x",
            good.replace("/v3", "https://api.mch.weixin.qq.com/v3"),
            "{\"a\": 1}",
            "the whole URL was signed",
        ),
        ("GET /v3/x", good.clone(), "{\"a\": 1}", "another method was signed"),
        ("POST /v3/x", good.replace("POST", "PATCH"), "{\"a\": 1}", "another method was signed"),
        ("PUT /v3/x", good.replace("POST", "DELETE"), "{\"a\": 1}", "another method was signed"),
        (
            "POST /v3/x",
            "nonsense".to_owned(),
            "{\"a\": 1}",
            "no usual mistake explains the signature: the key is right, but other bytes were signed: compare the method, \
             the path with its query, the time, the nonce and each byte of the body",
        ),
        ("POST /v3/x", good.clone(), "{\"a\": 2}", "the key is right, but other bytes were signed"),
        (
            "GET /v3/x?a=1",
            format!("GET\n/v3/x?a=2\n{time}\nN\n\n"),
            "",
            "other bytes were signed: compare the method, the path with its query, the time and the nonce with",
        ),
    ] {
        let (code, valid, notes) = verify(line, time, &signed, body);
        assert_eq!((code, valid.as_str()), (Some(6), ""), "{notes}");
        assert!(notes.contains("the message to sign, with \\n for each line feed:\n  "), "{notes}");
        assert!(notes.contains("the signature is not valid: ") && notes.contains(expected), "{expected}: {notes}");
    }
    let milliseconds = good.replace(&time.to_string(), &format!("{time}000"));
    let (code, _, notes) = verify("POST /v3/x", time * 1000, &milliseconds, "{\"a\": 1}");
    assert!(code == Some(6) && notes.contains("the time in Authorization is in milliseconds"), "{notes}");
    let (code, _, notes) = verify("POST /v3/x", time, &good, "{\"a\": 1}\n");
    assert!(code == Some(0) && notes.contains("without the line break at the end of the file"), "{notes}");
    let (code, _, notes) = verify("POST /v3/x", time, &good.replace(": 1", ":1"), "{\"a\": 1}\n");
    assert!(code == Some(6) && notes.contains("the body was serialized again after signing"), "{notes}");
    // A line break that `Content-Length` counts is a part of the sent body.
    for (length, code, expected) in [
        (8, 0, "without the line break at the end of the file"),
        (
            9,
            6,
            "the signature is not valid: the line break at the end of the body, or the line feed after the body, was not signed",
        ),
    ] {
        let captured = request(&sandbox, "POST /v3/x", time, &good, "{\"a\": 1}\n");
        let captured = captured.replacen("\r\n", &format!("\r\nContent-Length: {length}\r\n"), 1);
        let (actual, _, notes) = run(&settings, &["verify", "request", "-"], &captured);
        assert!(actual == Some(code) && notes.contains(expected), "{actual:?} {notes}");
    }
    let (code, _, notes) = verify("POST /v3/x", time, &good, "{\"a\": 1}\n\n");
    assert!(code == Some(6) && notes.contains("the line break at the end of the body, or"), "{notes}");
    let url = format!("POST\n/v3/x?u=https://y/z\n{time}\nN\n\n");
    assert_eq!(verify("POST /v3/x?u=https://y/z", time, &url, "").0, Some(0));
    // A long body.
    let long = format!("\"{}\"", "x".repeat(70_000));
    let signed = format!("POST\n/v3/x\n{time}\nN\n{long}");
    let (code, _, notes) = verify("POST /v3/x", time, &signed, &long);
    assert!(code == Some(6) && notes.contains("the line feed at the end is missing"), "{code:?}");
    let (code, _, notes) = verify("POST /v3/x", time, "nonsense", &long);
    assert!(code == Some(6) && notes.contains("no usual mistake outside of the body explains"), "{code:?}");
    let old = "POST\n/v3/x\n1700000000\nN\n{\"a\": 1}\n";
    let (code, _, notes) = verify("POST /v3/x", 1_700_000_000, old, "{\"a\": 1}");
    assert!(code == Some(0) && notes.contains("s old: "), "{code:?} {notes}");

    let whole = request(&sandbox, "POST /v3/x", time, &good, "{\"a\": 1}");
    for (captured, code, expected) in [
        (whole.replace("mchid=", "mch_id="), 6, "Authorization has an unknown field"),
        (whole.replace("Authorization", "X-Authorization"), 6, "the header Authorization is missing"),
        (
            whole.replace("Authorization:", "Authorization: WECHATPAY2-SHA256-RSA2048 x\r\nAuthorization:"),
            6,
            "the header Authorization appears twice",
        ),
        (whole.replacen("signature=\"", "signature=\"A", 1), 6, "it is not base64"),
        (
            whole.replace("mchid=\"1900000109\"", "mchid=\"1900000110\""),
            6,
            "the signature is valid for this key, but WeChat Pay refuses the request: mchid of Authorization is \
             1900000110, and that of the settings is 1900000109",
        ),
        (
            whole.replace(SERIAL, "3775"),
            6,
            "the signature is valid for this key, but WeChat Pay refuses the request: serial_no of Authorization is 3775",
        ),
        (flip_signature(&whole, "signature=\""), 6, "no usual mistake explains the signature: another key made it, or"),
        (whole.replace(&signature_of(&whole), &other_key_signature(&good)), 6, "another key made it, or"),
    ] {
        let (actual, _, notes) = run(&settings, &["verify", "request", "-"], &captured);
        assert_eq!(actual, Some(code), "{notes}");
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
    // The signature of an upload covers its part `meta`.
    let meta = "{\"filename\":\"a.png\"}";
    let upload = format!(
        "--b\r\nContent-Disposition: form-data; name=\"meta\";\r\nContent-Type: application/json\r\n\r\n{meta}\r\n--b--\r\n"
    );
    let signed = format!("POST\n/v3/x\n{time}\nN\n{meta}\n");
    let captured = request(&sandbox, "POST /v3/x", time, &signed, &upload).replacen(
        "\r\n",
        "\r\nContent-Type: multipart/form-data; boundary=b\r\n",
        1,
    );
    assert_eq!(run(&settings, &["verify", "request", "-"], &captured).0, Some(0));
    assert_eq!(run(&settings, &["verify", "request", "-"], &captured.replace("\"meta\"", "\"m\"")).0, Some(2));
    // A file before it can contain the same text.
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n name=\"meta\"\r\n\r\nx\r\n--c\r\n";
    let captured = captured.replacen("--b\r\n", &format!("{file}--b\r\n"), 1);
    let (code, _, notes) = run(&settings, &["verify", "request", "-"], &captured);
    assert_eq!(code, Some(0), "{notes}");
}

#[test]
fn the_mistake_in_a_response_is_found() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    sandbox.stub("GET", "v3/x", 200, json!({ "a": 1, "b": "中" }));
    let captured = settings.path("response.txt");
    let capture = || {
        let (code, response, notes) = run(&settings, &["req", "v3/x", "-i"], "");
        std::fs::write(&captured, &response).expect("written");
        (code, response, notes)
    };
    let verify = |response: &str| run(&settings, &["verify", "response", "-"], response);
    let (_, response, notes) = capture();
    assert!(
        response.starts_with("HTTP/1.1 200 OK\n") && response.ends_with("\n\n{\"a\":1,\"b\":\"中\"}"),
        "{response}{notes}"
    );
    let (code, valid, notes) = run(&settings, &["verify", "response", &captured], "");
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert_eq!(valid, format!("the signature is valid: it was made with the platform key {PUBLIC_KEY_ID}\n"));
    let indented = response.replace("{\"a\":1,\"b\":\"中\"}", "{\n  \"a\": 1,\n  \"b\": \"中\"\n}");
    for (response, code, expected) in [
        (
            format!("{response}\n"),
            0,
            "the signature is valid for the body without the line break at the end of the file",
        ),
        (response.replace('\n', "\r\n"), 0, ""),
        (indented, 6, "it is valid for the body without its indentation: the file"),
        (
            response.replace("{\"a\":1,\"b\":\"中\"}", "{\"a\": 1, \"b\": \"\\u4e2d\"}"),
            6,
            "it is valid for the body without its indentation: the file",
        ),
        (
            response.replace("\"a\":1", "\"a\":2"),
            6,
            "it was made with the platform key PUB_KEY_ID_0119000001092026010100000000000000, but over other bytes",
        ),
        (
            flip_signature(&response, "wechatpay-signature: "),
            6,
            "it does not match the platform key PUB_KEY_ID_0119000001092026010100000000000000: another key made it",
        ),
        (response.replace("wechatpay-nonce", "x-nonce"), 6, "the header Wechatpay-Nonce is missing"),
        (response.replace(PUBLIC_KEY_ID, "PUB_KEY_ID_1"), 2, "the signature cannot be verified: "),
        (response.replace(PUBLIC_KEY_ID, SERIAL), 2, "names the merchant's own certificate \"3775B6A45ACD"),
        (format!("{response}\n\n"), 6, "it is valid for the body without the whitespace around it: the file"),
        (format!("HTTP/1.1 200 Connection established\n\nHTTP/1.1 100 Continue\na: b\n\n{response}"), 0, ""),
    ] {
        let (actual, _, notes) = verify(&response);
        assert_eq!(actual, Some(code), "{notes}");
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
    // A line break that `Content-Length` counts is a part of the received body.
    let counted = format!("{}\n", response.replace("content-length: 17", "content-length: 18"));
    assert!(counted.contains("content-length: 18"), "{counted}");
    let (code, _, notes) = verify(&counted);
    assert!(code == Some(6) && notes.contains("it is valid for the body without the line break at the end"), "{notes}");
    // A response that the client refuses is also captured.
    sandbox.inject(Fault::WrongSignature);
    let (code, response, _) = capture();
    assert_eq!(code, Some(6));
    let (code, _, notes) = verify(&response);
    assert!(code == Some(6) && notes.contains("it does not match the platform key"), "{notes}");
    sandbox.inject(Fault::Clock(3600));
    let (_, response, _) = capture();
    let (code, _, notes) = verify(&response);
    assert!(code == Some(0) && notes.contains("s ahead of this machine's clock: "), "{code:?} {notes}");
    sandbox.inject(Fault::Clock(-3600));
    let (_, response, _) = capture();
    let (code, _, notes) = verify(&response);
    assert!(code == Some(0) && notes.contains("s old: "), "{code:?} {notes}");
    assert_eq!(run(&settings, &["req", "v3/none", "-i"], "").1.lines().next(), Some("HTTP/1.1 404 Not Found"));
}

#[test]
fn the_signature_of_an_overseas_statement_covers_its_digest() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let (code, response, notes) = run(
        &settings,
        &["req", "v3/global/statements", "--query", "mchid=1900000109", "--query", "date=20261129", "-i"],
        "",
    );
    assert_eq!(code, Some(0), "{response}{notes}");
    assert!(response.contains("wechatpay-statement-sha1: "), "{response}");
    let (code, valid, notes) = run(&settings, &["verify", "response", "-"], &response);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert_eq!(valid, format!("the signature is valid: it was made with the platform key {PUBLIC_KEY_ID}\n"));
    let (code, _, notes) = run(&settings, &["verify", "response", "-"], &format!("{response}x"));
    assert!(code == Some(6) && notes.contains("its SHA1 is "), "{notes}");
}

#[test]
fn the_mistake_in_a_message_is_found() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let time = now();
    let sign = |message: &str| run(&settings, &["sign", "message", "-"], message);
    let good = format!("GET\n/v3/x\n{time}\nN\n\n");
    let (code, signature, notes) = sign(&good);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    let expected = sandbox.merchant_key().sign_base64(good.as_bytes()).expect("signed");
    assert_eq!(signature.trim(), expected);
    let verify = |message: &str, signed: &str| {
        let signature = sandbox.merchant_key().sign_base64(signed.as_bytes()).expect("signed");
        run(&settings, &["verify", "message", "-", "--signature", &signature], message)
    };
    let payment = format!("wx8888888888888888\n{time}\nN\nprepay_id=wx1\n");
    let response = format!("{time}\nN\n{{}}\n");
    for message in [&good, &payment, &response] {
        let (code, valid, notes) = verify(message, message);
        assert_eq!((code, notes.as_str()), (Some(0), ""));
        assert_eq!(valid, "the signature is valid: it was made with the merchant's private key\n");
    }
    for (message, signed, expected) in [
        (format!("{payment}\n\n"), payment.clone(), "for the message with one line feed at the end"),
        (good.clone(), good[..good.len() - 1].to_owned(), "for the message without the line feed at the end"),
        (payment.clone(), payment.trim().to_owned(), "for the message without the line feed at the end"),
        (payment.trim().to_owned(), payment.clone(), "for the message with a line feed added at the end"),
        (payment.clone(), payment.replace('\n', "\r\n"), "for the message with CRLF in place of LF"),
        (payment.replace('\n', "\r\n"), payment.clone(), "for the message with LF in place of CRLF"),
        (payment.replace('\n', "\\n"), payment.clone(), "for the message with a line feed in place of each \\n"),
        (format!("\u{feff}{payment}"), payment.clone(), "for the message without the byte order mark"),
        (format!(" {payment}"), payment.trim().to_owned(), "for the message without the whitespace around it"),
    ] {
        let (code, _, notes) = verify(&message, &signed);
        assert_eq!(code, Some(6), "{notes}");
        assert!(
            notes.contains("the signature is not valid: it is valid ") && notes.contains(expected),
            "{expected}: {notes}"
        );
    }
    // Problems with the format and the time are reported for valid and for invalid signatures.
    for (message, problem) in [
        ("GET\n/v3/x\n1700000000\nN\n\n".to_owned(), "its time is more than 300 s from now"),
        (format!("GET\n/v3/x\n{time}000\nN\n\n"), "its time is in milliseconds"),
        (format!("GET\n/v3/x\n{time}99999999999999999\nN\n\n"), "its time is not a number of seconds"),
        (format!("get\n/v3/x\n{time}\nN\n\n"), "its first line is not a method in capitals"),
        (format!("GET\nhttps://a.b/v3/x\n{time}\nN\n\n"), "its second line is not the path"),
        (format!("GET\n/v3/x\n{time}\nN\n"), "it has fewer than five lines"),
        (payment.trim().to_owned(), "it does not end with a line feed"),
        (payment.replace('\n', "\r\n"), "its lines end with CRLF"),
        (payment.replace('\n', "\\n"), "it contains the two characters \\n"),
        ("nonsense\n".to_owned(), "it does not have the lines of a request"),
    ] {
        assert!(sign(&message).2.contains(&format!("the message was signed, but {problem}")), "{problem}");
        let (code, _, notes) = verify(&message, &message);
        assert!(code == Some(0) && notes.contains(&format!("valid signature, but {problem}")), "{problem}: {notes}");
        let (code, _, notes) = verify(&message, "other");
        assert!(code == Some(6) && notes.contains(&format!("the message: {problem}")), "{problem}: {notes}");
        assert!(
            notes.contains("it was made with the merchant's private key, but over other bytes, and no usual"),
            "{notes}"
        );
    }
    let arguments = ["verify", "message", "-", "--signature", &other_key_signature(&good)];
    let (code, _, notes) = run(&settings, &arguments, &good);
    assert!(code == Some(6), "{notes}");
    assert!(notes.contains("another key made it than the merchant's private key, the platform key PUB_KEY"), "{notes}");
    // A signature of the platform is recognized.
    let captured = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("notification");
    let header = |name: &str| captured.headers()[name].to_str().expect("text").to_owned();
    let body = std::str::from_utf8(captured.body()).expect("text");
    let message = format!("{}\n{}\n{body}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"));
    let arguments = ["verify", "message", "-", "--signature", &header("wechatpay-signature")];
    let (code, valid, _) = run(&settings, &arguments, &message);
    assert!(code == Some(0) && valid.contains("the platform key PUB_KEY_ID"), "{valid}");
}

#[test]
fn hints_of_signatures() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let run = |arguments: &[&str], input: &str| run(&settings, arguments, input).2;
    std::fs::write(settings.path("no-keys.toml"), "mchid = \"1900000109\"\n").expect("written");
    let no_keys = settings.path("no-keys.toml");
    let valid = sandbox.merchant_key().sign_base64(b"x").expect("signed");
    let upload = "POST /v3/x HTTP/1.1\ncontent-type: multipart/form-data\n\n";
    each_hint_names_its_condition(&[
        ("the setting private_key is missing: a request is verified with the merchant's key", {
            run(&["verify", "request", "-", "--config", &no_keys], "")
        }),
        ("the settings have no keys: set private_key, or a platform key in [certs]", {
            run(&["verify", "message", "-", "--signature", "", "--config", &no_keys], "")
        }),
        ("the file does not begin with the line of the request", run(&["verify", "request", "-"], "a: b\n\n")),
        ("the upload has no part named meta", run(&["verify", "request", "-"], upload)),
        (
            "percent-encode it, and write the values in place of variables",
            run(&["sign", "request", "GET", "/v3/{id}"], ""),
        ),
        ("--nonce contains characters other than", run(&["sign", "request", "GET", "/v3", "--nonce", "a b"], "")),
        ("is not an HTTP method name", run(&["sign", "request", "G T", "/v3"], "")),
        (
            "send the same bytes, as curl --data-binary does",
            run(&["sign", "request", "POST", "/v3", "--body", "-"], "{}\n"),
        ),
        ("it has 3 bytes, and a signature by a key", run(&["verify", "message", "-", "--signature", "AAAA"], "x")),
        ("it is not base64: a + can have become a space", {
            run(&["verify", "message", "-", "--signature", &valid.replace('+', " ").replacen('A', " ", 1)], "x")
        }),
        (
            "over other bytes, and no usual mistake in the line ends explains it",
            run(&["verify", "message", "-", "--signature", &valid], "y"),
        ),
        ("the file is a request, such as a notification, and not a response", {
            run(
                &["verify", "response", "-"],
                "POST / HTTP/1.1\nwechatpay-timestamp: 1\nwechatpay-nonce: N\nwechatpay-serial: S\nwechatpay-signature: AAAA\n\n",
            )
        }),
    ]);
}
