//! The vulnerabilities that are accepted for a while, in Trivy's own file: which entries the release allows, proposals from
//! a report, and the `OpenVEX` document for users. Pure: the caller tells the day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::promote::SOURCE;

/// Days that an entry may last, so that somebody looks at it again.
const MAX_DAYS: i32 = 180;
/// Words that a statement has at least.
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
    pub(crate) vulnerabilities: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    id: String,
    paths: Vec<String>,
    purls: Vec<String>,
    /// The first day on which it no longer counts: Trivy reads it as midnight.
    expired_at: String,
    statement: String,
}

impl Ignores {
    /// The entries, unless there is one that the release does not allow on a day.
    pub(crate) fn parse(text: &str, today: Date) -> Result<Self> {
        let ignores: Self =
            serde_saphyr::from_str(text).context("is not a list of accepted vulnerabilities")?;
        let faults: Vec<String> = ignores
            .vulnerabilities
            .iter()
            .filter_map(|entry| Some(format!("\n  {}: {}", entry.id, entry.check(today).err()?)))
            .collect();
        ensure!(faults.is_empty(), "must be changed{}", faults.concat());
        Ok(ignores)
    }

    /// The `OpenVEX` document for users, <https://github.com/openvex/spec>.
    pub(crate) fn vex(&self, now: Timestamp) -> Value {
        let statements: Vec<Value> = self.vulnerabilities.iter().map(Entry::vex).collect();
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": format!("{SOURCE}/vex/{}", now.as_second()),
            "author": SOURCE,
            "timestamp": format!("{now:.0}"),
            "version": 1,
            "statements": statements,
        })
    }
}

impl Entry {
    fn check(&self, today: Date) -> Result<()> {
        ensure!(
            !self.paths.is_empty() && !self.purls.is_empty(),
            "paths and purls must name what it is accepted in: Trivy takes an empty list for everything"
        );
        if let Some(path) = self.paths.iter().find(|path| !is_vendors(path)) {
            bail!(
                "{path} is not the vendor's: update the package, what this repository can fix has no exceptions"
            );
        }
        let Ok(day) = self.expired_at.parse::<Date>() else {
            bail!(
                "expired_at must be a day such as 2026-12-31, and is {}",
                self.expired_at
            );
        };
        ensure!(
            day > today,
            "no longer counts since {day}: look for a fix again, then remove it or name a later day"
        );
        ensure!(
            day <= last_day(today),
            "expired_at must be at most {MAX_DAYS} days ahead, and is {day}"
        );
        let (_, statement) = self.justified();
        ensure!(
            statement.split_whitespace().count() >= MIN_WORDS,
            "statement must say in {MIN_WORDS} words or more why it is acceptable"
        );
        Ok(())
    }

    /// The justification that the statement begins with, and the rest of it.
    fn justified(&self) -> (Option<&str>, &str) {
        match self.statement.split_once(':') {
            Some((label, rest)) if JUSTIFICATIONS.contains(&label) => (Some(label), rest.trim()),
            _ => (None, self.statement.trim()),
        }
    }

    fn vex(&self) -> Value {
        let mut statement = match self.justified() {
            (Some(justification), impact) => {
                json!({"status": "not_affected", "justification": justification, "impact_statement": impact})
            }
            (None, action) => json!({"status": "affected", "action_statement": action}),
        };
        let components: Vec<Value> = self.purls.iter().map(|purl| json!({"@id": purl})).collect();
        statement["vulnerability"] = json!({"name": self.id});
        statement["products"] = json!([{"@id": "pkg:oci/opennebula", "subcomponents": components}]);
        statement
    }
}

/// Entries without a statement for what a report of Trivy's has in the vendor's files, and a line for each other finding.
pub(crate) fn propose(report: &str, today: Date) -> Result<(String, Vec<String>)> {
    let report: Value = serde_json::from_str(report).context("is not a report of Trivy's in JSON")?;
    let results = report["Results"]
        .as_array()
        .context("is not a report of Trivy's: it has no Results")?;
    let expires = last_day(today);
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
            let id = text("VulnerabilityID");
            let [severity, name, version] = ["Severity", "PkgName", "InstalledVersion"].map(text);
            let about = format!("{severity} in {name} {version}");
            if !is_vendors(path) {
                ours.push(format!("{id}, {about}, {path}"));
                continue;
            }
            let purl = finding["PkgIdentifier"]["PURL"].as_str().unwrap_or_default();
            let fixed = finding["FixedVersion"].as_str().unwrap_or("no version yet");
            let title = text("Title").replace('\n', " ");
            let (_, paths) = entries
                .entry((id, purl))
                .or_insert((format!("{about}, fixed in {fixed}: {title}"), BTreeSet::new()));
            paths.insert(path);
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

fn last_day(today: Date) -> Date {
    today.saturating_add(Span::new().days(MAX_DAYS))
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

    fn parse(text: &str, today: &str) -> Result<Ignores> {
        Ignores::parse(text, today.parse().unwrap())
    }

    #[test]
    fn entries_that_the_release_does_not_allow_are_refused() {
        let refused = |from: &str, to: &str, today: &str| {
            let error = parse(&GOOD.replace(from, to), today).unwrap_err();
            error.to_string()
        };
        let path = "usr/share/one/gems/rexml.gemspec";
        let (day, end) = ("2026-12-30", "2026-12-31");
        assert!(parse(GOOD, day).is_ok() && parse(GOOD, "2026-07-04").is_ok());
        let all = [
            refused("", "", end),
            refused("", "", "2026-07-03"),
            refused(end, "soon", day),
            refused(path, "usr/bin/restic", day),
            refused(path, "'**'", day),
            refused(path, "", day),
            refused("files of the image alone", "it", day),
        ];
        assert_snapshot!(all.map(|text| text.replace("must be changed\n  CVE-2026-1: ", "")).join("\n"), @"
        no longer counts since 2026-12-31: look for a fix again, then remove it or name a later day
        expired_at must be at most 180 days ahead, and is 2026-12-31
        expired_at must be a day such as 2026-12-31, and is soon
        usr/bin/restic is not the vendor's: update the package, what this repository can fix has no exceptions
        ** is not the vendor's: update the package, what this repository can fix has no exceptions
        paths and purls must name what it is accepted in: Trivy takes an empty list for everything
        statement must say in 5 words or more why it is acceptable
        ");
        // Trivy would take these for everything, or for nothing.
        for (from, to) in [
            ("    paths: [usr/share/one/gems/rexml.gemspec]\n", ""),
            ("paths", "path"),
            ("vulnerabilities", "secrets"),
        ] {
            assert_eq!(
                refused(from, to, day),
                "is not a list of accepted vulnerabilities"
            );
        }
    }

    #[test]
    fn users_learn_what_is_not_affected_and_what_to_do_else() {
        let other = GOOD.replace("'vulnerable_code_not_in_execute_path: ", "'");
        let text = GOOD.to_owned() + other.trim_start_matches("vulnerabilities:\n");
        let ignores = parse(&text, "2026-12-30").unwrap();
        let vex = ignores.vex(Timestamp::UNIX_EPOCH);
        let said = "The parser reads files of the image alone";
        let products =
            json!([{"@id": "pkg:oci/opennebula", "subcomponents": [{"@id": "pkg:gem/rexml@3.2.5"}]}]);
        assert_eq!(
            vex,
            json!({
                "@context": "https://openvex.dev/ns/v0.2.0",
                "@id": format!("{SOURCE}/vex/0"),
                "author": SOURCE,
                "timestamp": "1970-01-01T00:00:00Z",
                "version": 1,
                "statements": [
                    {"vulnerability": {"name": "CVE-2026-1"}, "products": products, "status": "not_affected",
                     "justification": "vulnerable_code_not_in_execute_path", "impact_statement": said},
                    {"vulnerability": {"name": "CVE-2026-1"}, "products": products, "status": "affected", "action_statement": said},
                ],
            })
        );
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
        CVE-2, HIGH in rexml 3.2.5, var/lib/gems/a.gemspec
        CVE-4, HIGH in rexml 3.2.5, x (ubuntu 24.04)
        ");
        let refused = parse(&text, "2026-12-01").unwrap_err().to_string();
        assert_eq!(
            refused.matches("statement must say").count(),
            2,
            "nothing else is to be written: {refused}"
        );
    }
}
