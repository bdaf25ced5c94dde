use insta::assert_snapshot;

use super::*;
use crate::versions::Versions;

const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn repository() -> Texts {
    [
        (CHART, "# Ours.\napiVersion: v2\nname: opennebula\nversion: 0.3.0\nappVersion: \"7.0.0\"\nhome: https://example.org/x\ndependencies:\n  # Unpacked.\n  - name: mariadb\n    version: 0.3.0\n    condition: mariadb.enabled\n".to_owned()),
        (DATABASE, "name: mariadb\nversion: 0.3.0 \nappVersion: \"11.8\"\n".to_owned()),
        (VALUES, "image:\n  registry: docker.io\n  repository: x/opennebula\n  tag: \"\"\n".to_owned()),
        (DATABASE_VALUES, "image:\n  registry: docker.io\n  repository: library/mariadb\n  tag: \"11.8\"\n".to_owned()),
        (DOCKERFILE, "# x\nARG BASE_IMAGE=old\nARG ONE_VERSION=7.0.0\nFROM x\nARG ONE_VERSION\n".to_owned()),
        (WORKSPACE, "[workspace]\n\n[workspace.package]\nversion = \"0.3.0\"\nedition = \"2024\"\n\n[workspace.dependencies]\nx = { version = \"1\" }\n".to_owned()),
        (LOCK, "version = 4\n\n[[package]]\nname = \"x\"\nversion = \"0.3.0\"\nsource = \"registry\"\n\n[[package]]\nname = \"onepod\"\nversion = \"0.3.0\"\n".to_owned()),
        (CHANGELOG, "# Changelog\n\n## [0.3.1] – 2026-12-01\n\n### Fixed\n\n- A **thing**\n\n## [0.3.0]\n\n### Added\n\n- It: all\n".to_owned()),
    ]
    .into()
}

fn versions() -> Versions {
    crate::versions::tests::versions(&[("7.0", "7.0.1"), ("7.2", "7.2.0")])
}

fn with(texts: &Texts, version: &str) -> Result<Texts> {
    let versions = versions();
    let (_, entry) = versions.lines().next().unwrap();
    with_version(
        texts,
        &version.parse().unwrap(),
        entry.version,
        entry,
        Programs::Follow,
    )
}

fn after(texts: &Texts, version: &str) -> Texts {
    let mut texts = texts.clone();
    texts.extend(with(&texts, version).unwrap());
    texts
}

fn complaints(texts: &Texts, base: Option<&Base>) -> String {
    let versions = versions();
    let (_, entry) = versions.lines().next().unwrap();
    mistakes(texts, entry.version, entry, base).unwrap().join("\n")
}

#[test]
fn a_version_is_written_everywhere_and_comments_stay() {
    let texts = after(&repository(), "0.3.1");
    assert_snapshot!(texts[CHART], @r#"
    # Ours.
    apiVersion: v2
    name: opennebula
    version: 0.3.1
    appVersion: "7.0.1"
    home: https://example.org/x
    dependencies:
      # Unpacked.
      - name: mariadb
        version: 0.3.1
        condition: mariadb.enabled
    annotations:
      artifacthub.io/license: Apache-2.0
      artifacthub.io/prerelease: "false"
      artifacthub.io/images: |
        - name: opennebula
          image: docker.io/x/opennebula:7.0.1
        - name: mariadb
          image: docker.io/library/mariadb:11.8
      artifacthub.io/links: |
        - name: Documentation
          url: https://example.org/x/blob/main/docs/operations.md
        - name: Configuration
          url: https://example.org/x/blob/main/docs/configuration.md
        - name: Changelog
          url: https://example.org/x/blob/main/CHANGELOG.md
        - name: Report a problem
          url: https://example.org/x/issues
      artifacthub.io/changes: |
        - kind: fixed
          description: "A thing"
    "#);
    assert_snapshot!(texts[DATABASE], @r#"
    name: mariadb
    version: 0.3.1
    appVersion: "11.8"
    "#);
    assert_eq!(
        texts[DOCKERFILE],
        format!(
            "# x\nARG BASE_IMAGE=docker.io/library/ubuntu:24.04@sha256:{DIGEST}\nARG ONE_VERSION=7.0.1\nFROM x\nARG ONE_VERSION\n"
        )
    );
    assert_eq!(
        texts[WORKSPACE],
        repository()[WORKSPACE].replace("0.3.0", "0.3.1")
    );
    assert!(
        texts[LOCK].contains("name = \"x\"\nversion = \"0.3.0\"")
            && texts[LOCK].ends_with("version = \"0.3.1\"\n")
    );
    // What was written is one version, and writing it again changes nothing.
    let chart: serde_json::Value = serde_saphyr::from_str(&texts[CHART]).unwrap();
    let changes: serde_json::Value =
        serde_saphyr::from_str(chart["annotations"]["artifacthub.io/changes"].as_str().unwrap()).unwrap();
    assert_eq!(
        changes,
        serde_json::json!([{"kind": "fixed", "description": "A thing"}])
    );
    assert_eq!(chart["annotations"]["artifacthub.io/prerelease"], "false");
    assert_eq!(after(&texts, "0.3.1"), texts);
}

#[test]
fn a_version_goes_forward_and_is_in_the_changelog() {
    let told = |version: &str| format!("{:#}", with(&repository(), version).unwrap_err());
    assert_snapshot!(told("0.2.9"), @"charts/opennebula/Chart.yaml has 0.3.0, which is newer than 0.2.9: a chart's version goes forward alone");
    assert_snapshot!(told("0.3.0-rc.1"), @"charts/opennebula/Chart.yaml has 0.3.0, which is newer than 0.3.0-rc.1: a chart's version goes forward alone");
    assert_eq!(
        told("0.4.0"),
        "CHANGELOG.md: there is no section \"## [0.4.0]\": write in users' words what changed"
    );
    let mut texts = repository();
    texts.insert(WORKSPACE, "[workspace]\n".to_owned());
    let told = with(&texts, "0.3.1").unwrap_err().to_string();
    assert!(told.contains("below \"[workspace.package]\""), "{told}");
}

#[test]
fn what_is_not_in_step_is_named() {
    let texts = after(&repository(), "0.3.1");
    assert_eq!(complaints(&texts, None), "");
    let mut other = texts.clone();
    other.insert(
        CHANGELOG,
        texts[CHANGELOG].replace("A **thing**", "Another thing"),
    );
    other.insert(DOCKERFILE, texts[DOCKERFILE].replace("7.0.1", "7.0.0"));
    assert_snapshot!(complaints(&other, None), @"
    charts/opennebula/Chart.yaml is not in step with chart 0.3.1, OpenNebula 7.0.1 and CHANGELOG.md: run `cargo xtask release chart version 0.3.1` and commit what it changes
    image/Dockerfile is not in step with chart 0.3.1, OpenNebula 7.0.1 and CHANGELOG.md: run `cargo xtask release chart version 0.3.1` and commit what it changes
    ");
}

#[test]
fn a_chart_that_changed_needs_another_version() {
    let texts = after(&repository(), "0.3.1");
    let base = |version: &str, changed: &[&str]| Base {
        name: "opennebula-x".to_owned(),
        chart: format!("version: {version}\n"),
        changed: changed.iter().map(|file| (*file).to_owned()).collect(),
    };
    let files = ["charts/a", "charts/b", "charts/c", "charts/d"];
    assert_eq!(complaints(&texts, Some(&base("0.3.1", &[]))), "");
    assert_eq!(complaints(&texts, Some(&base("0.3.0", &files))), "");
    assert_snapshot!(complaints(&texts, Some(&base("0.3.1", &files))), @"the chart changed since opennebula-x and still has its version 0.3.1 (charts/a, charts/b, charts/c and 1 more): give it a newer one with `cargo xtask release chart version`");
    assert_snapshot!(complaints(&texts, Some(&base("0.4.0", &files))), @"charts/opennebula/Chart.yaml has 0.3.1, and opennebula-x has 0.4.0 already: name a newer one");
}

#[test]
fn a_package_names_its_image_by_its_digest() {
    let texts = after(&repository(), "0.3.1");
    let image: Image = format!("7.0.1-r2@sha256:{DIGEST}\n").parse().unwrap();
    let [(_, chart), (_, images)] = with_image(&texts[CHART], &texts[IMAGES], &image).unwrap();
    assert!(
        chart.contains(&format!("  {IMAGE}: {image}\n"))
            && chart.contains(&format!("image: docker.io/x/opennebula:{image}\n")),
        "{chart}"
    );
    assert!(
        images.contains(&format!("docker.io/x/opennebula:{image}\n")),
        "{images}"
    );
    let other: Image = format!("7.0.0-r2@sha256:{DIGEST}").parse().unwrap();
    let told = with_image(&texts[CHART], &texts[IMAGES], &other)
        .unwrap_err()
        .to_string();
    assert!(told.contains("is of OpenNebula 7.0.1"), "{told}");
    for text in ["", "7.0.1", "7.0.1@sha256:00", &format!("7.0.1@sha256:{DIGEST}")] {
        assert!(text.parse::<Image>().is_err(), "{text}");
    }
}

#[test]
fn a_chart_with_a_newer_image_leaves_the_programs_alone() {
    let versions = versions();
    let (_, entry) = versions.lines().next().unwrap();
    let set = |version: &str| {
        let version = version.parse().unwrap();
        with_version(&repository(), &version, entry.version, entry, Programs::Keep).unwrap()
    };
    let why = "an image would ask for a chart, and a chart for an image";
    assert_eq!(set("0.3.1")[WORKSPACE], repository()[WORKSPACE], "{why}");
    assert_eq!(set("0.3.1")[LOCK], repository()[LOCK], "{why}");
}

#[test]
fn a_section_is_put_before_the_last_release() {
    let next = |version: &str| next_patch(&version.parse().unwrap()).to_string();
    assert_eq!([next("0.3.9"), next("0.4.0-rc.1")], ["0.3.10", "0.4.0"]);
    let log = "# Changelog\n\n## [Unreleased] – 0.4.0\n\n- x\n\n## [0.3.1] – 2026-12-01\n";
    let version: ChartVersion = "0.3.2".parse().unwrap();
    assert_eq!(
        with_section(log, &version, "The image is 7.0.1-r3"),
        log.replace(
            "## [0.3.1]",
            "## [0.3.2]\n\n### Changed\n\n- The image is 7.0.1-r3.\n\n## [0.3.1]"
        )
    );
    assert!(with_section("# Changelog\n", &version, "x").ends_with("- x.\n\n"));
}
