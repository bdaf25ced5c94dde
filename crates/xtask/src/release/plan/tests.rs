use insta::assert_snapshot;

use super::super::detect::table;
use super::*;
use crate::versions::tests::versions;

const LINE: Line = Line::new(7, 0);
use Architecture::{Amd64, Arm64};

/// An index whose architectures have all packages of some versions.
fn index(lists: &[(Architecture, &[&str])]) -> Index {
    let mut packages = BTreeMap::new();
    for (architecture, versions) in lists {
        let names = packages_of(Line::new(7, 2));
        let all = versions.iter().flat_map(|version| {
            names
                .iter()
                .map(move |(name, _)| ((*name).to_owned(), (*version).to_owned()))
        });
        packages.insert(*architecture, all.collect());
    }
    Index {
        address: "http://x/InRelease".to_owned(),
        date: Timestamp::UNIX_EPOCH,
        packages,
    }
}

fn entry(version: &str) -> Entry {
    versions(&[("7.0", version)]).line(LINE).unwrap().clone()
}

/// What an entry becomes, as the table shows it, or why it stays.
fn shown(before: &Entry, lists: &[(Architecture, &[&str])]) -> String {
    match plan(LINE, before, &index(lists)) {
        Ok(planned) => table(&[planned]),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn the_newest_plain_release_is_taken() {
    let all = "7.0.9-1 7.0.10-1 7.0.2-3 7.0.80-1 7.0.11~rc1-1 7.0.12+x-1 7.0.13 7.2.0-1";
    let all: Vec<&str> = all.split(' ').collect();
    assert_snapshot!(shown(&entry("7.0.0"), &[(Amd64, &all)]), @"
    | line | before | now    | architectures | verdict       |
    | ---- | ------ | ------ | ------------- | ------------- |
    | 7.0  | 7.0.0  | 7.0.10 | amd64         | newer release |

    - 7.0: left out 7.0.11~rc1-1: not X.Y.Z[.N] and a revision; 7.0.12+x-1: not X.Y.Z[.N] and a revision; 7.0.13: not X.Y.Z[.N] and a revision; 7.0.80-1: a pre-release; 7.2.0-1: of another line
    ");
    assert_snapshot!(shown(&entry("7.0.0"), &[(Amd64, &["7.0.0-1", "7.0.0.2-1", "7.0.0.10-1.ce", "7.0.0.0-1"])]), @"
    | line | before | now      | architectures | verdict       |
    | ---- | ------ | -------- | ------------- | ------------- |
    | 7.0  | 7.0.0  | 7.0.0.10 | amd64         | newer release |

    - 7.0: left out 7.0.0.0-1: not X.Y.Z[.N] and a revision
    ");
}

#[test]
fn a_look_that_changes_nothing_is_remembered_once() {
    let lists: &[(Architecture, &[&str])] = &[(Amd64, &["7.0.0-1"])];
    let planned = plan(LINE, &entry("7.0.0"), &index(lists)).unwrap();
    assert_eq!(planned.verdict(), "seen for the first time");
    let seen = planned.after.unwrap();
    let again = plan(LINE, &seen, &index(lists)).unwrap();
    assert_eq!(
        (again.verdict(), again.after.as_ref()),
        ("as before", Some(&seen))
    );
    let newer = Entry {
        index: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..seen
    };
    assert_snapshot!(shown(&newer, lists), @"http://x/InRelease is of 1970-01-01T00:00:00Z, which is older than 2026-01-01T00:00:00Z, the date of the index that versions.json was written by: a mirror is behind, or somebody serves an old index again; try again later");
}

#[test]
fn an_architecture_counts_when_it_has_every_package() {
    let both: &[(Architecture, &[&str])] = &[(Amd64, &["7.0.1-1"]), (Arm64, &["7.0.1-1"])];
    assert_snapshot!(shown(&entry("7.0.1"), both), @"
    | line | before | now   | architectures | verdict            |
    | ---- | ------ | ----- | ------------- | ------------------ |
    | 7.0  | 7.0.1  | 7.0.1 | amd64, arm64  | more architectures |
    ");
    let wide = plan(LINE, &entry("7.0.1"), &index(both)).unwrap().after.unwrap();
    assert_snapshot!(shown(&wide, &[(Amd64, &["7.0.1-1"]), (Arm64, &[])]), @"http://x/InRelease has not all packages of 7.0.1 for arm64 any more: try again later; if the vendor took it back, correct versions.json by hand");
    // A newer release may have fewer: that is the vendor's decision, and is told.
    assert_snapshot!(shown(&wide, &[(Amd64, &["7.0.2-1"]), (Arm64, &["7.0.1-1"])]), @"
    | line | before | now   | architectures | verdict       |
    | ---- | ------ | ----- | ------------- | ------------- |
    | 7.0  | 7.0.1  | 7.0.2 | amd64         | newer release |

    - 7.0: 7.0.2 has no packages for arm64, which the release before has
    ");
}

#[test]
fn less_than_before_changes_nothing() {
    let before = entry("7.0.1");
    assert_snapshot!(shown(&before, &[(Amd64, &["7.0.0-1"])]), @"http://x/InRelease has 7.0.0 as the newest release, which is older than 7.0.1 in versions.json: try again later; if the vendor took it back, correct versions.json by hand");
    assert_snapshot!(shown(&before, &[(Amd64, &[])]), @"http://x/InRelease has no release of the line 7.0 that could be built, and an empty list changes nothing: try again later, and look at the address if it stays so");
    assert_snapshot!(shown(&before, &[(Amd64, &["7.0.80-1", "7.0.2~rc1-1"])]), @"http://x/InRelease has no release of the line 7.0 that could be built (but 7.0.2~rc1-1: not X.Y.Z[.N] and a revision; 7.0.80-1: a pre-release), and an empty list changes nothing: try again later, and look at the address if it stays so");
}

#[test]
fn a_release_that_is_not_all_there_changes_nothing() {
    let mut half = index(&[(Amd64, &["7.0.1-1"])]);
    let list = half.packages.get_mut(&Amd64).unwrap();
    list.retain(|(name, _)| name != "opennebula-flow");
    let told = plan(LINE, &entry("7.0.0"), &half).unwrap_err().to_string();
    assert_snapshot!(told, @"http://x/InRelease has all packages of 7.0.1 for no architecture (amd64 lacks opennebula-flow): the vendor may be publishing just now, try again later");
}

#[test]
fn a_new_line_is_proposed() {
    let line = Line::new(7, 2);
    let of = |list: &[&str]| propose(line, &entry("7.0.0"), &index(&[(Amd64, list)]));
    assert_eq!(of(&["7.2.80-1", "7.0.0-1"]), None);
    let mut half = index(&[(Amd64, &["7.2.0-1"])]);
    let list = half.packages.get_mut(&Amd64).unwrap();
    list.retain(|(name, _)| !["opennebula-flow", "opennebula-form"].contains(&name.as_str()));
    let proposed = [
        of(&["7.2.0-1"]).unwrap(),
        propose(line, &entry("7.0.0"), &half).unwrap(),
    ];
    assert_snapshot!(table(&proposed), @"
    | line | before | now   | architectures | verdict  |
    | ---- | ------ | ----- | ------------- | -------- |
    | 7.2  | -      | 7.2.0 | amd64         | new line |
    | 7.2  | -      | -     |               | new line |

    - 7.2: this line is not built; to build it, add it to versions.json
    - 7.2: this line is not built; to build it, add it to versions.json
    - 7.2: cannot be built yet: http://x/InRelease has all packages of 7.2.0 for no architecture (amd64 lacks opennebula-flow): the vendor may be publishing just now, try again later
    ");
}
