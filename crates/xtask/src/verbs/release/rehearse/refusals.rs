//! What goes wrong. Each must be refused for its own reason, and leave the registry's tags and versions.json as they were.

use std::net::TcpListener;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::SignedDuration;

use super::stage::{Stage, machine, read, write};
use crate::progress::{self, Counts};
use crate::registry::{Digest, Repository};
use crate::rehearsal::at;
use crate::release::VENDOR_FINGERPRINT;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::versions::Architecture;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// The refusals of a scene.
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

    /// Does something that must fail with these words in its error, and compares what it must have left alone.
    fn expect<T>(&mut self, what: &str, words: &str, act: impl FnOnce() -> Result<T>) {
        match self.attempt(what, words, act) {
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

    fn attempt<T>(&self, what: &str, words: &str, act: impl FnOnce() -> Result<T>) -> Result<()> {
        let before = (self.stage.table()?, read(&self.stage.versions_file())?);
        self.stage.note(&format!("**{what}**"));
        let result = act();
        // A registry in trouble could not be asked what it has.
        self.stage.registry.inject("")?;
        let error = match result {
            Ok(_) => bail!("it succeeded"),
            Err(error) => format!("{error:#}"),
        };
        self.stage.shown("(…)", &format!("error: {error}"));
        let after = (self.stage.table()?, read(&self.stage.versions_file())?);
        ensure!(after == before, "tags or versions.json were changed");
        self.stage.note("versions.json and the tags are unchanged.");
        ensure!(
            error.contains(words),
            "it was refused for another reason than \"{words}\": {error}"
        );
        Ok(())
    }
}

/// The list that was read last.
fn known(stage: &Stage) -> Result<String> {
    Ok(stage
        .packages("7.0.1")?
        .replace("Version: 7.0.1-1", "Version: 7.0.1-2"))
}

/// Replaces the bytes of a list, plain and packed: which one is fetched is apt's decision.
fn replace(stage: &Stage, text: &str) -> Result<()> {
    let list = stage
        .suite("7.0")
        .join(format!("opennebula/binary-{}/Packages", machine()));
    write(&list, text)?;
    cmd("gzip")
        .args(["-9", "-n", "--keep", "--force"])
        .arg(&list)
        .read()
        .map(drop)
}

pub(super) fn indexes(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let list = known(stage)?;
    let inrelease = stage.suite("7.0").join("InRelease");
    let ours = stage.fingerprint()?;

    refusals.expect("an index that cannot be reached", "Connection refused", || {
        let outcome = stage.detect_from(&format!("http://{}/repo", closed_port()?), &ours)?;
        outcome
            .broken
            .first()
            .map_or(Ok(()), |(line, reason)| bail!("{line}: {reason}"))
    });

    write(&inrelease, "Suite: stable\nArchitectures: amd64\nSHA256:\n")?;
    refusals.expect("an index that is not signed", "it is not signed", || {
        stage.detect()
    });

    stage.publish("7.0", &BOTH, &list)?;
    let other_key = format!("it is signed by another key than {VENDOR_FINGERPRINT}");
    refusals.expect(
        "an index that is signed by another key than the pinned one",
        &other_key,
        || {
            let outcome = stage.detect_from(&stage.vendor, VENDOR_FINGERPRINT)?;
            outcome
                .broken
                .first()
                .map_or(Ok(()), |(line, reason)| bail!("{line}: {reason}"))
        },
    );

    let expired = format!("Date: {}\nValid-Until: {}", at(-DAY), at(-HOUR));
    for (what, dates, words) in [
        ("an index that has expired", expired, "is expired"),
        (
            "an index of tomorrow",
            format!("Date: {}", at(DAY)),
            "is not valid yet",
        ),
        (
            "an index that is older than the last one",
            format!("Date: {}", at(-DAY)),
            "a mirror is behind",
        ),
        (
            "an index without a date",
            "Label: none".to_owned(),
            "it has no Date",
        ),
    ] {
        stage.publish_dated("7.0", &BOTH, &list, &dates)?;
        refusals.expect(what, words, || stage.detect());
    }

    stage.publish("7.0", &BOTH, &list)?;
    write(
        &inrelease,
        &read(&inrelease)?.replace("Suite: stable", "Suite: other"),
    )?;
    refusals.expect(
        "an index that was changed after it was signed",
        "it was changed after",
        || stage.detect(),
    );

    stage.publish("7.0", &BOTH, &list)?;
    Ok(refusals.counts)
}

pub(super) fn lists(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let list = known(stage)?;

    let tampered = "that is not what the vendor signed";
    for (what, text) in [
        ("a truncated list", list[..list.len() / 2].to_owned()),
        ("a replaced list", list.replace("7.0.1-2", "7.0.9-1")),
    ] {
        stage.publish("7.0", &BOTH, &list)?;
        replace(stage, &text)?;
        refusals.expect(what, tampered, || stage.detect());
    }

    let odd = ["7.0.80-1", "7.0.2~rc1-1", "7.0.3+git1-1", "v7.0.4"]
        .map(|version| list.replace("Version: 7.0.1-2", &format!("Version: {version}")));
    for (what, architectures, list, words) in [
        (
            "a broken list, signed",
            &BOTH[..],
            "this is no list\n".to_owned(),
            "it is signed and broken",
        ),
        (
            "an empty list, signed",
            &BOTH,
            String::new(),
            "an empty list changes nothing",
        ),
        (
            "a list without the newest release",
            &BOTH,
            stage.packages("7.0.0")?,
            "which is older than 7.0.1",
        ),
        (
            "packages that are older than the known ones",
            &BOTH,
            stage.packages("7.0.1")?,
            "which is older than 7.0.1-2",
        ),
        (
            "a list of fewer architectures",
            &[machine()],
            list.clone(),
            "any more",
        ),
        (
            "versions of odd forms and nothing else",
            &BOTH,
            odd.concat(),
            "an empty list changes nothing",
        ),
    ] {
        stage.publish("7.0", architectures, &list)?;
        refusals.expect(what, words, || stage.detect());
    }

    stage.publish("7.0", &BOTH, &list)?;
    Ok(refusals.counts)
}

/// One line is broken, and the other goes on.
pub(super) fn broken_line(stage: &Stage) -> Result<Counts> {
    let broken = stage.suite("7.2").join("InRelease");
    let signed = read(&broken)?;
    stage.note("The index of 7.2 is replaced by a web page; 7.0 has rebuilt packages.");
    write(&broken, "<html>\n")?;
    let list = stage
        .packages("7.0.1")?
        .replace("Version: 7.0.1-1", "Version: 7.0.1-3");
    stage.publish("7.0", &BOTH, &list)?;
    let outcome = stage.detect_from(&stage.vendor, &stage.fingerprint()?)?;
    write(&broken, &signed)?;
    let lines: Vec<String> = outcome.broken.iter().map(|(line, _)| line.to_string()).collect();
    ensure!(
        lines == ["7.2"],
        "7.2 alone was to be broken, and these are: {}",
        lines.join(", ")
    );
    let versions = read(&stage.versions_file())?;
    for package in ["\"opennebula\": \"7.0.1-3\"", "\"opennebula\": \"7.2.0-1\""] {
        ensure!(
            outcome.news && versions.contains(package),
            "versions.json lacks {package}"
        );
    }
    Ok(Counts::PASSED)
}

pub(super) fn images(stage: &Stage) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let good = stage.small_images("7.0.1", &BOTH, "good")?;
    let other = stage.table()?.remove("7.2.0").context("7.2.0 does not exist")?;
    let absent: Digest = format!("sha256:{}", "0".repeat(64)).parse()?;
    let foreign = stage.small_image(machine(), &[("version", "7.0.1")], "foreign")?;
    let swapped = [
        (Architecture::Amd64, good[1].1.clone()),
        (Architecture::Arm64, good[0].1.clone()),
    ];

    for (what, digest, words) in [
        (
            "the digest of another release",
            &other,
            "is an image of 7.2.0 by its label",
        ),
        ("a digest that does not exist", &absent, "MANIFEST_UNKNOWN"),
        (
            "an image that lacks an architecture",
            &good[0].1,
            "there is no image for linux/",
        ),
        ("an image without our label", &foreign, "is a foreign image"),
    ] {
        refusals.expect(what, words, || stage.promote("7.0.1", digest));
    }
    for (what, release, images, words) in [
        (
            "a candidate that lacks an architecture",
            "7.0.1",
            &good[..1],
            "there is no image for linux/",
        ),
        (
            "a candidate with the architectures mixed up",
            "7.0.1",
            &swapped,
            "was given as the image for amd64",
        ),
        (
            "a candidate of another release's image",
            "7.2.0",
            &good[..1],
            "is an image of 7.0.1 by its label",
        ),
    ] {
        refusals.expect(what, words, || stage.candidate(release, images));
    }
    Ok(refusals.counts)
}

pub(super) fn registries(stage: &Stage, repo: &Repo) -> Result<Counts> {
    let mut refusals = Refusals::on(stage);
    let digest = stage.candidate("7.0.1", &stage.small_images("7.0.1", &BOTH, "trouble")?)?;
    for (fault, words) in [
        ("GET /tags/list 500", "500 Internal Server Error"),
        ("GET /manifests/sha256 503", "503 Service Unavailable"),
        ("PUT /manifests/7.0.1-r 429", "429 Too Many Requests"),
        ("PUT /manifests/7.0.1-r 401", "401 Unauthorized"),
        ("PUT /manifests/7.0.1-r 403", "403 Forbidden"),
    ] {
        refusals.expect(&format!("a registry with the fault {fault}"), words, || {
            stage.registry.inject(fault)?;
            stage.promote("7.0.1", &digest)
        });
    }
    refusals.expect(
        "a candidate's tag that cannot be set",
        "500 Internal Server Error",
        || {
            let images = stage.small_images("7.0.1", &BOTH, "pushed in trouble")?;
            stage.registry.inject("PUT /manifests/candidate 500")?;
            stage.candidate("7.0.1", &images)
        },
    );
    refusals.expect("a registry that cannot be reached", "connection refused", || {
        Repository::open(repo, &format!("{}/opennebula", closed_port()?).parse()?)?.tags()
    });
    Ok(refusals.counts)
}

/// An address on which nobody listens.
fn closed_port() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.to_string())
        .context("no free port on 127.0.0.1")
}
