//! The sandbox's page in Chromium.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, SERIAL, Sandbox};

use super::webdriver::{Browser, TIMEOUT, browser, eventually, read_message, send_request};
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
fn state_row(sandbox: &Sandbox, table: &str, name: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    let state = sandbox.overview();
    let rows = state[table].as_array().expect("rows");
    rows.iter().find(|row| row[name] == value).unwrap_or_else(|| panic!("no {value} in {state}")).clone()
}

#[test]
fn the_page_shows_the_state_and_its_controls_work() {
    let Some(browser) = browser() else { return };
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

    // The order is listed. Its details have a QR code, which stays open when the order changes.
    let row = format!("{MCHID}/{NUMBER}");
    browser.assert_cell("orders", &row, "state", "NOTPAY");
    let [number, kind, amount] = &["number", "type", "amount"].map(|cell| browser.cell("orders", &row, cell));
    assert!(number.contains(NUMBER) && number.contains(HOSTILE) && number.contains(HOSTILE_SCRIPT), "{number}");
    assert!(kind.contains("NATIVE") && amount == "123.45", "{kind} {amount}");
    let details = format!("orders/{MCHID}%2FA_-%7C*9");
    browser.assert_view(&details, &[HOSTILE, HOSTILE_SCRIPT, "out_trade_no", "notify_url", "Native下单"]);
    browser.click("//summary[.='QR code']");
    let width = || browser.run("return document.querySelector('main img')?.naturalWidth ?? 0;", json!([]));
    assert!(eventually(|| width().as_u64() > Some(0)), "the QR code is loaded");
    client
        .chain("v3/pay/transactions/out-trade-no/{no}")
        .get(json!({ "no": NUMBER, "query": { "mchid": MCHID } }))
        .expect("found");
    assert!(
        eventually(|| browser.text().contains("/v3/pay/transactions/out-trade-no/A_-%7C%2A9")),
        "{}",
        browser.text()
    );
    assert!(width().as_u64() > Some(0), "the QR code is still open");

    // The buyer pays. The first notification fails, and the replay succeeds.
    browser.press("orders", &row, "pay");
    browser.assert_cell("orders", &row, "state", "SUCCESS");
    let paid = state_row(&sandbox, "orders", "out_trade_no", NUMBER);
    browser.assert_cell("orders", &row, "", paid["transaction_id"].as_str().expect("number"));
    wait_for_delivery();
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.assert_cell("notifications", &sent, "attempts", "500");
    let shown = browser.cell("notifications", &sent, "");
    assert!(
        [url.as_str(), "TRANSACTION.SUCCESS", NUMBER, "waiting"].iter().all(|part| shown.contains(part)),
        "{shown}"
    );
    browser.press("notifications", &sent, "replay");
    wait_for_delivery();
    browser.assert_cell("notifications", &sent, "attempts", "204");
    browser.assert_cell("notifications", &sent, "state", "delivered");
    // Its details have the content in plain text, and both attempts as they were sent.
    browser.assert_view(&format!("notifications/{sent}"), &["\"trade_state\": \"SUCCESS\"", HOSTILE, "500", "204"]);
    browser.click("(//summary[contains(., 'as it was sent')])[1]");
    browser.click("(//summary[contains(., 'as it was sent')])[2]");
    let text = browser.text();
    assert_eq!(text.matches("Wechatpay-Signature: ").count(), 2, "{text}");
    assert_eq!(text.matches("\"ciphertext\": ").count(), 2, "{text}");
    browser.click("//table[@data-table='orders']//a");
    assert!(eventually(|| browser.text().contains("Remaining (CNY)")), "the order of the notification");

    // A part of the amount is refunded, and then the rest.
    browser.run("document.querySelector('form[data-call=refund] input').value = 345;", json!([]));
    browser.click("//form[@data-call='refund']//button");
    browser.assert_view(&details, &["\n3.45\n", "REFUND.SUCCESS", "page"]);
    wait_for_delivery();
    browser.press("orders", &row, "refund");
    browser.assert_cell("orders", &row, "amount", "refunded 123.45");
    wait_for_delivery();
    let refund = state_row(&sandbox, "refunds", "amount", 345);
    let refund_row = format!("{MCHID}/{}", refund["out_refund_no"].as_str().expect("number"));
    browser.assert_cell("refunds", &refund_row, "amount", "3.45");
    browser.assert_cell("refunds", &refund_row, "", NUMBER);
    browser.visit("orders");
    browser.assert_cell("orders", &row, "state", "REFUND");
    assert_eq!(browser.cell("orders", &row, "actions"), "", "no more actions");

    // Calls with an invalid signature, and without one.
    send_badly_signed(&sandbox, "/v3/signed/wrongly?a=%3Cimg%3E", true);
    send_badly_signed(&sandbox, "/v3/not/signed", false);
    let calls = sandbox.overview()["calls"].clone();
    let [unsigned, wrong] = [0, 1].map(|at| calls[at]["number"].to_string());
    browser.assert_cell("calls", &unsigned, "signature", "is missing");
    browser.assert_cell("calls", &unsigned, "status", "401");
    browser.assert_cell("calls", &wrong, "signature", "the body was left out");
    browser.assert_cell("calls", &wrong, "request", "POST /v3/signed/wrongly?a=%3Cimg%3E");
    browser.assert_cell("calls", &calls[2]["number"].to_string(), "signature", "valid");
    let body = json!({ "description": HOSTILE }).to_string();
    browser.assert_view(
        &format!("calls/{wrong}"),
        &["Expected message", "Signed message", &body, "SIGN_ERROR", "Request-ID", "User-Agent: b"],
    );
    // The line that differs is marked on both sides.
    let marked =
        browser.run("return [...document.querySelectorAll('mark')].map(at => at.textContent.trim());", json!([]));
    assert_eq!(marked, json!([body, ""]));
    browser.run("navigator.clipboard.writeText = async text => { window.copied = text; };", json!([]));
    browser.click("//button[.='Copy as wxpay req']");
    let copied = browser.run("return window.copied;", json!([]));
    assert!(copied.as_str().is_some_and(|text| text.starts_with("wxpay req -X POST 'v3/signed/wrongly'")), "{copied}");
    browser.click("//summary[.='curl']");
    assert!(browser.text().contains("curl --globoff --path-as-is -X POST"), "{}", browser.text());

    // The order is paid elsewhere before the button is pressed. The message is in the language of
    // the page.
    orders.post(native("order-o2", 1, &url)).expect("placed");
    browser.assert_cell("orders", &format!("{MCHID}/order-o2"), "number", "Image形象店-深圳腾大-QQ公仔");
    browser.run("window.held = document.querySelector('[data-call=pay]');", json!([]));
    sandbox.pay("order-o2").expect("paid");
    browser.assert_cell("orders", &format!("{MCHID}/order-o2"), "state", "SUCCESS");
    browser.run("window.held.click();", json!([]));
    browser.assert_message("the order \"order-o2\" is paid already");
    browser.click("//button[@id='zh']");
    browser.run("window.held.click();", json!([]));
    browser.assert_message("订单 \"order-o2\" 已支付");
    browser.assert_cell("calls", &wrong, "signature", "签名时漏了请求体");
    browser.click("//button[@id='en']");
    wait_for_delivery();

    // The user confirms a transfer. The next action removes the message.
    let transfer = json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": "t1", "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "transfer_amount": 4000, "transfer_remark": "<b>4月报销</b>", "notify_url": url,
        "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
    }});
    client.chain("v3/fund-app/mch-transfer/transfer-bills").post(transfer).expect("created");
    browser.assert_cell("transfers", "t1", "state", "WAIT_USER_CONFIRM");
    browser.assert_cell("transfers", "t1", "number", "<b>4月报销</b>");
    browser.press("transfers", "t1", "confirm");
    browser.assert_cell("transfers", "t1", "state", "SUCCESS");
    wait_for_delivery();
    browser.assert_view("transfers/t1", &["MCHTRANSFER.BILL.FINISHED", "/v3/fund-app/mch-transfer/transfer-bills"]);
    browser.assert_message("");

    // A notification to another machine is not sent and cannot be replayed.
    let event = json!({
        "notify_url": "https://example.com/x", "event_type": HOSTILE, "original_type": "x", "resource": { "out_trade_no": HOSTILE_SCRIPT },
    });
    control(&sandbox, "notify", &event).expect("response");
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.assert_cell("notifications", &sent, "event", HOSTILE);
    browser.assert_cell("notifications", &sent, "event", HOSTILE_SCRIPT);
    browser.assert_cell("notifications", &sent, "state", "not sent");
    assert_eq!(browser.cell("notifications", &sent, "actions"), "");

    assert_states(&browser, &sandbox, &client, &url);
    assert_controls(&browser, &sandbox);
    assert_fits(
        &browser,
        &[
            "orders",
            "refunds",
            "transfers",
            "sharings",
            "notifications",
            "calls",
            "controls",
            &details,
            &format!("calls/{wrong}"),
            &format!("notifications/{sent}"),
        ],
    );
    sandbox.audit().expect("balanced");

    // The log contains only the refused actions, and all requests went to the sandbox.
    browser.assert_no_injection();
    let log = browser.log("browser");
    let is_refusal = |entry: &Value| {
        entry["message"].as_str().is_some_and(|text| text.contains("/sandbox/pay ") && text.contains("400"))
    };
    assert!(log.len() == 2 && log.iter().all(is_refusal), "{log:?}");
    // The browser's own icons are `data:` URLs.
    let urls: Vec<String> = browser.requests().into_iter().filter(|url| !url.starts_with("data:")).collect();
    assert!(urls.iter().any(|url| url.ends_with("/sandbox/qr/A_-%7C*9.svg")), "{urls:?}");
    assert!(urls.iter().all(|url| url.starts_with(&sandbox.base_uri())), "{urls:?}");
    assert_content_security_policy(&browser, &sandbox);

    // The sandbox ends and starts again.
    browser.visit("orders");
    let port = sandbox.address().port();
    drop(sandbox);
    browser.assert_message("does not respond");
    let sandbox = Sandbox::builder().port(port).start().expect("the same port");
    browser.assert_message("");
    browser.assert_view("orders", &["nothing yet"]);
    drop(sandbox);
}

/// Brings records into the states that they do not reach by themselves.
fn assert_states(browser: &Browser, sandbox: &Sandbox, client: &wechatpay_chain::Client, url: &str) {
    browser.assert_view("controls", &["Hold refunds", "No limit"]);
    browser.click("//button[.='Hold refunds']");
    let is_pressed = || {
        browser.run("return [...document.querySelectorAll('[data-call=hold]')].find(at => at.textContent === 'Hold refunds')?.ariaPressed;", json!([])) == "true"
    };
    assert!(eventually(is_pressed), "held");
    let order = format!("{MCHID}/order-o2");
    browser.press("orders", &order, "refund");
    let refund = || {
        sandbox.overview()["refunds"]
            .as_array()
            .expect("rows")
            .iter()
            .find(|row| row["out_trade_no"] == "order-o2")
            .cloned()
    };
    assert!(eventually(|| refund().is_some()), "a refund");
    let number = refund().expect("refund")["out_refund_no"].as_str().expect("number").to_owned();
    let row = format!("{MCHID}/{number}");
    browser.assert_cell("refunds", &row, "state", "PROCESSING");
    browser.visit("refunds");
    browser.click(&format!("//tr[@data-key='{row}']//button[.='→ ABNORMAL']"));
    browser.assert_cell("refunds", &row, "state", "ABNORMAL");
    browser.assert_view(&format!("refunds/{MCHID}%2F{number}"), &["REFUND.ABNORMAL", "order-o2"]);
    browser.click("//main//button[.='→ SUCCESS']");
    browser.assert_cell("refunds", &row, "state", "SUCCESS");

    client.chain("v3/pay/transactions/native").post(native("order-o3", 1, url)).expect("placed");
    browser.press("orders", &format!("{MCHID}/order-o3"), "expire");
    browser.assert_cell("orders", &format!("{MCHID}/order-o3"), "state", "CLOSED");
    let transfer = json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": "t2", "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "transfer_amount": 4000, "transfer_remark": "x", "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
    }});
    client.chain("v3/fund-app/mch-transfer/transfer-bills").post(transfer).expect("created");
    browser.assert_view("transfers/t2", &["WAIT_USER_CONFIRM"]);
    browser.run("document.querySelector('form [name=fail_reason]').value = 'OVERDUE_CLOSE';", json!([]));
    browser.click("//form[@data-call='fail-transfer']//button");
    browser.assert_view("transfers/t2", &["FAIL", "OVERDUE_CLOSE"]);

    browser.assert_view("controls", &["No limit"]);
    browser.run("document.querySelector('form[data-call=limit] [name=calls]').value = 0;", json!([]));
    browser.click("//form[@data-call='limit']//button");
    browser.assert_view("controls", &["At most 0 calls in 1 s"]);
    assert_eq!(
        client.chain("v3/certificates").get(()).expect_err("limited").status().map(|status| status.as_u16()),
        Some(429)
    );
    browser.click("//button[@data-call='limit']");
    browser.assert_view("controls", &["No limit"]);
    browser.click("//button[.='Hold refunds']");
    assert!(eventually(|| !is_pressed()), "not held");
}

/// Faults, stubs and notifications are controlled on one view.
fn assert_controls(browser: &Browser, sandbox: &Sandbox) {
    browser.assert_view("controls", &["Faults", "Stubs"]);
    browser.run(
        "document.querySelector('form[data-call=fault] [name=fault]').value = 'delay';
        document.querySelector('form[data-call=fault] [name=detail]').value = '5';",
        json!([]),
    );
    browser.click("//form[@data-call='fault']//button");
    browser.assert_view("controls", &["Pending faults (response): Delay(5ms)"]);
    browser.click("//button[@data-call='clear-faults']");
    assert!(eventually(|| !browser.text().contains("Pending faults")), "{}", browser.text());
    browser.run(
        "document.querySelector('form[data-call=stub] [name=template]').value = 'v3/new/{x}';
        document.querySelector('form[data-call=stub] [name=response]').value = JSON.stringify({ text: arguments[0] });",
        json!([HOSTILE]),
    );
    browser.click("//form[@data-call='stub']//button");
    browser.assert_view("controls", &["GET v3/new/{x} → 200", "window.hostile"]);
    let client = sandbox.client().expect("client");
    assert_eq!(
        client.chain("v3/new/{x}").get(json!({ "x": 1 })).expect("stub").json::<Value>().expect("JSON")["text"],
        HOSTILE
    );
    browser.click("//button[@data-call='remove-stub']");
    assert!(eventually(|| !browser.text().contains("v3/new/{x} →")), "{}", browser.text());
    client.chain("v3/new/{x}").get(json!({ "x": 1 })).expect_err("the stub is removed");
    browser.run(
        "document.querySelector('form[data-call=trigger] [name=event]').value = 'REFUND.ABNORMAL';
        document.querySelector('form[data-call=trigger] [name=notify_url]').value = 'https://example.com/y';
        document.querySelector('form[data-call=trigger] [name=set]').value = 'out_refund_no=r-1';",
        json!([]),
    );
    browser.click("//form[@data-call='trigger']//button");
    let sent = || sandbox.overview()["notifications"][0]["message"].clone();
    assert!(eventually(|| sent()["event_type"] == "REFUND.ABNORMAL"), "{}", sent());
    assert_eq!(sent()["resource"]["out_refund_no"], "r-1");
}

/// On a phone, all elements are within the screen, and buttons are large enough.
fn assert_fits(browser: &Browser, views: &[&str]) {
    let outside = "const width = arguments[0];
        const outside = [...document.querySelectorAll('body *')].filter(at => {
            const box = at.getBoundingClientRect();
            // The names of the views can be scrolled.
            return box.width > 0 && (box.left < 0 || box.right > width) && !at.closest('nav');
        });
        const small = [...document.querySelectorAll('main button')].filter(at => at.offsetHeight > 0 && at.offsetHeight < 24);
        return [document.documentElement.scrollWidth > width, ...[...outside, ...small].map(at => at.outerHTML.slice(0, 200))];";
    for (width, mobile) in [(1100, false), (800, false), (375, true), (360, true)] {
        browser.resize(width, mobile);
        for view in views {
            browser.visit(view);
            let is_drawn =
                || browser.run("return document.querySelectorAll('#view > *').length;", json!([])).as_u64() > Some(0);
            assert!(eventually(is_drawn), "{view}");
            assert_eq!(browser.run(outside, json!([width])), json!([false]), "{view} {width}");
        }
    }
    browser.resize(1280, false);
}

#[test]
fn long_lists_have_pages_and_filters() {
    let Some(browser) = browser() else { return };
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    for number in 0..120 {
        orders.post(native(&format!("order-{number:04}"), 1, "http://127.0.0.1:9/n")).expect("placed");
    }
    sandbox.pay("order-0007").expect("paid");
    browser.command("/url", &json!({ "url": sandbox.base_uri() }));
    browser.click("//button[@id='en']");
    let rows = || {
        browser.run("return [...document.querySelectorAll('[data-table=orders] tbody tr')].map(row => row.dataset.key.split('/')[1] ?? '');", json!([]))
    };
    let shows = |first: &str, count: usize| {
        let is_shown = |rows: &Value| rows[0] == first && rows.as_array().is_some_and(|rows| rows.len() == count);
        assert!(eventually(|| is_shown(&rows())), "{first} {count}: {}", rows());
    };
    shows("order-0119", 50);
    browser.click("//button[@data-page='next']");
    shows("order-0069", 50);
    browser.click("//button[@data-page='next']");
    shows("order-0019", 20);
    assert!(browser.text().contains("120 in total · Page 3 of 3"), "{}", browser.text());
    browser.command("/back", &json!({}));
    shows("order-0069", 50);
    let fill = |name: &str, value: &str| {
        let script = "const [name, value] = arguments; const field = document.getElementById('filters')[name];
            field.value = value; field.dispatchEvent(new Event('input', { bubbles: true }));";
        browser.run(script, json!([name, value]));
    };
    fill("search", "ORDER-000");
    shows("order-0009", 10);
    fill("state", "SUCCESS");
    shows("order-0007", 1);
    // The URL contains the filters.
    browser.reload();
    shows("order-0007", 1);
    assert_eq!(browser.run("return document.getElementById('filters').search.value;", json!([])), "ORDER-000");
    browser.click("//form[@id='filters']//button");
    shows("order-0119", 50);
    // Another URL sets other filters.
    browser.visit("orders?search=order-01&state=NOTPAY");
    shows("order-0119", 20);
    let fields = "const { search, state } = document.getElementById('filters'); return [search.value, state.value];";
    assert_eq!(browser.run(fields, json!([])), json!(["order-01", "NOTPAY"]));
    fill("from", "2199-01-01T00:00:00");
    assert!(eventually(|| browser.text().contains("nothing yet")), "{}", browser.text());
    browser.visit("orders?from=2001-01-01T00%3A00%3A00");
    shows("order-0119", 50);
    browser.assert_no_injection();
    // Both languages have the same texts.
    let different = browser.run("const [zh, en] = [texts.zh, texts.en]; return [...Object.keys(zh).filter(key => !(key in en)), ...Object.keys(en).filter(key => !(key in zh))];", json!([]));
    assert_eq!(different, json!([]));
}

/// The page uses the language of the browser until the user chooses one. The choice is stored.
fn assert_languages(browser: &Browser) {
    let chinese = ["微信支付沙箱", "订单", "退款", "商家转账", "分账", "回调通知", "请求", "控制"];
    let english = [
        "WeChat Pay sandbox",
        "Orders",
        "Refunds",
        "Transfers",
        "Profit sharing",
        "Notifications",
        "Calls",
        "Controls",
    ];
    let assert_shown = |headings: [&str; 8], language: &str, column: &str| {
        assert!(eventually(|| browser.headings() == headings), "{:?}", browser.headings());
        assert_eq!(browser.run("return document.documentElement.lang;", json!([])), language);
        let first = || browser.run("return document.querySelector('th')?.innerText;", json!([]));
        // The name of the field is the second line.
        assert!(eventually(|| first() == format!("{column}\nout_trade_no")), "{}", first());
    };
    assert_shown(chinese, "zh-CN", "商户订单号");
    browser.click("//button[@id='en']");
    assert_shown(english, "en", "Merchant order number");
    browser.reload();
    assert_shown(english, "en", "Merchant order number");
    browser.click("//button[@id='zh']");
    assert_shown(chinese, "zh-CN", "商户订单号");
    browser.reload();
    assert_shown(chinese, "zh-CN", "商户订单号");
    // Another program at this address stored something else under that name.
    browser.run("Object.keys(localStorage).forEach(key => localStorage.setItem(key, 'toString'));", json!([]));
    browser.reload();
    assert_shown(chinese, "zh-CN", "商户订单号");
    browser.click("//button[@id='en']");
    assert_shown(english, "en", "Merchant order number");
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
