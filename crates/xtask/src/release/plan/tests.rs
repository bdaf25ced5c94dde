use insta::assert_snapshot;
use jiff::Timestamp;

use super::super::index::Package;
use super::super::table::table;
use super::*;
use crate::versions::tests::unconfirmed;

const LINE: Line = Line::new(7, 0);

/// All packages of a line in one version, guacd's with Guacamole's number.
fn all(line: Line, version: &str) -> Vec<Package> {
    packages_of(line)
        .into_iter()
        .map(|(name, _)| Package {
            name: name.to_owned(),
            version: match name {
                "opennebula-guacd" => format!("{version}.5.5+1-1"),
                _ => version.to_owned(),
            },
        })
        .collect()
}

/// An index whose architectures have all packages of some versions.
fn index(lists: &[(Architecture, &[&str])]) -> Index {
    let packages = lists
        .iter()
        .map(|(architecture, versions)| {
            let list = versions.iter().flat_map(|version| all(LINE, version)).collect();
            (*architecture, list)
        })
        .collect();
    Index {
        address: "http://x/InRelease".to_owned(),
        date: Timestamp::UNIX_EPOCH,
        packages,
    }
}

fn amd64(versions: &[&str]) -> Index {
    index(&[(Architecture::Amd64, versions)])
}

fn plan_line(before: &Entry, index: &Index) -> Result<Planned> {
    plan(LINE, before, Source::Line, index)
}

/// An entry of which nothing is confirmed.
fn entry(version: &str) -> Entry {
    let versions = unconfirmed(&[("7.0", version)]);
    versions.lines().next().unwrap().1.clone()
}

/// An entry that was confirmed by an index.
fn by(index: &Index) -> Entry {
    plan_line(&entry("7.0.0"), index).unwrap().after
}

fn shown(before: &Entry, index: &Index) -> String {
    match plan_line(before, index) {
        Ok(planned) => table(&[planned], &[]),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn a_first_look_confirms() {
    let planned = plan_line(&entry("7.0.0"), &amd64(&["7.0.0-1"])).unwrap();
    assert_snapshot!(table(std::slice::from_ref(&planned), &[]), @"
    line  before                 now    packages  architectures  verdict
    7.0   7.0.0 (not confirmed)  7.0.0  7         amd64          confirmed
    ");
    let packages: Vec<String> = planned
        .after
        .packages()
        .unwrap()
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    assert_snapshot!(packages.join("\n"), @"
    opennebula 7.0.0-1
    opennebula-fireedge 7.0.0-1
    opennebula-flow 7.0.0-1
    opennebula-gate 7.0.0-1
    opennebula-guacd 7.0.0-1.5.5+1-1
    opennebula-migration 7.0.0-1
    opennebula-tools 7.0.0-1
    ");
    let again = plan_line(&planned.after, &amd64(&["7.0.0-1"])).unwrap();
    assert_eq!(again.verdict, Verdict::Same);
    assert_eq!(again.after, planned.after);
}

#[test]
fn the_newest_plain_release_is_taken() {
    let index = amd64(&[
        "7.0.9-1",
        "7.0.10-1",
        "7.0.2-3",
        "7.0.80-1",
        "7.0.11~rc1-1",
        "7.0.12+x-1",
        "7.0.13",
        "7.2.0-1",
    ]);
    assert_snapshot!(shown(&entry("7.0.0"), &index), @"
    line  before                 now     packages  architectures  verdict
    7.0   7.0.0 (not confirmed)  7.0.10  7         amd64          newer release

    7.0: left out 7.0.11~rc1-1: not X.Y.Z[.N] and a revision; 7.0.12+x-1: not X.Y.Z[.N] and a revision; 7.0.13: not X.Y.Z[.N] and a revision; 7.0.80-1: a pre-release; 7.2.0-1: of another line
    ");
}

#[test]
fn a_fourth_number_is_a_newer_release() {
    let planned = plan_line(
        &entry("7.0.0"),
        &amd64(&["7.0.0-1", "7.0.0.2-1", "7.0.0.10-1", "7.0.0.0-1"]),
    )
    .unwrap();
    assert_eq!(planned.after.version().to_string(), "7.0.0.10");
    let guacd = &planned.after.packages().unwrap()["opennebula-guacd"];
    assert_eq!(guacd.to_string(), "7.0.0.10-1.5.5+1-1");
    let next = plan_line(&planned.after, &amd64(&["7.0.0.10-1", "7.0.1-1"])).unwrap();
    assert_eq!(next.after.version().to_string(), "7.0.1");
}

#[test]
fn the_newest_revision_of_the_release_is_taken() {
    let index = amd64(&["7.0.0-1", "7.0.0-10.ce", "7.0.0-9"]);
    assert_eq!(by(&index).packages().unwrap()[CORE].to_string(), "7.0.0-10.ce");
    assert_snapshot!(shown(&by(&amd64(&["7.0.0-1"])), &index), @"
    line  before  now    packages  architectures  verdict
    7.0   7.0.0   7.0.0  7         amd64          rebuilt packages
    ");
    assert_snapshot!(shown(&by(&index), &amd64(&["7.0.0-9"])), @"http://x/InRelease has opennebula 7.0.0-9, which is older than 7.0.0-10.ce in versions.json: try again later; if the vendor took the package back, correct the file by hand");
}

#[test]
fn an_architecture_counts_when_it_has_every_package() {
    let both = index(&[
        (Architecture::Amd64, &["7.0.0-1"]),
        (Architecture::Arm64, &["7.0.0-1"]),
    ]);
    let one = by(&amd64(&["7.0.0-1"]));
    assert_snapshot!(shown(&one, &both), @"
    line  before  now    packages  architectures  verdict
    7.0   7.0.0   7.0.0  7         amd64, arm64   more architectures
    ");
    let mut half = both.clone();
    half.packages.get_mut(&Architecture::Arm64).unwrap().pop();
    assert_eq!(plan_line(&one, &half).unwrap().after, one);
    assert_snapshot!(shown(&by(&both), &half), @r#"http://x/InRelease has not all packages of 7.0.0 for arm64 any more: try again later; if the vendor took them back, correct "architectures" by hand"#);
    // A newer release may have fewer: that is the vendor's decision, and is told.
    let newer = index(&[
        (Architecture::Amd64, &["7.0.0-1", "7.0.1-1"]),
        (Architecture::Arm64, &["7.0.0-1"]),
    ]);
    assert_snapshot!(shown(&by(&both), &newer), @"
    line  before  now    packages  architectures  verdict
    7.0   7.0.0   7.0.1  7         amd64          newer release

    7.0: 7.0.1 has no packages for arm64, which the release before has
    ");
}

#[test]
fn less_than_before_changes_nothing() {
    let before = by(&amd64(&["7.0.1-1"]));
    assert_snapshot!(shown(&before, &amd64(&["7.0.0-1"])), @"http://x/InRelease has 7.0.0 as the newest release, which is older than 7.0.1 in versions.json: try again later; if the vendor took the release back, correct the file by hand");
    assert_snapshot!(shown(&before, &amd64(&[])), @"http://x/InRelease has no release of the line 7.0 that could be built, and an empty list changes nothing: try again later, and look at the address if it stays so");
    assert_snapshot!(shown(&before, &index(&[])), @"http://x/InRelease has no release of the line 7.0 that could be built, and an empty list changes nothing: try again later, and look at the address if it stays so");
    assert_snapshot!(shown(&before, &amd64(&["7.0.80-1", "7.0.2~rc1-1"])), @"http://x/InRelease has no release of the line 7.0 that could be built (but 7.0.2~rc1-1: not X.Y.Z[.N] and a revision; 7.0.80-1: a pre-release), and an empty list changes nothing: try again later, and look at the address if it stays so");
}

#[test]
fn a_release_that_is_not_all_there_changes_nothing() {
    let mut half = amd64(&["7.0.1-1"]);
    half.packages
        .get_mut(&Architecture::Amd64)
        .unwrap()
        .retain(|package| package.name != "opennebula-flow");
    assert_snapshot!(shown(&entry("7.0.0"), &half), @"http://x/InRelease has 7.0.1 without opennebula-flow: the vendor may be publishing just now, try again later");
    // Each architecture has what the other one lacks.
    half.packages.insert(
        Architecture::Arm64,
        vec![Package {
            name: "opennebula-flow".to_owned(),
            version: "7.0.1-1".to_owned(),
        }],
    );
    assert_snapshot!(shown(&entry("7.0.0"), &half), @"http://x/InRelease has all packages of 7.0.1 for no architecture (amd64 lacks opennebula-flow 7.0.1-1; arm64 lacks opennebula 7.0.1-1, opennebula-fireedge 7.0.1-1, opennebula-gate 7.0.1-1, opennebula-guacd 7.0.1-1.5.5+1-1, opennebula-migration 7.0.1-1, opennebula-tools 7.0.1-1): the vendor may be publishing just now, try again later");
}

#[test]
fn a_new_line_is_proposed() {
    let line = Line::new(7, 6);
    let of = |versions: &[&str]| Index {
        address: "http://x/InRelease".to_owned(),
        date: Timestamp::UNIX_EPOCH,
        packages: [(
            Architecture::Amd64,
            versions.iter().flat_map(|version| all(line, version)).collect(),
        )]
        .into(),
    };
    assert_eq!(propose(line, &of(&["7.6.80-1", "7.4.0-1"])), None);
    let mut half = of(&["7.6.0-1"]);
    half.packages.get_mut(&Architecture::Amd64).unwrap().pop();
    let proposed = [
        propose(line, &of(&["7.6.0-1"])).unwrap(),
        propose(line, &half).unwrap(),
    ];
    assert_snapshot!(table(&[], &proposed), @"
    line  before  now    packages  architectures  verdict
    7.6   -       7.6.0  9         amd64          new line
    7.6   -       7.6.0  8         amd64          new line

    7.6: a line that is not built; whoever wants it adds it to versions.json by hand
    7.6: a line that is not built; whoever wants it adds it to versions.json by hand
    ");
}
