//! A client of WebDriver, which controls Chromium.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The time that the page may take to change.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);
/// The key of an element's ID in a response of WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Reads the head and the body of an HTTP/1.1 message.
pub(crate) fn read_message(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
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

/// Sends a request, and returns the head and the body of the response.
pub(crate) fn send_request(address: SocketAddr, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT * 2))?;
    stream.write_all(request.as_bytes())?;
    read_message(&stream)
}

/// A browser and its driver. Both end when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    /// The path of the session.
    session: String,
    /// The files of browser and driver.
    _folder: tempfile::TempDir,
}

/// A browser. If it is not installed, prints that the test is skipped, and returns `None`.
pub(super) fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        let message = "SKIPPED: no chromedriver (.ci/browser installs it: apt-get install chromium chromium-driver)";
        let _ = writeln!(std::io::stderr(), "{message}");
    }
    browser
}

impl Browser {
    /// `None` if the driver is not installed.
    pub(crate) fn start() -> Option<Self> {
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
        let mut lines = BufReader::new(browser.driver.stdout.take().expect("stdout")).lines();
        let port = lines.find_map(|line| {
            line.expect("text").split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        browser.address.set_port(port.expect("the port in the output of chromedriver"));
        let profile = format!("--user-data-dir={}", browser._folder.path().join("profile").display());
        let settings = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1280,900",
                "--accept-lang=zh-CN", "--disable-background-networking", "--no-proxy-server", profile,
            ]},
        }}});
        let session =
            browser.call("POST", "/session", &settings).unwrap_or_else(|message| panic!("no session: {message}"));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("id"));
        Some(browser)
    }

    /// Calls WebDriver. The error is the message of the driver.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let (head, body) = send_request(self.address, &request).map_err(|error| error.to_string())?;
        let mut response: Value = serde_json::from_slice(&body).map_err(|error| format!("{error}: {head}"))?;
        if head.starts_with("HTTP/1.1 200") { Ok(response["value"].take()) } else { Err(response["value"].to_string()) }
    }

    /// Posts a command of the session, which must succeed.
    pub(crate) fn command(&self, path: &str, body: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        self.call("POST", &path, body).unwrap_or_else(|message| panic!("{path} {body}: {message}"))
    }

    /// Runs the body of a function in the page. An asynchronous one calls `then` with its result.
    pub(crate) fn run(&self, script: &str, arguments: Value) -> Value {
        let kind = if script.contains("then(") { "/execute/async" } else { "/execute/sync" };
        let script = script.replace("then(", "arguments[arguments.length - 1](");
        self.command(kind, &json!({ "script": script, "args": arguments }))
    }

    /// Clicks an element. Like a user, it cannot click what is hidden or covered.
    pub(crate) fn click(&self, xpath: &str) {
        let click = || {
            let path = format!("{}/element", self.session);
            let found = self.call("POST", &path, &json!({ "using": "xpath", "value": xpath }))?;
            let path = format!("{path}/{}/click", found[ELEMENT].as_str().expect("element"));
            self.call("POST", &path, &json!({}))
        };
        let mut outcome = Ok(Value::Null);
        let clicked = eventually(|| {
            outcome = click();
            outcome.is_ok()
        });
        assert!(clicked, "{xpath}: {outcome:?}");
    }

    /// Shows a view of the page, such as `orders` or `orders/KEY`.
    pub(crate) fn visit(&self, hash: &str) {
        self.run("location.hash = arguments[0];", json!([hash]));
    }

    pub(crate) fn press(&self, table: &str, key: &str, button: &str) {
        self.visit(table);
        self.click(&format!("//table[@data-table='{table}']//tr[@data-key='{key}']//button[@data-call='{button}']"));
    }

    /// The text of a cell, or of the row if `cell` is empty. The table is shown first.
    pub(crate) fn cell(&self, table: &str, key: &str, cell: &str) -> String {
        self.visit(table);
        let script = "const [table, key, cell] = arguments;
            const row = [...document.querySelectorAll(`[data-table=${table}] tbody tr`)].find(row => row.dataset.key === key);
            return (cell ? row?.querySelector('.' + cell) : row)?.innerText ?? '';";
        self.run(script, json!([table, key, cell])).as_str().expect("text").to_owned()
    }

    /// The text of the page below its header.
    pub(crate) fn text(&self) -> String {
        self.run("return document.querySelector('main').innerText;", json!([])).as_str().expect("text").to_owned()
    }

    /// Shows a view, and asserts that it eventually contains these texts.
    pub(crate) fn assert_view(&self, hash: &str, expected: &[&str]) {
        self.visit(hash);
        for text in expected {
            assert!(eventually(|| self.text().contains(text)), "{hash}: {text:?} is not in {}", self.text());
        }
    }

    /// Asserts that a cell comes to contain a text.
    pub(crate) fn assert_cell(&self, table: &str, key: &str, cell: &str, expected: &str) {
        let shown = eventually(|| self.cell(table, key, cell).contains(expected));
        assert!(shown, "{table} {key} {cell}: {expected:?} is not in {:?}", self.cell(table, key, cell));
    }

    /// Asserts that the message of the page comes to contain a text, or to be empty.
    pub(crate) fn assert_message(&self, expected: &str) {
        let message = || self.run("return document.getElementById('error').innerText;", json!([]));
        let matches = |message: &Value| {
            let message = message.as_str().expect("text");
            if expected.is_empty() { message.is_empty() } else { message.contains(expected) }
        };
        assert!(eventually(|| matches(&message())), "{expected:?} is not in the message: {}", message());
    }

    /// The title of the page, and the names of the views.
    pub(crate) fn headings(&self) -> Vec<String> {
        let headings = "return [document.querySelector('h1'), ...document.querySelectorAll('nav a')].map(at => at.childNodes[0]?.data);";
        let mut found = Value::Null;
        // The names are rendered after the first response.
        let is_rendered = eventually(|| {
            found = self.run(headings, json!([]));
            found.as_array().is_some_and(|all| all.len() > 1)
        });
        assert!(is_rendered, "the views are rendered");
        found.as_array().expect("list").iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    }

    pub(crate) fn reload(&self) {
        self.command("/refresh", &json!({}));
    }

    /// Emulates a screen of this width.
    pub(crate) fn resize(&self, width: u32, mobile: bool) {
        let size = json!({ "width": width, "height": 740, "deviceScaleFactor": 2, "mobile": mobile });
        self.command("/goog/cdp/execute", &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }));
    }

    /// The log entries since the last call.
    pub(crate) fn log(&self, kind: &str) -> Vec<Value> {
        self.command("/se/log", &json!({ "type": kind })).as_array().expect("entries").clone()
    }

    /// The URLs of all requests of the page.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.log("performance").into_iter().map(|entry| {
            serde_json::from_str::<Value>(entry["message"].as_str().expect("text")).expect("JSON")["message"].take()
        });
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            // The start page of the browser.
            .filter(|event| !event["params"]["documentURL"].as_str().is_some_and(|url| url.starts_with("chrome")))
            .map(|event| event["params"]["request"]["url"].as_str().expect("URL").to_owned())
            .collect()
    }

    /// Asserts that no hostile text became an element of the page or ran as a script.
    pub(crate) fn assert_no_injection(&self) {
        let script = "return [window.hostile ?? null, document.querySelectorAll('script').length,
            [...document.images].filter(image => !image.src.startsWith(location.origin + '/sandbox/qr/')).length];";
        assert_eq!(self.run(script, json!([])), json!([null, 3, 0]));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, so the session is deleted before the driver is killed.
        if !self.session.is_empty() {
            let _ = self.call("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Whether a condition becomes true within the timeout.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}
