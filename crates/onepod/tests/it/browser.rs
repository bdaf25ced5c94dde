//! The page of `/status` in a real browser: Chromium without a screen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use onepod::board::status::Status;
use onepod::health::page;
use tempfile::TempDir;

use crate::pod::{Process, Services, until};

/// Debian's, and Google's, which GitHub's runners have.
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "google-chrome-stable"];

/// A browser with nothing remembered.
struct Browser {
    program: PathBuf,
    directory: TempDir,
}

impl Browser {
    fn new() -> Self {
        let mut files = BROWSERS.iter().map(|name| Path::new("/usr/bin").join(name));
        let program = files.find(|file| file.exists());
        assert!(
            program.is_some(),
            "this test needs Chromium or Chrome (Debian: apt-get install --no-install-recommends chromium fonts-dejavu-core)"
        );
        Self {
            program: program.unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Opens a URL; what it printed to standard output and to standard error.
    fn open(&self, url: &str, arguments: &[&str]) -> (String, String) {
        let path = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(&self.program);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args([
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", path("profile").display()))
            .args(arguments)
            .arg(url)
            .env("HOME", self.directory.path())
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .stdout(fs::File::create(path("stdout")).unwrap())
            .stderr(fs::File::create(path("stderr")).unwrap());
        let (mut process, _) = Process::start(&mut command);
        let code = until("the end of the browser", || process.exit());
        let read = |name: &str| String::from_utf8_lossy(&fs::read(path(name)).unwrap()).into_owned();
        assert_eq!(code, 0, "{}", read("stderr"));
        (read("stdout"), read("stderr"))
    }

    /// A picture of what is at a URL.
    fn picture(&self, url: &str, size: (u32, u32)) -> Vec<u8> {
        let path = self.directory.path().join("picture.png");
        let (width, height) = size;
        self.open(
            url,
            &[
                &format!("--screenshot={}", path.display()),
                &format!("--window-size={width},{height}"),
            ],
        );
        fs::read(path).unwrap()
    }
}

#[test]
fn a_browser_shows_the_page_and_has_nothing_to_complain_about() {
    let browser = Browser::new();
    let pod = Services::new()
        .good("first", "essential = true")
        .good("second", "after = [\"first\"]")
        .script("broken", "echo '<b>it broke</b>'; exit 3", "after = [\"first\"]")
        .start();
    pod.until_ok("/readyz");
    until("the end of the broken one", || {
        (pod.service("broken")["restarts"].as_u64()? > 0).then_some(())
    });
    let url = format!("http://{}/status", pod.listen);
    let (dom, complaints) = browser.open(&url, &["--dump-dom"]);
    for part in [
        "<h1>OpenNebula of unknown release <span class=\"pill good\">ready</span></h1>",
        "<th scope=\"row\">first<span class=\"tag\">essential</span></th>",
        "<title id=\"graph-title\">Order of the start</title>",
        "broken began at",
        "exit code 3 after",
    ] {
        assert!(dom.contains(part), "no {part} in\n{dom}");
    }
    assert!(
        !dom.contains("it broke"),
        "what services write is not on the page:\n{dom}"
    );
    // A style that its policy forbids, a file that it cannot load, markup that it must repair: all are told there.
    let told: Vec<&str> = complaints
        .lines()
        .filter(|line| line.contains("CONSOLE") || line.contains("Content Security Policy"))
        .collect();
    assert!(told.is_empty(), "{told:?}");
    let picture = browser.picture(&url, (1100, 1200));
    assert!(
        picture.starts_with(b"\x89PNG") && picture.len() > 20_000,
        "{} bytes",
        picture.len()
    );
    assert_eq!(pod.stop().0, 0);
}

/// Keeps a picture of a pod in which everything occurs, for people to look at.
#[test]
fn a_pod_in_which_everything_occurs_can_be_looked_at() {
    let browser = Browser::new();
    let status: Status = serde_json::from_str(include_str!("../data/status.json")).unwrap();
    let text = page::render(&status, "2026-11-23T17:02:45Z".parse().unwrap(), None);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join("status.html");
    fs::write(&file, text).unwrap();
    let url = format!("file://{}", file.display());
    for (name, size) in [("status.png", (1100, 2350)), ("status-narrow.png", (500, 2600))] {
        let picture = browser.picture(&url, size);
        assert!(picture.len() > 50_000, "{name}: {} bytes", picture.len());
        fs::write(directory.join(name), picture).unwrap();
    }
}
