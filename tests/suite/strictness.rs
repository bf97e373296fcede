//! The sandbox refuses what the service refuses.

use std::io::Write;

use crate::support::sandbox;

#[test]
fn the_sandbox_is_as_strict_as_the_service() {
    let sandbox = sandbox();
    // Outside of the crate's stack: what the sandbox says to a header that the client would never send.
    let send = |authorization: &[String]| {
        let mut request =
            "GET /v3/x HTTP/1.1\r\nhost: x\r\naccept: a\r\nuser-agent: b\r\nconnection: close\r\n".to_owned();
        authorization.iter().for_each(|value| request += &format!("authorization: {value}\r\n"));
        let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
        stream.write_all(format!("{request}\r\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).expect("answer");
        answer
    };
    let header = |mchid: &str, serial: &str, age: i64| {
        let timestamp = wechatpay_chain::formatter::timestamp() - age;
        let message = wechatpay_chain::formatter::request("GET", "/v3/x", timestamp, "N", b"");
        let signature = sandbox.merchant_key().sign(&message).expect("signature");
        let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
        wechatpay_chain::formatter::authorization(mchid, "N", &signature, timestamp, serial)
    };
    let (mchid, serial) = (wechatpay_chain::sandbox::MCHID, wechatpay_chain::sandbox::SERIAL);
    for (values, words) in [
        (vec![header(mchid, serial, 0)], "RESOURCE_NOT_EXISTS"),
        (vec![header(mchid, serial, 299)], "RESOURCE_NOT_EXISTS"),
        (vec![header(mchid, serial, 302)], "timestamp"),
        (vec![header(mchid, serial, -302)], "timestamp"),
        (vec![header(mchid, "00", 0)], "serial_no"),
        (vec![header("1", serial, 0)], "MCH_NOT_EXISTS"),
        (vec![header(mchid, serial, 0), header(mchid, serial, 0)], "stands twice"),
        (vec![], "is missing"),
        (vec!["Basic eA==".to_owned()], "scheme"),
        (vec![header(mchid, serial, 0).replace("signature=\"", "signature=\"A")], "sign not match"),
    ] {
        let answer = send(&values);
        assert!(answer.contains(words), "{words:?} not in {answer}");
    }
}
