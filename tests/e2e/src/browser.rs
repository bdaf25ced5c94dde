//! A Chromium without a screen, driven by the protocol of the W3C (`WebDriver`) through chromedriver: opening a page, typing,
//! clicking, a picture. What is typed goes over loopback and stands in no argument.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::http;
use crate::process::Running;
use crate::wait::{Look, until};

/// The key of an element's id in an answer (`WebDriver`, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE: Duration = Duration::from_mins(1);
/// Debian's, and Google's, which GitHub's runners have. Ubuntu's `chromium-browser` only installs a snap.
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "google-chrome-stable"];

/// The browser and its driver, where both are here.
pub(crate) fn programs() -> Option<[PathBuf; 2]> {
    let path = std::env::var_os("PATH")?;
    let find = |name: &str| {
        let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
        files.find(|file| file.is_file())
    };
    Some([BROWSERS.into_iter().find_map(find)?, find("chromedriver")?])
}

/// One window with nothing remembered. Both programs end with it.
pub(crate) struct Browser {
    address: SocketAddr,
    session: String,
    _driver: Running,
    _profile: tempfile::TempDir,
}

/// Where names lead, and whose certificate is good: nothing else of the machine is looked at.
pub(crate) struct Site<'a> {
    /// The name that the page has.
    pub(crate) hostname: &'a str,
    /// Where https of that name is answered.
    pub(crate) address: SocketAddr,
    /// Base64 of the SHA-256 of the certificate's public key: a certificate with another one is refused.
    pub(crate) key: &'a str,
}

impl Browser {
    /// Starts chromedriver on a free port, and Chromium by it.
    pub(crate) async fn open(site: &Site<'_>) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let port = free_port()?;
        let [binary, driver] = programs()
            .context("no browser with its chromedriver (Debian: apt-get install chromium chromium-driver)")?;
        let driver = Running::start(&driver, &[format!("--port={port}")], profile.path())
            .context("cannot start chromedriver")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until("chromedriver", PATIENCE, async || {
            Ok(match TcpStream::connect(address).await {
                Ok(_) => Look::Seen(()),
                Err(error) => Look::not_yet(error),
            })
        })
        .await?;
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--no-proxy-server".to_owned(),
            "--disable-background-networking".to_owned(),
            "--window-size=1400,900".to_owned(),
            format!("--user-data-dir={}", profile.path().join("profile").display()),
            format!("--host-resolver-rules=MAP {}:443 {}", site.hostname, site.address),
            format!("--ignore-certificate-errors-spki-list={}", site.key),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": binary, "args": arguments},
        }}});
        let answer = ask(address, "/session", &wanted).await?;
        let session = answer["sessionId"]
            .as_str()
            .context("the session has no id")?
            .to_owned();
        Ok(Self {
            address,
            session,
            _driver: driver,
            _profile: profile,
        })
    }

    /// Opens a page and waits until it has been loaded.
    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        self.ask("/url", &json!({"url": url})).await.map(drop)
    }

    /// Types into the element that a CSS selector finds, once it is there and takes input. The error has no text that was
    /// typed: it may be a password.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        self.act(selector, "value", &json!({"text": text})).await
    }

    /// Clicks the element that a CSS selector finds, once it is there and can be clicked.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        self.act(selector, "click", &json!({})).await
    }

    /// A page that is built by its script has its elements some time after it was loaded.
    async fn act(&self, selector: &str, command: &str, what: &Value) -> Result<()> {
        until(&format!("{command} on {selector}"), PATIENCE, async || {
            let done = async {
                let element = self.find(selector).await?;
                self.ask(&format!("/element/{element}/{command}"), what).await
            };
            Ok(match done.await {
                Ok(_) => Look::Seen(()),
                Err(error) => Look::not_yet(error),
            })
        })
        .await
    }

    /// Waits until the first element that a CSS selector finds has this in its text.
    pub(crate) async fn see(&self, selector: &str, wanted: &str) -> Result<()> {
        until(&format!("{wanted:?} in {selector}"), PATIENCE, async || {
            let text = async {
                let element = self.find(selector).await?;
                let path = format!("/session/{}/element/{element}/text", self.session);
                get(self.address, &path).await
            };
            Ok(match text.await {
                Ok(text) if text.as_str().is_some_and(|text| text.contains(wanted)) => Look::Seen(()),
                Ok(text) => Look::NotYet(text.to_string()),
                Err(error) => Look::not_yet(error),
            })
        })
        .await
    }

    /// Whether the page has an element that a CSS selector finds, now.
    pub(crate) async fn has(&self, selector: &str) -> bool {
        self.find(selector).await.is_ok()
    }

    /// What is to be seen, as PNG.
    pub(crate) async fn picture(&self) -> Result<Vec<u8>> {
        let answer = get(self.address, &format!("/session/{}/screenshot", self.session)).await?;
        let text = answer.as_str().context("the picture is no text")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
    }

    /// Ends the browser. Dropped without it, Chromium would outlive chromedriver.
    pub(crate) async fn close(self) -> Result<()> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("chromedriver does not answer")?;
        let path = format!("/session/{}", self.session);
        value(&http::delete(stream, &self.address.to_string(), &path).await?).map(drop)
    }

    async fn find(&self, selector: &str) -> Result<String> {
        let found = self
            .ask("/element", &json!({"using": "css selector", "value": selector}))
            .await?;
        let id = found[ELEMENT].as_str();
        Ok(id
            .with_context(|| format!("no {selector} on the page"))?
            .to_owned())
    }

    async fn ask(&self, path: &str, what: &Value) -> Result<Value> {
        ask(self.address, &format!("/session/{}{path}", self.session), what).await
    }
}

async fn ask(address: SocketAddr, path: &str, what: &Value) -> Result<Value> {
    let stream = TcpStream::connect(address)
        .await
        .context("chromedriver does not answer")?;
    value(&http::post_json(stream, &address.to_string(), path, what).await?)
}

async fn get(address: SocketAddr, path: &str) -> Result<Value> {
    let stream = TcpStream::connect(address)
        .await
        .context("chromedriver does not answer")?;
    value(&http::get(stream, &address.to_string(), path).await?)
}

fn value(answer: &http::Answer) -> Result<Value> {
    let body: Value = serde_json::from_str(&answer.body).context("chromedriver's answer is not JSON")?;
    if answer.status != 200 {
        bail!(
            "the browser: {}: {}",
            body["value"]["error"].as_str().unwrap_or_default(),
            body["value"]["message"]
                .as_str()
                .unwrap_or_default()
                .lines()
                .next()
                .unwrap_or_default()
        );
    }
    ensure!(!body["value"]["error"].is_string(), "the browser: {body}");
    Ok(body["value"].clone())
}

/// A port that nobody has now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
