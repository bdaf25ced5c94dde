//! Proves that the release's gate, Trivy by `image/trivy.yaml`, sees libraries in the vendor's packages: plants them in a
//! package of the simulator, which has the vendor's maintainer and a list of its files. What judges an image is not here:
//! that is Trivy's configuration alone.

mod database;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::civil::Date;

use super::ignores::{Ignores, propose};
use crate::images::simulator;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::{CRANE, TRIVY};

/// Trivy's exit status for an image that it stops, by `image/trivy.yaml`; that of its errors is 1.
const STOPPED: i32 = 3;
const OFFLINE: [&str; 5] = [
    "--skip-db-update",
    "--skip-java-db-update",
    "--offline-scan",
    "--skip-version-check",
    "--disable-telemetry",
];
/// What Trivy reads of a gem and of a node module.
const PLANTS: [(&str, &str); 2] = [
    (
        "usr/share/one/gems-dist/specifications/planted-1.0.0.gemspec",
        "Gem::Specification.new do |s|\n  s.name = \"planted\".freeze\n  s.version = \"1.0.0\"\nend\n",
    ),
    (
        "usr/lib/one/fireedge/node_modules/planted/package.json",
        "{\"name\": \"planted\", \"version\": \"1.0.0\"}\n",
    ),
];

/// Fails unless planted libraries stop an image, and an image without them, or with accepted ones, passes. Returns what it saw.
pub(crate) fn prove(repo: &Repo, today: Date) -> Result<Vec<String>> {
    TRIVY.install(repo)?;
    CRANE.install(repo)?;
    fs::create_dir_all(&repo.state).context(".state")?;
    let dir = tempfile::tempdir_in(&repo.state).context(".state")?;
    let dir = dir.path();
    database::write(&dir.join("cache/db"))?;
    let mut seen = Vec::new();
    let mut expect = |what: &str, image: &Path, more: &[&str], expected: i32| -> Result<()> {
        let trivy = cmd(TRIVY.path(repo))
            .args(["image", "--config", "image/trivy.yaml", "--input"])
            .arg(image)
            .args(OFFLINE)
            .arg("--cache-dir")
            .arg(dir.join("cache"))
            .args(more);
        let status = trivy.dir(&repo.root).logged(&log(repo))?.code();
        ensure!(
            status == Some(expected),
            "{what}: trivy exited with {status:?}, must be {expected}: {}",
            log(repo).display()
        );
        seen.push(format!("{what}: {expected}"));
        Ok(())
    };
    let root = unpacked(repo, dir)?;
    expect("nothing planted", &image(repo, dir)?, &[], 0)?;

    let list = root.join("var/lib/dpkg/info/opennebula.md5sums");
    let mut files = fs::read_to_string(&list)?;
    for (path, content) in PLANTS {
        write(&root.join(path), content)?;
        writeln!(files, "d41d8cd98f00b204e9800998ecf8427e  {path}")?;
    }
    write(&list, &files)?;
    let planted = image(repo, dir)?;
    let report = dir.join("trivy.json").display().to_string();
    let json = ["--format", "json", "--output", &report];
    expect("a planted gem and node module", &planted, &json, STOPPED)?;
    // This is what the configuration is for: when it fails, Trivy knows the vendor.
    let blind = ["--skip-files", "none"];
    expect("the same, with the package's list of files", &planted, &blind, 0)?;

    let (entries, _) = propose(&fs::read_to_string(&report)?, today)?;
    for (path, _) in PLANTS {
        ensure!(entries.contains(path), "Trivy does not see {path}");
    }
    let entries = entries.replace("\"\"", "The planted library is never loaded by anything");
    Ignores::parse(&entries, today)?;
    let file = dir.join("accepted.yaml");
    write(&file, &entries)?;
    let accepted = ["--ignorefile", &file.display().to_string()];
    expect("the same, accepted", &planted, &accepted, 0)?;
    Ok(seen)
}

fn log(repo: &Repo) -> PathBuf {
    repo.logs().join("gate.log")
}

/// The root of an Ubuntu with one package of the simulator's.
fn unpacked(repo: &Repo, dir: &Path) -> Result<PathBuf> {
    cmd(simulator(repo)?)
        .args(["package", "--release", &repo.release, "--out"])
        .arg(dir.join("packages"))
        .run(&log(repo))?;
    let deb = cmd("find").arg(dir).args(["-name", "opennebula_*.deb"]).read()?;
    let root = dir.join("root");
    cmd("dpkg-deb")
        .args(["--raw-extract", &deb])
        .arg(&root)
        .run(&log(repo))?;
    let [control, files] =
        ["control", "md5sums"].map(|name| fs::read_to_string(root.join("DEBIAN").join(name)));
    let status = format!("Status: install ok installed\n{}", control?);
    for (path, content) in [
        ("var/lib/dpkg/info/opennebula.md5sums", &*files?),
        ("var/lib/dpkg/status", &status),
        ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"),
    ] {
        write(&root.join(path), content)?;
    }
    Ok(root)
}

fn image(repo: &Repo, dir: &Path) -> Result<PathBuf> {
    let tar = ["-cf", "layer.tar", "-C", "root", "."];
    cmd("tar").args(tar).dir(dir).run(&log(repo))?;
    let append = [
        "append",
        "--new_tag=example.org/opennebula:planted",
        "--new_layer=layer.tar",
        "--output=image.tar",
    ];
    cmd(CRANE.path(repo)).args(append).dir(dir).run(&log(repo))?;
    Ok(dir.join("image.tar"))
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("a file without a directory")?)?;
    fs::write(file, content).with_context(|| file.display().to_string())
}
