//! Whether a new build of a release is worth publishing: its packages or the gate's verdict differ from those of the
//! published build. Reads two reports of Trivy's by `image/trivy.yaml`, in JSON. Pure.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::markdown;

/// A report, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Report {
    #[serde(default)]
    results: Vec<ScanResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScanResult {
    #[serde(default)]
    packages: Vec<Package>,
    /// Without those of the ignore file.
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    release: String,
    #[serde(default)]
    epoch: u32,
    /// Empty for a package of the distribution.
    #[serde(default)]
    file_path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    severity: String,
}

impl Report {
    /// # Errors
    ///
    /// When the text is not a report, or is one without packages: an empty report would differ from everything.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let report: Self = serde_json::from_str(text).context("is not a report of Trivy's in JSON")?;
        if report.packages().is_empty() {
            bail!("has no packages: must be made with --list-all-pkgs");
        }
        Ok(report)
    }

    /// Versions by name and path.
    fn packages(&self) -> BTreeMap<(&str, &str), String> {
        let packages = self.results.iter().flat_map(|result| &result.packages);
        packages
            .map(|package| {
                let epoch = if package.epoch == 0 {
                    String::new()
                } else {
                    format!("{}:", package.epoch)
                };
                let release = if package.release.is_empty() {
                    String::new()
                } else {
                    format!("-{}", package.release)
                };
                let version = format!("{epoch}{}{release}", package.version);
                ((package.name.as_str(), package.file_path.as_str()), version)
            })
            .collect()
    }

    fn passes(&self) -> bool {
        let mut vulnerabilities = self.results.iter().flat_map(|result| &result.vulnerabilities);
        !vulnerabilities.any(|found| ["CRITICAL", "HIGH"].contains(&found.severity.as_str()))
    }
}

/// What differs, as a table in Markdown; none when nothing does.
pub(crate) fn differences(published: &Report, candidate: &Report) -> Option<String> {
    let (before, after) = (published.packages(), candidate.packages());
    let mut rows: Vec<[String; 3]> = Vec::new();
    let verdict = |report: &Report| if report.passes() { "passes" } else { "stops" }.to_owned();
    if published.passes() != candidate.passes() {
        rows.push(["(the gate)".to_owned(), verdict(published), verdict(candidate)]);
    }
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
        let version = |packages: &BTreeMap<(&str, &str), String>| {
            packages.get(key).cloned().unwrap_or_else(|| "-".to_owned())
        };
        let name = [key.0, key.1].join(" ").trim_end().to_owned();
        rows.push([name, version(&before), version(&after)]);
    }
    (!rows.is_empty()).then(|| markdown::table(["package", "published", "candidate"], &rows))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn report(packages: &[(&str, &str, &str)], severities: &[&str]) -> Report {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, version, path)| json!({"Name": name, "Version": version, "Release": "1", "FilePath": path}))
            .collect();
        let found: Vec<_> = severities
            .iter()
            .map(|severity| json!({"Severity": severity}))
            .collect();
        let report =
            json!({"Results": [{"Packages": packages, "Vulnerabilities": found}, {"Target": "empty"}]});
        Report::parse(&report.to_string()).unwrap()
    }

    #[test]
    fn packages_and_the_verdict_are_compared() {
        let published = report(
            &[
                ("libc6", "2.39", ""),
                ("rexml", "3.2.5", "a.gemspec"),
                ("gone", "1", ""),
            ],
            &["HIGH"],
        );
        let candidate = report(
            &[
                ("libc6", "2.40", ""),
                ("rexml", "3.2.5", "a.gemspec"),
                ("new", "1", ""),
            ],
            &["LOW"],
        );
        assert_snapshot!(differences(&published, &candidate).unwrap(), @"
        | package    | published | candidate |
        | ---------- | --------- | --------- |
        | (the gate) | stops     | passes    |
        | gone       | 1-1       | -         |
        | libc6      | 2.39-1    | 2.40-1    |
        | new        | -         | 1-1       |
        ");
        assert_eq!(differences(&candidate, &candidate), None);
        // The same library at another path is another package.
        let moved = report(&[("rexml", "3.2.5", "b.gemspec")], &[]);
        assert!(differences(&report(&[("rexml", "3.2.5", "a.gemspec")], &[]), &moved).is_some());
    }

    #[test]
    fn a_report_without_packages_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"Results": []}"#,
            r#"{"Results": [{"Target": "x"}]}"#,
            "<html>",
        ] {
            assert!(Report::parse(text).is_err(), "{text}");
        }
    }
}
