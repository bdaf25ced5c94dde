//! Where the rehearsal is played: the vendor's repository, the registry, a versions.json of its own; the steps of a
//! release, each written to the transcript.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::images::simulator;
use crate::registry::{Digest, Repository};
use crate::rehearsal::{Key, Registry, build, now, publish, suite};
use crate::release::promote::{Mode, Promotion, promote, push_candidate};
use crate::release::tags::Replaceable;
use crate::release::{self, Vendor, detect, markdown};
use crate::repo::Repo;
use crate::serve;
use crate::sh::cmd;
use crate::tools::CRANE;
use crate::versions::{Architecture, Version, Versions};

/// The release of the real image.
pub(super) const FIRST: &str = "7.0.0";
const RELEASES: [&str; 3] = [FIRST, "7.0.1", "7.2.0"];
const OUR_SOURCE: &str = "https://github.com/pablodelarco/opennebula-kubernetes";

/// All of it; gone with the value.
pub(super) struct Stage {
    key: Key,
    pub(super) registry: Registry,
    pub(super) images: Repository,
    /// The address of the vendor's repositories.
    vendor: String,
    transcript: RefCell<String>,
    crane: PathBuf,
    /// Removed last, after the registry has ended.
    dir: TempDir,
}

/// Tags with what they name.
pub(super) type Table = BTreeMap<String, Digest>;

impl Stage {
    pub(super) fn set(repo: &Repo) -> Result<Self> {
        let parent = repo.state.join("rehearsal");
        fs::create_dir_all(&parent).context(".state/rehearsal")?;
        let dir = tempfile::tempdir_in(&parent).context(".state/rehearsal")?;
        let repositories = dir.path().join("www/repo");
        fs::create_dir_all(&repositories).context("the vendor's folder")?;
        let key = Key::make()?;
        key.export(&repositories.join("repo2.key"))?;
        cmd(simulator(repo)?)
            .arg("package")
            .args(RELEASES.iter().flat_map(|release| ["--release", release]))
            .arg("--out")
            .arg(dir.path().join("packages"))
            .run(&repo.logs().join("rehearsal-packages.log"))?;
        let log = repo.logs().join("rehearsal-registry.log");
        let registry = Registry::start(&build(repo)?, &dir.path().join("registry"), &log)?;
        let images = Repository::open(repo, &format!("{}/opennebula", registry.address).parse()?)?;
        let stage = Self {
            vendor: format!("http://{}/repo", serve::serve(&dir.path().join("www"))?),
            registry,
            images,
            key,
            dir,
            transcript: RefCell::default(),
            crane: CRANE.path(repo),
        };
        stage.write_versions(repo)?;
        Ok(stage)
    }

    /// The two lines 7.0 and 7.2 of the repository's versions.json.
    fn write_versions(&self, repo: &Repo) -> Result<()> {
        let mut file: Value = serde_json::from_str(&read(&repo.versions())?).context("versions.json")?;
        let lines = file["lines"].as_object_mut().context("versions.json")?;
        lines.retain(|line, _| ["7.0", "7.2"].contains(&line.as_str()));
        for (line, entry) in lines.iter_mut() {
            entry["version"] = json!(format!("{line}.0"));
            entry["architectures"] = json!([machine().to_string()]);
        }
        file["default"] = json!("7.0");
        write(&self.versions_file(), &format!("{file:#}\n"))
    }

    fn versions_file(&self) -> PathBuf {
        self.dir.path().join("versions.json")
    }

    fn versions(&self) -> Result<Versions> {
        Versions::read(&self.versions_file())
    }

    // ---- the vendor ----

    /// The list of a release's packages for this machine's architecture.
    pub(super) fn packages(&self, release: &str) -> Result<String> {
        let packages = suite(&self.dir.path().join("packages/repo"), release);
        read(&packages.join(format!("opennebula/binary-{}/Packages", machine())))
    }

    /// The vendor publishes a list of a line for some architectures, signed now.
    pub(super) fn publish(&self, line: &str, architectures: &[Architecture], list: &str) -> Result<()> {
        let names: Vec<String> = architectures.iter().map(ToString::to_string).collect();
        let from = format!("Architecture: {}\n", machine());
        let lists: Vec<(&str, String)> = names
            .iter()
            .map(|name| {
                (
                    name.as_str(),
                    list.replace(&from, &format!("Architecture: {name}\n")),
                )
            })
            .collect();
        let suite = suite(&self.dir.path().join("www/repo"), line);
        publish(&suite, &self.key, &lists, &format!("Date: {}", now()))
    }

    // ---- the steps of a release ----

    /// `release detect`: whether versions.json was changed. Fails where a line is broken.
    pub(super) fn detect(&self) -> Result<bool> {
        let vendor = Vendor {
            repository: self.vendor.clone(),
            key: Some(format!("{}/repo2.key", self.vendor)),
            fingerprint: self.key.fingerprint()?,
        };
        let outcome = detect(&vendor, &self.versions_file(), None, release::Mode::Write)?;
        self.shown("release detect", &outcome.report);
        match outcome.broken.first() {
            Some((line, reason)) => bail!("{line}: {reason}"),
            None => Ok(outcome.news),
        }
    }

    /// Small images of a release that stand in for real ones, whose build takes minutes: one file, and our labels.
    pub(super) fn small_images(
        &self,
        release: &str,
        architectures: &[Architecture],
        text: &str,
    ) -> Result<Vec<(Architecture, Digest)>> {
        let images = architectures.iter().map(|architecture| {
            let labels = [("version", release), ("source", OUR_SOURCE)];
            Ok((*architecture, self.small_image(*architecture, &labels, text)?))
        });
        images.collect()
    }

    /// Pushes an image under a tag that no release has; `text` makes it differ from others.
    pub(super) fn small_image(
        &self,
        architecture: Architecture,
        labels: &[(&str, &str)],
        text: &str,
    ) -> Result<Digest> {
        let folder = tempfile::tempdir_in(self.dir.path()).context("a temporary folder")?;
        let layer = folder.path().join("layer.tar");
        write(&folder.path().join("release"), text)?;
        cmd("tar")
            .arg("--create")
            .arg("--file")
            .arg(&layer)
            .args(["--mtime", "@0", "--directory"])
            .arg(folder.path())
            .arg("release")
            .read()?;
        let tag = format!("{}:build-small", self.images.name);
        cmd(&self.crane)
            .arg("append")
            .arg("--new_layer")
            .arg(&layer)
            .arg("--new_tag")
            .arg(&tag)
            .read()?;
        let mut mutate = cmd(&self.crane).args([
            "mutate",
            "--set-platform",
            &format!("linux/{architecture}"),
            "--tag",
            &tag,
        ]);
        for (name, value) in labels {
            mutate = mutate.args(["--label", &format!("org.opencontainers.image.{name}={value}")]);
        }
        let said = mutate.arg(&tag).read()?;
        let (_, digest) = said
            .rsplit_once('@')
            .with_context(|| format!("crane mutate said {said}"))?;
        digest.parse()
    }

    /// `release candidate`.
    pub(super) fn candidate(&self, release: &str, images: &[(Architecture, Digest)]) -> Result<Digest> {
        let digest = push_candidate(&self.images, images, release.parse()?, &self.versions()?)?;
        self.shown(
            &format!("release candidate --release {release}"),
            &digest.to_string(),
        );
        Ok(digest)
    }

    /// `release promote`.
    pub(super) fn promote(&self, release: &str, digest: &Digest) -> Result<Promotion> {
        self.promote_in(&self.images, release, digest, &Replaceable::new())
    }

    /// The same in another repository of the registry, with foreign tags that may be replaced.
    pub(super) fn promote_in(
        &self,
        images: &Repository,
        release: &str,
        digest: &Digest,
        replaceable: &Replaceable,
    ) -> Result<Promotion> {
        let version: Version = release.parse()?;
        let promotion = promote(
            images,
            digest,
            version,
            &self.versions()?,
            replaceable,
            Mode::Write,
        )?;
        let foreign: Vec<String> = replaceable
            .iter()
            .map(|(tag, digest)| format!(" --replace-foreign {tag}={digest}"))
            .collect();
        let step = format!(
            "release promote --release {release} --digest {digest}{}",
            foreign.concat()
        );
        self.shown(&step, &promotion.table());
        Ok(promotion)
    }

    /// Small images, candidate and promotion.
    pub(super) fn release(
        &self,
        release: &str,
        architectures: &[Architecture],
        text: &str,
    ) -> Result<Digest> {
        let digest = self.candidate(release, &self.small_images(release, architectures, text)?)?;
        self.promote(release, &digest)?;
        Ok(digest)
    }

    // ---- the registry ----

    /// Copies an image to another repository, under some tags.
    pub(super) fn copy(&self, digest: &Digest, to: &str, tags: &[&str]) -> Result<()> {
        for tag in tags {
            cmd(&self.crane)
                .arg("copy")
                .arg(self.images.by_digest(digest))
                .arg(format!("{to}:{tag}"))
                .read()?;
        }
        Ok(())
    }

    /// What is published: all tags but those of candidates and builds.
    pub(super) fn table(&self) -> Result<Table> {
        table_of(&self.images)
    }

    /// Fails unless the tags are these, each with the digest that it must have.
    pub(super) fn expect_tags(&self, images: &Repository, wanted: &[(&str, &Digest)]) -> Result<()> {
        let table = table_of(images)?;
        let rows: Vec<[String; 2]> = table
            .iter()
            .map(|(tag, digest)| [tag.clone(), digest.to_string()])
            .collect();
        self.shown(
            "(the registry's tags)",
            &markdown::table(["tag", "digest"], &rows),
        );
        for (tag, digest) in wanted {
            if table.get(*tag) != Some(digest) {
                bail!("{tag} must name {digest}, and names {:?}", table.get(*tag));
            }
        }
        Ok(())
    }

    // ---- the transcript ----

    pub(super) fn heading(&self, name: &str) {
        let _ = write!(self.transcript.borrow_mut(), "## {name}\n\n");
    }

    /// A step with its output.
    pub(super) fn shown(&self, step: &str, said: &str) {
        let _ = write!(self.transcript.borrow_mut(), "```\n$ {step}\n{said}\n```\n\n");
    }

    /// A sentence.
    pub(super) fn note(&self, text: &str) {
        let _ = write!(self.transcript.borrow_mut(), "{text}\n\n");
    }

    /// Writes the transcript; the file's path.
    pub(super) fn write_transcript(&self, repo: &Repo) -> Result<PathBuf> {
        let head = format!(
            "# Release rehearsal\n\n\
             Registry: the distribution project's, on 127.0.0.1. Vendor: packages of the simulator, signed with a key made \
             for this run. The image of {FIRST} is a real one, built from image/Dockerfile with simulated packages; the \
             others are small ones of one file. Steps are the functions behind the verbs.\n\n"
        );
        let text = format!("{head}{}", self.transcript.borrow().trim_end())
            .replace(&self.vendor, "http://VENDOR/repo")
            .replace(&self.registry.address.to_string(), "REGISTRY")
            .replace(&self.dir.path().display().to_string(), "STAGE");
        let file = repo.logs().join("rehearsal.md");
        write(&file, &format!("{text}\n"))?;
        Ok(file)
    }
}

fn table_of(images: &Repository) -> Result<Table> {
    let tags = images.tags()?.into_iter();
    let published = tags.filter(|tag| !tag.starts_with("candidate-") && !tag.starts_with("build-"));
    published
        .map(|tag| {
            let digest = images.digest(&tag)?.with_context(|| format!("{tag} has gone"))?;
            Ok((tag, digest))
        })
        .collect()
}

/// The architecture of this machine.
pub(super) fn machine() -> Architecture {
    if env::consts::ARCH == "aarch64" {
        Architecture::Arm64
    } else {
        Architecture::Amd64
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
