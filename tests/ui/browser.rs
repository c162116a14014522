//! A headless Chromium, spoken to through pipes in its own protocol: what a user sees and does, and what its console says.

use crate::support::process::until;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::support::process::PATIENCE;

/// Messages end with this byte.
const END: u8 = 0;

/// Dropping it ends it.
pub struct Browser {
    child: Child,
    requests: ChildStdin,
    messages: UnboundedReceiver<Value>,
    session: Option<String>,
    last_id: u64,
    /// Errors that its console has shown.
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// `None`, and a line that says so, where Chromium is not installed.
    pub async fn start() -> Option<Self> {
        let Some(program) = program() else {
            // Not by a macro: what those print is shown of failed tests only.
            let line = b"\nskipped: tests of the pages, because Chromium is not installed (apt-get install chromium)\n";
            std::io::stderr().write_all(line).expect("written");
            return None;
        };
        let profile = TempDir::new().expect("a folder");
        // Its pipes are the third and fourth file.
        let script = format!(
            "exec {program} --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
             --remote-debugging-pipe --window-size=1280,900 --user-data-dir={} about:blank 3<&0 4>&1 </dev/null",
            profile.path().display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let requests = child.stdin.take().expect("piped");
        let answers = child.stdout.take().expect("piped");
        let (sender, messages) = unbounded_channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(END) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            requests,
            messages,
            session: None,
            last_id: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser
            .ask("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "DOM"] {
            browser.ask(&format!("{domain}.enable"), json!({})).await;
        }
        Some(browser)
    }

    pub async fn load(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": url})).await;
    }

    /// To another page, by its address behind the `#`.
    pub async fn go(&mut self, hash: &str) {
        self.run(&format!("location.hash = {}", json!(hash))).await;
    }

    /// What an expression is, promises awaited.
    pub async fn run(&mut self, expression: &str) -> Value {
        self.try_run(expression)
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn try_run(&mut self, expression: &str) -> Result<Value, String> {
        let wish = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", wish).await;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let this = tokio::sync::Mutex::new(self);
        until(expression, || async {
            let mut this = this.lock().await;
            let answer = this.try_run(&format!("!!({expression})")).await;
            if answer == Ok(Value::Bool(true)) {
                return Ok(());
            }
            let seen = this.try_run("document.body.innerText").await;
            Err(format!("{answer:?} {seen:?}"))
        })
        .await;
    }

    /// Waits until there is such an element.
    pub async fn see(&mut self, selector: &str) {
        self.until(&format!("document.querySelector({})", json!(selector)))
            .await;
    }

    /// Waits until this can be read in the page.
    pub async fn read(&mut self, text: &str) {
        self.until(&format!(
            "document.body.innerText.includes({})",
            json!(text)
        ))
        .await;
    }

    /// Presses the button or link with this text or label.
    pub async fn press(&mut self, text: &str) {
        let find = format!(
            "[...document.querySelectorAll('button, a, summary')].find((one) => one.getClientRects().length > 0 && \
             !one.disabled && (one.textContent.trim() === {text} || one.getAttribute('aria-label') === {text}))",
            text = json!(text)
        );
        self.until(&find).await;
        self.run(&format!("{find}.click()")).await;
    }

    pub async fn type_into(&mut self, selector: &str, text: &str) {
        self.see(selector).await;
        let focus = format!(
            "(() => {{ const input = document.querySelector({}); input.focus(); input.select(); }})()",
            json!(selector)
        );
        self.run(&focus).await;
        self.ask("Input.insertText", json!({"text": text})).await;
        let tell = format!(
            "document.querySelector({}).dispatchEvent(new Event('change', {{ bubbles: true }}))",
            json!(selector)
        );
        self.run(&tell).await;
    }

    /// As if no page of the server had been here before.
    pub async fn forget_files(&mut self) {
        self.ask("Network.clearBrowserCache", json!({})).await;
    }

    /// Presses a key, as `Tab`, `Enter`, `Escape` or a character.
    pub async fn key(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            one if one.chars().count() == 1 => one,
            _ => "",
        };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", event).await;
        }
    }

    pub async fn choose_file(&mut self, selector: &str, path: &str) {
        self.see(selector).await;
        let document = self.ask("DOM.getDocument", json!({})).await;
        let wish = json!({"nodeId": document["root"]["nodeId"], "selector": selector});
        let input = self.ask("DOM.querySelector", wish).await;
        let files = json!({"nodeId": input["nodeId"], "files": [path]});
        self.ask("DOM.setFileInputFiles", files).await;
    }

    pub async fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.ask("Emulation.setEmulatedMedia", json!({"features": [feature]}))
            .await;
    }

    pub async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What its console has complained of so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    async fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(END);
        self.requests.write_all(&bytes).expect("it reads");
        self.requests.flush().expect("it reads");
        loop {
            let message = timeout(PATIENCE, self.messages.recv()).await;
            let message = message.expect("an answer in time").expect("it lives");
            if message["id"] == self.last_id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        let is_complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                matches!(parameters["type"].as_str(), Some("error" | "warning"))
            }
            Some("Log.entryAdded") => {
                matches!(
                    parameters["entry"]["level"].as_str(),
                    Some("error" | "warning")
                )
            }
            _ => false,
        };
        if is_complaint {
            self.complaints.push(parameters.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<&'static str> {
    let is_there = |program: &&&str| {
        let tried = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find(is_there)
        .copied()
}
