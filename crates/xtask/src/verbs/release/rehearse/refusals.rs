//! What goes wrong between an image and its tags. Each must be refused for its own reason, and leave the tags as they were.
//! What goes wrong with the vendor's index is tested beside `release/detect`.

use std::net::TcpListener;

use super::stage::{Stage, machine};
use crate::progress::{self, Counts};
use crate::registry::{Digest, Repository};
use crate::repo::Repo;
use crate::versions::Architecture;
use anyhow::{Context as _, Result, bail, ensure};

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
        let before = self.stage.table()?;
        self.stage.note(&format!("**{what}**"));
        let result = act();
        // A registry in trouble could not be asked what it has.
        self.stage.registry.inject("")?;
        let error = match result {
            Ok(_) => bail!("it succeeded"),
            Err(error) => format!("{error:#}"),
        };
        self.stage.shown("(…)", &format!("error: {error}"));
        ensure!(self.stage.table()? == before, "tags were changed");
        self.stage.note("The tags are unchanged.");
        ensure!(
            error.contains(words),
            "it was refused for another reason than \"{words}\": {error}"
        );
        Ok(())
    }
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
