//! The rules one by one, and what holds for every history.

use proptest::prelude::*;

use super::*;
use crate::registry::digest;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn target(image: &str, release: Option<&str>) -> Target {
    Target {
        digest: digest(image),
        release: release.map(version),
    }
}

/// Builds in order, what X.Y.Z names, what `latest` names and of which release it is.
fn with(builds: &[&str], release: Option<&str>, latest: Option<(&str, &str)>) -> Published {
    Published {
        builds: (1..).zip(builds.iter().map(|image| digest(image))).collect(),
        release: release.map(|image| target(image, Some("7.0.1"))),
        latest: latest.map(|(image, of)| target(image, Some(of))),
    }
}

/// The changes for an image of 7.0.1, as `TAG=ACTION …`.
fn told(image: &str, default: &str, published: &Published, replaceable: &[(&str, &str)]) -> String {
    let replaceable = replaceable
        .iter()
        .map(|(tag, image)| ((*tag).to_owned(), digest(image)))
        .collect();
    let changes = changes(
        version("7.0.1"),
        &digest(image),
        version(default),
        published,
        &replaceable,
    );
    let told = changes.unwrap().into_iter().map(|change| {
        let action = match change.action {
            Action::Set => "set".to_owned(),
            Action::Keep => "keep".to_owned(),
            Action::Stay(reason) => format!("stays: {reason}"),
            Action::Foreign => "foreign".to_owned(),
        };
        format!("{} {action}", change.tag)
    });
    told.collect::<Vec<String>>().join("; ")
}

#[test]
fn tags_follow_the_rules() {
    let none = Published::default();
    let two = with(&["a", "b"], Some("b"), Some(("b", "7.0.1")));
    for (image, default, published, expected) in [
        ("a", "7.0.1", &none, "7.0.1-r1 set; 7.0.1 set; latest set"),
        ("c", "7.0.1", &two, "7.0.1-r3 set; 7.0.1 set; latest set"),
        ("b", "7.0.1", &two, "7.0.1-r2 keep; 7.0.1 keep; latest keep"),
        (
            "a",
            "7.0.1",
            &two,
            "7.0.1-r1 keep; 7.0.1 stays: 7.0.1-r2 is newer; latest stays: 7.0.1-r2 is newer",
        ),
        // Another line, an older release of the default line, and a versions.json that is behind.
        (
            "a",
            "7.2.0",
            &none,
            "7.0.1-r1 set; 7.0.1 set; latest stays: the default line's release is 7.2.0",
        ),
        (
            "a",
            "7.0.2",
            &none,
            "7.0.1-r1 set; 7.0.1 set; latest stays: the default line's release is 7.0.2",
        ),
        (
            "a",
            "7.0.1",
            &with(&[], None, Some(("x", "7.2.0"))),
            "7.0.1-r1 set; 7.0.1 set; latest stays: it names 7.2.0, and never moves back",
        ),
        // An earlier run that was interrupted is finished.
        (
            "b",
            "7.0.1",
            &with(&["a", "b"], Some("a"), Some(("x", "7.0.0"))),
            "7.0.1-r2 keep; 7.0.1 set; latest set",
        ),
    ] {
        assert_eq!(told(image, default, published, &[]), expected);
    }
}

#[test]
fn a_number_is_never_given_twice() {
    let mut gaps = Published::default();
    gaps.builds.insert(10, digest("d"));
    assert!(told("e", "7.0.1", &gaps, &[]).starts_with("7.0.1-r11 set"));
}

#[test]
fn a_foreign_image_is_replaced_by_its_digest_alone() {
    let foreign = Published {
        release: Some(target("supervisord", None)),
        latest: Some(target("supervisord", None)),
        ..Published::default()
    };
    assert_eq!(
        told("a", "7.0.1", &foreign, &[]),
        "7.0.1-r1 set; 7.0.1 foreign; latest foreign"
    );
    assert_eq!(
        told(
            "a",
            "7.0.1",
            &foreign,
            &[("latest", "supervisord"), ("7.0.1", "another")]
        ),
        "7.0.1-r1 set; 7.0.1 foreign; latest set"
    );
    // Where the rules leave a tag alone, nobody has to do anything.
    assert_eq!(
        told("a", "7.2.0", &foreign, &[("7.0.1", "supervisord")]),
        "7.0.1-r1 set; 7.0.1 set; latest stays: the default line's release is 7.2.0"
    );
}

#[test]
fn pre_releases_are_refused() {
    let refused = changes(
        version("7.0.80"),
        &digest("a"),
        version("7.0.1"),
        &Published::default(),
        &Replaceable::new(),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "7.0.80 is a pre-release of the vendor's, and those are not published"
    );
}

#[test]
fn only_canonical_tags_are_builds() {
    for tag in [
        "7.0.0",
        "latest",
        "7.0",
        "v7.0.0-r1",
        "7.0.0-r0",
        "7.0.0-r01",
        "7.0.0-r",
        "7.0.0-r+1",
        "7.0.0-rc1",
        "7.0.0-r1-r2",
        "7.0.0.0-r1",
        "candidate-7.0.0",
        "sha256-abc.sig",
    ] {
        assert!(tag.parse::<Build>().is_err(), "{tag}");
    }
    for tag in ["7.10.0-r12", "7.0.0.1-r1"] {
        assert_eq!(tag.parse::<Build>().unwrap().to_string(), tag);
    }
}

proptest! {
    #[test]
    fn builds_are_immutable_and_latest_never_moves_back(
        history in prop::collection::vec((0..3_u32, 0..4_u32, 0..12_usize), 1..30),
        interrupted in 0..30_usize,
    ) {
        let mut tags: BTreeMap<String, (Digest, Version)> = BTreeMap::new();
        let mut default = version("7.0.0");
        for (step, (minor, patch, which)) in history.into_iter().enumerate() {
            let release = version(&format!("7.{minor}.{patch}"));
            // The vendor publishes, or the default line changes either way.
            if which % 3 == 0 {
                default = release;
            }
            let image = digest(&format!("{release} {which}"));
            let target = |tag: &str| {
                let (digest, release) = tags.get(tag)?;
                Some(Target { digest: digest.clone(), release: Some(*release) })
            };
            let of_release = |(tag, (digest, _)): (&String, &(Digest, Version))| {
                let build = tag.parse::<Build>().ok().filter(|build| build.release == release)?;
                Some((build.number, digest.clone()))
            };
            let published = Published {
                builds: tags.iter().filter_map(of_release).collect(),
                release: target(&release.to_string()),
                latest: target(LATEST),
            };
            let changes = changes(release, &image, default, &published, &Replaceable::new()).unwrap();
            let before = tags.clone();
            for change in changes.iter().take(if step == interrupted { 1 } else { 3 }) {
                prop_assert_ne!(&change.action, &Action::Foreign);
                if change.action == Action::Set {
                    tags.insert(change.tag.clone(), (image.clone(), release));
                }
            }
            for (tag, (digest, _)) in before.iter().filter(|(tag, _)| tag.parse::<Build>().is_ok()) {
                prop_assert_eq!(tags.get(tag).map(|(digest, _)| digest), Some(digest), "{} was moved", tag);
            }
            let latest = |tags: &BTreeMap<String, (Digest, Version)>| tags.get(LATEST).map(|(_, release)| *release);
            prop_assert!(latest(&tags) >= latest(&before));
        }
    }
}
