//! The charts as files: versions, lint, the package, use inside another chart.

use std::fs;
use std::path::Path;

use chart_tests::helm;
use serde_json::{Value, json};

use crate::{HELMS, RELEASE, manifests};

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn versions_agree() {
    let chart = yaml(&helm::opennebula().join("Chart.yaml"));
    let database = yaml(&helm::repository().join("charts/mariadb/Chart.yaml"));
    // A chart that only has a newer image leaves the programs' version behind, within one X.Y.
    let line = |version: &str| version.rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(
        line(chart["version"].as_str().unwrap()),
        line(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(chart["dependencies"][0]["version"], database["version"]);
    assert_eq!(chart["kubeVersion"], database["kubeVersion"]);

    let releases: Value =
        serde_json::from_str(&fs::read_to_string(helm::repository().join("versions.json")).unwrap()).unwrap();
    let line = releases["default"].as_str().unwrap();
    assert_eq!(chart["appVersion"], releases["lines"][line]["version"]);
}

#[test]
fn both_charts_pass_the_strict_lint() {
    for helm in &*HELMS {
        for chart in [helm::opennebula(), helm::opennebula().join("charts/mariadb")] {
            let said = helm.say(&[
                "lint",
                "--strict",
                "--kube-version",
                "1.35.4",
                &chart.display().to_string(),
            ]);
            assert!(
                said.as_ref().is_ok_and(|text| !text.contains("[WARNING]")),
                "{}: {said:?}",
                helm.version()
            );
        }
    }
}

#[test]
fn the_package_renders_as_the_folder_does() {
    for helm in &*HELMS {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().display().to_string();
        helm.say(&[
            "package",
            &helm::opennebula().display().to_string(),
            "--destination",
            &out,
        ])
        .unwrap();
        let version = yaml(&helm::opennebula().join("Chart.yaml"))["version"].clone();
        let package = folder
            .path()
            .join(format!("opennebula-{}.tgz", version.as_str().unwrap()));
        assert_eq!(
            helm.template(&package, RELEASE, &json!({})).unwrap(),
            manifests(RELEASE, &json!({}))
        );
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// A published chart has the annotation, and a checkout has not.
#[test]
fn a_published_chart_pulls_its_image_by_digest_and_nothing_else_under_its_tag() {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("opennebula");
    copy(&helm::opennebula(), &chart);
    let image = format!("7.0.1-r2@sha256:{}", "0".repeat(64));
    let described = fs::read_to_string(chart.join("Chart.yaml")).unwrap();
    let described = described.replace(
        "annotations:\n",
        &format!("annotations:\n  opennebula-kubernetes/image: {image}\n"),
    );
    fs::write(chart.join("Chart.yaml"), described).unwrap();
    let own = format!("sha256:{}", "1".repeat(64));
    for helm in &*HELMS {
        for (values, expected) in [
            (json!({}), format!("docker.io/pablodelarco/opennebula:{image}")),
            (
                json!({"image": {"registry": "mirror.example", "repository": "hub/pablodelarco/opennebula"}}),
                format!("mirror.example/hub/pablodelarco/opennebula:{image}"),
            ),
            (
                json!({"image": {"tag": "7.2.0-r1"}}),
                "docker.io/pablodelarco/opennebula:7.2.0-r1".to_owned(),
            ),
            (
                json!({"image": {"digest": own}}),
                format!("docker.io/pablodelarco/opennebula@{own}"),
            ),
            (
                json!({"image": {"repository": "team/own"}}),
                "docker.io/team/own:7".to_owned(),
            ),
        ] {
            let rendered = helm.template(&chart, RELEASE, &values).unwrap();
            assert!(
                rendered.contains(&format!("image: \"{expected}"))
                    || rendered.contains(&format!("image: {expected}")),
                "{expected}"
            );
        }
    }
}

/// What a site without internet access copies.
#[test]
fn the_list_of_images_is_complete() {
    let mut values = crate::defaults::everything();
    values["global"]["imageRegistry"] = json!("");
    let mut images = std::collections::BTreeSet::new();
    for object in crate::render(&values) {
        for kind in ["containers", "initContainers"] {
            for container in object.pod().into_iter().flat_map(|pod| crate::items(&pod[kind])) {
                images.insert(container["image"].as_str().unwrap().to_owned());
            }
        }
    }
    let listed = fs::read_to_string(helm::opennebula().join("images.txt")).unwrap();
    assert_eq!(
        listed
            .lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>(),
        images
    );
}

/// Each of them is installed, or judged by an API server, by the scenarios.
#[test]
fn every_file_of_values_for_tests_renders() {
    let mut files = 0;
    for entry in fs::read_dir(helm::opennebula().join("ci")).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.display().to_string().ends_with("-values.yaml"),
            "{}",
            path.display()
        );
        crate::render(&yaml(&path));
        files += 1;
    }
    assert!(files >= 10, "{files}");
}

#[test]
fn it_works_inside_another_chart() {
    let parent = tempfile::tempdir().unwrap();
    fs::write(
        parent.path().join("Chart.yaml"),
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{name: opennebula, version: 0.x, condition: opennebula.enabled}]\n",
    )
    .unwrap();
    fs::create_dir(parent.path().join("charts")).unwrap();
    for helm in &*HELMS {
        let charts = parent.path().join("charts").display().to_string();
        helm.say(&[
            "package",
            &helm::opennebula().display().to_string(),
            "--destination",
            &charts,
        ])
        .unwrap();
        let values = json!({
            "global": {"imageRegistry": "registry.example.org", "of-the-parent": 1},
            "opennebula": {"enabled": true, "log": {"format": "json"}},
        });
        let text = helm.template(parent.path(), "cloud", &values).unwrap();
        assert!(text.contains("name: \"cloud-opennebula\"\n"), "{text}");
        assert!(text.contains("ONEPOD_LOG_FORMAT: \"json\""), "{text}");
        assert!(text.contains("registry.example.org/library/mariadb"), "{text}");
        let off = helm
            .template(parent.path(), "cloud", &json!({"opennebula": {"enabled": false}}))
            .unwrap();
        assert!(!off.contains("kind:"), "{off}");
    }
}

/// What Artifact Hub shows: it has the package alone, so a link into the repository must be whole.
#[test]
fn the_pages_in_the_package_can_be_read_without_the_repository() {
    let blob = "https://github.com/pablodelarco/opennebula-kubernetes/blob/main/";
    let raw = "https://raw.githubusercontent.com/pablodelarco/opennebula-kubernetes/main/";
    for chart in ["charts/opennebula", "charts/opennebula/charts/mariadb"] {
        let folder = helm::repository().join(chart);
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        let mut links = 0;
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link
                .strip_prefix(blob)
                .unwrap_or_else(|| panic!("{chart}: {link} leads nowhere outside of the repository"));
            let path = path.split('#').next().unwrap();
            assert!(
                helm::repository().join(path).exists(),
                "{chart}: there is no {path}"
            );
            links += 1;
        }
        assert!(links > 0);
        let first = page.split("```sh\n").nth(1).unwrap();
        assert!(
            first.starts_with("helm install opennebula oci://ghcr.io/pablodelarco/charts/opennebula "),
            "{chart}: {first}"
        );
        let metadata = yaml(&folder.join("Chart.yaml"));
        let icon = metadata["icon"].as_str().unwrap().strip_prefix(raw).unwrap();
        assert!(helm::repository().join(icon).exists(), "{icon}");
        assert!(metadata["maintainers"][0]["name"].is_string());
    }
}
