//! The sandbox's page in Chromium.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, SERIAL, Sandbox};

use super::webdriver::{Browser, TIMEOUT, eventually, read_message, send_request};
use super::{control, native};
use crate::support::start;

/// Texts that would run a script if they became HTML.
const HOSTILE: &str = r#"<img src=x onerror="window.hostile=1">"#;
const HOSTILE_SCRIPT: &str = r#"'"></td><script>window.hostile=1</script>"#;
/// An order number with all special characters that are allowed.
const NUMBER: &str = "A_-|*9";

/// A server for a `notify_url`: it responds once with an error, and then with success.
fn notify_server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let error =
            format!("HTTP/1.1 500 x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{HOSTILE}", HOSTILE.len());
        let success = "HTTP/1.1 204 x\r\nconnection: close\r\n\r\n".to_owned();
        let responses = std::iter::once(error).chain(std::iter::repeat(success));
        for (stream, response) in listener.incoming().zip(responses) {
            let mut stream = stream.expect("accepted");
            read_message(&stream).expect("a notification");
            stream.write_all(response.as_bytes()).expect("written");
            // The test may have ended.
            let _ = send.send(());
        }
    });
    (format!("http://{address}/notify"), receive)
}

/// Sends a call whose signature does not cover the body, or one without a signature.
fn send_badly_signed(sandbox: &Sandbox, target: &str, signed: bool) {
    let body = json!({ "description": HOSTILE }).to_string();
    let (timestamp, nonce) =
        (wechatpay_chain::formatter::timestamp(), wechatpay_chain::formatter::nonce().expect("nonce"));
    let text = format!("POST\n{target}\n{timestamp}\n{nonce}\n\n");
    let signature = sandbox.merchant_key().sign(text.as_bytes()).expect("signature");
    let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
    let header = wechatpay_chain::formatter::authorization(MCHID, &nonce, &signature, timestamp, SERIAL);
    let header = if signed { format!("authorization: {header}\r\n") } else { String::new() };
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\naccept: */*\r\nuser-agent: b\r\nconnection: close\r\n{header}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, _) = send_request(sandbox.address(), &request).expect("response");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

/// The row of a table in the sandbox's state.
fn state_row(sandbox: &Sandbox, table: &str, name: &str, value: &str) -> Value {
    let state = sandbox.overview();
    let rows = state[table].as_array().expect("rows");
    rows.iter().find(|row| row[name] == value).unwrap_or_else(|| panic!("no {value} in {state}")).clone()
}

#[test]
fn the_page_shows_the_state_and_its_buttons_work() {
    let Some(browser) = Browser::start() else {
        let message = "SKIPPED: no chromedriver (.ci/browser installs it: apt-get install chromium chromium-driver)";
        let _ = writeln!(std::io::stderr(), "{message}");
        return;
    };
    let (sandbox, client) = start();
    let (url, delivered) = notify_server();
    let wait_for_delivery = || delivered.recv_timeout(TIMEOUT).expect("a notification");
    let mut order = native(NUMBER, 12_345, &url);
    order["json"]["description"] = HOSTILE.into();
    order["json"]["attach"] = HOSTILE_SCRIPT.into();
    let orders = client.chain("v3/pay/transactions/native");
    orders.post(order).expect("placed");
    browser.command("/url", &json!({ "url": sandbox.base_uri() }));
    assert_languages(&browser);

    // The order is listed with its QR code, which stays open when another order is placed.
    let row = format!("{MCHID}/{NUMBER}");
    let cells = ["number", "type", "amount", "state"].map(|cell| browser.cell("orders", &row, cell));
    let [number, kind, amount, state] = &cells;
    assert!(number.contains(NUMBER) && number.contains(HOSTILE) && number.contains(HOSTILE_SCRIPT), "{number}");
    assert_eq!((kind.as_str(), amount.as_str(), state.as_str()), ("NATIVE", "123.45", "NOTPAY"));
    browser.open("orders", &row);
    let width = || browser.run("return document.querySelector('#orders img')?.naturalWidth ?? 0;", json!([]));
    assert!(eventually(|| width().as_u64() > Some(0)), "the QR code is loaded");
    orders.post(native("order-o2", 1, &url)).expect("placed");
    browser.assert_cell("orders", &format!("{MCHID}/order-o2"), "number", "Image形象店-深圳腾大-QQ公仔");
    let open = "return [...document.querySelectorAll('#orders details')].map(one => one.open);";
    assert_eq!(browser.run(open, json!([])), json!([false, true]));

    // The buyer pays. The first notification fails, and the replay succeeds.
    browser.press("orders", &row, "pay");
    browser.assert_cell("orders", &row, "state", "SUCCESS");
    let paid = state_row(&sandbox, "orders", "out_trade_no", NUMBER);
    assert_eq!(paid["state"], "SUCCESS");
    browser.assert_cell("orders", &row, "id", paid["transaction_id"].as_str().expect("number"));
    wait_for_delivery();
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.assert_cell("notifications", &sent, "attempts", &format!("500 {HOSTILE}"));
    let shown = browser.cell("notifications", &sent, "");
    assert!(
        [url.as_str(), "TRANSACTION.SUCCESS", NUMBER, "waiting"].iter().all(|part| shown.contains(part)),
        "{shown}"
    );
    browser.press("notifications", &sent, "replay");
    wait_for_delivery();
    browser.assert_cell("notifications", &sent, "attempts", " 204");
    browser.assert_cell("notifications", &sent, "state", "delivered");

    // The whole amount is refunded.
    browser.press("orders", &row, "refund");
    browser.assert_cell("orders", &row, "amount", "refunded 123.45");
    wait_for_delivery();
    let refund = state_row(&sandbox, "refunds", "out_trade_no", NUMBER);
    browser.assert_cell("refunds", refund["refund_id"].as_str().expect("id"), "amount", "123.45");
    assert_eq!(state_row(&sandbox, "orders", "out_trade_no", NUMBER)["state"], "REFUND");
    assert_eq!(browser.cell("orders", &row, "action"), "", "no more actions");

    // Calls with an invalid signature, and without one.
    send_badly_signed(&sandbox, "/v3/signed/wrongly?a=%3Cimg%3E", true);
    send_badly_signed(&sandbox, "/v3/not/signed", false);
    let calls = sandbox.overview()["calls"].clone();
    let [unsigned, wrong] = [0, 1].map(|at| calls[at]["number"].to_string());
    browser.assert_cell("calls", &unsigned, "signature", "is missing");
    browser.assert_cell("calls", &unsigned, "status", "401");
    browser.assert_cell("calls", &wrong, "signature", "invalid");
    browser.assert_cell("calls", &wrong, "signature", "the body was left out");
    browser.assert_cell("calls", &wrong, "request", "POST /v3/signed/wrongly?a=%3Cimg%3E");
    browser.open("calls", &wrong);
    browser.assert_cell("calls", &wrong, "signature", "expected message");
    browser.assert_cell("calls", &wrong, "signature", "signed message");
    browser.assert_cell("calls", &wrong, "signature", &json!({ "description": HOSTILE }).to_string());
    browser.assert_cell("calls", &calls[2]["number"].to_string(), "signature", "valid");

    // The order is paid elsewhere before the button is pressed.
    browser.run("window.held = document.querySelector('#orders .pay');", json!([]));
    sandbox.pay("order-o2").expect("paid");
    browser.assert_cell("orders", &format!("{MCHID}/order-o2"), "state", "SUCCESS");
    browser.run("window.held.click();", json!([]));
    browser.assert_message("the order \"order-o2\" is paid already");
    wait_for_delivery();

    // On a phone nothing is outside of the screen. The next action removes the message.
    let transfer = json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": "t1", "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "transfer_amount": 4000, "transfer_remark": "<b>4月报销</b>", "notify_url": url,
        "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
    }});
    client.chain("v3/fund-app/mch-transfer/transfer-bills").post(transfer).expect("created");
    let bill = state_row(&sandbox, "transfers", "out_bill_no", "t1");
    let bill = bill["transfer_bill_no"].as_str().expect("number");
    browser.assert_cell("transfers", bill, "state", "WAIT_USER_CONFIRM");
    browser.assert_cell("transfers", bill, "number", "<b>4月报销</b>");
    let outside = "const width = arguments[0];
        const outside = [...document.querySelectorAll('main *, h1, button, #error')].filter(at => {
            const box = at.getBoundingClientRect();
            return box.width > 0 && (box.left < 0 || box.right > width);
        });
        const small = [...document.querySelectorAll('td button')].filter(at => at.getBoundingClientRect().height < 24);
        return [...outside, ...small].map(at => at.outerHTML.slice(0, 200));";
    for (width, mobile) in [(1000, false), (800, false), (360, true)] {
        browser.resize(width, mobile);
        assert_eq!(browser.run(outside, json!([width])), json!([]), "{width}");
    }
    browser.press("transfers", bill, "confirm");
    browser.assert_cell("transfers", bill, "state", "SUCCESS");
    wait_for_delivery();
    assert_eq!(state_row(&sandbox, "transfers", "out_bill_no", "t1")["state"], "SUCCESS");
    browser.assert_message("");
    browser.resize(1280, false);

    // A notification to another machine is not sent and cannot be replayed.
    let event = json!({
        "notify_url": "https://example.com/x", "event_type": HOSTILE, "original_type": "x", "resource": { "out_trade_no": HOSTILE_SCRIPT },
    });
    control(&sandbox, "notify", &event).expect("response");
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.assert_cell("notifications", &sent, "event", HOSTILE);
    browser.assert_cell("notifications", &sent, "event", HOSTILE_SCRIPT);
    browser.assert_cell("notifications", &sent, "state", "not sent");
    assert_eq!(browser.cell("notifications", &sent, "action"), "");
    sandbox.audit().expect("balanced");

    // The log contains only the refused action, and all requests went to the sandbox.
    browser.assert_no_injection();
    let log = browser.log("browser");
    let is_refusal = |entry: &Value| {
        entry["message"].as_str().is_some_and(|text| text.contains("/sandbox/pay ") && text.contains("400"))
    };
    assert!(log.len() == 1 && is_refusal(&log[0]), "{log:?}");
    let urls = browser.requests();
    assert!(urls.iter().any(|url| url.ends_with("/sandbox/qr/A_-%7C*9.svg")), "{urls:?}");
    assert!(urls.iter().all(|url| url.starts_with(&sandbox.base_uri())), "{urls:?}");
    assert_content_security_policy(&browser, &sandbox);

    // The sandbox ends and starts again.
    let port = sandbox.address().port();
    drop(sandbox);
    browser.assert_message("does not respond");
    let sandbox = Sandbox::builder().port(port).start().expect("the same port");
    browser.assert_message("");
    let none = || browser.run("return document.querySelector('#orders td').innerText;", json!([])) == "nothing yet";
    assert!(eventually(none), "the orders of the new sandbox");
    drop(sandbox);
}

/// The page is in the language of the browser until the user chooses one, which is stored.
fn assert_languages(browser: &Browser) {
    let chinese = json!(["微信支付沙箱", "订单", "退款", "商家转账", "回调通知", "请求"]);
    let english = json!(["WeChat Pay sandbox", "Orders", "Refunds", "Transfers", "Notifications", "Calls"]);
    let language = || browser.run("return document.documentElement.lang;", json!([]));
    let first_columns =
        || browser.run("return [...document.querySelectorAll('#orders th')].map(at => at.textContent)[0];", json!([]));
    assert_eq!(
        (browser.headings(), language(), first_columns()),
        (chinese.clone(), json!("zh-CN"), json!("商户订单号"))
    );
    browser.click("//button[@id='en']");
    assert_eq!((browser.headings(), language()), (english.clone(), json!("en")));
    browser.reload();
    assert_eq!(
        (browser.headings(), language(), first_columns()),
        (english.clone(), json!("en"), json!("Merchant order number"))
    );
    browser.click("//button[@id='zh']");
    assert_eq!(browser.headings(), chinese);
    browser.reload();
    assert_eq!(browser.headings(), chinese);
    // Another program at this address stored something else under that name.
    browser.run("Object.keys(localStorage).forEach(key => localStorage.setItem(key, 'toString'));", json!([]));
    browser.reload();
    assert_eq!(browser.headings(), chinese);
    browser.click("//button[@id='en']");
    assert_eq!(browser.headings(), english);
}

/// The content security policy prevents that injected HTML runs a script or loads a URL.
fn assert_content_security_policy(browser: &Browser, sandbox: &Sandbox) {
    let violations = browser.run(
        "const [elsewhere, hostile] = arguments;
        const seen = [];
        document.addEventListener('securitypolicyviolation', event => seen.push(event.effectiveDirective));
        new Image().src = elsewhere;
        fetch(elsewhere).catch(() => {});
        const page = document.createElement('p');
        for (const harm of [() => { page.innerHTML = hostile; }, () => page.setAttribute('onclick', 'window.hostile = 1'), () => page.click()]) {
            try { harm(); } catch { /* expected */ }
        }
        setTimeout(() => then([...new Set(seen)].sort()), 300);",
        json!([format!("http://localhost:{}/", sandbox.address().port()), HOSTILE]),
    );
    let violations: Vec<&str> = violations.as_array().expect("list").iter().filter_map(Value::as_str).collect();
    assert!(["connect-src", "img-src"].iter().all(|of| violations.contains(of)), "{violations:?}");
    browser.assert_no_injection();
}
