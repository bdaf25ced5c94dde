//! Whether the scan of a digest lets it through: every CRITICAL and HIGH stops it, unless an entry that is valid on the
//! day covers it by vulnerability and path. Pure.
//!
//! One without a fix stops it too: that nobody has mended it makes it no smaller, and an entry with a reason and a last
//! day is the way past, so that somebody has looked at it and will look again.

use jiff::civil::Date;

use super::ignores::Ignore;
use super::markdown;
use super::scan::{Finding, Scan};

/// What became of a scan.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    findings: Vec<(&'a Finding, Verdict<'a>)>,
    /// Entries for nothing that was found.
    unused: Vec<&'a Ignore>,
    on: Date,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict<'a> {
    Stops,
    Accepted(&'a Ignore),
    /// An entry is for it, and covers nothing on this day.
    NotCovered(&'a Ignore),
}

/// Judges every CRITICAL and HIGH of the scan.
pub(crate) fn judge<'a>(scan: &'a Scan, ignores: &'a [Ignore], on: Date) -> Judged<'a> {
    let findings = scan
        .stopping()
        .map(|finding| {
            let entry = ignores
                .iter()
                .find(|ignore| ignore.is_for(&finding.id, &finding.path));
            let verdict = match entry {
                None => Verdict::Stops,
                Some(ignore) if ignore.faults(on).is_empty() => Verdict::Accepted(ignore),
                Some(ignore) => Verdict::NotCovered(ignore),
            };
            (finding, verdict)
        })
        .collect();
    let matches = |ignore: &Ignore| {
        let mut all = scan.findings.iter();
        all.any(|finding| ignore.is_for(&finding.id, &finding.path))
    };
    Judged {
        findings,
        unused: ignores.iter().filter(|ignore| !matches(ignore)).collect(),
        on,
    }
}

impl Judged<'_> {
    /// Whether the image may be released.
    pub(crate) fn passes(&self) -> bool {
        self.stopping() == 0
    }

    fn stopping(&self) -> usize {
        let stops = |verdict: &Verdict<'_>| !matches!(verdict, Verdict::Accepted(_));
        self.findings.iter().filter(|(_, verdict)| stops(verdict)).count()
    }

    /// A table and sentences, in Markdown, without the last line's end.
    pub(crate) fn report(&self) -> String {
        let mut parts = Vec::new();
        if !self.findings.is_empty() {
            let rows: Vec<[String; 7]> = self
                .findings
                .iter()
                .map(|(finding, verdict)| row(finding, *verdict))
                .collect();
            let titles = [
                "verdict",
                "vulnerability",
                "severity",
                "package",
                "installed",
                "fixed in",
                "path",
            ];
            parts.push(markdown::table(titles, &rows));
        }
        let mut remarks = Vec::new();
        for (_, verdict) in &self.findings {
            if let Verdict::NotCovered(ignore) = verdict {
                let faults = ignore.faults(self.on);
                remarks.extend(
                    faults
                        .iter()
                        .map(|fault| format!("- {} at {} {fault}.", ignore.id, ignore.path)),
                );
            }
        }
        for ignore in &self.unused {
            remarks.push(format!(
                "- {} at {} is accepted until {}, and this image does not have it: take the entry out once no image of any \
                 release line has it.",
                ignore.id, ignore.path, ignore.expires
            ));
        }
        if !remarks.is_empty() {
            remarks.dedup();
            parts.push(remarks.join("\n"));
        }
        parts.push(match (self.stopping(), self.findings.len()) {
            (0, 0) => "No CRITICAL or HIGH vulnerability: the image passes.".to_owned(),
            (0, all) => format!("All {all} CRITICAL and HIGH vulnerabilities are accepted: the image passes."),
            (stopping, all) => format!(
                "**{stopping} of {all} CRITICAL and HIGH vulnerabilities stop this image.** Where there is a fix, build again with \
                 it; where there is none and it cannot be used against this image, accept it in image/vulnerabilities.toml \
                 with its path, a reason and a last day."
            ),
        });
        parts.join("\n\n")
    }
}

fn row(finding: &Finding, verdict: Verdict<'_>) -> [String; 7] {
    [
        match verdict {
            Verdict::Stops => "**stops**".to_owned(),
            Verdict::Accepted(ignore) => format!("accepted until {}", ignore.expires),
            Verdict::NotCovered(_) => "**stops**, its entry covers nothing".to_owned(),
        },
        finding.id.clone(),
        finding.severity.0.to_string(),
        finding.package.clone(),
        finding.installed.clone(),
        finding.fixed.clone().unwrap_or_else(|| "no fix yet".to_owned()),
        markdown::code(&finding.path),
    ]
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::ignores::parse;
    use super::super::scan::tests::{report, vulnerability};
    use super::*;

    fn scan() -> Scan {
        let report = report(
            &[
                vulnerability(
                    "CVE-2026-1",
                    "HIGH",
                    "libssl3t64",
                    "3.0.13-0ubuntu3.5",
                    "3.0.13-0ubuntu3.6",
                ),
                vulnerability("CVE-2026-2", "CRITICAL", "libc6", "2.39-0ubuntu8.6", ""),
                vulnerability(
                    "CVE-2026-3",
                    "MEDIUM",
                    "bash",
                    "5.2.21-2ubuntu4",
                    "5.2.21-2ubuntu5",
                ),
            ],
            &[
                (
                    "usr/share/one/gems/rexml-3.2.5.gemspec",
                    vulnerability("CVE-2026-4", "HIGH", "rexml", "3.2.5", "3.2.7"),
                ),
                (
                    "usr/share/one/other/rexml-3.2.5.gemspec",
                    vulnerability("CVE-2026-4", "HIGH", "rexml", "3.2.5", "3.2.7"),
                ),
            ],
            &[],
        );
        Scan::parse(&report.to_string()).unwrap()
    }

    fn entry(id: &str, path: &str, expires: &str) -> String {
        format!(
            "[[accepted]]\nid = \"{id}\"\npath = \"{path}\"\nreason = \"The parser never sees what a stranger sent\"\nexpires = {expires}\n"
        )
    }

    fn judged(entries: &[String]) -> String {
        let (scan, ignores) = (scan(), parse(&entries.concat()).unwrap());
        let judged = judge(&scan, &ignores, "2026-12-01".parse().unwrap());
        format!("{}\n\npasses: {}", judged.report(), judged.passes())
    }

    #[test]
    fn critical_and_high_stop_with_and_without_a_fix() {
        assert_snapshot!(judged(&[]), @"
        | verdict   | vulnerability | severity | package    | installed         | fixed in          | path                                      |
        | --------- | ------------- | -------- | ---------- | ----------------- | ----------------- | ----------------------------------------- |
        | **stops** | CVE-2026-2    | CRITICAL | libc6      | 2.39-0ubuntu8.6   | no fix yet        | `libc6`                                   |
        | **stops** | CVE-2026-1    | HIGH     | libssl3t64 | 3.0.13-0ubuntu3.5 | 3.0.13-0ubuntu3.6 | `libssl3t64`                              |
        | **stops** | CVE-2026-4    | HIGH     | rexml      | 3.2.5             | 3.2.7             | `usr/share/one/gems/rexml-3.2.5.gemspec`  |
        | **stops** | CVE-2026-4    | HIGH     | rexml      | 3.2.5             | 3.2.7             | `usr/share/one/other/rexml-3.2.5.gemspec` |

        **4 of 4 CRITICAL and HIGH vulnerabilities stop this image.** Where there is a fix, build again with it; where there is none and it cannot be used against this image, accept it in image/vulnerabilities.toml with its path, a reason and a last day.

        passes: false
        ");
    }

    #[test]
    fn an_entry_covers_one_vulnerability_at_one_path_until_its_day() {
        assert_snapshot!(judged(&[
            entry("CVE-2026-1", "libssl3t64", "2026-12-01"),
            entry("CVE-2026-2", "libc6", "2026-11-30"),
            entry("CVE-2026-4", "usr/share/one/gems/rexml-3.2.5.gemspec", "2026-12-31"),
            entry("CVE-2026-4", "usr/share/one/gems/rexml-3.2.6.gemspec", "2026-12-31"),
            entry("CVE-2026-9", "libc6", "2026-12-31"),
        ]), @"
        | verdict                             | vulnerability | severity | package    | installed         | fixed in          | path                                      |
        | ----------------------------------- | ------------- | -------- | ---------- | ----------------- | ----------------- | ----------------------------------------- |
        | **stops**, its entry covers nothing | CVE-2026-2    | CRITICAL | libc6      | 2.39-0ubuntu8.6   | no fix yet        | `libc6`                                   |
        | accepted until 2026-12-01           | CVE-2026-1    | HIGH     | libssl3t64 | 3.0.13-0ubuntu3.5 | 3.0.13-0ubuntu3.6 | `libssl3t64`                              |
        | accepted until 2026-12-31           | CVE-2026-4    | HIGH     | rexml      | 3.2.5             | 3.2.7             | `usr/share/one/gems/rexml-3.2.5.gemspec`  |
        | **stops**                           | CVE-2026-4    | HIGH     | rexml      | 3.2.5             | 3.2.7             | `usr/share/one/other/rexml-3.2.5.gemspec` |

        - CVE-2026-2 at libc6 expired after 2026-11-30: look whether a fix is there, and update the package; if there is none, give a new date and say in the reason what was looked at.
        - CVE-2026-4 at usr/share/one/gems/rexml-3.2.6.gemspec is accepted until 2026-12-31, and this image does not have it: take the entry out once no image of any release line has it.
        - CVE-2026-9 at libc6 is accepted until 2026-12-31, and this image does not have it: take the entry out once no image of any release line has it.

        **2 of 4 CRITICAL and HIGH vulnerabilities stop this image.** Where there is a fix, build again with it; where there is none and it cannot be used against this image, accept it in image/vulnerabilities.toml with its path, a reason and a last day.

        passes: false
        ");
    }

    #[test]
    fn all_covered_passes() {
        let said = judged(&[
            entry("CVE-2026-1", "libssl3t64", "2026-12-31"),
            entry("CVE-2026-2", "libc6", "2026-12-31"),
            entry(
                "CVE-2026-4",
                "usr/share/one/gems/rexml-3.2.5.gemspec",
                "2026-12-31",
            ),
            entry(
                "CVE-2026-4",
                "usr/share/one/other/rexml-3.2.5.gemspec",
                "2026-12-31",
            ),
        ]);
        assert!(
            said.ends_with(
                "All 4 CRITICAL and HIGH vulnerabilities are accepted: the image passes.\n\npasses: true"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_clean_image_passes() {
        let scan = Scan::parse(&report(&[], &[], &[]).to_string()).unwrap();
        let judged = judge(&scan, &[], "2026-12-01".parse().unwrap());
        assert!(judged.passes());
        assert_eq!(
            judged.report(),
            "No CRITICAL or HIGH vulnerability: the image passes."
        );
    }
}
