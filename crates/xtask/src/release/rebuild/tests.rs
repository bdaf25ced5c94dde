use std::fmt::Write as _;

use insta::assert_snapshot;

use super::super::sbom::tests::document;
use super::super::scan::tests::{DIGEST, report, vulnerability};
use super::*;

const INSTALLED: [(&str, &str); 4] = [
    ("bash", "5.2.21-2ubuntu4"),
    ("libssl3t64", "3.0.13-0ubuntu3.9"),
    ("login", "1:4.13+dfsg1-4ubuntu3"),
    ("opennebula", "7.0.9-1"),
];

fn list(packages: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, version) in packages {
        let _ = write!(
            text,
            "Package: {name}\nArchitecture: amd64\nVersion: {version}\nDescription: x\n y\n\n"
        );
    }
    text
}

fn sbom() -> Sbom {
    Sbom::parse(&document(&INSTALLED).to_string()).unwrap()
}

fn clean() -> Scan {
    Scan::parse(&report(&[], &[], &[]).to_string()).unwrap()
}

fn answer(offer: &str, scan: &Scan) -> Result<Answer> {
    decide(&sbom(), &offered(offer, "amd64")?, scan)
}

fn refused(offer: &str) -> String {
    format!("{:#}", answer(offer, &clean()).unwrap_err())
}

#[test]
fn the_same_packages_need_nothing() {
    let answer = answer(&list(&INSTALLED), &clean()).unwrap();
    assert!(!answer.rebuild);
    assert_snapshot!(answer.report(), @"**no**: building again would bring nothing.");
    assert_snapshot!(serde_json::to_string(&answer).unwrap(), @r#"{"rebuild":false,"reasons":[],"remarks":[]}"#);
}

#[test]
fn newer_packages_are_a_reason_in_dpkg_s_order() {
    // Each package twice, as the archive has them: as released, and as updated.
    let mut packages = INSTALLED.to_vec();
    packages.extend([
        ("bash", "5.2.21-2ubuntu4~1"),
        ("libssl3t64", "3.0.13-0ubuntu3.10"),
        ("login", "4.99"),
        ("opennebula", "7.0.10-1"),
    ]);
    let answer = answer(&list(&packages), &clean()).unwrap();
    assert!(answer.rebuild);
    assert_snapshot!(answer.report(), @"
    **yes**: building again brings this in.

    | package    | installed         | offered            | because       |
    | ---------- | ----------------- | ------------------ | ------------- |
    | libssl3t64 | 3.0.13-0ubuntu3.9 | 3.0.13-0ubuntu3.10 | newer package |
    | opennebula | 7.0.9-1           | 7.0.10-1           | newer package |
    ");
}

#[test]
fn a_fix_of_the_distribution_is_a_reason_and_one_of_a_bundled_library_is_told() {
    let scan = report(
        &[
            vulnerability(
                "CVE-2026-1",
                "HIGH",
                "libssl3t64",
                "3.0.13-0ubuntu3.9",
                "3.0.13-0ubuntu3.10",
            ),
            vulnerability("CVE-2026-2", "CRITICAL", "bash", "5.2.21-2ubuntu4", ""),
            vulnerability("CVE-2026-3", "MEDIUM", "login", "1:4.13+dfsg1-4ubuntu3", "1:4.14"),
        ],
        &[(
            "usr/share/one/gems/x.gemspec",
            vulnerability("CVE-2026-4", "CRITICAL", "x", "1", "2, 3"),
        )],
        &[],
    );
    let scan = Scan::parse(&scan.to_string()).unwrap();
    assert_snapshot!(answer(&list(&INSTALLED), &scan).unwrap().report(), @"
    **no**: building again would bring nothing.

    - CVE-2026-4 (CRITICAL) in usr/share/one/gems/x.gemspec is mended in x 2, 3; it comes with the package that brings the file, and building again alone does not bring it
    - CVE-2026-1 (HIGH) is mended in libssl3t64 3.0.13-0ubuntu3.10, which the distribution does not offer yet: building again would not bring it
    ");
    let mut packages = INSTALLED.to_vec();
    packages.push(("libssl3t64", "3.0.13-0ubuntu3.11"));
    assert_snapshot!(serde_json::to_string_pretty(&answer(&list(&packages), &scan).unwrap()).unwrap(), @r#"
    {
      "rebuild": true,
      "reasons": [
        {
          "package": "libssl3t64",
          "installed": "3.0.13-0ubuntu3.9",
          "offered": "3.0.13-0ubuntu3.11",
          "because": "newer package"
        },
        {
          "package": "libssl3t64",
          "installed": "3.0.13-0ubuntu3.9",
          "offered": "3.0.13-0ubuntu3.11",
          "because": "HIGH CVE-2026-1"
        }
      ],
      "remarks": [
        "CVE-2026-4 (CRITICAL) in usr/share/one/gems/x.gemspec is mended in x 2, 3; it comes with the package that brings the file, and building again alone does not bring it"
      ]
    }
    "#);
}

#[test]
fn what_nobody_has_mended_is_no_reason() {
    let scan = report(
        &[vulnerability(
            "CVE-2026-2",
            "CRITICAL",
            "bash",
            "5.2.21-2ubuntu4",
            "",
        )],
        &[],
        &[],
    );
    let scan = Scan::parse(&scan.to_string()).unwrap();
    assert!(!answer(&list(&INSTALLED), &scan).unwrap().rebuild);
}

#[test]
fn the_vendor_s_packages_need_not_be_offered() {
    let answer = answer(&list(&INSTALLED[..3]), &clean()).unwrap();
    assert!(!answer.rebuild);
    assert_snapshot!(answer.report(), @"
    **no**: building again would bring nothing.

    - not in the list of what is offered, and looked after by `cargo xtask release detect`: opennebula
    ");
}

#[test]
fn a_list_that_is_not_whole_is_no_answer() {
    let whole = list(&INSTALLED[..3]);
    assert_snapshot!(refused(&list(&INSTALLED[..1])), @"the list of what is offered is not whole: 2 of 4 installed packages are not in it for amd64 (libssl3t64, login); make it again, apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image");
    assert_snapshot!(refused(&list(&[("bash", "5.2.20-1"), INSTALLED[1], INSTALLED[2]])), @"the list of what is offered is not whole: 1 are older in it than in the image (bash); make it again, apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image");
    assert_snapshot!(refused(&whole.replace("Architecture: amd64", "Architecture: arm64")), @"the list of what is offered is not whole: 3 of 4 installed packages are not in it for amd64 (bash, libssl3t64, login); make it again, apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image");
    assert_snapshot!(refused("Reading package lists... Done\n"), @"line 1 is no field");
    assert_snapshot!(refused("\n"), @"it is empty: make it by apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image");
    assert_snapshot!(refused(&whole.replace("Version: 1:", "Version: x:")), @r#"login: make it again, apt-get -o APT::Update::Error-Mode=any update && apt-cache dumpavail, as root in a container of the image: "x:4.13+dfsg1-4ubuntu3" has the epoch "x", which is no number"#);
    // Wherever it is cut off before the last package's version is over.
    let end = whole.rfind("\nDescription").unwrap();
    for end in 0..=end {
        assert!(answer(&whole[..end], &clean()).is_err(), "the first {end} bytes");
    }
}

#[test]
fn the_scan_and_the_bill_of_materials_are_of_one_image() {
    let other = report(&[], &[], &[])
        .to_string()
        .replace(DIGEST, &format!("sha256:{}", "3".repeat(64)));
    let other = other.replace(&"2".repeat(64), &"4".repeat(64));
    let scan = Scan::parse(&other).unwrap();
    let error = answer(&list(&INSTALLED), &scan).unwrap_err().to_string();
    assert!(error.contains("they have no digest in common"), "{error}");
}
