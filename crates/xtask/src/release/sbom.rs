//! The packages of a published image by its bill of materials: `CycloneDX` in JSON, as `trivy image --format cyclonedx`
//! writes it. Of its components the dpkg packages are read. Pure.
//!
//! SPDX, which `BuildKit` attaches, is refused: one form is enough, and this one names the image as the scan does.
//! The form is that of the golden files in Trivy's repository, integration/testdata.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::scan::is_digest;
use crate::versions::DebianVersion;

/// How one is made.
const HOW: &str = "trivy image --format cyclonedx NAME@sha256:…";

/// What an image consists of.
#[derive(Debug)]
pub(crate) struct Sbom {
    pub(crate) name: String,
    /// The digests that it says it is of: of manifests and of the image's configuration.
    pub(crate) digests: BTreeSet<String>,
    /// Debian's name, such as amd64.
    pub(crate) architecture: String,
    pub(crate) packages: BTreeMap<String, DebianVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBom {
    bom_format: Option<String>,
    spdx_version: Option<String>,
    metadata: Option<RawMetadata>,
    components: Option<Vec<RawComponent>>,
}

#[derive(Deserialize)]
struct RawMetadata {
    component: Option<RawComponent>,
}

#[derive(Deserialize)]
struct RawComponent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    purl: String,
    #[serde(default)]
    properties: Vec<RawProperty>,
}

#[derive(Deserialize)]
struct RawProperty {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

impl Sbom {
    /// Reads a bill of materials; the error has every package whose version cannot be read.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            bail!("it is empty: make it again, {HOW}");
        }
        let raw: RawBom = serde_json::from_str(text)
            .with_context(|| format!("it is no whole CycloneDX document: make it again, {HOW}"))?;
        if raw.bom_format.as_deref() != Some("CycloneDX") {
            let what = if raw.spdx_version.is_some() {
                "SPDX"
            } else {
                "no CycloneDX document"
            };
            bail!("it is {what}, and CycloneDX is read here: make it by {HOW}");
        }
        let image = raw
            .metadata
            .and_then(|metadata| metadata.component)
            .with_context(|| format!("it does not say of which image it is: make it again, {HOW}"))?;
        let mut packages = BTreeMap::new();
        let mut architectures = BTreeSet::new();
        let mut mistakes = Vec::new();
        for component in raw.components.unwrap_or_default() {
            let Some(package) = component.purl.strip_prefix("pkg:deb/") else {
                continue;
            };
            let qualifier = |name: &str| {
                let (_, qualifiers) = package.split_once('?')?;
                let mut pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
            };
            architectures.extend(qualifier("arch").filter(|name| name != "all"));
            // Trivy has the epoch in both places; others leave it out of the version.
            let text = match qualifier("epoch") {
                Some(epoch) if !component.version.contains(':') => format!("{epoch}:{}", component.version),
                _ => component.version.clone(),
            };
            match text.parse::<DebianVersion>() {
                Ok(version) if component.name.is_empty() => {
                    mistakes.push(format!("a package has no name, only the version {version}"));
                }
                Ok(version) => {
                    packages.insert(component.name, version);
                }
                Err(error) => mistakes.push(format!("{}: {error:#}", component.name)),
            }
        }
        if !mistakes.is_empty() {
            bail!(
                "{} of its packages cannot be read: make it again, {HOW}\n  {}",
                mistakes.len(),
                mistakes.join("\n  ")
            );
        }
        if packages.is_empty() {
            bail!("it has no dpkg package, and our image has hundreds: make it again, {HOW}");
        }
        let names: Vec<String> = architectures.into_iter().collect();
        let [architecture] = names.as_slice() else {
            bail!(
                "its packages are of {}, and an image is of one architecture: make it of one platform's digest",
                either(&names)
            );
        };
        Ok(Self {
            digests: digests(&image),
            name: image.name,
            architecture: architecture.clone(),
            packages,
        })
    }
}

fn either(names: &[String]) -> String {
    if names.is_empty() {
        "no architecture".to_owned()
    } else {
        names.join(" and ")
    }
}

fn digests(image: &RawComponent) -> BTreeSet<String> {
    let properties = image
        .properties
        .iter()
        .filter(|property| {
            ["aquasecurity:trivy:ImageID", "aquasecurity:trivy:RepoDigest"].contains(&property.name.as_str())
        })
        .map(|property| property.value.as_str());
    let texts = properties.chain([image.name.as_str()]);
    let digest = |text: &str| {
        text.rsplit_once('@')
            .map_or(text, |(_, digest)| digest)
            .to_owned()
    };
    texts.map(digest).filter(|text| is_digest(text)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::super::scan::tests::{CONFIG, DIGEST};
    use super::*;

    /// A document of the image with `DIGEST`.
    pub(crate) fn document(packages: &[(&str, &str)]) -> Value {
        let mut components = vec![
            json!({"type": "operating-system", "name": "ubuntu", "version": "24.04"}),
            json!({"type": "library", "name": "rexml", "version": "3.2.5", "purl": "pkg:gem/rexml@3.2.5"}),
        ];
        for (name, version) in packages {
            let (epoch, rest) = version
                .split_once(':')
                .map_or((None, *version), |(epoch, rest)| (Some(epoch), rest));
            let epoch = epoch.map(|epoch| format!("&epoch={epoch}")).unwrap_or_default();
            components.push(json!({
                "type": "library", "name": name, "version": version,
                "purl": format!("pkg:deb/ubuntu/{name}@{rest}?arch=amd64&distro=ubuntu-24.04{epoch}"),
            }));
        }
        json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {
                "type": "container", "name": format!("registry.example.org/opennebula@{DIGEST}"),
                "properties": [
                    {"name": "aquasecurity:trivy:ImageID", "value": CONFIG},
                    {"name": "aquasecurity:trivy:RepoDigest", "value": format!("registry.example.org/opennebula@{DIGEST}")},
                ],
            }},
            "components": components,
        })
    }

    fn refused(document: &Value) -> String {
        format!("{:#}", Sbom::parse(&document.to_string()).unwrap_err())
    }

    #[test]
    fn the_dpkg_packages_are_read_with_their_epochs() {
        let sbom = Sbom::parse(
            &document(&[("bash", "5.2.21-2ubuntu4"), ("login", "1:4.13+dfsg1-4ubuntu3")]).to_string(),
        )
        .unwrap();
        assert_eq!(sbom.architecture, "amd64");
        assert_eq!(sbom.packages.len(), 2);
        assert_eq!(sbom.packages["login"].to_string(), "1:4.13+dfsg1-4ubuntu3");
        assert_eq!(
            sbom.digests,
            BTreeSet::from([CONFIG.to_owned(), DIGEST.to_owned()])
        );
        let mut other = document(&[("login", "1:4.13")]);
        other["components"][2]["version"] = json!("4.13");
        assert_eq!(
            Sbom::parse(&other.to_string()).unwrap().packages["login"].to_string(),
            "1:4.13"
        );
    }

    #[test]
    fn what_is_no_whole_list_is_refused() {
        let whole = document(&[("bash", "5.2.21-2ubuntu4")]);
        let text = whole.to_string();
        for end in 0..text.len() {
            assert!(Sbom::parse(&text[..end]).is_err(), "the first {end} bytes");
        }
        assert!(refused(&document(&[])).contains("no dpkg package"));
        assert!(refused(&document(&[("a", "x"), ("b", "")])).contains("2 of its packages cannot be read"));
        assert!(
            refused(&json!({"spdxVersion": "SPDX-2.3"})).contains("it is SPDX, and CycloneDX is read here")
        );
        assert!(refused(&json!({})).contains("it is no CycloneDX document"));
        let mut nameless = whole.clone();
        nameless["metadata"] = json!({});
        assert!(refused(&nameless).contains("does not say of which image"));
        let mut mixed = document(&[("a", "1"), ("b", "1")]);
        mixed["components"][2]["purl"] = json!("pkg:deb/ubuntu/a@1?arch=arm64");
        assert!(refused(&mixed).contains("its packages are of amd64 and arm64"));
    }
}
