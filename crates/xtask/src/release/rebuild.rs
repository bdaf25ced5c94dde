//! Whether building a published image again would change anything for the better: its packages beside what the
//! distribution offers now, and what its scan found. Pure; "no" is an answer, and bad input never is one.
//!
//! What is offered comes as lists of packages in the format of an apt repository's Packages, as `apt-cache dumpavail`
//! prints them in a container of that image: a list that lacks a package that is installed, or has only older ones,
//! shows that it is not whole. That one of several sources could not be read is apt's to tell, by the error mode below; the
//! words of `apt list` and `apt-get --just-print` show neither.
//!
//! The vendor's packages (opennebula…) count when they are offered; where they are not, `release detect` looks after them.
//! A library that lies in the files of a package is mended with that package, so that its fix is told and is no reason.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::control::stanzas;
use super::markdown;
use super::sbom::Sbom;
use super::scan::{Finding, Origin, Scan};
use crate::versions::DebianVersion;

/// How the lists are made.
const HOW: &str = "apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image";
/// Names that are told of a long list.
const SHOWN: usize = 8;

/// The newest version of each package, for one architecture.
pub(crate) type Offered = BTreeMap<String, DebianVersion>;

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) rebuild: bool,
    pub(crate) reasons: Vec<Reason>,
    /// What is worth knowing, and changes nothing.
    pub(crate) remarks: Vec<String>,
}

/// What a new build would bring.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    pub(crate) package: String,
    pub(crate) installed: String,
    pub(crate) offered: String,
    /// `newer package`, or the vulnerability that is mended with its severity.
    pub(crate) because: String,
}

/// Reads lists of packages, one behind the other; of each package the newest version for the architecture.
pub(crate) fn offered(text: &str, architecture: &str) -> Result<Offered> {
    if text.trim().is_empty() {
        bail!("it is empty: make it by {HOW}");
    }
    if !text.ends_with('\n') {
        bail!("its last line has no end, so that a part is missing: make it again, {HOW}");
    }
    let mut newest = Offered::new();
    for (number, stanza) in stanzas(text)?.into_iter().enumerate() {
        let field = |name: &str| {
            let value = stanza.get(name).filter(|value| !value.is_empty());
            value.with_context(|| format!("stanza {} has no field {name}: make it again, {HOW}", number + 1))
        };
        let (name, version, of) = (field("package")?, field("version")?, field("architecture")?);
        let version: DebianVersion = version
            .parse()
            .with_context(|| format!("{name}: make it again, {HOW}"))?;
        if of != "all" && of != architecture {
            continue;
        }
        match newest.get(name) {
            Some(known) if *known >= version => {}
            _ => {
                newest.insert(name.clone(), version);
            }
        }
    }
    Ok(newest)
}

/// Decides. Fails where the three do not belong together, or the list of what is offered is not whole.
pub(crate) fn decide(sbom: &Sbom, offered: &Offered, scan: &Scan) -> Result<Answer> {
    if sbom.digests.is_disjoint(&scan.digests) {
        bail!(
            "the bill of materials is of {} and the scan of {}, and they have no digest in common: make both of the same digest",
            sbom.name,
            scan.artifact
        );
    }
    must_be_whole(sbom, offered)?;
    let mut reasons = Vec::new();
    for (name, installed) in &sbom.packages {
        if let Some(offer) = offered.get(name).filter(|offer| *offer > installed) {
            reasons.push(Reason {
                package: name.clone(),
                installed: installed.to_string(),
                offered: offer.to_string(),
                because: "newer package".to_owned(),
            });
        }
    }
    let mut remarks = Vec::new();
    for finding in scan.stopping() {
        if let Some(fixed) = &finding.fixed {
            match finding.origin {
                Origin::Distribution => match brought(finding, fixed, offered)? {
                    Some(offer) => reasons.push(Reason {
                        package: finding.package.clone(),
                        installed: finding.installed.clone(),
                        offered: offer.to_string(),
                        because: format!("{} {}", finding.severity.0, finding.id),
                    }),
                    None => remarks.push(format!(
                        "{} ({}) is mended in {} {fixed}, which the distribution does not offer yet: building again would not bring it",
                        finding.id, finding.severity.0, finding.package
                    )),
                },
                Origin::Bundled => remarks.push(format!(
                    "{} ({}) in {} is mended in {} {fixed}; it comes with the package that brings the file, and building again \
                     alone does not bring it",
                    finding.id, finding.severity.0, finding.path, finding.package
                )),
            }
        }
    }
    let ours = sbom.packages.keys().filter(|name| is_vendor_s(name));
    let absent: Vec<&str> = ours
        .filter(|name| !offered.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !absent.is_empty() {
        remarks.push(format!(
            "not in the list of what is offered, and looked after by `cargo xtask release detect`: {}",
            few(&absent)
        ));
    }
    Ok(Answer {
        rebuild: !reasons.is_empty(),
        reasons,
        remarks,
    })
}

/// The offered version that has a fix. The scan may know of one before apt has it: a build now would not have it either.
fn brought<'a>(finding: &Finding, fixed: &str, offered: &'a Offered) -> Result<Option<&'a DebianVersion>> {
    let version: DebianVersion = fixed.parse().with_context(|| {
        format!(
            "the scan's fixed version of {} for {}",
            finding.package, finding.id
        )
    })?;
    Ok(offered.get(&finding.package).filter(|offer| **offer >= version))
}

fn must_be_whole(sbom: &Sbom, offered: &Offered) -> Result<()> {
    let mut missing = Vec::new();
    let mut older = Vec::new();
    for (name, installed) in &sbom.packages {
        match offered.get(name) {
            None if !is_vendor_s(name) => missing.push(name.as_str()),
            Some(offer) if offer < installed => older.push(name.as_str()),
            _ => {}
        }
    }
    if missing.is_empty() && older.is_empty() {
        return Ok(());
    }
    let mut mistakes = Vec::new();
    if !missing.is_empty() {
        mistakes.push(format!(
            "{} of {} installed packages are not in it for {} ({})",
            missing.len(),
            sbom.packages.len(),
            sbom.architecture,
            few(&missing)
        ));
    }
    if !older.is_empty() {
        mistakes.push(format!(
            "{} are older in it than in the image ({})",
            older.len(),
            few(&older)
        ));
    }
    bail!(
        "the list of what is offered is not whole: {}; make it again, {HOW}",
        mistakes.join(", and ")
    )
}

fn is_vendor_s(name: &str) -> bool {
    name == "opennebula" || name.starts_with("opennebula-")
}

fn few(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Answer {
    /// For people, in Markdown, without the last line's end.
    pub(crate) fn report(&self) -> String {
        let mut parts = vec![
            if self.rebuild {
                "**yes**: building again brings this in."
            } else {
                "**no**: building again would bring nothing."
            }
            .to_owned(),
        ];
        if !self.reasons.is_empty() {
            let rows: Vec<[String; 4]> = self
                .reasons
                .iter()
                .map(|reason| {
                    [
                        &reason.package,
                        &reason.installed,
                        &reason.offered,
                        &reason.because,
                    ]
                    .map(ToOwned::to_owned)
                })
                .collect();
            parts.push(markdown::table(
                ["package", "installed", "offered", "because"],
                &rows,
            ));
        }
        if !self.remarks.is_empty() {
            let remarks: Vec<String> = self.remarks.iter().map(|remark| format!("- {remark}")).collect();
            parts.push(remarks.join("\n"));
        }
        parts.join("\n\n")
    }
}

#[cfg(test)]
mod tests;
