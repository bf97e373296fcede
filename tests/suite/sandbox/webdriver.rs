//! A real browser: Chromium, told what to do over WebDriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the page may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Where WebDriver's answers have the id of an element.
pub(crate) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Reads a message of HTTP/1.1: its head, and its body.
pub(crate) fn message(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
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
pub(crate) fn exchange(address: SocketAddr, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    stream.write_all(request.as_bytes())?;
    message(&stream)
}

/// A browser, and the driver that leads it. Both end with it.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    /// The path of the session.
    session: String,
    /// Everything that they write.
    _folder: tempfile::TempDir,
}

impl Browser {
    /// None where there is no driver on this machine.
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
        let mut message = BufReader::new(browser.driver.stdout.take().expect("stdout")).lines();
        let port = message.find_map(|line| {
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
        let session =
            browser.ask("POST", "/session", &settings).unwrap_or_else(|message| panic!("no session: {message}"));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("id"));
        Some(browser)
    }

    /// A call of WebDriver; the error is what the driver says.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let (head, body) = exchange(self.address, &request).map_err(|error| error.to_string())?;
        let mut response: Value = serde_json::from_slice(&body).map_err(|error| format!("{error}: {head}"))?;
        if head.starts_with("HTTP/1.1 200") { Ok(response["value"].take()) } else { Err(response["value"].to_string()) }
    }

    pub(crate) fn tell(&self, path: &str, body: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        self.ask("POST", &path, body).unwrap_or_else(|message| panic!("{path} {body}: {message}"))
    }

    /// Runs the body of a function in the page; `then` is its last argument where it takes its time.
    pub(crate) fn run(&self, script: &str, arguments: Value) -> Value {
        let kind = if script.contains("then(") { "/execute/async" } else { "/execute/sync" };
        let script = script.replace("then(", "arguments[arguments.length - 1](");
        self.tell(kind, &json!({ "script": script, "args": arguments }))
    }

    /// Clicks like a user: what is not there, not to be seen or covered cannot be.
    pub(crate) fn click(&self, xpath: &str) {
        let try_it = || {
            let path = format!("{}/element", self.session);
            let found = self.ask("POST", &path, &json!({ "using": "xpath", "value": xpath }))?;
            let path = format!("{path}/{}/click", found[ELEMENT].as_str().expect("element"));
            self.ask("POST", &path, &json!({}))
        };
        let mut message = Ok(Value::Null);
        let clicked = eventually(|| {
            message = try_it();
            message.is_ok()
        });
        assert!(clicked, "{xpath}: {message:?}");
    }

    pub(crate) fn press(&self, table: &str, key: &str, button: &str) {
        self.click(&format!("//table[@id='{table}']//tr[@data-key='{key}']//button[@class='{button}']"));
    }

    pub(crate) fn open(&self, table: &str, key: &str) {
        self.click(&format!("//table[@id='{table}']//tr[@data-key='{key}']//summary"));
    }

    /// What is to be read in a cell, or in the row where `cell` is empty.
    pub(crate) fn cell(&self, table: &str, key: &str, cell: &str) -> String {
        let script = "const [table, key, cell] = arguments;
            const row = [...document.querySelectorAll(`#${table} tbody tr`)].find(row => row.dataset.key === key);
            return (cell ? row?.querySelector('.' + cell) : row)?.innerText ?? '';";
        self.run(script, json!([table, key, cell])).as_str().expect("text").to_owned()
    }

    pub(crate) fn shows(&self, table: &str, key: &str, cell: &str, words: &str) {
        let shown = eventually(|| self.cell(table, key, cell).contains(words));
        assert!(shown, "{table} {key} {cell}: {words:?} is not in {:?}", self.cell(table, key, cell));
    }

    pub(crate) fn says(&self, words: &str) {
        let message = || self.run("return document.getElementById('said').innerText;", json!([]));
        let matches = |message: &Value| {
            let message = message.as_str().expect("text");
            if words.is_empty() { message.is_empty() } else { message.contains(words) }
        };
        assert!(eventually(|| matches(&message())), "{words:?} is not what it says: {}", message());
    }

    /// The title, and the headings of the tables.
    pub(crate) fn headings(&self) -> Value {
        // Drawn when there is a state.
        let drawn =
            || self.run("return document.querySelectorAll('thead').length;", json!([])).as_u64().expect("count") == 5;
        assert!(eventually(drawn), "the tables are drawn");
        self.run("return [...document.querySelectorAll('h1, h2')].map(at => at.textContent);", json!([]))
    }

    pub(crate) fn reload(&self) {
        self.tell("/refresh", &json!({}));
    }

    /// As on a phone, or on a desk again.
    pub(crate) fn narrow(&self, width: u32, mobile: bool) {
        let size = json!({ "width": width, "height": 740, "deviceScaleFactor": 2, "mobile": mobile });
        self.tell("/goog/cdp/execute", &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }));
    }

    /// What the browser noted since it was asked the last time.
    pub(crate) fn log(&self, kind: &str) -> Vec<Value> {
        self.tell("/se/log", &json!({ "type": kind })).as_array().expect("entries").clone()
    }

    /// The addresses of all requests that it made.
    pub(crate) fn requests(&self) -> Vec<String> {
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
    pub(crate) fn is_unharmed(&self) {
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

pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
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
