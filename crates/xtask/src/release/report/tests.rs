use std::path::Path;

use insta::assert_snapshot;

use super::*;
use crate::release::unpack;

fn file(text: &str) -> File {
    File {
        digest: crate::digest::sha256(text.as_bytes()),
        mode: 0o644,
        text: Some(text.to_owned()),
    }
}

/// Files by their paths, and one package.
fn contents(files: &[(&str, &str)], version: &str, depends: &str) -> Contents {
    let package = Package {
        version: version.to_owned(),
        fields: [("depends".to_owned(), depends.to_owned())].into(),
    };
    Contents {
        packages: [("opennebula".to_owned(), package)].into(),
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), file(text)))
            .collect(),
    }
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn ours(texts: &[(&str, &str)]) -> Ours {
    let text = |path: &str| {
        let found = texts.iter().find(|(name, _)| *name == path);
        Ok::<_, ()>(found.map_or("", |(_, text)| text).to_owned())
    };
    Ours::read(text).unwrap()
}

const UNIT: &str = "[Unit]\nDescription=x\nAssertFileNotEmpty=/var/lib/one/.one/x_auth\n[Service]\nUser=oneadmin\nExecStart=/usr/bin/ruby /usr/lib/one/x/x.rb\n";

#[test]
fn the_report_tells_keys_and_not_lines() {
    let old = contents(
        &[
            (
                "etc/one/oned.conf",
                "# one\nPORT = 2633\nGONE = \"1\"\nDB = [ BACKEND = \"mysql\",\n PASSWD = \"old\" ]\nVM_RESTRICTED_ATTR = \"A\"\n",
            ),
            ("etc/one/x-server.conf", ":port: 1\n:host: 127.0.0.1\n"),
            ("etc/one/words", "just words\n"),
            (
                "usr/lib/one/ruby/onedb/database_schema.rb",
                "LATEST_DB_VERSION = '7.0.0'\nLATEST_LOCAL_DB_VERSION = \"7.0.0\"\n",
            ),
            ("usr/lib/one/a.rb", "1"),
        ],
        "7.0.0-1",
        "ruby, libc6 (>= 2.38), opennebula-common (= 7.0.0-1)",
    );
    let new = contents(
        &[
            (
                "etc/one/oned.conf",
                "DB = [ PASSWD = \"new\", BACKEND = \"mysql\" ]\nport = 2633 # the same\nGRPC_PORT = 2634\nVM_RESTRICTED_ATTR = \"B|C\"\nVM_RESTRICTED_ATTR = \"A\"\n",
            ),
            ("etc/one/x-server.conf", ":server:\n  :port: 1\n:host: 0.0.0.0\n"),
            ("etc/one/words", "other words\n"),
            (
                "usr/lib/one/ruby/onedb/database_schema.rb",
                "LATEST_DB_VERSION = '7.2.0'\nLATEST_LOCAL_DB_VERSION = \"7.2.0\"\n",
            ),
            ("usr/lib/one/ruby/onedb/shared/7.0.0_to_7.2.0.rb", ""),
            ("usr/lib/one/a.rb", "2"),
            ("usr/lib/systemd/system/opennebula-x.service", UNIT),
        ],
        "7.2.0-1",
        "libc6 (>= 2.39), opennebula-common (= 7.2.0-1), python3",
    );
    let ours = ours(&[
        (checklist::ONED, "key(\"GRPC_PORT\", …"),
        (checklist::PACKAGES, "system python3 x\n"),
    ]);
    let report = compare((version("7.0.0"), &old), (version("7.2.0"), &new)).report(&ours);
    assert!(
        !report.contains("old\"") && !report.contains("new\""),
        "a secret is shown"
    );
    assert_snapshot!("a_report", report);
}

#[test]
fn the_same_is_nothing() {
    let one = contents(&[("etc/one/oned.conf", "PORT = 2633\n")], "7.0.0-1", "ruby");
    let difference = compare((version("7.0.0"), &one), (version("7.0.1"), &one));
    assert!(difference.settings.is_empty() && difference.files.is_empty());
    let report = difference.report(&ours(&[]));
    assert!(report.contains("Nothing that this repository names."), "{report}");
    assert_eq!(report.matches("\n\nNothing.").count(), 6, "{report}");
}

#[test]
fn long_lists_and_long_values_are_cut_with_a_count() {
    let keys = |count: usize| {
        let lines = (0..count).map(|n| format!("KEY_{n:04} = \"{}\"", "v".repeat(200)));
        lines.collect::<Vec<_>>().join("\n")
    };
    let before = contents(&[("etc/one/oned.conf", "A = 1\n")], "7.0.0-1", "");
    let now = contents(&[("etc/one/oned.conf", &keys(1000))], "7.0.0-1", "");
    let report = compare((version("7.0.0"), &before), (version("7.0.1"), &now)).report(&ours(&[]));
    assert!(report.contains("… and 961 more."), "{report}");
    assert!(report.contains("and 130 characters more"), "{report}");
    assert!(report.len() < LONGEST + 200);
    let long = cut("line\n".repeat(20_000));
    assert!(
        long.len() < LONGEST + 200 && long.contains("bytes more"),
        "{}",
        long.len()
    );
}

#[test]
fn of_long_lists_what_differs_is_shown_and_a_key_of_all_drivers_is_one_item() {
    let conf = |words: &str, drivers: &str| {
        format!(
            "TM_MAD = [ ARGUMENTS = \"-d {}{words}\", PASSWORD_CHANGE = \"YES\" ]\n{drivers}",
            "driver,".repeat(20)
        )
    };
    let drivers = "TM_MAD_CONF = [ NAME = \"a\", X = \"1\" ]\nTM_MAD_CONF = [ NAME = \"b\", X = \"1\" ]\n";
    let before = contents(&[("etc/one/oned.conf", &conf("old,both", ""))], "7.0.0-1", "");
    let now = contents(
        &[(
            "etc/one/oned.conf",
            &conf("both,new", drivers).replace("YES", "NO"),
        )],
        "7.0.0-1",
        "",
    );
    let report = compare((version("7.0.0"), &before), (version("7.0.1"), &now)).report(&ours(&[]));
    assert!(
        report.contains("| `TM_MAD/ARGUMENTS`         | a long list with `old` | a long list with `new` |"),
        "{report}"
    );
    assert!(
        report.contains("| `TM_MAD/PASSWORD_CHANGE`   | `YES`                  | `NO`                   |"),
        "{report}"
    );
    for item in [
        "- [ ] `crates/onepod/src/settings/vendor/oned.rs`: `oned.conf`: new key `TM_MAD_CONF[NAME]/X` of a driver\n",
        "- [x] `crates/onepod/src/settings/vendor/oned.rs`: `oned.conf`: new driver `TM_MAD_CONF[NAME=b]` (named there already)\n",
    ] {
        assert_eq!(report.matches(item).count(), 1, "{report}");
    }
}

#[test]
fn every_file_of_the_checklist_is_in_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for path in checklist::FILES {
        assert!(root.join(path).is_file(), "{path}");
    }
}

/// The vendor's own files, where they are at hand beside the checkout. They are not ours to copy: facts are asserted.
#[test]
fn the_vendor_s_files_of_three_releases_are_compared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fixtures = root.join("../shared/fixtures");
    if !fixtures.is_dir() {
        println!("left out: there is no folder {}", fixtures.display());
        return;
    }
    let ours = Ours::read(|path| std::fs::read_to_string(root.join(path))).unwrap();
    let read = |release: &str| unpack::read(&fixtures.join(release)).unwrap();
    let [first, second, third] = ["7.0.2", "7.2.0", "7.4.0"].map(read);
    let has = |changes: &[Change], place: &str, key: &str| {
        let mut all = changes.iter();
        all.any(|change| change.place == place && change.key == key)
    };

    let to_second = compare((version("7.0.2"), &first), (version("7.2.0"), &second));
    assert!(has(&to_second.settings, "oned.conf", "GRPC_PORT"));
    assert!(
        has(&to_second.settings, "oned.conf", "FEDERATION/MASTER_ONED_GRPC")
            || has(&to_second.settings, "oned.conf", "GRPC_LISTEN_ADDRESS")
    );
    assert!(has(&to_second.units, "opennebula-form.service", "ExecStart"));
    assert!(has(
        &to_second.credentials,
        "oneform_auth",
        "opennebula-form.service"
    ));
    assert!(to_second.packages.is_none(), "there is no metadata of packages");

    let to_third = compare((version("7.2.0"), &second), (version("7.4.0"), &third));
    assert!(has(&to_third.units, "opennebula-ks.service", "ExecStart"));
    assert!(has(&to_third.credentials, "oneks_auth", "opennebula-ks.service"));
    assert!(
        to_third
            .settings
            .iter()
            .any(|change| change.place == "onegate-server.conf" && change.key.starts_with("server/"))
    );

    for difference in [&to_second, &to_third] {
        assert!(difference.unread.is_empty(), "{:?}", difference.unread);
        let report = difference.report(&ours);
        assert!(report.len() < LONGEST + 200);
        // No line of a comment of the vendor's.
        assert!(!report.contains("#***") && !report.contains("OpenNebula Configuration file"));
    }
    let report = to_third.report(&ours);
    assert!(
        report.contains("- [x] `image/services.toml`: `opennebula-ks.service` is new"),
        "{report}"
    );
}
