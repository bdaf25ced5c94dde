//! `manifests`: the chart, rendered with each file of values that CI installs it with, against the schemas of several releases
//! of Kubernetes. What a real API server says of it is the scenarios' affair.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::kind::NODES;
use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::{HELM, KUBECONFORM};

/// Schemas of custom resources, by group and kind.
const CUSTOM: &str = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
const CHART: &str = "charts/opennebula";

#[derive(Debug, Args)]
pub(crate) struct Manifests {
    /// Releases of Kubernetes, or `all` that the scenarios run on
    #[arg(long, value_name = "X.Y", value_delimiter = ',', default_value = "all")]
    kubernetes: Vec<String>,
    /// Where the schemas are, in kubeconform's form; without it those of its own project, and of custom resources
    #[arg(long, value_name = "LOCATION")]
    schemas: Vec<String>,
}

impl Manifests {
    pub(crate) fn run(&self, repo: &Repo) -> Result<ExitCode> {
        let mut progress = Progress::start();
        for tool in [HELM, KUBECONFORM] {
            progress.step(tool.name, || tool.install(repo))?;
        }
        let values = values(repo)?;
        let all = NODES.map(|(release, _)| release.to_owned());
        let releases = if self.kubernetes == ["all"] {
            &all[..]
        } else {
            &self.kubernetes
        };
        for kubernetes in releases {
            for file in &values {
                let named = file.as_ref().map_or("the chart's own values", |(name, _)| name);
                progress.test(&format!("Kubernetes {kubernetes}, {named}"), || {
                    self.judge(repo, kubernetes, file.as_ref().map(|(_, path)| path))
                });
            }
        }
        Ok(if progress.report() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn judge(&self, repo: &Repo, kubernetes: &str, values: Option<&PathBuf>) -> Result<Counts> {
        let release = format!("{kubernetes}.0");
        let mut template = cmd(HELM.path(repo))
            .args(["template", "opennebula", CHART, "--kube-version", &release])
            .dir(&repo.root);
        if let Some(values) = values {
            template = template.arg("--values").arg(values);
        }
        let rendered = repo.logs().join("manifests.yaml");
        fs::create_dir_all(repo.logs()).context(".state/log")?;
        fs::write(&rendered, template.read()?).with_context(|| rendered.display().to_string())?;
        let schemas = if self.schemas.is_empty() {
            vec!["default".to_owned(), CUSTOM.to_owned()]
        } else {
            self.schemas.clone()
        };
        cmd(KUBECONFORM.path(repo))
            .args(["-strict", "-summary", "-kubernetes-version", &release])
            .args(schemas.iter().flat_map(|place| ["-schema-location", place]))
            .arg(&rendered)
            .run(&repo.logs().join("kubeconform.log"))?;
        Ok(Counts::PASSED)
    }
}

/// No file, which is the chart's own values, and each of the folder `ci`.
fn values(repo: &Repo) -> Result<Vec<Option<(String, PathBuf)>>> {
    let folder = repo.root.join(CHART).join("ci");
    let mut files = vec![None];
    if !folder.exists() {
        return Ok(files);
    }
    let mut named: Vec<(String, PathBuf)> = fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(_, path)| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    named.sort();
    if named.is_empty() {
        bail!(
            "{} has no file of values (*.yaml): remove the folder, or fill it",
            folder.display()
        );
    }
    files.extend(named.into_iter().map(Some));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout that has these files in the chart's folder `ci`.
    fn found(files: &[&str]) -> Result<Vec<String>> {
        let dir = tempfile::tempdir()?;
        let folder = dir.path().join(CHART).join("ci");
        for file in files {
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(file), "")?;
        }
        let repo = Repo {
            root: dir.path().to_owned(),
            state: dir.path().join("state"),
            cache: dir.path().join("cache"),
            release: "7.0.0".to_owned(),
            repository: None,
        };
        let name = |file: Option<(String, PathBuf)>| file.map_or("none".to_owned(), |(name, _)| name);
        Ok(values(&repo)?.into_iter().map(name).collect())
    }

    #[test]
    fn the_chart_s_own_values_come_first_and_every_file_after_them() {
        assert_eq!(found(&[]).unwrap(), ["none"]);
        assert_eq!(
            found(&["b.yaml", "README.md", "a.yaml"]).unwrap(),
            ["none", "a.yaml", "b.yaml"]
        );
    }

    #[test]
    fn a_folder_without_a_file_of_values_is_no_success() {
        let error = found(&["a.yml"]).unwrap_err().to_string();
        assert!(error.contains("has no file of values (*.yaml)"), "{error}");
    }
}
