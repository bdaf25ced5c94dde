use super::*;

const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn repository() -> Texts {
    Texts(BTreeMap::from([
        (CHART, "# Ours.\napiVersion: v2\nversion: 0.3.0\nappVersion: \"7.0.0\"\ndependencies:\n  - name: mariadb\n    version: 0.3.0\nannotations:\n  artifacthub.io/license: Apache-2.0\n".to_owned()),
        (DATABASE, "name: mariadb\nversion: 0.3.0\nappVersion: \"11.8\"\n".to_owned()),
        (IMAGES, "docker.io/library/mariadb:11.8\ndocker.io/x/opennebula:7.0.0\n".to_owned()),
        (DOCKERFILE, "# x\nARG BASE_IMAGE=old\nARG ONE_VERSION=7.0.0\nFROM x\nARG ONE_VERSION\n".to_owned()),
        (CHANGELOG, "# Changelog\n\n## [Unreleased] – 0.4.0\n\n- x\n\n## [0.3.1-rc.1] – 2026-12-01\n\n### Fixed\n\n- A **thing**\n".to_owned()),
    ]))
}

fn with(texts: &Texts, version: &str) -> Result<Texts> {
    texts.with_version(&version.parse().unwrap(), "7.0.1".parse().unwrap(), "new")
}

#[test]
fn a_version_is_written_everywhere_and_comments_stay() {
    let texts = with(&repository(), "0.3.1-rc.1").unwrap();
    for (path, text) in repository().0 {
        let expected = text
            .replace("version: 0.3.0", "version: 0.3.1-rc.1")
            .replace("7.0.0", "7.0.1")
            .replace("=old", "=new");
        assert_eq!(texts.get(path), expected);
    }
    assert_eq!(
        texts.changed(&repository()),
        [CHART, DATABASE, IMAGES, DOCKERFILE]
    );
    assert_eq!(
        with(&texts, "0.3.1-rc.1").unwrap(),
        texts,
        "the second time nothing changes"
    );
}

#[test]
fn a_version_goes_forward_and_is_in_the_changelog() {
    let refused = |texts: &Texts, version: &str| format!("{:#}", with(texts, version).unwrap_err());
    let older = refused(&repository(), "0.3.0-rc.1");
    assert!(
        older.contains("has 0.3.0, which is newer than 0.3.0-rc.1"),
        "{older}"
    );
    assert_eq!(
        refused(&repository(), "0.5.0"),
        "CHANGELOG.md: there is no section \"## [0.5.0]\": write in users' words what changed"
    );
    let mut texts = repository();
    texts.0.insert(DOCKERFILE, "ARG BASE_IMAGE=old\n".to_owned());
    assert_eq!(
        refused(&texts, "0.3.1-rc.1"),
        "image/Dockerfile: there is no line \"ARG ONE_VERSION=…\""
    );
}

#[test]
fn a_package_names_its_image_by_its_digest_and_what_changed() {
    let texts = with(&repository(), "0.3.1-rc.1").unwrap();
    let image: Image = format!("7.0.1-r2@sha256:{DIGEST}\n").parse().unwrap();
    let [(_, chart), (_, images)] = texts.packaged(Some(&image)).unwrap();
    assert_eq!(
        images,
        format!("docker.io/library/mariadb:11.8\ndocker.io/x/opennebula:{image}\n")
    );
    let chart: Value = serde_saphyr::from_str(&chart).unwrap();
    let annotations = &chart["annotations"];
    assert_eq!(annotations[IMAGE], image.to_string());
    assert_eq!(annotations["artifacthub.io/license"], "Apache-2.0");
    assert_eq!(annotations["artifacthub.io/prerelease"], "true");
    let list = |key: &str| -> Value { serde_saphyr::from_str(annotations[key].as_str().unwrap()).unwrap() };
    assert_eq!(
        list("artifacthub.io/changes"),
        json!([{"kind": "fixed", "description": "A thing"}])
    );
    let ours = json!({"name": "opennebula", "image": format!("docker.io/x/opennebula:{image}")});
    assert_eq!(list("artifacthub.io/images")[1], ours);

    let other: Image = format!("7.0.0-r2@sha256:{DIGEST}").parse().unwrap();
    let refused = texts.packaged(Some(&other)).unwrap_err().to_string();
    assert!(refused.contains("is of OpenNebula \"7.0.1\""), "{refused}");
    for text in [
        "",
        "7.0.1",
        "7.0.1-r1@sha256:00",
        &format!("7.0.1@sha256:{DIGEST}"),
    ] {
        assert!(text.parse::<Image>().is_err(), "{text}");
    }
}

#[test]
fn a_section_is_put_before_the_last_release() {
    let next = |version: &str| next_patch(&version.parse().unwrap()).to_string();
    assert_eq!([next("0.3.9"), next("0.4.0-rc.1")], ["0.3.10", "0.4.0"]);
    let texts = repository().with_section(&"0.3.2".parse().unwrap(), "The image is 7.0.1-r3");
    assert_eq!(
        texts.get(CHANGELOG),
        repository().get(CHANGELOG).replace(
            "## [0.3.1",
            "## [0.3.2]\n\n### Changed\n\n- The image is 7.0.1-r3.\n\n## [0.3.1"
        )
    );
}
