//! Proves that the release's gate, Trivy by `image/trivy.yaml`, sees libraries in the vendor's packages: plants them in a
//! package of the simulator, which has the vendor's maintainer and a list of its files. What judges an image is not here:
//! that is Trivy's configuration alone.

mod database;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::civil::Date;

use super::ignores::{Ignores, propose};
use crate::images::simulator;
use crate::repo::Repo;
use crate::sh::{Cmd, cmd};
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

/// Fails unless planted libraries stop an image, and the same image passes when they are accepted. Returns what it saw.
pub(crate) fn prove(repo: &Repo, today: Date) -> Result<Vec<String>> {
    TRIVY.install(repo)?;
    CRANE.install(repo)?;
    fs::create_dir_all(&repo.state).context(".state")?;
    let dir = tempfile::tempdir_in(&repo.state).context(".state")?;
    let dir = dir.path();
    database::write(&dir.join("cache/db"))?;
    let image = planted(repo, dir)?;
    let mut seen = Vec::new();
    let mut expect = |what: &str, more: &[&str], expected: i32| -> Result<()> {
        let trivy = cmd(TRIVY.path(repo))
            .args(["image", "--config", "image/trivy.yaml", "--input"])
            .arg(&image)
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
    let [report, accepted] = ["trivy.json", "accepted.yaml"].map(|name| dir.join(name).display().to_string());
    let json = ["--format", "json", "--output", &report];
    expect("a planted gem and node module", &json, STOPPED)?;
    // This is what the configuration is for: when it fails, Trivy knows the vendor.
    let blind = ["--skip-files", "none"];
    expect("the same, with the package's list of files", &blind, 0)?;

    let (entries, _) = propose(&fs::read_to_string(&report)?, today)?;
    for (path, _) in PLANTS {
        ensure!(entries.contains(path), "Trivy does not see {path}");
    }
    let entries = entries.replace("\"\"", "The planted library is never loaded by anything");
    Ignores::parse(&entries, today)?;
    fs::write(&accepted, &entries)?;
    expect("the same, accepted", &["--ignorefile", &accepted], 0)?;
    Ok(seen)
}

fn log(repo: &Repo) -> PathBuf {
    repo.logs().join("gate.log")
}

/// An image of Ubuntu with one package of the simulator's, to which the libraries belong.
fn planted(repo: &Repo, dir: &Path) -> Result<PathBuf> {
    let run = |program: Cmd, words: &[&str]| program.args(words).dir(dir).run(&log(repo));
    run(
        cmd(simulator(repo)?),
        &["package", "--release", &repo.release, "--out", "packages"],
    )?;
    let deb = cmd("find").arg(dir).args(["-name", "opennebula_*.deb"]).read()?;
    run(cmd("dpkg-deb"), &["--raw-extract", &deb, "root"])?;
    let root = dir.join("root");
    let control = fs::read_to_string(root.join("DEBIAN/control"))?;
    let status = format!("Status: install ok installed\n{control}");
    let mut files = fs::read_to_string(root.join("DEBIAN/md5sums"))?;
    files.extend(PLANTS.map(|(path, _)| format!("d41d8cd98f00b204e9800998ecf8427e  {path}\n")));
    let others = [
        ("var/lib/dpkg/info/opennebula.md5sums", &*files),
        ("var/lib/dpkg/status", &status),
        ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"),
    ];
    for (path, content) in PLANTS.into_iter().chain(others) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().context("a file without a directory")?)?;
        fs::write(&file, content).context(path)?;
    }
    run(cmd("tar"), &["-cf", "layer.tar", "-C", "root", "."])?;
    let append = [
        "append",
        "--new_tag=example.org/opennebula:planted",
        "--new_layer=layer.tar",
        "--output=image.tar",
    ];
    run(cmd(CRANE.path(repo)), &append)?;
    Ok(dir.join("image.tar"))
}
