//! `image`: builds the images of the offline cluster; `image contract`: what must be true of every published image, for each
//! release line or for the packages of one repository; `image reproduce`: whether two builds of the same parts are the same; `image report`: docs/image.md.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::images::{self, Packages, Unpacked};
use crate::lock::Lock;
use crate::progress::{self, Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::versions::Versions;
use crate::{apt, machine, platform};

mod bake;
mod report;

/// What to do with images.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum Image {
    /// Build what the offline cluster runs (without a word, the same)
    Build(Packages),
    /// Build the image of each release line with the simulated packages, or the one of a repository, and check what must be
    /// true of all
    Contract(Packages),
    /// Build the same image twice from nothing, and compare the layers
    Reproduce(Packages),
    /// Print what versions.json says as a file for `docker buildx bake`: a target for each line, or one for one release
    Bake(bake::Bake),
    /// Print the image's name without a tag, as the chart asks for it
    Name,
    /// Measure the image beside what an earlier one consisted of; rewrites docs/image.md
    Report(Packages),
}

pub(crate) fn run(repo: &Repo, what: Image) -> Result<ExitCode> {
    let mut progress = Progress::start();
    let set_up = |progress: &mut Progress| {
        progress.step("machine", || machine::check_for_images(repo))?;
        progress.step("packages of the system", || {
            apt::install(repo, &[apt::CLUSTER, apt::TESTS])
        })
    };
    match what {
        Image::Bake(bake) => return bake.print(repo).map(|()| ExitCode::SUCCESS),
        Image::Name => {
            return images::repository(&repo.root)
                .map(|name| progress::say(&name))
                .map(|()| ExitCode::SUCCESS);
        }
        Image::Build(packages) => {
            let repo = &packages.of(repo)?;
            set_up(&mut progress)?;
            return platform::build(repo, &mut progress).map(|_| ExitCode::SUCCESS);
        }
        Image::Report(packages) => {
            let repo = &packages.of(repo)?;
            set_up(&mut progress)?;
            return report::write(repo, &mut progress).map(|()| ExitCode::SUCCESS);
        }
        Image::Contract(packages) => {
            let repo = &packages.of(repo)?;
            set_up(&mut progress)?;
            contract(repo, &mut progress);
        }
        Image::Reproduce(packages) => {
            let repo = &packages.of(repo)?;
            set_up(&mut progress)?;
            reproduce(repo, &mut progress);
        }
    }
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The contract of every line's image, or of the one of the repository that was named.
pub(crate) fn contract(repo: &Repo, progress: &mut Progress) {
    let releases = match releases(repo) {
        Ok(releases) => releases,
        Err(error) => {
            progress::complain(&error);
            progress.not_tried("contract of the images", "versions.json cannot be read");
            return;
        }
    };
    for release in releases {
        let repo = repo.of_release(&release);
        let name = format!("contract of the image {release}");
        match platform::unpacked(&repo, progress) {
            Ok(image) => {
                progress.test(&name, || check(&repo, &image));
            }
            Err(error) => {
                progress::complain(&error);
                progress.not_tried(&name, "the image could not be built");
            }
        }
    }
}

fn releases(repo: &Repo) -> Result<Vec<String>> {
    if repo.repository.is_some() {
        return Ok(vec![repo.release.clone()]);
    }
    let versions = Versions::read(&repo.versions())?;
    Ok(versions
        .lines()
        .map(|(_, entry)| entry.version.to_string())
        .collect())
}

fn check(repo: &Repo, image: &Unpacked) -> Result<Counts> {
    let _one = Lock::take(repo, "faults")?;
    let release = &repo.release;
    let log = repo.logs().join(format!("contract-{release}.log"));
    let status = cmd("cargo")
        .args(["run", "--quiet", "--locked", "--package", "image-contract", "--"])
        .args(["--release", release])
        .arg("--rootfs")
        .arg(&image.rootfs)
        .arg("--config")
        .arg(&image.configuration)
        .arg("--work")
        .arg(repo.state.join("contract"))
        .arg("--report")
        .arg(repo.logs().join(format!("contract-{release}.md")))
        .dir(&repo.root)
        .tee(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    match Counts::of_suite(&said) {
        Some(counts) if status.success() || counts.failed > 0 => Ok(counts),
        _ => bail!("the contract ended with {status}"),
    }
}

/// Two builds of the same parts have the same layers.
pub(crate) fn reproduce(repo: &Repo, progress: &mut Progress) {
    let layers = platform::rebuilt(repo, progress);
    progress.test("both builds have the same layers", || {
        let [first, second] = layers?;
        for (one, other) in first.iter().zip(&second) {
            let verdict = if one.digest == other.digest {
                "the same"
            } else {
                "DIFFERS"
            };
            progress::say(&format!("        {verdict}: {} {}", one.digest, one.made_by));
        }
        if first.is_empty() || first != second {
            bail!("the layers differ: something in image/install.sh hangs on the time or on chance")
        }
        Ok(Counts::PASSED)
    });
}
