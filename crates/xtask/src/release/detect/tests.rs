//! Against a repository on 127.0.0.1 that is signed by a key made for the test.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use jiff::SignedDuration;
use tempfile::TempDir;

use super::super::repository::VENDOR_FINGERPRINT;
use super::*;
use crate::rehearsal::{Key, at, now, publish, suite};
use crate::serve;
use crate::versions::tests::versions;
use crate::versions::{Versions, packages_of};

/// The vendor, and a versions.json that is brought up to what he has.
struct Scene {
    dir: TempDir,
    key: Key,
    vendor: Vendor,
    only: Option<Line>,
}

/// Which forms of a list the server has. The Release names both anyway, as reprepro writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Packed,
}

impl Scene {
    fn new(lines: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::make().unwrap();
        fs::create_dir_all(dir.path().join("www/repo")).unwrap();
        key.export(&dir.path().join("www/repo/repo2.key")).unwrap();
        let address = serve::serve(&dir.path().join("www")).unwrap();
        let file = dir.path().join("versions.json");
        fs::write(&file, "").unwrap();
        versions(lines).write(&file).unwrap();
        Self {
            dir,
            vendor: Vendor {
                repository: format!("http://{address}/repo/"),
                key: None,
                fingerprint: key.fingerprint().unwrap(),
            },
            key,
            only: None,
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("versions.json")
    }

    fn content(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn suite(&self, folder: &str) -> PathBuf {
        suite(&self.dir.path().join("www/repo"), folder)
    }

    /// Publishes lists of packages, by Debian's names of the architectures, in one form.
    fn publish(&self, folder: &str, lists: &[(&str, String)], form: Form) {
        let suite = self.suite(folder);
        publish(&suite, &self.key, lists, &format!("Date: {}", now())).unwrap();
        for (architecture, _) in lists {
            let name = if form == Form::Plain {
                "Packages.gz"
            } else {
                "Packages"
            };
            fs::remove_file(suite.join(format!("opennebula/binary-{architecture}/{name}"))).unwrap();
        }
    }

    /// Publishes all packages of some versions for amd64.
    fn has(&self, folder: &str, versions: &[&str]) {
        self.publish(folder, &[("amd64", list(folder, versions))], Form::Plain);
    }

    fn detect(&self, mode: Mode) -> Result<Outcome> {
        detect(&self.vendor, &self.file(), self.only, mode)
    }

    fn run(&self) -> String {
        match self.detect(Mode::Write) {
            Ok(outcome) => self.hide(&outcome.report),
            Err(error) => self.hide(&format!("{error:#}")),
        }
    }

    /// Runs it, expects a refusal that leaves the file alone, and returns the refusal.
    fn refused(&self) -> String {
        let before = self.content();
        let told: Vec<String> = match self.detect(Mode::Write) {
            Ok(outcome) => outcome
                .broken
                .into_iter()
                .map(|(line, reason)| format!("{line}: {reason}"))
                .collect(),
            Err(error) => vec![format!("{error:#}")],
        };
        assert_ne!(told.len(), 0, "it was not refused");
        assert_eq!(self.content(), before);
        self.hide(&told.join("\n"))
    }

    /// Puts names in place of what differs from run to run.
    fn hide(&self, text: &str) -> String {
        let repository = self.vendor.repository.trim_end_matches('/');
        let host = repository.trim_end_matches("/repo");
        text.replace(repository, "REPO")
            .replace(host, "HOST")
            .replace(host.trim_start_matches("http://127.0.0.1:"), "PORT")
            .replace(&self.file().display().to_string(), "versions.json")
    }
}

/// All packages of a folder's line.
fn list(folder: &str, versions: &[&str]) -> String {
    let mut line = folder.splitn(3, '.');
    let line = format!("{}.{}", line.next().unwrap(), line.next().unwrap());
    let mut text = String::new();
    for version in versions {
        for (name, _) in packages_of(line.parse().unwrap()) {
            let sum = "0".repeat(64);
            let _ = write!(
                text,
                "Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}_{version}.deb\nSize: 1\n\
                 SHA256: {sum}\nDescription: x\n y: z\n\n"
            );
        }
    }
    text
}

#[test]
fn releases_are_seen_and_then_all_is_as_before() {
    let scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
    let both = |folder: &str, version: &str| {
        ["amd64", "arm64", "armhf"].map(|architecture| (architecture, list(folder, &[version])))
    };
    scene.publish("7.0", &both("7.0", "7.0.1-1"), Form::Plain);
    // No repository of the line, only one of the release; and no plain list.
    scene.publish("7.2.0", &both("7.2", "7.2.0-1.ce"), Form::Packed);
    assert_snapshot!(scene.run(), @"
    | line | before | now   | architectures | verdict            |
    | ---- | ------ | ----- | ------------- | ------------------ |
    | 7.0  | 7.0.0  | 7.0.1 | amd64, arm64  | newer release      |
    | 7.2  | 7.2.0  | 7.2.0 | amd64, arm64  | more architectures |

    - 7.2: read from the repository of 7.2.0, because the line has no repository; a newer release would not be found

    versions.json was brought up to this
    ");
    let seen = Versions::read(&scene.file()).unwrap();
    for (_, entry) in seen.lines() {
        assert_eq!(names(&entry.architectures), "amd64, arm64");
        assert!(entry.index.is_some());
    }
    assert!(scene.run().ends_with("\n\nversions.json is as it was"));
    assert_eq!(Versions::read(&scene.file()).unwrap(), seen);
}

#[test]
fn packages_of_all_architectures_may_have_a_list_of_their_own() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    let whole = list("7.0", &["7.0.0-1"]);
    let (core, rest) = whole.split_once("\n\n").unwrap();
    let lists = [("amd64", format!("{core}\n")), ("all", rest.to_owned())];
    scene.publish("7.0", &lists, Form::Plain);
    assert_snapshot!(scene.run(), @"
    | line | before | now   | architectures | verdict                 |
    | ---- | ------ | ----- | ------------- | ----------------------- |
    | 7.0  | 7.0.0  | 7.0.0 | amd64         | seen for the first time |

    versions.json was brought up to this
    ");
}

#[test]
fn a_comparison_tells_and_does_not_write() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    let before = scene.content();
    let outcome = scene.detect(Mode::Compare).unwrap();
    assert!(outcome.news);
    assert!(
        outcome.report.contains("versions.json is behind"),
        "{}",
        outcome.report
    );
    assert_eq!(scene.content(), before);
    scene.run();
    assert!(!scene.detect(Mode::Compare).unwrap().news);
}

#[test]
fn a_newer_patch_is_adopted_a_preview_is_not_and_a_new_line_is_proposed() {
    let scene = Scene::new(&[("7.4", "7.4.0")]);
    scene.has("7.4", &["7.4.0-1"]);
    scene.run();
    scene.has(
        "7.4",
        &["7.4.0-1", "7.4.2-1", "7.4.10-1", "7.4.80-1", "7.4.11~rc1-1"],
    );
    scene.has("7.5", &["7.5.80-1"]);
    scene.has("7.6", &["7.6.0-1"]);
    assert_snapshot!(scene.run(), @"
    | line | before | now    | architectures | verdict       |
    | ---- | ------ | ------ | ------------- | ------------- |
    | 7.4  | 7.4.0  | 7.4.10 | amd64         | newer release |
    | 7.6  | -      | 7.6.0  | amd64         | new line      |

    - 7.4: left out 7.4.11~rc1-1: not X.Y.Z[.N] and a revision; 7.4.80-1: a pre-release
    - 7.6: this line is not built; to build it, add it to versions.json

    versions.json was brought up to this
    ");
    assert!(!scene.content().contains("7.6"));
}

#[test]
fn one_line_alone_is_looked_at() {
    let mut scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
    scene.has("7.0", &["7.0.1-1"]);
    scene.has("7.4", &["7.4.0-1"]);
    scene.only = Some("7.0".parse().unwrap());
    assert_snapshot!(scene.run(), @"
    | line | before | now   | architectures | verdict       |
    | ---- | ------ | ----- | ------------- | ------------- |
    | 7.0  | 7.0.0  | 7.0.1 | amd64         | newer release |

    versions.json was brought up to this
    ");
    scene.only = Some("7.1".parse().unwrap());
    assert_snapshot!(scene.refused(), @"versions.json has no line 7.1, it has 7.0, 7.2");
}

#[test]
fn a_list_that_was_tampered_with_is_refused() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    let path = scene.suite("7.0").join("opennebula/binary-amd64/Packages");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("7.0.0-1", "7.0.9-1")).unwrap();
    assert_snapshot!(scene.refused(), @r#"7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease cannot be used: apt says "Failed to fetch REPO/7.0/Ubuntu/24.04/dists/stable/opennebula/binary-amd64/Packages  Hash Sum mismatch": that is not what the vendor signed; it may be so for a moment while something is published, so try again later"#);
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    let told = scene.refused();
    assert!(
        told.contains("File has unexpected size") && told.contains("that is not what the vendor signed"),
        "{told}"
    );
    fs::remove_file(&path).unwrap();
    let told = scene.refused();
    assert!(
        told.contains("/Packages  404") && told.contains("try again later"),
        "{told}"
    );
    // Packed lists are looked at likewise.
    scene.publish("7.0", &[("amd64", list("7.0", &["7.0.0-1"]))], Form::Packed);
    fs::write(path.with_extension("gz"), "x").unwrap();
    let told = scene.refused();
    assert!(told.contains("Packages.gz  File has unexpected size"), "{told}");
}

#[test]
fn only_the_pinned_key_s_signature_counts() {
    let mut scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    let path = scene.suite("7.0").join("InRelease");
    let signed = fs::read_to_string(&path).unwrap();

    fs::write(&path, signed.replace("Suite: stable", "Suite: stabler")).unwrap();
    let told = scene.refused();
    assert!(told.contains("it was changed after it was signed"), "{told}");

    fs::write(&path, "Suite: stable\nArchitectures: amd64\nSHA256:\n").unwrap();
    assert_snapshot!(scene.refused(), @r#"7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease cannot be used: apt says "Failed to fetch REPO/7.0/Ubuntu/24.04/dists/stable/InRelease  Clearsigned file isn't valid, got 'NOSPLIT' (does the network require authentication?)": it is not signed; do not use it"#);

    // Nothing may stand around the signed part.
    fs::write(&path, format!("Architectures: none\nSHA256:\n\n{signed}")).unwrap();
    let told = scene.refused();
    assert!(told.contains("it is not signed"), "{told}");

    fs::write(&path, &signed).unwrap();
    let good = scene.vendor.clone();
    VENDOR_FINGERPRINT.clone_into(&mut scene.vendor.fingerprint);
    let told = scene.refused();
    assert!(
        told.contains("it is signed by another key than 0B2D385C7C9304B11A0367B905A05927906DC27C; "),
        "{told}"
    );

    // The key of that fingerprint is pinned, and the file that is there has another one.
    scene.vendor = good.clone();
    let other = Key::make().unwrap();
    let file = scene.dir.path().join("other.asc");
    other.export(&file).unwrap();
    scene.vendor.key = Some(file.display().to_string());
    let told = scene.refused();
    assert!(told.contains("it is signed by another key than "), "{told}");

    scene.vendor.key = Some(format!("{}none.key", good.repository));
    assert_snapshot!(scene.refused(), @"the key REPO/none.key cannot be had (Failed to fetch REPO/none.key  404  Not Found [IP: 127.0.0.1 PORT]): name the vendor's key with --key");

    scene.vendor = good;
    scene.run();
    assert!(scene.content().contains("\"index\": "));
}

#[test]
fn an_index_has_a_date_that_is_neither_over_nor_to_come_nor_before_the_last_one() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    let suite = scene.suite("7.0");
    let dated = |dates: &str| {
        let lists = [("amd64", list("7.0", &["7.0.0-1"]))];
        publish(&suite, &scene.key, &lists, dates).unwrap();
    };
    let days = |days: i64| at(SignedDuration::from_hours(24 * days));
    dated(&format!("Date: {}\nValid-Until: {}", days(-9), days(-2)));
    let told = scene.refused();
    assert!(
        told.contains("is expired") && told.contains("it is an old one"),
        "{told}"
    );
    dated(&format!("Date: {}", days(2)));
    let told = scene.refused();
    assert!(
        told.contains("is not valid yet") && told.contains("look at this machine's clock"),
        "{told}"
    );
    dated("Label: x");
    let told = scene.refused();
    assert!(
        told.ends_with("InRelease: it has no Date, and could be of any age"),
        "{told}"
    );

    dated(&format!("Date: {}", days(-1)));
    scene.run();
    let confirmed = scene.content();
    // Signed again, with the same packages: no news, and no change of the file.
    dated(&format!("Date: {}", days(0)));
    assert!(scene.run().ends_with("\n\nversions.json is as it was"));
    assert_eq!(scene.content(), confirmed);
    dated(&format!("Date: {}", days(-3)));
    let told = scene.refused();
    assert!(
        told.contains("a mirror is behind, or somebody serves an old index again"),
        "{told}"
    );
}

#[test]
fn a_broken_line_stays_as_it_is_and_the_good_ones_go_on() {
    let scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0"), ("7.4", "7.4.0")]);
    scene.has("7.0", &["7.0.1-1"]);
    // Junk that the vendor has signed, in the folder of a line; a line without what is optional.
    scene.publish("7.2", &[("amd64", "<html>junk</html>\n".to_owned())], Form::Plain);
    let whole = list("7.4", &["7.4.0.1-1"]);
    let without_ks = whole.replace("Package: opennebula-ks\n", "Package: opennebula-k\n");
    scene.publish("7.4", &[("amd64", without_ks)], Form::Plain);
    assert_snapshot!(scene.run(), @r#"
    | line | before | now     | architectures | verdict       |
    | ---- | ------ | ------- | ------------- | ------------- |
    | 7.0  | 7.0.0  | 7.0.1   | amd64         | newer release |
    | 7.4  | 7.4.0  | 7.4.0.1 | amd64         | newer release |

    - 7.4: 7.4.0.1 has no opennebula-ks; its image is built without

    as before, because something is wrong:

    - 7.2: REPO/7.2/Ubuntu/24.04/dists/stable/InRelease cannot be used: apt says "Unable to parse package file state/lists/127.0.0.1:PORT_repo_7.2_Ubuntu_24.04_dists_stable_opennebula_binary-amd64_Packages (1)": it is signed and broken; try again later, and tell the vendor if it stays so

    versions.json was brought up to this
    "#);
    let content = scene.content();
    assert!(content.contains("\"version\": \"7.0.1\"") && content.contains("\"version\": \"7.4.0.1\""));
}

#[test]
fn lines_that_cannot_be_judged_are_told_one_by_one() {
    let scene = Scene::new(&[("7.2", "7.2.0"), ("7.4", "7.4.0")]);
    scene.has("7.4", &["7.4.80-1"]);
    assert_snapshot!(scene.refused(), @"
    7.2: neither REPO/7.2/Ubuntu/24.04/dists/stable/InRelease nor REPO/7.2.0/Ubuntu/24.04/dists/stable/InRelease is there (404): try again later; if the vendor publishes no packages of the line, take it out of versions.json
    7.4: REPO/7.4/Ubuntu/24.04/dists/stable/InRelease has no release of the line 7.4 that could be built (but 7.4.80-1: a pre-release), and an empty list changes nothing: try again later, and look at the address if it stays so
    ");
}
