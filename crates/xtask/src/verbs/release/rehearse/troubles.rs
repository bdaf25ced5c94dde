//! What goes wrong. Each must be refused for its own reason, and leave the registry's tags and versions.json as they were.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result, bail};
use jiff::SignedDuration;

use super::stage::{Scan, Stage, machine, read};
use crate::progress::{self, Counts};
use crate::registry::{self, Digest, Name, Patience, Repository};
use crate::rehearsal::{Fault, Trouble, at, push};
use crate::release::{Event, Job, VENDOR_FINGERPRINT, published};
use crate::sh::cmd;
use crate::versions::Architecture;

/// Requests that trouble is made for: method, and part of the path.
const LIST: (&str, &str) = ("GET", "/tags/list");
const LOOK: (&str, &str) = ("HEAD", "/manifests/");
const SET: (&str, &str) = ("PUT", "/manifests/");

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The refusals so far.
struct Refusals<'a> {
    stage: &'a Stage,
    counts: Counts,
}

impl<'a> Refusals<'a> {
    fn on(stage: &'a Stage) -> Self {
        Self {
            stage,
            counts: Counts::default(),
        }
    }

    /// Does something that must fail with these words in its error, and looks that nothing was changed.
    fn expect<T>(&mut self, what: &str, words: &str, act: impl FnOnce() -> Result<T>) {
        match self.look(what, words, act) {
            Ok(()) => self.counts += Counts::PASSED,
            Err(error) => {
                let error = error.context(what.to_owned());
                progress::complain(&error);
                self.stage.note(&format!("**FAILED**: {error:#}"));
                self.counts += Counts {
                    failures: vec![what.to_owned()],
                    ..Counts::FAILED
                };
            }
        }
    }

    fn look<T>(&self, what: &str, words: &str, act: impl FnOnce() -> Result<T>) -> Result<()> {
        let before = (self.stage.table()?, read(&self.stage.versions())?);
        self.stage.note(&format!("**{what}**"));
        let error = match act() {
            Ok(_) => bail!("it went well"),
            Err(error) => format!("{error:#}"),
        };
        self.stage.shown("(…)", &format!("error: {error}"));
        if (self.stage.table()?, read(&self.stage.versions())?) != before {
            bail!("tags or versions.json were changed");
        }
        self.stage.note(&format!(
            "versions.json and the {} tags are what they were before.",
            before.0.len()
        ));
        if !error.contains(words) {
            bail!("it was refused for another reason than \"{words}\": {error}");
        }
        Ok(())
    }
}

/// The list that was taken in last.
fn known(stage: &Stage) -> Result<String> {
    let list = stage.packages("7.0.1")?;
    Ok(list.replace("Version: 7.0.1-1", "Version: 7.0.1-2"))
}

/// Puts other bytes in the place of a list, plain and packed: which one is fetched is apt's affair.
fn replace(stage: &Stage, text: &str) -> Result<()> {
    let list = format!("opennebula/binary-{}/Packages", machine());
    let list = stage.suite("7.0").join(list);
    fs::write(&list, text).context("Packages")?;
    cmd("gzip")
        .args(["-9", "-n", "--keep", "--force"])
        .arg(&list)
        .read()?;
    Ok(())
}

pub(super) fn signatures(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let both = [Architecture::Amd64, Architecture::Arm64];
    let list = known(stage)?;
    let publish = |list: &str| stage.publish("7.0", &both, list);
    let inrelease = stage.suite("7.0").join("InRelease");

    let gone = nobody()?;
    refusals.expect("an index that cannot be reached", "Connection refused", || {
        stage.detect_elsewhere(&format!("http://{gone}/repo"))
    });

    fs::write(&inrelease, "Suite: stable\nArchitectures: amd64\nSHA256:\n").context("InRelease")?;
    refusals.expect("an index that is not signed", "it is not signed", || {
        stage.detect()
    });

    publish(&list)?;
    refusals.expect(
        "an index that is signed by another key than the pinned one",
        "it is signed by another key than 0B2D385C7C9304B11A0367B905A05927906DC27C",
        || stage.detect_pinned(VENDOR_FINGERPRINT),
    );

    for (what, dates, words) in [
        (
            "an index whose time is over",
            format!("Date: {}\nValid-Until: {}", at(-DAY), at(-HOUR)),
            "is expired",
        ),
        (
            "an index of tomorrow",
            format!("Date: {}", at(DAY)),
            "is not valid yet",
        ),
        (
            "an index that is older than the last one that was taken",
            format!("Date: {}", at(-DAY)),
            "a mirror is behind",
        ),
        (
            "an index without a date",
            "Label: none".to_owned(),
            "it has no Date",
        ),
    ] {
        stage.publish_dated("7.0", &both, &list, &dates)?;
        refusals.expect(what, words, || stage.detect());
    }

    publish(&list)?;
    let signed = read(&inrelease)?;
    fs::write(&inrelease, signed.replace("Suite: stable", "Suite: other")).context("InRelease")?;
    refusals.expect(
        "an index that was changed after it was signed",
        "it was changed after",
        || stage.detect(),
    );

    publish(&list)?;
    Ok(refusals.counts)
}

pub(super) fn lists(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let both = [Architecture::Amd64, Architecture::Arm64];
    let list = known(stage)?;
    let publish = |list: &str| stage.publish("7.0", &both, list);

    publish("this is no list\n")?;
    refusals.expect("a broken list, signed", "it is signed and broken", || {
        stage.detect()
    });

    publish(&list)?;
    replace(stage, &list[..list.len() / 2])?;
    refusals.expect(
        "a truncated Packages",
        "that is not what the vendor signed",
        || stage.detect(),
    );

    publish(&list)?;
    replace(stage, &list.replace("7.0.1-2", "7.0.9-1"))?;
    refusals.expect(
        "a replaced Packages",
        "that is not what the vendor signed",
        || stage.detect(),
    );

    publish("")?;
    refusals.expect("an empty list, signed", "an empty list changes nothing", || {
        stage.detect()
    });

    publish(&stage.packages("7.0.0")?)?;
    refusals.expect(
        "a list without the newest release",
        "which is older than 7.0.1",
        || stage.detect(),
    );

    publish(&stage.packages("7.0.1")?)?;
    refusals.expect(
        "packages that are older than those that are known",
        "which is older than 7.0.1-2",
        || stage.detect(),
    );

    stage.publish("7.0", &[machine()], &list)?;
    refusals.expect("a list of fewer architectures", "any more", || stage.detect());

    let odd = ["7.0.80-1", "7.0.2~rc1-1", "7.0.3+git1-1", "v7.0.4"]
        .map(|version| list.replace("Version: 7.0.1-2", &format!("Version: {version}")));
    publish(&odd.concat())?;
    refusals.expect(
        "versions of odd forms and nothing else",
        "an empty list changes nothing",
        || stage.detect(),
    );

    publish(&list)?;
    Ok(refusals.counts)
}

/// One line is broken, and the other goes on.
pub(super) fn broken_line(stage: &Stage) -> Result<Counts> {
    let broken = stage.suite("7.2").join("InRelease");
    let signed = read(&broken)?;
    stage.note("The index of 7.2 is replaced by a page; 7.0 has rebuilt packages.");
    fs::write(&broken, "<html>\n").context("InRelease")?;
    let list = stage
        .packages("7.0.1")?
        .replace("Version: 7.0.1-1", "Version: 7.0.1-3");
    stage.publish("7.0", &[Architecture::Amd64, Architecture::Arm64], &list)?;
    let outcome = stage.detect_lines()?;
    let versions = read(&stage.versions())?;
    fs::write(&broken, signed).context("InRelease")?;
    let lines: Vec<String> = outcome.broken.iter().map(|(line, _)| line.to_string()).collect();
    if lines != ["7.2"] {
        bail!(
            "7.2 was to be told as broken, and these are: {}",
            lines.join(", ")
        );
    }
    if !outcome.news || !versions.contains("\"opennebula\": \"7.0.1-3\"") {
        bail!("the packages of 7.0 were not taken in");
    }
    if !versions.contains("\"opennebula\": \"7.2.0-1\"") {
        bail!("7.2 is not as it was");
    }
    Ok(Counts::PASSED)
}

pub(super) fn images(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let jobs = stage.plan(Event::Push, None, None)?;
    let job = |line: &str| -> Result<&Job> {
        let found = jobs.iter().find(|job| job.line.to_string() == line);
        found.with_context(|| format!("{line} was not planned"))
    };
    let (seven, two) = (job("7.0")?, job("7.2")?);

    let bad = stage.small_images(seven, "bad")?;
    refusals.expect("a gate that is not passed", "the gate stops sha256:", || {
        stage.release(seven, bad.clone(), Scan::Critical)
    });

    let other = stage.table()?;
    let other = other.get("7.2.0").context("there is no tag 7.2.0")?;
    refusals.expect(
        "the digest of another release",
        "is one of 7.2.0 by its label",
        || stage.promote(seven, other),
    );

    refusals.expect("a digest that is not there", "is not there (404)", || {
        stage.promote(seven, &Digest::of(b"nothing"))
    });

    let one = &bad[&machine()];
    refusals.expect(
        "the image of one architecture",
        "is the image of one architecture",
        || stage.promote(seven, one),
    );

    refusals.expect("a candidate that lacks an architecture", "is missing", || {
        stage.candidate(seven, BTreeMap::from([(machine(), one.clone())]))
    });

    let swapped = BTreeMap::from([
        (Architecture::Amd64, bad[&Architecture::Arm64].clone()),
        (Architecture::Arm64, bad[&Architecture::Amd64].clone()),
    ]);
    refusals.expect(
        "a candidate with the architectures mixed up",
        "and its configuration says",
        || stage.candidate(seven, swapped),
    );

    let strange = push(&stage.client(), "7.0.0", machine(), "strange")?;
    refusals.expect(
        "a candidate of another release's image",
        "is one of 7.0.0 by its label",
        || stage.candidate(two, BTreeMap::from([(machine(), strange)])),
    );

    // Last, because the registry is broken by it for good.
    let broken = stage.candidate(two, stage.small_images(two, "broken")?)?;
    let contents = registry::read(&stage.client(), &broken)?;
    let child = stage
        .client()
        .manifest(contents.variants[0].digest.as_str())?
        .context("the image was pushed just now")?;
    let child: serde_json::Value = serde_json::from_slice(&child.bytes)?;
    let layer = child["layers"][0]["digest"].as_str().unwrap_or_default();
    let file = stage.registry.file(layer);
    fs::remove_file(&file).with_context(|| file.display().to_string())?;
    refusals.expect(
        "an image whose layer is lost",
        "is not complete: its layer",
        || stage.promote(two, &broken),
    );
    Ok(refusals.counts)
}

pub(super) fn registries(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let jobs = stage.plan(Event::Dispatch, Some("7.0"), None)?;
    let job = jobs.first().context("7.0 was not planned")?;
    let digest = stage.candidate(job, stage.small_images(job, "trouble")?)?;
    let login = "set REGISTRY_USERNAME and REGISTRY_PASSWORD_FILE";
    let troubles = [
        (
            "the tags",
            LIST,
            "500 Internal Server Error",
            "answers 500 for the tags of",
        ),
        ("what a tag names", LOOK, "503 Service Unavailable", "answers 503"),
        (
            "setting a tag",
            SET,
            "500 Internal Server Error",
            "no tag was changed",
        ),
        (
            "setting a tag",
            SET,
            "429 Too Many Requests",
            "left alone for 3600 s",
        ),
        ("setting a tag", SET, "401 Unauthorized", login),
        ("setting a tag", SET, "403 Forbidden", login),
        ("setting a tag", SET, "404 Not Found", "no such repository (404)"),
    ];
    for (what, (method, path), status, words) in troubles {
        let header = if status.starts_with("429") {
            "Retry-After: 3600"
        } else {
            "X-Trouble: yes"
        };
        stage.proxy.inject(&[Fault {
            method,
            path,
            trouble: Trouble::Answer(status, header),
            times: u32::MAX,
        }]);
        let what = format!("{what} is answered by {status}");
        refusals.expect(&what, words, || stage.promote(job, &digest));
    }
    let broken = |(method, path)| Fault {
        method,
        path,
        trouble: Trouble::Answer("500 Internal Server Error", "X-Trouble: yes"),
        times: u32::MAX,
    };
    stage.proxy.inject(&[]);
    let images = stage.small_images(job, "pushed in trouble")?;
    stage.proxy.inject(&[broken(LIST)]);
    refusals.expect("a plan is answered by 500", "answers 500 for the tags of", || {
        stage.plan(Event::Dispatch, Some("7.0"), None)
    });
    stage.proxy.inject(&[broken(SET)]);
    refusals.expect(
        "setting a candidate's tag is answered by 500",
        "answers 500",
        || stage.candidate(job, images.clone()),
    );
    stage.proxy.inject(&[]);
    let gone = nobody()?;
    refusals.expect("a registry that cannot be reached", "cannot be reached (", || {
        let patience = Patience {
            pause: |_| {},
            ..Patience::default()
        };
        published(&Repository::with(
            &Name::local(gone, "opennebula"),
            None,
            patience,
        ))
    });
    Ok(refusals.counts)
}

/// An address where nobody listens.
fn nobody() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .context("no free port on 127.0.0.1")
}
