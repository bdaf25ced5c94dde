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
use crate::sh::{Cmd, cmd};
use crate::tools::{CRANE, TRIVY};

/// Trivy's exit status for an image that it stops, by `image/trivy.yaml`; that of its errors is 1.
const STOPPED: i32 = 3;
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

/// Fails unless a planted library stops an image, and an image without it, or with an accepted one, passes. Returns what it
/// saw.
pub(crate) fn prove(repo: &Repo, today: Date) -> Result<Vec<String>> {
    TRIVY.install(repo)?;
    CRANE.install(repo)?;
    fs::create_dir_all(&repo.state).context(".state")?;
    let dir = tempfile::tempdir_in(&repo.state).context(".state")?;
    let dir = dir.path();
    database::write(&dir.join("cache/db"))?;
    cmd(simulator(repo)?)
        .args(["package", "--release", &repo.release, "--out"])
        .arg(dir.join("packages"))
        .run(&log(repo))?;
    let deb = cmd("find").arg(dir).args(["-name", "opennebula_*.deb"]).read()?;
    let mut seen = Vec::new();
    let mut expect = |what: &str, image: &Path, more: &[&str], expected: i32| -> Result<()> {
        let status = trivy(repo, dir, image).args(more).logged(&log(repo))?.code();
        let told = log(repo);
        ensure!(
            status == Some(expected),
            "{what}: trivy exited with {status:?}, must be {expected}: {}",
            told.display()
        );
        seen.push(format!("{what}: {expected}"));
        Ok(())
    };
    expect("nothing planted", &image(repo, dir, &deb, None)?, &[], 0)?;
    for plant in PLANTS {
        let (path, image) = (plant.0, image(repo, dir, &deb, Some(plant))?);
        expect(path, &image, &[], STOPPED)?;
        // This is what the configuration is for: when it fails, Trivy knows the vendor.
        let blind = ["--skip-files", "none"];
        expect(
            &format!("{path}, with the package's list of files"),
            &image,
            &blind,
            0,
        )?;
        let file = accepted(repo, dir, &image, today)?;
        expect(&format!("{path}, accepted"), &image, &["--ignorefile", &file], 0)?;
    }
    Ok(seen)
}

fn log(repo: &Repo) -> PathBuf {
    repo.logs().join("gate.log")
}

fn trivy(repo: &Repo, dir: &Path, image: &Path) -> Cmd {
    let offline =
        "--skip-db-update --skip-java-db-update --offline-scan --skip-version-check --disable-telemetry";
    cmd(TRIVY.path(repo))
        .args(["image", "--config", "image/trivy.yaml", "--input"])
        .arg(image)
        .args(offline.split(' '))
        .arg("--cache-dir")
        .arg(dir.join("cache"))
        .dir(&repo.root)
}

/// An image of Ubuntu with one package, in which a file may be planted.
fn image(repo: &Repo, dir: &Path, deb: &str, plant: Option<(&str, &str)>) -> Result<PathBuf> {
    let root = tempfile::tempdir_in(dir)?;
    let root = root.path();
    cmd("dpkg-deb")
        .args(["--raw-extract", deb])
        .arg(root)
        .run(&log(repo))?;
    let control = fs::read_to_string(root.join("DEBIAN/control"))?;
    let mut sums = fs::read_to_string(root.join("DEBIAN/md5sums"))?;
    if let Some((path, content)) = plant {
        write(&root.join(path), content)?;
        writeln!(sums, "d41d8cd98f00b204e9800998ecf8427e  {path}")?;
    }
    write(&root.join("var/lib/dpkg/info/opennebula.md5sums"), &sums)?;
    write(
        &root.join("var/lib/dpkg/status"),
        &format!("Status: install ok installed\n{control}"),
    )?;
    write(
        &root.join("etc/lsb-release"),
        "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n",
    )?;
    let (layer, image) = (dir.join("layer.tar"), dir.join("image.tar"));
    cmd("tar")
        .arg("-cf")
        .arg(&layer)
        .arg("-C")
        .arg(root)
        .arg(".")
        .run(&log(repo))?;
    cmd(CRANE.path(repo))
        .args([
            "append",
            "--new_tag",
            "example.org/opennebula:planted",
            "--new_layer",
        ])
        .arg(&layer)
        .arg("--output")
        .arg(&image)
        .run(&log(repo))?;
    Ok(image)
}

/// An ignore file for what Trivy finds, as `release ignores` proposes it and a person completes it.
fn accepted(repo: &Repo, dir: &Path, image: &Path, today: Date) -> Result<String> {
    let report = dir.join("trivy.json");
    trivy(repo, dir, image)
        .args(["--exit-code", "0", "--format", "json", "--output"])
        .arg(&report)
        .run(&log(repo))?;
    let (entries, _) = propose(&fs::read_to_string(&report)?, today)?;
    let entries = entries.replace("\"\"", "The planted library is never loaded by anything");
    let faults = Ignores::parse(&entries)?.faults(today);
    ensure!(faults.is_empty(), "{faults:?}");
    let file = dir.join("accepted.yaml");
    write(&file, &entries)?;
    Ok(file.display().to_string())
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("a file without a directory")?)?;
    fs::write(file, content).with_context(|| file.display().to_string())
}
