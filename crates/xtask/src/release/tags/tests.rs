//! The rules one by one, and what holds whatever is published in whichever order.

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn image(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// What a repository has: tags with names of images.
fn has(tags: &[(&str, &str)]) -> Published {
    let mut published = Published::default();
    for (tag, name) in tags {
        published.add(tag, image(name));
    }
    published
}

/// The tags of an image, or of one that is not built yet, and why `latest` stays.
fn told(release: &str, built: Option<&str>, default: &str, published: &Published) -> String {
    let image = built.map(image);
    match assign(version(release), image.as_ref(), version(default), published) {
        Ok(Tags {
            build,
            latest: Latest::Ours,
        }) => format!("{build} latest"),
        Ok(Tags {
            build,
            latest: Latest::Stays(reason),
        }) => format!("{build} ({reason})"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_first_image_of_a_release_has_its_number() {
    assert_eq!(told("7.0.0", None, "7.0.0", &has(&[])), "7.0.0 latest");
    assert_eq!(
        told("7.2.0", None, "7.0.0", &has(&[])),
        "7.2.0 (7.2 is not the default line, which is 7.0)"
    );
}

#[test]
fn a_release_of_four_numbers_has_its_own_tag_and_latest() {
    let published = has(&[("7.0.0", "a"), ("7.0.0-r1", "b"), ("latest", "b")]);
    assert_eq!(told("7.0.0.1", None, "7.0.0.1", &published), "7.0.0.1 latest");
    let published = has(&[("7.0.0.1", "c"), ("latest", "c")]);
    assert_eq!(told("7.0.0.1", None, "7.0.0.1", &published), "7.0.0.1-r1 latest");
    assert_eq!(
        told("7.0.0", None, "7.0.0", &published),
        "7.0.0 (7.0.0.1 is newer)"
    );
}

#[test]
fn a_rebuild_gets_a_number_of_its_own_and_latest() {
    let published = has(&[("7.0.0", "a"), ("7.0.0-r1", "b"), ("latest", "b")]);
    assert_eq!(told("7.0.0", None, "7.0.0", &published), "7.0.0-r2 latest");
    assert_eq!(told("7.0.0", Some("c"), "7.0.0", &published), "7.0.0-r2 latest");
}

#[test]
fn a_number_that_was_given_back_is_not_given_again() {
    let published = has(&[("7.0.0-r2", "c"), ("7.0.0-r10", "d")]);
    assert_eq!(told("7.0.0", None, "7.0.0", &published), "7.0.0-r11 latest");
}

#[test]
fn an_image_that_is_published_keeps_its_tag() {
    let published = has(&[("7.0.0", "a"), ("7.0.0-r1", "b"), ("latest", "b")]);
    assert_eq!(told("7.0.0", Some("b"), "7.0.0", &published), "7.0.0-r1 latest");
    assert_eq!(
        told("7.0.0", Some("a"), "7.0.0", &published),
        "7.0.0 (7.0.0-r1 is newer)"
    );
}

#[test]
fn what_was_half_pushed_is_finished() {
    let published = has(&[("7.0.0", "a"), ("7.0.1", "b"), ("latest", "a")]);
    assert_eq!(told("7.0.1", Some("b"), "7.0.1", &published), "7.0.1 latest");
}

#[test]
fn an_old_release_cannot_move_latest() {
    let published = has(&[("7.0.0", "a"), ("7.0.1", "b"), ("latest", "b")]);
    assert_eq!(
        told("7.0.0", None, "7.0.1", &published),
        "7.0.0-r1 (7.0.1 is the release of the default line, not 7.0.0)"
    );
    // Nor by a versions.json that is behind, and not while the newer release is not published.
    assert_eq!(
        told("7.0.0", None, "7.0.0", &published),
        "7.0.0-r1 (7.0.1 is newer)"
    );
    assert_eq!(
        told("7.0.0", None, "7.0.1", &has(&[("7.0.0", "a"), ("latest", "a")])),
        "7.0.0-r1 (7.0.1 is the release of the default line, not 7.0.0)"
    );
    assert_eq!(
        told("7.0.9", None, "7.0.10", &has(&[])),
        "7.0.9 (7.0.10 is the release of the default line, not 7.0.9)"
    );
}

#[test]
fn another_default_line_moves_latest_forward_and_never_back() {
    let published = has(&[("7.0.5", "a"), ("latest", "a")]);
    assert_eq!(told("7.2.0", None, "7.2.0", &published), "7.2.0 latest");
    let published = has(&[("7.0.5", "a"), ("7.2.0", "b"), ("latest", "b")]);
    assert_eq!(
        told("7.0.6", None, "7.0.6", &published),
        "7.0.6 (it names 7.2.0, and never goes back)"
    );
}

#[test]
fn a_latest_of_unknown_origin_stays_until_somebody_has_looked() {
    let told = told("7.0.0", None, "7.0.0", &has(&[("latest", "x")]));
    assert!(
        told.starts_with("7.0.0 (it names sha256:") && told.contains("remove the tag by hand"),
        "{told}"
    );
}

#[test]
fn an_image_of_another_release_and_a_pre_release_are_refused() {
    let published = has(&[("7.0.0", "a")]);
    assert_eq!(
        told("7.0.1", Some("a"), "7.0.1", &published),
        "the image is published as 7.0.0 already, and cannot be one of 7.0.1 too: look whether digest and release \
         belong together"
    );
    assert_eq!(
        told("7.0.80", None, "7.0.1", &published),
        "7.0.80 is a pre-release of the vendor, and those are not published"
    );
}

#[test]
fn other_tags_are_not_the_rules_affair() {
    for tag in [
        "candidate-7.0.0",
        "7.0",
        "v7.0.0",
        "7.0.0-r0",
        "7.0.0-r01",
        "7.0.0-r",
        "7.0.0-r+1",
        "7.0.0-rc1",
        "7.0.0-r1-r2",
        "7.0.0.0",
        "7.0.0.1.1",
        "7.0.0.1-r0",
        "sha256-abc.sig",
        "Latest",
    ] {
        assert!(!Published::is_about(tag), "{tag}");
    }
    assert!(Published::is_about("latest") && Published::is_about("7.10.0-r12"));
}

/// One publication: which release, and whether versions.json knows it as the default line's by then.
fn history() -> impl Strategy<Value = Vec<(u32, u32, usize)>> {
    prop::collection::vec((0..3_u32, 0..4_u32, 0..12_usize), 1..30)
}

proptest! {
    #[test]
    fn whatever_is_published_no_tag_changes_and_latest_only_rises(history in history(), interrupted in 0..30_usize) {
        let mut published = Published::default();
        let mut default = version("7.0.0");
        for (step, (minor, patch, which)) in history.into_iter().enumerate() {
            let release = version(&format!("7.{minor}.{patch}"));
            // The vendor goes forward, sometimes; a default line may be changed either way.
            if which % 3 == 0 {
                default = release;
            }
            let digest = image(&format!("{release} {which}"));
            let Ok(tags) = assign(release, Some(&digest), default, &published) else {
                prop_assert!(false, "refused");
                continue;
            };
            let before = published.clone();
            for name in tags.names().into_iter().take(if step == interrupted { 1 } else { 2 }) {
                published.add(&name, digest.clone());
            }
            for (build, digest) in &before.builds {
                prop_assert_eq!(published.builds.get(build), Some(digest), "{} was moved", build);
            }
            prop_assert_eq!(tags.build.release, release);
            let (earlier, later) = (before.of_latest(), published.of_latest());
            prop_assert!(later >= earlier, "latest went from {:?} to {:?}", earlier, later);
            if tags.latest == Latest::Ours {
                prop_assert_eq!(release, default);
                let newest = published.builds.keys().rev().find(|build| build.release.line() == default.line());
                prop_assert_eq!(newest, Some(&tags.build));
            }
            // A second time there is nothing new, and what was interrupted is what is left to do.
            let again = assign(release, Some(&digest), default, &published);
            prop_assert_eq!(again.ok(), Some(tags));
        }
    }

    #[test]
    fn tags_are_read_as_they_are_written(patch in 0..20_u32, fix in 0..20_u32, number in 0..20_u32) {
        let release = if fix == 0 { format!("7.0.{patch}") } else { format!("7.0.{patch}.{fix}") };
        let build = Build { release: version(&release), number };
        prop_assert_eq!(build.to_string().parse::<Build>().ok(), Some(build));
    }
}
