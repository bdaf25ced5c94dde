//! The vulnerabilities that are accepted for a while, in Trivy's own file: which entries the release allows, proposals from
//! a report, and the `OpenVEX` document for users. Pure: the caller tells the day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// Days that an entry may last, so that somebody looks at it again.
const MAX_DAYS: i32 = 180;
/// Different words that a statement has at least.
const MIN_WORDS: usize = 5;
/// Where files of the vendor's packages lie in an image: what is in them only the vendor can fix.
const VENDOR_DIRECTORIES: [&str; 3] = ["usr/lib/one/", "usr/share/one/", "usr/share/onepod/data/"];
/// What `OpenVEX` knows as a reason why a product is not affected.
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "inline_mitigations_already_exist",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_not_present",
];

/// As much of Trivy's `.trivyignore.yaml` as the release allows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignores {
    vulnerabilities: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    paths: Vec<String>,
    purls: Vec<String>,
    /// The first day on which it no longer counts: Trivy reads it as midnight.
    expired_at: String,
    statement: String,
}

impl Ignores {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_saphyr::from_str(text).context("is not a list of accepted vulnerabilities")
    }

    pub(crate) fn count(&self) -> usize {
        self.vulnerabilities.len()
    }

    /// What is wrong with the entries on a day, a sentence each.
    pub(crate) fn faults(&self, today: Date) -> Vec<String> {
        let mut faults = Vec::new();
        for entry in &self.vulnerabilities {
            let mut fault = |what: String| faults.push(format!("{}: {what}", entry.id));
            if entry.paths.is_empty() || entry.purls.is_empty() {
                fault("paths and purls must name what it is accepted in: Trivy takes an empty list for everything".to_owned());
            }
            for path in entry.paths.iter().filter(|path| !is_vendors(path.as_str())) {
                fault(format!(
                    "{path} is not the vendor's: update the package, what this repository can fix has no exceptions"
                ));
            }
            match entry.expired_at.parse::<Date>() {
                Ok(day) if day <= today => fault(format!(
                    "no longer counts since {day}: look for a fix again, then remove it or name a later day"
                )),
                Ok(day) if today.until(day).map_or(i32::MAX, |span| span.get_days()) > MAX_DAYS => {
                    fault(format!(
                        "expired_at must be at most {MAX_DAYS} days ahead, and is {day}"
                    ));
                }
                Ok(_) => {}
                Err(_) => fault(format!(
                    "expired_at must be a day such as 2026-12-31, and is {}",
                    entry.expired_at
                )),
            }
            let (_, statement) = entry.justified();
            let words = statement.split(|letter: char| !letter.is_alphanumeric());
            let words: BTreeSet<String> = words
                .filter(|word| word.len() > 1)
                .map(str::to_lowercase)
                .collect();
            if words.len() < MIN_WORDS || words.contains("todo") {
                fault(format!(
                    "statement must say in {MIN_WORDS} words or more why it is acceptable"
                ));
            }
        }
        faults
    }

    /// The `OpenVEX` document for users, <https://github.com/openvex/spec>.
    pub(crate) fn vex(&self, repository: &str, now: Timestamp) -> Value {
        let statements: Vec<Value> = self.vulnerabilities.iter().map(Entry::vex).collect();
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": format!("{repository}/vex/{}", now.as_second()),
            "author": repository,
            "timestamp": format!("{now:.0}"),
            "version": 1,
            "statements": statements,
        })
    }
}

impl Entry {
    /// The justification that the statement begins with, and the rest of it.
    fn justified(&self) -> (Option<&str>, &str) {
        match self.statement.split_once(':') {
            Some((label, rest)) if JUSTIFICATIONS.contains(&label) => (Some(label), rest.trim()),
            _ => (None, self.statement.trim()),
        }
    }

    fn vex(&self) -> Value {
        let components: Vec<Value> = self.purls.iter().map(|purl| json!({"@id": purl})).collect();
        let mut statement = json!({
            "vulnerability": {"name": self.id},
            "products": [{"@id": "pkg:oci/opennebula", "subcomponents": components}],
        });
        match self.justified() {
            (Some(justification), impact) => {
                statement["status"] = json!("not_affected");
                statement["justification"] = json!(justification);
                statement["impact_statement"] = json!(impact);
            }
            (None, action) => {
                statement["status"] = json!("affected");
                statement["action_statement"] = json!(action);
            }
        }
        statement
    }
}

/// Entries without a statement for what a report of Trivy's has in the vendor's files, and a line for each other finding.
pub(crate) fn propose(report: &str, today: Date) -> Result<(String, Vec<String>)> {
    let report: Value = serde_json::from_str(report).context("is not a report of Trivy's in JSON")?;
    let results = report["Results"]
        .as_array()
        .context("is not a report of Trivy's: it has no Results")?;
    let expires = today.saturating_add(Span::new().days(MAX_DAYS));
    let mut entries: BTreeMap<(&str, &str), (String, BTreeSet<&str>)> = BTreeMap::new();
    let mut ours = Vec::new();
    for result in results {
        for finding in result["Vulnerabilities"].as_array().into_iter().flatten() {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            // A program is a target of its own, and has no path.
            let path = finding["PkgPath"]
                .as_str()
                .or(result["Target"].as_str())
                .unwrap_or_default();
            let (id, severity) = (text("VulnerabilityID"), text("Severity"));
            let package = format!("{} {}", text("PkgName"), text("InstalledVersion"));
            if is_vendors(path) {
                let purl = finding["PkgIdentifier"]["PURL"].as_str().unwrap_or_default();
                let fixed = finding["FixedVersion"].as_str().unwrap_or("no version yet");
                let about = format!(
                    "{severity} in {package}, fixed in {fixed}: {}",
                    text("Title").replace('\n', " ")
                );
                entries
                    .entry((id, purl))
                    .or_insert((about, BTreeSet::new()))
                    .1
                    .insert(path);
            } else {
                ours.push(format!("{id} ({severity}) in {package}, {path}"));
            }
        }
    }
    let mut text = String::from("vulnerabilities:\n");
    for ((id, purl), (about, paths)) in entries {
        // JSON is YAML, too.
        let (paths, purls) = (json!(paths), json!([purl]));
        write!(
            text,
            "  # {about}\n  - id: {id}\n    paths: {paths}\n    purls: {purls}\n    expired_at: {expires}\n    statement: \"\"\n"
        )?;
    }
    Ok((text, ours))
}

/// Whether only the vendor can fix what is at this path.
fn is_vendors(path: &str) -> bool {
    VENDOR_DIRECTORIES.iter().any(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const GOOD: &str = "vulnerabilities:
  - id: CVE-2026-1
    paths: [usr/share/one/gems/rexml.gemspec]
    purls: [pkg:gem/rexml@3.2.5]
    expired_at: 2026-12-31
    statement: 'vulnerable_code_not_in_execute_path: The parser reads files of the image alone'
";

    fn faults(text: &str, today: &str) -> String {
        Ignores::parse(text)
            .unwrap()
            .faults(today.parse().unwrap())
            .join("\n")
    }

    #[test]
    fn an_entry_counts_until_its_day_which_is_near() {
        assert_eq!(faults(GOOD, "2026-12-30"), "");
        assert_eq!(faults(GOOD, "2026-07-04"), "");
        assert_snapshot!(faults(GOOD, "2026-12-31"), @"CVE-2026-1: no longer counts since 2026-12-31: look for a fix again, then remove it or name a later day");
        assert_snapshot!(faults(GOOD, "2026-07-03"), @"CVE-2026-1: expired_at must be at most 180 days ahead, and is 2026-12-31");
        assert_snapshot!(faults(&GOOD.replace("2026-12-31", "soon"), "2026-12-30"), @"CVE-2026-1: expired_at must be a day such as 2026-12-31, and is soon");
    }

    #[test]
    fn an_entry_names_files_of_the_vendor_and_says_something() {
        let all = GOOD
            .replace(
                "[usr/share/one/gems/rexml.gemspec]",
                "[usr/bin/restic, '**', usr/share/onepod/services.toml]",
            )
            .replace(
                "The parser reads files of the image alone",
                "is is a false positive",
            );
        assert_snapshot!(faults(&all, "2026-12-30"), @"
        CVE-2026-1: usr/bin/restic is not the vendor's: update the package, what this repository can fix has no exceptions
        CVE-2026-1: ** is not the vendor's: update the package, what this repository can fix has no exceptions
        CVE-2026-1: usr/share/onepod/services.toml is not the vendor's: update the package, what this repository can fix has no exceptions
        CVE-2026-1: statement must say in 5 words or more why it is acceptable
        ");
        let none = GOOD.replace("[usr/share/one/gems/rexml.gemspec]", "[]");
        assert_snapshot!(faults(&none, "2026-12-30"), @"CVE-2026-1: paths and purls must name what it is accepted in: Trivy takes an empty list for everything");
    }

    #[test]
    fn what_trivy_would_take_for_everything_is_refused() {
        for (from, to) in [
            ("    paths: [usr/share/one/gems/rexml.gemspec]\n", ""),
            ("paths", "path"),
            ("vulnerabilities", "secrets"),
        ] {
            assert!(Ignores::parse(&GOOD.replace(from, to)).is_err(), "{to}");
        }
        assert!(Ignores::parse("").is_err());
    }

    #[test]
    fn the_repository_s_file_can_be_read() {
        Ignores::parse(include_str!("../../../../image/.trivyignore.yaml")).unwrap();
    }

    #[test]
    fn users_learn_what_is_not_affected_and_what_to_do_else() {
        let text = format!(
            "{GOOD}{}",
            GOOD.replace("vulnerabilities:\n", "")
                .replace("'vulnerable_code_not_in_execute_path: ", "'")
        );
        let vex = Ignores::parse(&text)
            .unwrap()
            .vex("https://example.org/one", Timestamp::UNIX_EPOCH);
        assert_snapshot!(format!("{vex:#}"), @r#"
        {
          "@context": "https://openvex.dev/ns/v0.2.0",
          "@id": "https://example.org/one/vex/0",
          "author": "https://example.org/one",
          "statements": [
            {
              "impact_statement": "The parser reads files of the image alone",
              "justification": "vulnerable_code_not_in_execute_path",
              "products": [
                {
                  "@id": "pkg:oci/opennebula",
                  "subcomponents": [
                    {
                      "@id": "pkg:gem/rexml@3.2.5"
                    }
                  ]
                }
              ],
              "status": "not_affected",
              "vulnerability": {
                "name": "CVE-2026-1"
              }
            },
            {
              "action_statement": "The parser reads files of the image alone",
              "products": [
                {
                  "@id": "pkg:oci/opennebula",
                  "subcomponents": [
                    {
                      "@id": "pkg:gem/rexml@3.2.5"
                    }
                  ]
                }
              ],
              "status": "affected",
              "vulnerability": {
                "name": "CVE-2026-1"
              }
            }
          ],
          "timestamp": "1970-01-01T00:00:00Z",
          "version": 1
        }
        "#);
    }

    #[test]
    fn a_report_proposes_entries_for_the_vendor_s_files_alone() {
        let found = |id: &str, path: Option<&str>| {
            json!({"VulnerabilityID": id, "Severity": "HIGH", "PkgName": "rexml", "InstalledVersion": "3.2.5", "FixedVersion": "3.2.7",
                   "PkgPath": path, "PkgIdentifier": {"PURL": "pkg:gem/rexml@3.2.5"}, "Title": "rexml: a title"})
        };
        let report = json!({"Results": [
            {"Target": "Ruby", "Vulnerabilities": [found("CVE-1", Some("usr/lib/one/b.gemspec")), found("CVE-1", Some("usr/lib/one/a.gemspec")), found("CVE-2", Some("var/lib/gems/a.gemspec"))]},
            {"Target": "usr/share/onepod/data/remotes/datastore/restic/restic", "Vulnerabilities": [found("CVE-3", None)]},
            {"Target": "x (ubuntu 24.04)", "Vulnerabilities": [found("CVE-4", None)]},
            {"Target": "Node.js"},
        ]});
        let (text, ours) = propose(&report.to_string(), "2026-12-01".parse().unwrap()).unwrap();
        assert_snapshot!(text, @r#"
        vulnerabilities:
          # HIGH in rexml 3.2.5, fixed in 3.2.7: rexml: a title
          - id: CVE-1
            paths: ["usr/lib/one/a.gemspec","usr/lib/one/b.gemspec"]
            purls: ["pkg:gem/rexml@3.2.5"]
            expired_at: 2027-05-30
            statement: ""
          # HIGH in rexml 3.2.5, fixed in 3.2.7: rexml: a title
          - id: CVE-3
            paths: ["usr/share/onepod/data/remotes/datastore/restic/restic"]
            purls: ["pkg:gem/rexml@3.2.5"]
            expired_at: 2027-05-30
            statement: ""
        "#);
        assert_snapshot!(ours.join("\n"), @r"
        CVE-2 (HIGH) in rexml 3.2.5, var/lib/gems/a.gemspec
        CVE-4 (HIGH) in rexml 3.2.5, x (ubuntu 24.04)
        ");
        let faults = faults(&text, "2026-12-01");
        assert_eq!(
            faults.matches("statement must say").count(),
            2,
            "nothing else is to be written: {faults}"
        );
    }
}
