//! The sandbox's page, in a real browser: Chromium, told what to do over WebDriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, SERIAL, Sandbox};

use crate::flows::{control, native};
use crate::support::start;

/// How long the page may take for anything.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where WebDriver's answers have the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// What would run if it were HTML.
const HOSTILE: &str = r#"<img src=x onerror="window.hostile=1">"#;
const HOSTILE_SCRIPT: &str = r#"'"></td><script>window.hostile=1</script>"#;
/// The order's number, with all that a number may have.
const NUMBER: &str = "A_-|*9";

/// Reads a message of HTTP/1.1: its head, and its body.
fn message(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

/// Sends a request, and returns what is answered, head and body.
fn exchange(address: SocketAddr, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    stream.write_all(request.as_bytes())?;
    message(&stream)
}

/// A merchant's `notify_url`: says no at first, in hostile words, and yes from then on.
fn merchant() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let refusal =
            format!("HTTP/1.1 500 x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{HOSTILE}", HOSTILE.len());
        let consent = "HTTP/1.1 204 x\r\nconnection: close\r\n\r\n".to_owned();
        let answers = std::iter::once(refusal).chain(std::iter::repeat(consent));
        for (stream, answer) in listener.incoming().zip(answers) {
            let mut stream = stream.expect("accepted");
            message(&stream).expect("a notification");
            stream.write_all(answer.as_bytes()).expect("answered");
            // The test may have ended.
            let _ = send.send(());
        }
    });
    (format!("http://{address}/notify"), receive)
}

/// A browser, and the driver that leads it. Both end with it.
struct Browser {
    driver: Child,
    address: SocketAddr,
    /// The path of the session.
    session: String,
    /// Everything that they write.
    _folder: tempfile::TempDir,
}

impl Browser {
    /// None where there is no driver on this machine.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("folder");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(name, folder.path());
        }
        let driver = match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            driver => driver.expect("chromedriver"),
        };
        let address = ([127, 0, 0, 1], 0).into();
        let mut browser = Browser { driver, address, session: String::new(), _folder: folder };
        let mut said = BufReader::new(browser.driver.stdout.take().expect("stdout")).lines();
        let port = said.find_map(|line| {
            line.expect("text").split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        browser.address.set_port(port.expect("chromedriver says its port"));
        let profile = format!("--user-data-dir={}", browser._folder.path().join("profile").display());
        let settings = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1280,900",
                "--accept-lang=zh-CN", "--disable-background-networking", "--no-proxy-server", profile,
            ]},
        }}});
        let session = browser.ask("POST", "/session", &settings).unwrap_or_else(|said| panic!("no session: {said}"));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("id"));
        Some(browser)
    }

    /// A call of WebDriver; the error is what the driver says.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let (head, body) = exchange(self.address, &request).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_slice(&body).map_err(|error| format!("{error}: {head}"))?;
        if head.starts_with("HTTP/1.1 200") { Ok(answer["value"].take()) } else { Err(answer["value"].to_string()) }
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        self.ask("POST", &path, body).unwrap_or_else(|said| panic!("{path} {body}: {said}"))
    }

    /// Runs the body of a function in the page; `then` is its last argument where it takes its time.
    fn run(&self, script: &str, arguments: Value) -> Value {
        let kind = if script.contains("then(") { "/execute/async" } else { "/execute/sync" };
        let script = script.replace("then(", "arguments[arguments.length - 1](");
        self.tell(kind, &json!({ "script": script, "args": arguments }))
    }

    /// Clicks like a user: what is not there, not to be seen or covered cannot be.
    fn click(&self, xpath: &str) {
        let try_it = || {
            let path = format!("{}/element", self.session);
            let found = self.ask("POST", &path, &json!({ "using": "xpath", "value": xpath }))?;
            let path = format!("{path}/{}/click", found[ELEMENT].as_str().expect("element"));
            self.ask("POST", &path, &json!({}))
        };
        let mut said = Ok(Value::Null);
        let clicked = eventually(|| {
            said = try_it();
            said.is_ok()
        });
        assert!(clicked, "{xpath}: {said:?}");
    }

    fn press(&self, table: &str, key: &str, button: &str) {
        self.click(&format!("//table[@id='{table}']//tr[@data-key='{key}']//button[@class='{button}']"));
    }

    fn open(&self, table: &str, key: &str) {
        self.click(&format!("//table[@id='{table}']//tr[@data-key='{key}']//summary"));
    }

    /// What is to be read in a cell, or in the row where `cell` is empty.
    fn cell(&self, table: &str, key: &str, cell: &str) -> String {
        let script = "const [table, key, cell] = arguments;
            const row = [...document.querySelectorAll(`#${table} tbody tr`)].find(row => row.dataset.key === key);
            return (cell ? row?.querySelector('.' + cell) : row)?.innerText ?? '';";
        self.run(script, json!([table, key, cell])).as_str().expect("text").to_owned()
    }

    fn shows(&self, table: &str, key: &str, cell: &str, words: &str) {
        let shown = eventually(|| self.cell(table, key, cell).contains(words));
        assert!(shown, "{table} {key} {cell}: {words:?} is not in {:?}", self.cell(table, key, cell));
    }

    fn says(&self, words: &str) {
        let said = || self.run("return document.getElementById('said').innerText;", json!([]));
        let matches = |said: &Value| {
            let said = said.as_str().expect("text");
            if words.is_empty() { said.is_empty() } else { said.contains(words) }
        };
        assert!(eventually(|| matches(&said())), "{words:?} is not what it says: {}", said());
    }

    /// The title, and the headings of the tables.
    fn headings(&self) -> Value {
        // Drawn when there is a state.
        let drawn =
            || self.run("return document.querySelectorAll('thead').length;", json!([])).as_u64().expect("count") == 5;
        assert!(eventually(drawn), "the tables are drawn");
        self.run("return [...document.querySelectorAll('h1, h2')].map(at => at.textContent);", json!([]))
    }

    fn reload(&self) {
        self.tell("/refresh", &json!({}));
    }

    /// As on a phone, or on a desk again.
    fn narrow(&self, width: u32, mobile: bool) {
        let size = json!({ "width": width, "height": 740, "deviceScaleFactor": 2, "mobile": mobile });
        self.tell("/goog/cdp/execute", &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }));
    }

    /// What the browser noted since it was asked the last time.
    fn log(&self, kind: &str) -> Vec<Value> {
        self.tell("/se/log", &json!({ "type": kind })).as_array().expect("entries").clone()
    }

    /// The addresses of all requests that it made.
    fn requests(&self) -> Vec<String> {
        let events = self.log("performance").into_iter().map(|entry| {
            serde_json::from_str::<Value>(entry["message"].as_str().expect("text")).expect("JSON")["message"].take()
        });
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            // The browser begins with a page of its own.
            .filter(|event| !event["params"]["documentURL"].as_str().is_some_and(|url| url.starts_with("chrome:")))
            .map(|event| event["params"]["request"]["url"].as_str().expect("URL").to_owned())
            .collect()
    }

    /// Nothing that was sent is an element of the page, and nothing of it has run.
    fn is_unharmed(&self) {
        let foreign = "return [window.hostile ?? null, document.querySelectorAll('script').length,
            [...document.images].filter(image => !image.src.startsWith(location.origin + '/sandbox/qr/')).length];";
        assert_eq!(self.run(foreign, json!([])), json!([null, 1, 0]));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, so that session first, whatever the driver says to it.
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A call whose body was left out when it was signed, or one without any signature.
fn badly_signed(sandbox: &Sandbox, target: &str, signed: bool) {
    let body = json!({ "description": HOSTILE }).to_string();
    let (timestamp, nonce) =
        (wechatpay_chain::formatter::timestamp(), wechatpay_chain::formatter::nonce().expect("nonce"));
    let text = format!("POST\n{target}\n{timestamp}\n{nonce}\n\n");
    let signature = sandbox.merchant_key().sign(text.as_bytes()).expect("signature");
    let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
    let header = wechatpay_chain::formatter::authorization(MCHID, &nonce, &signature, timestamp, SERIAL);
    let header = if signed { format!("authorization: {header}\r\n") } else { String::new() };
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\naccept: a\r\nuser-agent: b\r\nconnection: close\r\n{header}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, _) = exchange(sandbox.address(), &request).expect("answer");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

/// The row of a table in the sandbox's own state.
fn known(sandbox: &Sandbox, table: &str, name: &str, value: &str) -> Value {
    let state = sandbox.overview();
    let rows = state[table].as_array().expect("rows");
    rows.iter().find(|row| row[name] == value).unwrap_or_else(|| panic!("no {value} in {state}")).clone()
}

#[test]
fn the_page_in_a_browser() {
    let Some(browser) = Browser::start() else {
        let said = "SKIPPED: no chromedriver on this machine (.ci/browser installs it: apt-get install chromium chromium-driver)";
        let _ = writeln!(std::io::stderr(), "{said}");
        return;
    };
    let (sandbox, client) = start();
    let (url, told) = merchant();
    let arrived = || told.recv_timeout(PATIENCE).expect("a notification");
    let mut order = native(NUMBER, 12_345, &url);
    order["json"]["description"] = HOSTILE.into();
    order["json"]["attach"] = HOSTILE_SCRIPT.into();
    let orders = client.chain("v3/pay/transactions/native");
    orders.post(order).expect("placed");
    browser.tell("/url", &json!({ "url": sandbox.base_uri() }));
    speaks_two_languages(&browser);

    // An order: listed as it was placed, with its QR code, which stays open when others come.
    let row = format!("{MCHID}/{NUMBER}");
    let cells = ["number", "type", "amount", "state"].map(|cell| browser.cell("orders", &row, cell));
    let [number, kind, amount, state] = &cells;
    assert!(number.contains(NUMBER) && number.contains(HOSTILE) && number.contains(HOSTILE_SCRIPT), "{number}");
    assert_eq!((kind.as_str(), amount.as_str(), state.as_str()), ("NATIVE", "123.45", "NOTPAY"));
    browser.open("orders", &row);
    let drawn = || browser.run("return document.querySelector('#orders img')?.naturalWidth ?? 0;", json!([]));
    assert!(eventually(|| drawn().as_u64() > Some(0)), "the QR code is loaded");
    orders.post(native("o2", 1, &url)).expect("placed");
    browser.shows("orders", &format!("{MCHID}/o2"), "number", "Image形象店-深圳腾大-QQ公仔");
    let open = "return [...document.querySelectorAll('#orders details')].map(one => one.open);";
    assert_eq!(browser.run(open, json!([])), json!([false, true]));

    // The buyer pays, and the merchant's program refuses to know it, until it is told again.
    browser.press("orders", &row, "pay");
    browser.shows("orders", &row, "state", "SUCCESS");
    let paid = known(&sandbox, "orders", "out_trade_no", NUMBER);
    assert_eq!(paid["state"], "SUCCESS");
    browser.shows("orders", &row, "id", paid["transaction_id"].as_str().expect("number"));
    arrived();
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.shows("notifications", &sent, "attempts", &format!("500 {HOSTILE}"));
    let shown = browser.cell("notifications", &sent, "");
    assert!(
        [url.as_str(), "TRANSACTION.SUCCESS", NUMBER, "waiting"].iter().all(|part| shown.contains(part)),
        "{shown}"
    );
    browser.press("notifications", &sent, "replay");
    arrived();
    browser.shows("notifications", &sent, "attempts", " 204");
    browser.shows("notifications", &sent, "state", "delivered");

    // All of it is given back.
    browser.press("orders", &row, "refund");
    browser.shows("orders", &row, "amount", "refunded 123.45");
    arrived();
    let refund = known(&sandbox, "refunds", "out_trade_no", NUMBER);
    browser.shows("refunds", refund["refund_id"].as_str().expect("id"), "amount", "123.45");
    assert_eq!(known(&sandbox, "orders", "out_trade_no", NUMBER)["state"], "REFUND");
    assert_eq!(browser.cell("orders", &row, "action"), "", "nothing is left to be done");

    // Calls whose signature does not hold.
    badly_signed(&sandbox, "/v3/signed/wrongly?a=%3Cimg%3E", true);
    badly_signed(&sandbox, "/v3/not/signed", false);
    let calls = sandbox.overview()["calls"].clone();
    let [unsigned, wrong] = [0, 1].map(|at| calls[at]["number"].to_string());
    browser.shows("calls", &unsigned, "signature", "is missing");
    browser.shows("calls", &unsigned, "status", "401");
    browser.shows("calls", &wrong, "signature", "does not hold");
    browser.shows("calls", &wrong, "signature", "the body was left out");
    browser.shows("calls", &wrong, "request", "POST /v3/signed/wrongly?a=%3Cimg%3E");
    browser.open("calls", &wrong);
    browser.shows("calls", &wrong, "signature", "expected message");
    browser.shows("calls", &wrong, "signature", "message that was signed");
    browser.shows("calls", &wrong, "signature", &json!({ "description": HOSTILE }).to_string());
    browser.shows("calls", &calls[2]["number"].to_string(), "signature", "holds");

    // The buyer has paid elsewhere when the button is pressed.
    browser.run("window.held = document.querySelector('#orders .pay');", json!([]));
    sandbox.pay("o2").expect("paid");
    browser.shows("orders", &format!("{MCHID}/o2"), "state", "SUCCESS");
    browser.run("window.held.click();", json!([]));
    browser.says("the order \"o2\" is paid already");
    arrived();

    // On a phone: nothing beside the screen, and what is done next takes the words away.
    let transfer = json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": "t1", "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "transfer_amount": 4000, "transfer_remark": "<b>4月报销</b>", "notify_url": url,
        "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
    }});
    client.chain("v3/fund-app/mch-transfer/transfer-bills").post(transfer).expect("made");
    let bill = known(&sandbox, "transfers", "out_bill_no", "t1");
    let bill = bill["transfer_bill_no"].as_str().expect("number");
    browser.shows("transfers", bill, "state", "WAIT_USER_CONFIRM");
    browser.shows("transfers", bill, "number", "<b>4月报销</b>");
    let beside = "const width = arguments[0];
        const outside = [...document.querySelectorAll('main *, h1, button, #said')].filter(at => {
            const box = at.getBoundingClientRect();
            return box.width > 0 && (box.left < 0 || box.right > width);
        });
        const small = [...document.querySelectorAll('td button')].filter(at => at.getBoundingClientRect().height < 24);
        return [...outside, ...small].map(at => at.outerHTML.slice(0, 200));";
    for (width, mobile) in [(1000, false), (800, false), (360, true)] {
        browser.narrow(width, mobile);
        assert_eq!(browser.run(beside, json!([width])), json!([]), "{width}");
    }
    browser.press("transfers", bill, "confirm");
    browser.shows("transfers", bill, "state", "SUCCESS");
    arrived();
    assert_eq!(known(&sandbox, "transfers", "out_bill_no", "t1")["state"], "SUCCESS");
    browser.says("");
    browser.narrow(1280, false);

    // What leads elsewhere is not sent, and not sent again.
    let event = json!({
        "notify_url": "https://example.com/x", "event_type": HOSTILE, "original_type": "x", "resource": { "out_trade_no": HOSTILE_SCRIPT },
    });
    control(&sandbox, "notify", &event).expect("noted");
    let sent = sandbox.overview()["notifications"][0]["id"].as_str().expect("id").to_owned();
    browser.shows("notifications", &sent, "event", HOSTILE);
    browser.shows("notifications", &sent, "event", HOSTILE_SCRIPT);
    browser.shows("notifications", &sent, "state", "not sent");
    assert_eq!(browser.cell("notifications", &sent, "action"), "");
    sandbox.audit().expect("balanced");

    // Only the one wish that was refused is in the log, and nobody but the sandbox was asked.
    browser.is_unharmed();
    let log = browser.log("browser");
    let refusal = |entry: &Value| {
        entry["message"].as_str().is_some_and(|text| text.contains("/sandbox/pay ") && text.contains("400"))
    };
    assert!(log.len() == 1 && refusal(&log[0]), "{log:?}");
    let asked = browser.requests();
    assert!(asked.iter().any(|url| url.ends_with("/sandbox/qr/A_-%7C*9.svg")), "{asked:?}");
    assert!(asked.iter().all(|url| url.starts_with(&sandbox.base_uri())), "{asked:?}");
    is_guarded(&browser, &sandbox);

    // It ends, and is there again.
    let port = sandbox.address().port();
    drop(sandbox);
    browser.says("does not answer");
    let sandbox = Sandbox::configure().port(port).start().expect("the same port");
    browser.says("");
    let none = || browser.run("return document.querySelector('#orders td').innerText;", json!([])) == "nothing yet";
    assert!(eventually(none), "the orders of the new one");
    drop(sandbox);
}

/// Chinese where the browser asks for it and nothing was chosen; what was chosen is kept.
fn speaks_two_languages(browser: &Browser) {
    let chinese = json!(["微信支付沙箱", "订单", "退款", "商家转账", "回调通知", "请求"]);
    let english = json!(["WeChat Pay sandbox", "Orders", "Refunds", "Transfers", "Notifications", "Calls"]);
    let language = || browser.run("return document.documentElement.lang;", json!([]));
    let first_columns =
        || browser.run("return [...document.querySelectorAll('#orders th')].map(at => at.textContent)[0];", json!([]));
    assert_eq!((browser.headings(), language(), first_columns()), (chinese.clone(), json!("zh-CN"), json!("商户单号")));
    browser.click("//button[@id='en']");
    assert_eq!((browser.headings(), language()), (english.clone(), json!("en")));
    browser.reload();
    assert_eq!(
        (browser.headings(), language(), first_columns()),
        (english.clone(), json!("en"), json!("Merchant number"))
    );
    browser.click("//button[@id='zh']");
    assert_eq!(browser.headings(), chinese);
    browser.reload();
    assert_eq!(browser.headings(), chinese);
    // Something else has been kept under that name, by something else at this address.
    browser.run("Object.keys(localStorage).forEach(key => localStorage.setItem(key, 'toString'));", json!([]));
    browser.reload();
    assert_eq!(browser.headings(), chinese);
    browser.click("//button[@id='en']");
    assert_eq!(browser.headings(), english);
}

/// If the page did make HTML of what was sent to it, the browser would still not run or fetch it.
fn is_guarded(browser: &Browser, sandbox: &Sandbox) {
    let violations = browser.run(
        "const [elsewhere, hostile] = arguments;
        const seen = [];
        document.addEventListener('securitypolicyviolation', event => seen.push(event.effectiveDirective));
        new Image().src = elsewhere;
        fetch(elsewhere).catch(() => {});
        const page = document.createElement('p');
        for (const harm of [() => { page.innerHTML = hostile; }, () => page.setAttribute('onclick', 'window.hostile = 1'), () => page.click()]) {
            try { harm(); } catch { /* as it should be */ }
        }
        setTimeout(() => then([...new Set(seen)].sort()), 300);",
        json!([format!("http://localhost:{}/", sandbox.address().port()), HOSTILE]),
    );
    let violations: Vec<&str> = violations.as_array().expect("list").iter().filter_map(Value::as_str).collect();
    assert!(["connect-src", "img-src"].iter().all(|of| violations.contains(of)), "{violations:?}");
    browser.is_unharmed();
}
