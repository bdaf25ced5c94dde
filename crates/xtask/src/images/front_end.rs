//! What goes into the front-end's image from this workspace: the compiled onepod, the packager of the simulated
//! packages, and the name that the chart gives the image.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo::Repo;
use crate::sh::{Cmd, cmd};
use crate::tools::CARGO_AUDITABLE;

/// Compiles onepod as the image has it, with the list of its crates for scanners; the path of the binary.
pub(crate) fn onepod(repo: &Repo) -> Result<PathBuf> {
    CARGO_AUDITABLE.install(repo)?;
    compile(
        repo,
        cmd(CARGO_AUDITABLE.path(repo)).arg("auditable"),
        &["--profile", "image", "--package", "onepod"],
        "image/onepod",
    )
}

/// Compiles the simulator, which also makes its own packages; the path of the binary.
pub(crate) fn simulator(repo: &Repo) -> Result<PathBuf> {
    compile(repo, cmd("cargo"), &["--package", "onesim"], "debug/onesim")
}

fn compile(repo: &Repo, cargo: Cmd, args: &[&str], binary: &str) -> Result<PathBuf> {
    let name = args.last().unwrap_or(&"cargo");
    cargo
        .args(["build", "--locked"])
        .args(args)
        .dir(&repo.root)
        .run(&repo.logs().join(format!("compile-{name}.log")))?;
    Ok(repo.target().join(binary))
}

/// The image that the chart asks for without any values.
pub(crate) fn name(root: &Path) -> Result<String> {
    let read =
        |file: &str| fs::read_to_string(root.join("charts/opennebula").join(file)).context(file.to_owned());
    image_name(&read("values.yaml")?, &read("Chart.yaml")?)
}

/// The same without its tag.
pub(crate) fn repository(root: &Path) -> Result<String> {
    let name = name(root)?;
    Ok(name
        .rsplit_once(':')
        .map_or(name.clone(), |(name, _)| name.to_owned()))
}

/// `registry/repository:appVersion`, read as lines: the two files are the chart's own, and small.
fn image_name(values: &str, chart: &str) -> Result<String> {
    let image: Vec<&str> = values
        .lines()
        .skip_while(|line| *line != "image:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .collect();
    let value = |lines: &[&str], key: &str| {
        let value = lines.iter().find_map(|line| line.trim().strip_prefix(key))?;
        Some(value.trim().trim_matches('"').to_owned())
    };
    let registry = value(&image, "registry:");
    let repository = value(&image, "repository:");
    let version = value(&chart.lines().collect::<Vec<_>>(), "appVersion:");
    match (registry, repository, version) {
        (Some(registry), Some(repository), Some(version)) => Ok(format!("{registry}/{repository}:{version}")),
        _ => bail!("the chart's values name no image, or its Chart.yaml no appVersion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_that_the_chart_asks_for() {
        let values = "global:\n  registry: no\nimage:\n  registry: docker.io\n  repository: a/b\n  tag: \"\"\nother:\n  x: y\n";
        assert_eq!(
            image_name(values, "name: x\nappVersion: \"7.0.0\"\n").unwrap(),
            "docker.io/a/b:7.0.0"
        );
    }
}
