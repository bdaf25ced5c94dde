use serde_json::{Value, json};

use super::*;

pub(crate) const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const CONFIG: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// A vulnerability as Trivy writes it; an empty version is none.
pub(crate) fn vulnerability(id: &str, severity: &str, package: &str, installed: &str, fixed: &str) -> Value {
    let mut value = json!({
        "VulnerabilityID": id,
        "PkgName": package,
        "InstalledVersion": installed,
        "Severity": severity,
        "Title": "something else that is not read",
    });
    if !fixed.is_empty() {
        value["FixedVersion"] = json!(fixed);
    }
    value
}

/// A report of the image with [`DIGEST`]: packages of the distribution, gems by their paths, a program.
pub(crate) fn report(system: &[Value], gems: &[(&str, Value)], program: &[Value]) -> Value {
    let gems: Vec<Value> = gems
        .iter()
        .map(|(path, gem)| {
            let mut gem = gem.clone();
            gem["PkgPath"] = json!(path);
            gem
        })
        .collect();
    json!({
        "SchemaVersion": 2,
        "ArtifactName": format!("registry.example.org/opennebula@{DIGEST}"),
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "ubuntu", "Name": "24.04"},
            "ImageID": CONFIG,
            "RepoDigests": [format!("registry.example.org/opennebula@{DIGEST}")],
        },
        "Results": [
            {"Target": "opennebula (ubuntu 24.04)", "Class": "os-pkgs", "Type": "ubuntu", "Vulnerabilities": system},
            {"Target": "Ruby", "Class": "lang-pkgs", "Type": "gemspec", "Vulnerabilities": gems},
            {"Target": "usr/bin/restic", "Class": "lang-pkgs", "Type": "gobinary", "Vulnerabilities": program},
        ],
    })
}

fn refused(report: &Value) -> String {
    format!("{:#}", Scan::parse(&report.to_string()).unwrap_err())
}

#[test]
fn a_clean_image_is_one_whose_packages_were_looked_at() {
    let mut clean = report(&[], &[], &[]);
    assert_eq!(Scan::parse(&clean.to_string()).unwrap().findings.len(), 0);
    // As Trivy writes it: the key is left out.
    clean["Results"] = json!([{"Target": "x (ubuntu 24.04)", "Class": "os-pkgs"}]);
    assert_eq!(Scan::parse(&clean.to_string()).unwrap().findings.len(), 0);
    for results in [
        json!(null),
        json!([]),
        json!([{"Target": "Ruby", "Class": "lang-pkgs"}]),
    ] {
        clean["Results"] = results;
        assert!(
            refused(&clean).contains("no packages of a distribution"),
            "{}",
            refused(&clean)
        );
    }
}

#[test]
fn half_a_report_is_none() {
    let whole = report(&[vulnerability("CVE-1", "HIGH", "a", "1", "")], &[], &[]).to_string();
    for end in 0..whole.len() {
        assert!(Scan::parse(&whole[..end]).is_err(), "the first {end} bytes");
    }
    Scan::parse(&whole).unwrap();
}

#[test]
fn another_form_is_refused() {
    let good = report(&[], &[], &[]);
    let with = |pointer: &str, value: Value| {
        let mut report = good.clone();
        *report.pointer_mut(pointer).unwrap() = value;
        refused(&report)
    };
    assert!(with("/SchemaVersion", json!(3)).contains("schema version 3, and only 2 is known"));
    assert!(with("/SchemaVersion", json!("2")).contains("schema version \"2\""));
    assert!(with("/SchemaVersion", json!(null)).contains("no SchemaVersion"));
    assert!(with("/ArtifactType", json!("filesystem")).contains("of a \"filesystem\" and not of an image"));
    assert!(with("/Metadata/OS/Family", json!(1)).contains("no whole report"));
    assert!(
        with(
            "/Metadata/OS",
            json!({"Family": "ubuntu", "Name": "18.04", "EOSL": true})
        )
        .contains("ubuntu 18.04 gets no more fixes")
    );
    // What the first schema looked like.
    assert!(format!("{:#}", Scan::parse("[]").unwrap_err()).contains("no whole report"));
    let odd = report(&[vulnerability("CVE-1", "SEVERE", "a", "1", "")], &[], &[]);
    assert!(refused(&odd).contains("SEVERE"), "{}", refused(&odd));
}

#[test]
fn a_report_is_of_the_digests_that_it_names() {
    let scan = Scan::parse(&report(&[], &[], &[]).to_string()).unwrap();
    let image = |digest: &str| {
        format!("other.example.org/name@{digest}")
            .parse::<Image>()
            .unwrap()
    };
    scan.must_be_of(&image(DIGEST)).unwrap();
    scan.must_be_of(&image(CONFIG)).unwrap();
    let other = image(&format!("sha256:{}", "3".repeat(64)));
    assert_eq!(
        scan.must_be_of(&other).unwrap_err().to_string(),
        format!(
            "it is of registry.example.org/opennebula@{DIGEST} ({DIGEST}, {CONFIG}), and not of {other}: scan that digest, \
             trivy image --format json NAME@sha256:…"
        )
    );
    let mut tag = report(&[], &[], &[]);
    tag["ArtifactName"] = json!("opennebula:7.0.0");
    tag["Metadata"]["RepoDigests"] = json!([]);
    tag["Metadata"]["ImageID"] = json!("");
    let scan = Scan::parse(&tag.to_string()).unwrap();
    assert!(
        scan.must_be_of(&other)
            .unwrap_err()
            .to_string()
            .contains("opennebula:7.0.0 (no digest)")
    );
}

#[test]
fn an_image_is_named_by_its_digest() {
    for text in [
        "x",
        "x:1",
        "x@sha256:12",
        "@sha256:1111111111111111111111111111111111111111111111111111111111111111",
    ] {
        assert!(text.parse::<Image>().is_err(), "{text}");
    }
}

#[test]
fn the_place_is_the_package_the_file_or_the_program() {
    let found = |id: &str| vulnerability(id, "HIGH", "lib", "1", "");
    let scan = report(
        &[found("CVE-1")],
        &[("/usr/share/one/gems/lib.gemspec", found("CVE-2"))],
        &[found("CVE-3")],
    );
    let scan = Scan::parse(&scan.to_string()).unwrap();
    let places: Vec<(&str, &str)> = scan
        .findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.path.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("CVE-1", "lib"),
            ("CVE-2", "usr/share/one/gems/lib.gemspec"),
            ("CVE-3", "usr/bin/restic")
        ]
    );
}
