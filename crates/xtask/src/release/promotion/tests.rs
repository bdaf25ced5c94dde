//! Candidates and promotions in a registry in memory: what becomes of tags, and what is refused without a change.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;
use crate::registry::fake::Fake;
use crate::registry::{Digest, Manifest};
use crate::rehearsal::{Fault, Trouble, push};
use crate::release::candidate::{Candidate, candidate};
use crate::versions::Architecture;
use crate::versions::tests::unconfirmed;

fn versions() -> Versions {
    unconfirmed(&[("7.0", "7.0.1"), ("7.2", "7.2.0")])
}

/// An index of a small image, under a candidate's tag.
fn built(fake: &Fake, release: &str, text: &str) -> Digest {
    let image = push(&fake.client(), release, Architecture::Amd64, text).unwrap();
    let wanted = wanted(release, &[(Architecture::Amd64, image)]);
    candidate(&fake.client(), &wanted, &versions()).unwrap().digest
}

fn wanted(release: &str, images: &[(Architecture, Digest)]) -> Candidate {
    Candidate {
        release: release.parse().unwrap(),
        images: images.iter().cloned().collect(),
        tag: format!("candidate-{release}"),
        revision: "abc".to_owned(),
    }
}

fn promoted(fake: &Fake, digest: &Digest, release: &str, how: How) -> Result<Promotion> {
    promote(&fake.client(), digest, release.parse().unwrap(), &versions(), how)
}

/// The tags of releases, with the names that the digests have.
fn tags(fake: &Fake, names: &[(&str, &Digest)]) -> String {
    let name = |digest: &Digest| {
        let found = names.iter().find(|(_, known)| *known == digest);
        found.map_or("?", |(name, _)| *name)
    };
    let tags = fake.tags();
    let shown = tags
        .iter()
        .filter(|(tag, _)| !tag.starts_with("candidate-"))
        .map(|(tag, digest)| format!("{tag}={}", name(digest)));
    shown.collect::<Vec<_>>().join(" ")
}

fn told(fake: &Fake, text: &str, names: &[(&str, &Digest)]) -> String {
    let text = text.replace(&fake.proxy.address.to_string(), "REGISTRY");
    names
        .iter()
        .fold(text, |text, (name, digest)| text.replace(digest.as_str(), name))
}

/// Runs something that must fail and change no tag; what it says.
fn refused<T: std::fmt::Debug>(
    fake: &Fake,
    names: &[(&str, &Digest)],
    what: impl FnOnce() -> Result<T>,
) -> String {
    let before = fake.tags();
    let error = what().unwrap_err();
    assert_eq!(fake.tags(), before, "tags were changed");
    told(fake, &format!("{error:#}"), names)
}

#[test]
fn a_release_and_then_a_rebuild_and_then_nothing() {
    let fake = Fake::start();
    let (a, b) = (built(&fake, "7.0.1", "a"), built(&fake, "7.0.1", "b"));
    let names = [("A", &a), ("B", &b)];
    let shown = |promotion: Promotion| told(&fake, &promotion.table(), &names);

    assert_snapshot!(shown(promoted(&fake, &a, "7.0.1", How::Rehearse).unwrap()), @"
    tag     before  after
    7.0.1   -       A  would be set
    latest  -       A  would be set

    nothing was set (--dry-run)
    ");
    assert_eq!(tags(&fake, &names), "");
    assert_snapshot!(shown(promoted(&fake, &a, "7.0.1", How::Set).unwrap()), @"
    tag     before  after
    7.0.1   -       A  new
    latest  -       A  new

    the image has its tags
    ");
    assert_eq!(tags(&fake, &names), "7.0.1=A latest=A");
    assert_snapshot!(shown(promoted(&fake, &b, "7.0.1", How::Set).unwrap()), @"
    tag       before                                                                   after
    7.0.1-r1  -                                                                        B  new
    latest    A  B  moved

    the image has its tags
    ");
    assert_eq!(tags(&fake, &names), "7.0.1=A 7.0.1-r1=B latest=B");
    assert!(promoted(&fake, &b, "7.0.1", How::Set).unwrap().is_nothing());
    assert_snapshot!(shown(promoted(&fake, &a, "7.0.1", How::Set).unwrap()), @"
    tag    before                                                                   after
    7.0.1  A  A  as before

    latest stays as it is: 7.0.1-r1 is newer

    nothing to do: the image has its tags
    ");
    assert_eq!(tags(&fake, &names), "7.0.1=A 7.0.1-r1=B latest=B");
}

#[test]
fn an_old_release_gets_its_tag_and_not_latest() {
    let fake = Fake::start();
    let (new, old) = (built(&fake, "7.0.1", ""), built(&fake, "7.0.0", ""));
    promoted(&fake, &new, "7.0.1", How::Set).unwrap();
    let promotion = promoted(&fake, &old, "7.0.0", How::Set).unwrap();
    assert!(
        promotion
            .table()
            .contains("latest stays as it is: 7.0.1 is the release"),
        "{}",
        promotion.table()
    );
    assert_eq!(
        tags(&fake, &[("N", &new), ("O", &old)]),
        "7.0.0=O 7.0.1=N latest=N"
    );
}

#[test]
fn what_was_interrupted_is_finished_by_a_second_run() {
    let fake = Fake::start();
    let (a, b) = (built(&fake, "7.0.1", "a"), built(&fake, "7.0.1", "b"));
    let names = [("A", &a), ("B", &b)];
    promoted(&fake, &a, "7.0.1", How::Set).unwrap();
    fake.proxy.inject(&[Fault {
        method: "PUT",
        path: "/manifests/latest",
        trouble: Trouble::Answer("500 Internal Server Error", "X: y"),
        times: 99,
    }]);
    let error = promoted(&fake, &b, "7.0.1", How::Set).unwrap_err();
    assert_snapshot!(told(&fake, &format!("{error:#}"), &names), @"7.0.1-r1 was set and the rest was not: run it again, and it goes on from there: REGISTRY answers 500 for REGISTRY/a/b:latest (5 times): run it again later, nothing that was done before has to be undone; if it stays so, look whether REGISTRY can be reached from here");
    assert_eq!(tags(&fake, &names), "7.0.1=A 7.0.1-r1=B latest=A");
    fake.proxy.inject(&[]);
    let again = promoted(&fake, &b, "7.0.1", How::Set).unwrap();
    assert_eq!(again.tags(), ["7.0.1-r1", "latest"]);
    assert_eq!(tags(&fake, &names), "7.0.1=A 7.0.1-r1=B latest=B");
}

#[test]
fn a_registry_in_trouble_changes_nothing() {
    let fake = Fake::start();
    let (a, b) = (built(&fake, "7.0.1", "a"), built(&fake, "7.0.1", "b"));
    promoted(&fake, &a, "7.0.1", How::Set).unwrap();
    for (method, path) in [
        ("GET", "/tags/list"),
        ("HEAD", "/manifests/"),
        ("HEAD", "/blobs/"),
        ("PUT", "/manifests/"),
    ] {
        for trouble in [
            Trouble::Answer("500 Internal Server Error", "X: y"),
            Trouble::Answer("429 Too Many Requests", "Retry-After: 3600"),
            Trouble::Answer("401 Unauthorized", "X: y"),
        ] {
            fake.proxy.inject(&[Fault {
                method,
                path,
                trouble,
                times: 99,
            }]);
            refused(&fake, &[], || promoted(&fake, &b, "7.0.1", How::Set));
        }
    }
}

#[test]
fn a_tag_that_somebody_else_has_set_meanwhile_is_not_overwritten() {
    let fake = Fake::start();
    let (a, b) = (built(&fake, "7.0.1", "a"), built(&fake, "7.0.1", "b"));
    let contents = read(&fake.client(), &b).unwrap();
    let tags = assign(
        "7.0.1".parse().unwrap(),
        Some(&b),
        "7.0.1".parse().unwrap(),
        &Default::default(),
    )
    .unwrap();
    let steps = steps(&tags, &b, |_| None);
    promoted(&fake, &a, "7.0.1", How::Set).unwrap();
    for step in &steps {
        let said = refused(&fake, &[], || apply(&fake.client(), step, &contents));
        assert!(
            said.contains("was set by somebody else meanwhile: run it again"),
            "{said}"
        );
    }
}

#[test]
fn what_is_not_whole_or_not_of_the_release_is_refused() {
    let fake = Fake::start();
    let image = push(&fake.client(), "7.0.1", Architecture::Amd64, "").unwrap();
    let index = built(&fake, "7.0.1", "");
    let nothing = Digest::of(b"nothing");
    let names = [("IMAGE", &image), ("INDEX", &index), ("NOTHING", &nothing)];
    let refused = |digest: &Digest, release: &str| {
        refused(&fake, &names, || promoted(&fake, digest, release, How::Set))
    };
    assert_snapshot!(refused(&nothing, "7.0.1"), @"REGISTRY/a/b@NOTHING is not there (404): push it first, or look whether the digest is the right one");
    assert_snapshot!(refused(&image, "7.0.1"), @"IMAGE is the image of one architecture: `cargo xtask release candidate` makes the index that is published");
    assert_snapshot!(refused(&index, "7.0.0"), @"the image IMAGE (linux/amd64) is one of 7.0.1 by its label org.opencontainers.image.version, not of 7.0.0: look whether digest and release belong together");
    // A layer that is gone, then a manifest.
    let layers: Vec<Digest> = fake.state().blobs.keys().cloned().collect();
    for layer in &layers {
        let blob = fake.state().blobs.remove(layer).unwrap();
        assert!(refused(&index, "7.0.1").contains("is not complete: "));
        fake.state().blobs.insert(layer.clone(), blob);
    }
    fake.state().manifests.remove(&image);
    assert_snapshot!(refused(&index, "7.0.1"), @"REGISTRY/a/b@INDEX is not complete: IMAGE is missing; push it again");
}

#[test]
fn an_architecture_that_versions_json_wants_must_be_there() {
    let fake = Fake::start();
    let arm = push(&fake.client(), "7.0.1", Architecture::Arm64, "").unwrap();
    let names = [("ARM", &arm)];
    let only_arm = wanted("7.0.1", &[(Architecture::Arm64, arm.clone())]);
    let said = refused(&fake, &names, || {
        candidate(&fake.client(), &only_arm, &versions())
    });
    assert_snapshot!(said, @"versions.json has the line 7.0 for more architectures than there are digests: --digest amd64=sha256:… is missing");
    // As an index that was made elsewhere.
    let bytes = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[{}]}}",
        crate::registry::OCI_INDEX,
        read(&fake.client(), &arm).unwrap().variants[0].descriptor
    );
    let index = Manifest {
        media_type: crate::registry::OCI_INDEX.to_owned(),
        digest: Digest::of(bytes.as_bytes()),
        bytes: bytes.into_bytes(),
    };
    fake.client().put_manifest(index.digest.as_str(), &index).unwrap();
    let said = refused(&fake, &[("INDEX", &index.digest)], || {
        promoted(&fake, &index.digest, "7.0.1", How::Set)
    });
    assert_snapshot!(said, @"INDEX has no image for linux/amd64, and versions.json wants one for the line 7.0");
}

#[test]
fn a_candidate_is_the_same_whoever_makes_it_and_says_what_it_is() {
    let fake = Fake::start();
    let client = fake.client();
    let amd = push(&client, "7.0.1", Architecture::Amd64, "").unwrap();
    let arm = push(&client, "7.0.1", Architecture::Arm64, "").unwrap();
    let wanted = wanted(
        "7.0.1",
        &[
            (Architecture::Arm64, arm.clone()),
            (Architecture::Amd64, amd.clone()),
        ],
    );
    let made = candidate(&client, &wanted, &versions()).unwrap();
    assert_eq!(
        candidate(&client, &wanted, &versions()).unwrap().digest,
        made.digest
    );
    let contents = read(&client, &made.digest).unwrap();
    let platforms: Vec<&str> = contents.platforms().into_iter().collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let json: serde_json::Value = serde_json::from_slice(&contents.manifest.bytes).unwrap();
    assert_eq!(json["annotations"]["org.opencontainers.image.version"], "7.0.1");
    assert_eq!(json["annotations"]["org.opencontainers.image.revision"], "abc");
    let names = [("AMD", &amd), ("ARM", &arm), ("INDEX", &made.digest)];
    assert_snapshot!(told(&fake, &made.table, &names), @"
    what             digest                                                                   MiB
    linux/amd64      AMD  0.0
    linux/arm64      ARM  0.0
    candidate-7.0.1  INDEX
    ");
    // BuildKit's attestations make an index of each image: it is taken apart, and nothing of it is lost.
    let inner: BTreeMap<Architecture, Digest> = [(Architecture::Amd64, made.digest.clone())].into();
    let nested = Candidate {
        images: inner,
        ..wanted
    };
    let said = refused(&fake, &names, || candidate(&client, &nested, &versions()));
    assert_snapshot!(said, @"INDEX was given as the image for amd64, and is an index of 2 images");
}

#[test]
fn an_attestation_stays_beside_its_image() {
    let fake = Fake::start();
    let client = fake.client();
    let image = push(&client, "7.0.1", Architecture::Amd64, "").unwrap();
    let attestation = push(&client, "unknown", Architecture::Amd64, "provenance").unwrap();
    let mut descriptors =
        [&image, &attestation].map(|digest| read(&client, digest).unwrap().variants.remove(0).descriptor);
    descriptors[1]["platform"] = serde_json::json!({"os": "unknown", "architecture": "unknown"});
    descriptors[1]["annotations"] = serde_json::json!({"vnd.docker.reference.type": "attestation-manifest"});
    let bytes = serde_json::json!({"schemaVersion": 2, "mediaType": crate::registry::OCI_INDEX, "manifests": descriptors});
    let bytes = bytes.to_string().into_bytes();
    let pushed = Manifest {
        media_type: crate::registry::OCI_INDEX.to_owned(),
        digest: Digest::of(&bytes),
        bytes,
    };
    client.put_manifest(pushed.digest.as_str(), &pushed).unwrap();
    let made = candidate(
        &client,
        &wanted("7.0.1", &[(Architecture::Amd64, pushed.digest)]),
        &versions(),
    )
    .unwrap();
    let contents = read(&client, &made.digest).unwrap();
    assert_eq!(contents.variants.len(), 1);
    assert_eq!(contents.attestations, descriptors[1..]);
    promoted(&fake, &made.digest, "7.0.1", How::Set).unwrap();
}

#[test]
fn a_candidate_of_something_else_is_refused() {
    let fake = Fake::start();
    let client = fake.client();
    let image = push(&client, "7.0.1", Architecture::Amd64, "").unwrap();
    let arm = push(&client, "7.0.1", Architecture::Arm64, "").unwrap();
    let names = [("IMAGE", &image), ("ARM", &arm)];
    let of = |release: &str, digest: &Digest| wanted(release, &[(Architecture::Amd64, digest.clone())]);
    let refused = |wanted: &Candidate| refused(&fake, &names, || candidate(&client, wanted, &versions()));
    assert_snapshot!(refused(&of("7.0.0", &image)), @"the image IMAGE (linux/amd64) is one of 7.0.1 by its label org.opencontainers.image.version, not of 7.0.0: look whether digest and release belong together");
    assert_snapshot!(refused(&of("7.0.1", &arm)), @"ARM was given as the image for amd64, and its configuration says linux/arm64");
    assert_snapshot!(refused(&of("7.4.0", &image)), @"versions.json has no line 7.4: add it first");
    for tag in ["7.0.1", "latest", "candidate-", "candidate-a/b", "candidate", ""] {
        let wanted = Candidate {
            tag: tag.to_owned(),
            ..of("7.0.1", &image)
        };
        assert!(refused(&wanted).contains("is no tag of a candidate"), "{tag}");
    }
}
