//! [`Browser`]: headless Chromium, driven through ChromeDriver.
//!
//! Source: <https://www.w3.org/TR/webdriver2/>; the log is ChromeDriver's own.

#![allow(clippy::unwrap_used)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key that elements are named by.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// An element of the page.
pub struct Element(String);

impl Browser {
    /// Starts ChromeDriver, which must be on the PATH, and a browser with a profile of its own.
    pub fn start() -> Self {
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1500,1200",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
        } } });
        let mut browser = Self { driver, port, session: "/session".to_owned(), _profile: profile };
        let started = browser.post("", &capabilities);
        browser.session += &format!("/{}", started["sessionId"].as_str().unwrap());
        browser
    }

    pub fn open(&self, page: &Path) {
        self.post("/url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// What the body of a function in JavaScript returns.
    pub fn script(&self, body: &str, arguments: &[&Element]) -> Value {
        let arguments: Vec<Value> =
            arguments.iter().map(|Element(id)| json!({ ELEMENT: id })).collect();
        self.post("/execute/sync", &json!({ "script": body, "args": arguments }))
    }

    /// The first element that a CSS selector finds.
    pub fn find(&self, css: &str) -> Element {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }));
        Element(found[ELEMENT].as_str().unwrap().to_owned())
    }

    pub fn click(&self, Element(id): &Element) {
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    pub fn press(&self, Element(id): &Element, keys: &str) {
        self.post(&format!("/element/{id}/value"), &json!({ "text": keys }));
    }

    /// What an element looks like; PNG.
    pub fn picture(&self, Element(id): &Element) -> Vec<u8> {
        png(&self.get(&format!("/element/{id}/screenshot")))
    }

    /// What the whole page looks like; PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let height = self.script("return document.documentElement.scrollHeight;", &[]);
        let height = height.as_u64().unwrap() + 150;
        self.post("/window/rect", &json!({ "width": 1500, "height": height }));
        png(&self.get("/screenshot"))
    }

    /// Makes the window so wide.
    pub fn resize(&self, width: u32) {
        self.post("/window/rect", &json!({ "width": width, "height": 900 }));
    }

    /// The messages of a log since it was last read.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.post("/se/log", &json!({ "type": kind }));
        log.as_array().unwrap().clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.request("POST", path, &body.to_string())
    }

    fn get(&self, path: &str) -> Value {
        self.request("GET", path, "")
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Value {
        let response: Value =
            serde_json::from_str(&self.send(method, path, body).unwrap()).unwrap();
        let value = response["value"].clone();
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    /// One request a connection: nothing of HTTP is needed but its simplest form.
    fn send(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (session, length) = (&self.session, body.len());
        let head = format!(
            "{method} {session}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes())?;
        // ChromeDriver keeps the connection open: the length says where the answer ends.
        let (mut response, mut length) = (BufReader::new(stream), 0);
        loop {
            let mut line = String::new();
            response.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
                None if !line.starts_with("HTTP/") => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        response.read_exact(&mut body)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session.
        let _ = self.send("DELETE", "", "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn png(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}
