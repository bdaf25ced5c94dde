//! The matrix of each event, as JSON and as a table.

use insta::assert_snapshot;

use super::*;
use crate::registry::Digest;
use crate::versions::tests::unconfirmed;

fn versions() -> Versions {
    unconfirmed(&[("7.0", "7.0.1"), ("7.2", "7.2.0"), ("7.10", "7.10.3")])
}

fn has(tags: &[&str]) -> Published {
    let mut published = Published::default();
    for tag in tags {
        // latest is the first of the others.
        let name = if *tag == "latest" { tags[0] } else { tag };
        published.add(tag, Digest::of(name.as_bytes()));
    }
    published
}

fn wanted(event: Event, line: Option<&str>, release: Option<&str>) -> Wanted {
    Wanted {
        event,
        line: line.map(|line| line.parse().unwrap()),
        release: release.map(|release| release.parse().unwrap()),
    }
}

fn told(wanted: &Wanted, published: &Published) -> String {
    match matrix(&versions(), wanted, published) {
        Ok(matrix) => matrix.table(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_push_builds_every_line() {
    let published = has(&["7.0.1", "7.2.0", "7.2.0-r1", "latest", "candidate-7.0.1"]);
    let push = wanted(Event::Push, None, None);
    assert_snapshot!(told(&push, &published), @"
    line  release  candidate           architectures  tags              latest
    7.0   7.0.1    candidate-7.0.1-r1  amd64          7.0.1-r1, latest  moves to it
    7.2   7.2.0    candidate-7.2.0-r2  amd64          7.2.0-r2          stays: 7.2 is not the default line, which is 7.0
    7.10  7.10.3   candidate-7.10.3    amd64          7.10.3            stays: 7.10 is not the default line, which is 7.0
    ");
    let json = matrix(&versions(), &push, &published).unwrap().json();
    assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "include": [
        {
          "architectures": [
            "amd64"
          ],
          "candidate": "candidate-7.0.1-r1",
          "line": "7.0",
          "release": "7.0.1",
          "tags": [
            "7.0.1-r1",
            "latest"
          ]
        },
        {
          "architectures": [
            "amd64"
          ],
          "candidate": "candidate-7.2.0-r2",
          "line": "7.2",
          "release": "7.2.0",
          "tags": [
            "7.2.0-r2"
          ]
        },
        {
          "architectures": [
            "amd64"
          ],
          "candidate": "candidate-7.10.3",
          "line": "7.10",
          "release": "7.10.3",
          "tags": [
            "7.10.3"
          ]
        }
      ]
    }
    "#);
}

#[test]
fn a_schedule_builds_what_is_not_published() {
    let schedule = wanted(Event::Schedule, None, None);
    assert_snapshot!(told(&schedule, &has(&["7.0.0", "7.2.0-r1", "latest"])), @"
    line  release  candidate         architectures  tags           latest
    7.0   7.0.1    candidate-7.0.1   amd64          7.0.1, latest  moves to it
    7.10  7.10.3   candidate-7.10.3  amd64          7.10.3         stays: 7.10 is not the default line, which is 7.0

    7.2: published already, as 7.2.0-r1
    ");
    let all = has(&["7.0.1", "7.2.0", "7.10.3"]);
    assert_snapshot!(told(&schedule, &all), @"
    nothing is to be built

    7.0: published already, as 7.0.1
    7.2: published already, as 7.2.0
    7.10: published already, as 7.10.3
    ");
    assert_eq!(
        matrix(&versions(), &schedule, &all).unwrap().json(),
        json!({"include": []})
    );
    // A line that is named is built whatever is there.
    assert_snapshot!(told(&wanted(Event::Schedule, Some("7.2"), None), &all), @"
    line  release  candidate           architectures  tags      latest
    7.2   7.2.0    candidate-7.2.0-r1  amd64          7.2.0-r1  stays: 7.2 is not the default line, which is 7.0
    ");
}

#[test]
fn a_dispatch_of_an_old_release_leaves_latest_alone() {
    let published = has(&["7.0.1", "7.0.0", "latest"]);
    assert_snapshot!(told(&wanted(Event::Dispatch, None, Some("7.0.0")), &published), @"
    line  release  candidate           architectures  tags      latest
    7.0   7.0.0    candidate-7.0.0-r1  amd64          7.0.0-r1  stays: 7.0.1 is the release of the default line, not 7.0.0
    ");
}

#[test]
fn what_versions_json_does_not_know_is_not_built() {
    let told = |line, release| told(&wanted(Event::Dispatch, line, release), &has(&[]));
    assert_snapshot!(told(Some("7.4"), None), @"versions.json has no line 7.4: it has 7.0, 7.2, 7.10");
    assert_snapshot!(told(None, Some("7.0.2")), @"versions.json knows nothing newer than 7.0.1 of the line 7.0, and 7.0.2 is: `cargo xtask release detect` takes in what the vendor has");
    assert_snapshot!(told(Some("7.0"), Some("7.2.0")), @"7.2.0 is no release of the line 7.0: name one of them");
    assert_snapshot!(told(None, Some("7.0.80")), @"versions.json knows nothing newer than 7.0.1 of the line 7.0, and 7.0.80 is: `cargo xtask release detect` takes in what the vendor has");
}
