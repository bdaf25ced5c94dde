//! Where the rehearsal is played: the vendor's repository, the registry, a versions.json of its own; the steps of a release,
//! and what was seen of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::images::simulator;
use crate::registry::{Digest, Name, Patience, Repository};
use crate::rehearsal::{Key, Proxy, Registry, build, now, publish, push, suite};
use crate::release::{
    Candidate, Event, How, Job, Mode, Outcome, PREFIX, Promotion, Vendor, Wanted, candidate, columns, detect,
    matrix, promote, published,
};
use crate::repo::Repo;
use crate::serve;
use crate::sh::cmd;
use crate::versions::{Architecture, Versions};

/// The release of the real image, and what the vendor has later.
pub(super) const FIRST: &str = "7.0.0";
const RELEASES: [&str; 3] = [FIRST, "7.0.1", "7.2.0"];
/// The name of the images in the registry.
const IMAGE: &str = "opennebula";

/// All of it; gone with the value.
pub(super) struct Stage {
    key: Key,
    pub(super) registry: Registry,
    pub(super) proxy: Proxy,
    /// The vendor's repositories.
    pub(super) vendor: String,
    pub(super) real_image: RefCell<Option<Digest>>,
    transcript: RefCell<String>,
    logs: PathBuf,
    /// Removed last, after the registry has ended.
    dir: TempDir,
}

/// Tags with what they name.
pub(super) type Table = BTreeMap<String, Digest>;

/// What a recorded scan has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    Clean,
    /// A CRITICAL one, with a fix.
    Critical,
}

impl Stage {
    pub(super) fn set(repo: &Repo) -> Result<Self> {
        let parent = repo.state.join("rehearsal");
        fs::create_dir_all(&parent).context(".state/rehearsal")?;
        let dir = tempfile::tempdir_in(&parent).context(".state/rehearsal")?;
        let repositories = dir.path().join("www/repo");
        fs::create_dir_all(&repositories).context("the vendor's folder")?;
        let key = Key::make()?;
        key.export(&repositories.join("repo2.key"))?;
        let program = simulator(repo)?;
        cmd(program)
            .arg("package")
            .args(RELEASES.iter().flat_map(|release| ["--release", release]))
            .arg("--out")
            .arg(dir.path().join("packages"))
            .run(&repo.logs().join("rehearsal-packages.log"))?;
        let log = repo.logs().join("rehearsal-registry.log");
        let registry = Registry::start(&build(repo)?, &dir.path().join("registry"), &log)?;
        let stage = Self {
            vendor: format!("http://{}/repo", serve::serve(&dir.path().join("www"))?),
            proxy: Proxy::start(registry.address)?,
            registry,
            key,
            dir,
            real_image: RefCell::new(None),
            transcript: RefCell::default(),
            logs: repo.logs(),
        };
        stage.write_versions(repo)?;
        Ok(stage)
    }

    /// A versions.json of two lines of which nothing is confirmed, with the base of the repository's own.
    fn write_versions(&self, repo: &Repo) -> Result<()> {
        let text = fs::read_to_string(repo.versions()).context("versions.json")?;
        let mut file: Value = serde_json::from_str(&text).context("versions.json")?;
        let lines = file["lines"].as_object_mut().context("versions.json")?;
        lines.retain(|line, _| ["7.0", "7.2"].contains(&line.as_str()));
        for (line, entry) in lines.iter_mut() {
            entry["version"] = json!(format!("{line}.0"));
            entry["confirmed"] = json!(false);
            entry["architectures"] = json!([machine().to_string()]);
            for package in entry["packages"].as_object_mut().into_iter().flatten() {
                *package.1 = Value::Null;
            }
        }
        file["default"] = json!("7.0");
        let path = self.versions();
        fs::write(&path, format!("{file:#}\n")).with_context(|| path.display().to_string())
    }

    /// The rehearsal's versions.json.
    pub(super) fn versions(&self) -> PathBuf {
        self.dir.path().join("versions.json")
    }

    // ---- the vendor ----

    /// The packages of a release, for the architecture of this machine, as the simulator's index has them.
    pub(super) fn packages(&self, release: &str) -> Result<String> {
        let packages = suite(&self.dir.path().join("packages/repo"), release);
        let list = packages.join(format!("opennebula/binary-{}/Packages", machine()));
        fs::read_to_string(&list).with_context(|| list.display().to_string())
    }

    /// The folder of a line's suite, to be tampered with.
    pub(super) fn suite(&self, line: &str) -> PathBuf {
        suite(&self.dir.path().join("www/repo"), line)
    }

    /// The vendor publishes a list of a line for some architectures.
    pub(super) fn publish(&self, line: &str, architectures: &[Architecture], list: &str) -> Result<()> {
        self.publish_dated(line, architectures, list, &format!("Date: {}", now()))
    }

    /// The same with other dates, as the index's fields.
    pub(super) fn publish_dated(
        &self,
        line: &str,
        architectures: &[Architecture],
        list: &str,
        dates: &str,
    ) -> Result<()> {
        let of = |architecture: &Architecture| {
            let machine = format!("Architecture: {}\n", machine());
            list.replace(&machine, &format!("Architecture: {architecture}\n"))
        };
        let names: Vec<String> = architectures.iter().map(ToString::to_string).collect();
        let lists: Vec<(&str, String)> = names
            .iter()
            .map(String::as_str)
            .zip(architectures.iter().map(of))
            .collect();
        publish(&self.suite(line), &self.key, &lists, dates)
    }

    // ---- the steps of a release ----

    /// `release detect`: whether versions.json was changed. Fails where a line is as it was because something is wrong.
    pub(super) fn detect(&self) -> Result<bool> {
        whole(&self.detect_lines()?)
    }

    /// The same with what becomes of each line.
    pub(super) fn detect_lines(&self) -> Result<Outcome> {
        self.detect_each(&self.vendor, &self.key.fingerprint()?)
    }

    /// The same at an address where no vendor is.
    pub(super) fn detect_elsewhere(&self, repository: &str) -> Result<bool> {
        whole(&self.detect_each(repository, &self.key.fingerprint()?)?)
    }

    /// The same where another key is pinned.
    pub(super) fn detect_pinned(&self, fingerprint: &str) -> Result<bool> {
        whole(&self.detect_each(&self.vendor, fingerprint)?)
    }

    fn detect_each(&self, repository: &str, fingerprint: &str) -> Result<Outcome> {
        let vendor = Vendor {
            repository: repository.to_owned(),
            key: Some(format!("{}/repo2.key", self.vendor)),
            fingerprint: fingerprint.to_owned(),
        };
        let outcome = detect(&vendor, &self.versions(), None, Mode::Write)?;
        self.shown("release detect", &outcome.report);
        Ok(outcome)
    }

    /// `release plan`.
    pub(super) fn plan(&self, event: Event, line: Option<&str>, release: Option<&str>) -> Result<Vec<Job>> {
        let versions = Versions::read(&self.versions())?;
        let wanted = Wanted {
            event,
            line: line.map(str::parse).transpose()?,
            release: release.map(str::parse).transpose()?,
        };
        let matrix = matrix(&versions, &wanted, &published(&self.client())?)?;
        let name = format!("{event:?}").to_lowercase();
        let more = [("line", line), ("release", release)]
            .map(|(option, value)| value.map_or_else(String::new, |value| format!(" --{option} {value}")));
        self.shown(
            &format!("release plan --event {name}{}", more.concat()),
            &matrix.table(),
        );
        Ok(matrix.jobs)
    }

    /// Small images of a job, one for each architecture.
    pub(super) fn small_images(&self, job: &Job, text: &str) -> Result<BTreeMap<Architecture, Digest>> {
        let release = job.release.to_string();
        let push = |architecture: &Architecture| {
            Ok((
                *architecture,
                push(&self.client(), &release, *architecture, text)?,
            ))
        };
        job.architectures.iter().map(push).collect()
    }

    /// `release candidate`.
    pub(super) fn candidate(&self, job: &Job, images: BTreeMap<Architecture, Digest>) -> Result<Digest> {
        let wanted = Candidate {
            release: job.release,
            images,
            tag: job.candidate(),
            revision: "0000000000000000000000000000000000000000".to_owned(),
        };
        let made = candidate(&self.client(), &wanted, &Versions::read(&self.versions())?)?;
        self.shown(
            &format!("release candidate --release {} --tag {}", job.release, wanted.tag),
            &made.table,
        );
        Ok(made.digest)
    }

    /// `release gate`, on a recorded scan: an error where the image is stopped.
    pub(super) fn gate(&self, digest: &Digest, scan: Scan) -> Result<()> {
        let image = format!("{}/{IMAGE}@{digest}", self.registry.address);
        let file = self.dir.path().join("scan.json");
        fs::write(&file, recorded(&image, scan).to_string()).context("the recorded scan")?;
        let ignores = self.dir.path().join("vulnerabilities.toml");
        fs::write(&ignores, "").context("the accepted vulnerabilities")?;
        let log = self.logs.join("rehearsal-gate.log");
        let passes = cmd(env::current_exe().context("xtask")?)
            .args(["release", "gate", "--image", &image, "--scan"])
            .arg(&file)
            .arg("--ignores")
            .arg(&ignores)
            .logged(&log)?
            .success();
        let said = fs::read_to_string(&log).context("the gate's log")?;
        self.shown("release gate", said.trim_end());
        if !passes {
            bail!("the gate stops {digest}: {}", said.trim_end());
        }
        Ok(())
    }

    /// `release promote`.
    pub(super) fn promote(&self, job: &Job, digest: &Digest) -> Result<Promotion> {
        let versions = Versions::read(&self.versions())?;
        let promotion = promote(&self.client(), digest, job.release, &versions, How::Set)?;
        self.shown(
            &format!("release promote --release {} --digest {digest}", job.release),
            &promotion.table(),
        );
        Ok(promotion)
    }

    /// Candidate, gate and promotion: each only after the one before.
    pub(super) fn release(
        &self,
        job: &Job,
        images: BTreeMap<Architecture, Digest>,
        scan: Scan,
    ) -> Result<(Digest, Promotion)> {
        let digest = self.candidate(job, images)?;
        self.gate(&digest, scan)?;
        let promotion = self.promote(job, &digest)?;
        Ok((digest, promotion))
    }

    // ---- the registry ----

    /// A client that goes through the proxy and does not wait between its tries.
    pub(super) fn client(&self) -> Repository {
        let patience = Patience {
            pause: |_| {},
            ..Patience::default()
        };
        repository(self.proxy.address, patience)
    }

    /// One that waits as it does in earnest.
    pub(super) fn patient_client(&self) -> Repository {
        repository(self.proxy.address, Patience::default())
    }

    /// A tag in the registry itself, for buildah.
    pub(super) fn direct(&self, tag: &str) -> String {
        format!("{}/{IMAGE}:{tag}", self.registry.address)
    }

    /// What is published: all tags but those of candidates and builds, asked for past the proxy.
    pub(super) fn table(&self) -> Result<Table> {
        let repository = repository(self.registry.address, Patience::default());
        let mut table = Table::new();
        for tag in repository.tags()? {
            if !tag.starts_with(PREFIX)
                && !tag.starts_with("build-")
                && let Some(digest) = repository.digest(&tag)?
            {
                table.insert(tag, digest);
            }
        }
        Ok(table)
    }

    /// Ends with an error unless the tags are these, each with the digest that it must have.
    pub(super) fn expect_tags(&self, wanted: &[(&str, &Digest)]) -> Result<()> {
        let table = self.table()?;
        let rows: Vec<[String; 2]> = [["tag".to_owned(), "digest".to_owned()]]
            .into_iter()
            .chain(
                table
                    .iter()
                    .map(|(tag, digest)| [tag.clone(), digest.to_string()]),
            )
            .collect();
        self.shown("(the registry's tags)", columns(&rows).trim_end());
        let wanted: Table = wanted
            .iter()
            .map(|(tag, digest)| ((*tag).to_owned(), (*digest).clone()))
            .collect();
        for (tag, digest) in &wanted {
            match table.get(tag) {
                Some(found) if found == digest => {}
                found => bail!("{tag} must name {digest}, and names {found:?}"),
            }
        }
        Ok(())
    }

    // ---- what was seen ----

    pub(super) fn heading(&self, name: &str) {
        let _ = write!(self.transcript.borrow_mut(), "## {name}\n\n");
    }

    /// A step with what it said.
    pub(super) fn shown(&self, step: &str, said: &str) {
        let _ = write!(self.transcript.borrow_mut(), "```\n$ {step}\n{said}\n```\n\n");
    }

    /// A sentence.
    pub(super) fn note(&self, text: &str) {
        let _ = write!(self.transcript.borrow_mut(), "{text}\n\n");
    }

    /// Writes the transcript; the file's path.
    pub(super) fn write_down(&self, repo: &Repo) -> Result<PathBuf> {
        let head = format!(
            "# Release rehearsal\n\n\
             Registry: the distribution project's, on 127.0.0.1; every request of ours goes through a proxy that can make \
             trouble. Vendor: packages of the simulator, signed with a key made for this run. The image of {FIRST} is a real \
             one, built from image/Dockerfile with simulated packages; the others are small ones of one file. **The scans are \
             recorded texts in Trivy's form: no vulnerability was looked for.** Steps are the functions behind the verbs; what is waited between two tries is left out, \
             but for one scene.\n\n"
        );
        let text = format!("{head}{}", self.transcript.borrow().trim_end());
        let text = text
            .replace(&self.vendor, "http://VENDOR/repo")
            .replace(&self.proxy.address.to_string(), "REGISTRY")
            .replace(&self.registry.address.to_string(), "REGISTRY")
            .replace(&self.dir.path().display().to_string(), "STAGE");
        let file = repo.logs().join("rehearsal.md");
        fs::write(&file, format!("{text}\n")).with_context(|| file.display().to_string())?;
        Ok(file)
    }
}

/// Whether there is news, of an outcome in which no line is broken.
fn whole(outcome: &Outcome) -> Result<bool> {
    match outcome.broken.first() {
        Some((line, reason)) => bail!("{line}: {reason}"),
        None => Ok(outcome.news),
    }
}

fn repository(address: SocketAddr, patience: Patience) -> Repository {
    Repository::with(&Name::local(address, IMAGE), None, patience)
}

/// The architecture of this machine.
pub(super) fn machine() -> Architecture {
    if env::consts::ARCH == "aarch64" {
        Architecture::Arm64
    } else {
        Architecture::Amd64
    }
}

/// What `trivy image --format json` would say, as far as the gate reads it.
fn recorded(image: &str, scan: Scan) -> Value {
    let critical = json!([{
        "VulnerabilityID": "CVE-2026-0001",
        "PkgName": "libexample1",
        "InstalledVersion": "1.0-1",
        "FixedVersion": "1.0-2",
        "Severity": "CRITICAL",
    }]);
    json!({
        "SchemaVersion": 2,
        "ArtifactName": image,
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "ubuntu", "Name": "24.04"}, "RepoDigests": [image]},
        "Results": [{
            "Target": "opennebula (ubuntu 24.04)",
            "Class": "os-pkgs",
            "Type": "ubuntu",
            "Vulnerabilities": if scan == Scan::Critical { critical } else { json!([]) },
        }],
    })
}

/// Reads a file that must be there.
pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
