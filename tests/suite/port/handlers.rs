//! Handlers of notifications become functions that take a request.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::PUBLIC_KEY_ID;

use crate::port::rustc::{Compiler, folder, port, ported};
use crate::support::sandbox;

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port").join(name);
    std::fs::read_to_string(path).expect("a file of tests/port")
}

#[test]
fn handlers_accept_genuine_notifications_only() {
    let (sandbox, folder) = (sandbox(), folder("handlers"));
    let settings = sandbox.settings();
    for name in ["handler", "handler_class"] {
        std::fs::write(folder.join(name).with_extension("rs"), ported(&source(&format!("{name}.php"))))
            .expect("written");
    }
    let harness = folder.join("handlers.rs");
    std::fs::write(&harness, source("handlers.rs")).expect("written");
    let program = Compiler::get().compile(&harness, &["wechatpay_chain", "serde_json"]);

    let request = |event: &str, number: u32, state: &str| {
        let order = json!({ "out_trade_no": number.to_string(), "trade_state": state, "amount": { "total": 1 } });
        let made = sandbox.notification(event, "transaction", &order).expect("a notification");
        let headers: serde_json::Map<String, Value> = made
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").into()))
            .collect();
        (headers, String::from_utf8(made.body().to_vec()).expect("UTF-8"))
    };
    let paid = || request("TRANSACTION.SUCCESS", 1, "SUCCESS");
    let (mut lines, mut expected) = (Vec::new(), Vec::new());
    let mut check = |handler: &str, (headers, body): (serde_json::Map<String, Value>, String), response: Value| {
        lines.push(json!({ "handler": handler, "headers": headers, "body": body }).to_string());
        expected.push(response);
    };
    let (html, json_type) = ("text/html; charset=UTF-8", "application/json");
    let forged = json!({ "status": 401, "type": html, "body": "forged" });
    let success = json!({ "status": 200, "type": json_type, "body": r#"{"code":"SUCCESS","message":""}"# });
    let failure = json!({ "status": 200, "type": json_type, "body": r#"{"code":"FAIL","message":"state"}"# });

    let first = paid();
    check("script", first.clone(), success);
    // The same request again is a replay, which the PHP program would have accepted.
    check("script", first, forged.clone());
    check("script", request("TRANSACTION.SUCCESS", 2, "NOTPAY"), failure);
    let (mut headers, body) = paid();
    headers.insert("wechatpay-timestamp".to_owned(), "1700000000".into());
    check("script", (headers, body), forged.clone());
    let (mut headers, body) = paid();
    headers.remove("wechatpay-signature");
    check("script", (headers, body), forged.clone());
    let (headers, body) = paid();
    check("script", (headers, body.replace("TRANSACTION", "TRANSACTIOM")), forged.clone());

    check("prints", paid(), json!({ "status": 200, "type": html, "body": "TRANSACTION.SUCCESS accepted" }));
    let refund = request("REFUND.CLOSED", 3, "");
    check("prints", refund, json!({ "status": 500, "type": html, "body": "REFUND.CLOSED: unknown event" }));
    let (headers, body) = paid();
    check("prints", (headers, format!("{body} ")), forged);
    check("returns", paid(), json!({ "body": "accepted" }));
    let (headers, body) = paid();
    check("returns", (headers, format!("{body} ")), json!({ "body": "forged" }));

    let mut child = Command::new(program)
        .env("WXPAY_PLATFORM_ID", PUBLIC_KEY_ID)
        .env("WXPAY_PLATFORM_KEY", settings["certs"][PUBLIC_KEY_ID].as_str().expect("PEM"))
        .env("WXPAY_APIV3_KEY", settings["apiv3_key"].as_str().expect("key"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    child.stdin.take().expect("stdin").write_all(lines.join("\n").as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let printed: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(printed, expected);
}

/// A handler whose verification is not certain is converted to stubs, which are listed.
#[test]
fn uncertain_handlers_are_listed() {
    let class = source("handler_class.php");
    let script = source("handler.php");
    let (body, server) = ("$inBody = file_get_contents('php://input');", "$_SERVER['HTTP_WECHATPAY_NONCE']");
    assert!(script.contains(body));
    let verify = "$verifiedStatus = Rsa::verify(";
    for (name, php) in [
        ("another header", script.replace("HTTP_WECHATPAY_NONCE", "HTTP_X_NONCE")),
        ("a changed body", script.replace("$apiv3Key =", "$inBody = trim($inBody);\n$apiv3Key =")),
        ("an increment", script.replace(verify, &format!("$inWechatpayTimestamp++;\n{verify}"))),
        ("an unset", script.replace(verify, &format!("unset($inBody);\n{verify}"))),
        ("a reference", script.replace(verify, &format!("$other = &$inBody;\n$other = '';\n{verify}"))),
        ("an appended text", script.replace(verify, &format!("$inBody .= '';\n{verify}"))),
        ("a branch", script.replace(body, &format!("if ($inWechatpayNonce !== 'x') {{ {body} }}"))),
        ("a branch without a block", script.replace(body, &format!("if ($inWechatpayNonce !== 'x') {body}"))),
        ("an assignment after the verification", format!("{}\n{body}", script.replace(body, ""))),
        ("a written header", script.replace(verify, &format!("{server} = 'x';\n{verify}"))),
        ("a header that is written later", format!("{script}\n{server} = trim({server});\necho {server};\n")),
        ("a header that is written by another function", format!("{script}\nfunction f() {{ {server} = 'x'; }}\n")),
        ("an unset header", script.replace(body, &format!("unset({server});\n{body}"))),
        ("a loop", script.replace(verify, "foreach ([1, 2] as $i) $verifiedStatus = Rsa::verify(")),
        ("another function exits", format!("{script}\nfunction done() {{ exit; }}\n")),
        ("a page", format!("{script}\n?>\n<p>done</p>\n")),
        (
            "more of the request",
            class.replace("return $verified ?", "$id = $request->input('id');\n        return $id && $verified ?"),
        ),
        (
            "a function that answers, called by a method",
            format!("{class}\nfunction reply($c) {{ echo $c; exit; }}\n")
                .replace("print ' accepted';", "reply('accepted');"),
        ),
        ("a function that sets the status", format!("{script}\nfunction done() {{ \\http_response_code(401); }}\n")),
        ("a function that prints a value", format!("{script}\nfunction done($x) {{ print_r($x); }}\n")),
        ("a caller", class.replace("print ' accepted';", "$this->returns(null);").replace("prints", "returns_")),
    ] {
        let output = port(&["-"], php.as_bytes());
        let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        // The other handler of the class is not affected by a change of one of them.
        let handlers = rust.matches("request: &php::Request").count();
        let is_one_left = rust.contains("pub struct Controller") && !name.starts_with("a function that answers");
        assert_eq!(handlers, usize::from(is_one_left), "{name}: {rust}");
    }
}
