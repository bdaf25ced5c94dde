//! Looks for secrets where they must not be: what the container wrote, log files, arguments and environments of every
//! process that ever ran. What it reports names the secret and the place, never the value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::world::files_below;
use crate::{process, wait};

/// Shorter values would be found by chance.
const SHORTEST: usize = 12;
/// Between two looks at the processes. A process that lives shorter may be missed.
const INTERVAL: Duration = Duration::from_millis(15);

/// What must not be seen, by name. It has no `Debug`: a failed assertion must not print it.
#[derive(Clone, Default)]
pub struct Needles(BTreeMap<String, BTreeSet<String>>);

impl Needles {
    /// Adds a secret. Of one in several lines each is a secret but the head and foot of a key.
    pub fn add(&mut self, name: &str, value: &str) {
        let values = self.0.entry(name.to_owned()).or_default();
        let lines = value.lines().map(str::trim);
        values.extend(
            lines
                .filter(|line| line.len() >= SHORTEST && !line.starts_with("-----"))
                .map(str::to_owned),
        );
    }

    /// Adds what the volume has of credentials.
    pub fn add_volume(&mut self, volume: &Path) {
        for (folder, named) in [(".one", ""), (".ssh", "id_")] {
            let Ok(entries) = fs::read_dir(volume.join(folder)) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Ok(text) = fs::read_to_string(entry.path()) else {
                    continue;
                };
                if Path::new(&name).extension().is_some_and(|kind| kind == "pub")
                    || !name.starts_with(named)
                    || name == "one_endpoint"
                {
                    continue;
                }
                let secret = if name.contains("_auth") {
                    text.split_once(':').map_or("", |(_, password)| password)
                } else {
                    &text
                };
                self.add(&format!("{folder}/{name}"), secret);
            }
        }
    }

    /// How many values are looked for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().flatten().collect::<BTreeSet<_>>().len()
    }

    /// Names of those that are in the text.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(_, values)| values.iter().any(|value| text.contains(value)))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Where any of them is, among texts by their places: names of the secrets and places.
    pub fn places(&self, texts: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
        let found = |(place, text): (String, String)| -> Vec<String> {
            let names = self.found_in(&text);
            names.iter().map(|name| format!("{name} in {place}")).collect()
        };
        texts.into_iter().flat_map(found).collect()
    }

    /// The ends of texts, each under its place, for a person who looks why something went otherwise; without the values.
    #[must_use]
    pub fn ends(&self, texts: impl IntoIterator<Item = (String, String)>) -> String {
        let mut all = String::new();
        for (place, text) in texts {
            let lines: Vec<&str> = text.lines().collect();
            let end = lines[lines.len().saturating_sub(60)..].join("\n");
            let _ = writeln!(all, "---- the end of {place}\n{end}");
        }
        self.redact(&all)
    }

    /// The text without the values.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let all = self
            .0
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        all.fold(text.to_owned(), |text, (name, value)| {
            text.replace(value, &format!("<{name}>"))
        })
    }
}

/// Remembers arguments and environments of all processes that are seen from here, until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    seen: Arc<Mutex<BTreeSet<(String, String)>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to look.
    #[must_use]
    pub fn start() -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    look(&seen);
                    wait::pause(INTERVAL);
                }
            }
        });
        Self {
            seen,
            over,
            thread: Some(thread),
        }
    }

    /// Where and whose, and the text.
    pub fn texts(&self) -> BTreeSet<(String, String)> {
        look(&self.seen);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(seen: &Mutex<BTreeSet<(String, String)>>) {
    for pid in process::pids() {
        for (file, what) in [("cmdline", "arguments"), ("environ", "environment")] {
            let Ok(bytes) = fs::read(format!("/proc/{pid}/{file}")) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            let name = process::name(pid).unwrap_or_default();
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert((format!("{what} of {name}"), text));
        }
    }
}

/// Everything that was written where people read it, in the folder of a pod: logs, what its containers wrote, the last
/// message, the configuration on the volume.
#[must_use]
pub fn written_by(pod: &Path) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    texts_below(&pod.join("log"), &mut texts);
    for entry in fs::read_dir(pod).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("container-") {
            texts_below(&entry.path().join("console"), &mut texts);
        }
    }
    texts_below(&pod.join("termination-log"), &mut texts);
    texts_below(&pod.join("volume/config"), &mut texts);
    texts
}

/// All files at a path, with what they have.
fn texts_below(path: &Path, texts: &mut Vec<(String, String)>) {
    for file in files_below(path) {
        if let Ok(bytes) = fs::read(&file) {
            texts.push((
                file.display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_and_redacted() {
        let mut needles = Needles::default();
        needles.add("oneadmin-password", "abcdefghijklmnop\n");
        assert_eq!(
            needles.found_in("login with abcdefghijklmnop"),
            ["oneadmin-password"]
        );
        assert_eq!(needles.redact("x abcdefghijklmnop y"), "x <oneadmin-password> y");
        assert!(needles.found_in("login with abcdefghijklmno").is_empty());
    }

    #[test]
    fn a_place_is_told_and_an_end_shown_without_the_value() {
        let mut needles = Needles::default();
        needles.add("password", "abcdefghijklmnop");
        let texts = [
            ("a".to_owned(), "nothing\n".to_owned()),
            ("b".to_owned(), "is abcdefghijklmnop\n".to_owned()),
        ];
        assert_eq!(needles.places(texts.clone()), ["password in b"]);
        assert_eq!(
            needles.ends(texts),
            "---- the end of a\nnothing\n---- the end of b\nis <password>\n"
        );
    }

    #[test]
    fn each_line_of_a_key_is_a_secret_but_not_its_head() {
        let mut needles = Needles::default();
        needles.add(
            "key",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAAB3NzaC1yc2E\n-----END\n",
        );
        assert_eq!(needles.count(), 1);
        assert!(needles.found_in("-----BEGIN OPENSSH PRIVATE KEY-----").is_empty());
    }

    #[test]
    fn a_secret_in_an_argument_is_seen() {
        let secret = "a-secret-in-an-argument";
        let mut needles = Needles::default();
        needles.add("argument", secret);
        let watcher = Watcher::start();
        let found = || {
            let texts = watcher.texts();
            let leak = texts.iter().find(|(_, text)| !needles.found_in(text).is_empty());
            leak.map(|(place, _)| place.clone())
        };
        assert_eq!(found(), None);
        let mut reads = std::process::Command::new("sh");
        reads
            .args(["-c", "read line", "sh", secret])
            .stdin(std::process::Stdio::piped());
        let _reader = process::Running::start(&mut reads).unwrap();
        let place = wait::until("the argument", Duration::from_secs(10), || {
            Ok(found().map_or_else(|| wait::Look::NotYet("not there".to_owned()), wait::Look::Seen))
        });
        assert!(place.unwrap().starts_with("arguments of "));
    }
}
