//! The verb against a repository on 127.0.0.1 that is signed by a key made for the test.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;
use crate::rehearsal::{Key, publish, suite};
use crate::serve;
use crate::versions::installed;
use crate::versions::tests::unconfirmed;

/// The vendor, and a versions.json that is brought up to what he has.
struct Scene {
    dir: TempDir,
    key: Key,
    detect: Detect,
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
        unconfirmed(lines).write(&file).unwrap();
        Self {
            dir,
            key,
            detect: Detect {
                check: false,
                line: None,
                repository: format!("http://{address}/repo/"),
                key: None,
            },
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
        publish(&suite, &self.key, lists).unwrap();
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

    fn run(&self) -> String {
        match self.detect.detect(&self.file()) {
            Ok(outcome) => outcome.report,
            Err(error) => self.hide(&format!("{error:#}")),
        }
    }

    /// Runs it, expects a refusal that leaves the file alone, and returns the refusal.
    fn refused(&self) -> String {
        let before = self.content();
        let error = self.detect.detect(&self.file()).unwrap_err();
        assert_eq!(self.content(), before);
        self.hide(&format!("{error:#}"))
    }

    /// Puts names in place of what differs from run to run.
    fn hide(&self, text: &str) -> String {
        let repository = self.detect.repository.trim_end_matches('/');
        text.replace(repository, "REPO")
            .replace(&self.file().display().to_string(), "versions.json")
    }
}

/// All packages of a folder's line.
fn list(folder: &str, versions: &[&str]) -> String {
    let mut line = folder.splitn(3, '.');
    let line = format!("{}.{}", line.next().unwrap(), line.next().unwrap());
    let mut text = String::new();
    for version in versions {
        for name in installed(line.parse().unwrap()) {
            let _ = write!(
                text,
                "Package: {name}\nVersion: {version}\nArchitecture: all\nDescription: x\n y: z\n\n"
            );
        }
    }
    text
}

#[test]
fn releases_are_confirmed_and_then_all_is_as_before() {
    let scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
    let both = |folder: &str, version: &str| {
        ["amd64", "arm64", "armhf"].map(|architecture| (architecture, list(folder, &[version])))
    };
    scene.publish("7.0", &both("7.0", "7.0.0-1"), Form::Plain);
    // No repository of the line, only one of the release; and no plain list.
    scene.publish("7.2.0", &both("7.2", "7.2.0-1.ce"), Form::Packed);
    assert_snapshot!(scene.run(), @"
    line  before                 now    packages  architectures  verdict
    7.0   7.0.0 (not confirmed)  7.0.0  7         amd64, arm64   confirmed
    7.2   7.2.0 (not confirmed)  7.2.0  8         amd64, arm64   confirmed

    7.2: read in the repository of 7.2.0, for there is none of the line; a newer release would not be seen

    versions.json was brought up to this
    ");
    let confirmed = scene.content();
    assert_snapshot!(confirmed, @r#"
    {
      "default": "7.0",
      "lines": {
        "7.0": {
          "version": "7.0.0",
          "confirmed": true,
          "distribution": "Ubuntu/24.04",
          "base": "docker.io/library/ubuntu:24.04@sha256:0000000000000000000000000000000000000000000000000000000000000000",
          "architectures": [
            "amd64",
            "arm64"
          ],
          "packages": {
            "opennebula": "7.0.0-1",
            "opennebula-fireedge": "7.0.0-1",
            "opennebula-flow": "7.0.0-1",
            "opennebula-gate": "7.0.0-1",
            "opennebula-guacd": "7.0.0-1",
            "opennebula-migration": "7.0.0-1",
            "opennebula-tools": "7.0.0-1"
          }
        },
        "7.2": {
          "version": "7.2.0",
          "confirmed": true,
          "distribution": "Ubuntu/24.04",
          "base": "docker.io/library/ubuntu:24.04@sha256:0000000000000000000000000000000000000000000000000000000000000000",
          "architectures": [
            "amd64",
            "arm64"
          ],
          "packages": {
            "opennebula": "7.2.0-1.ce",
            "opennebula-fireedge": "7.2.0-1.ce",
            "opennebula-flow": "7.2.0-1.ce",
            "opennebula-form": "7.2.0-1.ce",
            "opennebula-gate": "7.2.0-1.ce",
            "opennebula-guacd": "7.2.0-1.ce",
            "opennebula-migration": "7.2.0-1.ce",
            "opennebula-tools": "7.2.0-1.ce"
          }
        }
      }
    }
    "#);
    assert!(scene.run().ends_with("\n\nversions.json is up to date"));
    assert_eq!(scene.content(), confirmed);
}

#[test]
fn packages_of_all_architectures_may_have_a_list_of_their_own() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    let whole = list("7.0", &["7.0.0-1"]);
    let (core, rest) = whole.split_once("\n\n").unwrap();
    let lists = [("amd64", format!("{core}\n")), ("all", rest.to_owned())];
    scene.publish("7.0", &lists, Form::Plain);
    assert_snapshot!(scene.run(), @"
    line  before                 now    packages  architectures  verdict
    7.0   7.0.0 (not confirmed)  7.0.0  7         amd64          confirmed

    versions.json was brought up to this
    ");
}

#[test]
fn a_check_tells_and_does_not_write() {
    let mut scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    scene.detect.check = true;
    let before = scene.content();
    let outcome = scene.detect.detect(&scene.file()).unwrap();
    assert!(outcome.news);
    assert!(
        outcome.report.contains("versions.json is behind"),
        "{}",
        outcome.report
    );
    assert_eq!(scene.content(), before);
    scene.detect.check = false;
    scene.run();
    scene.detect.check = true;
    assert!(!scene.detect.detect(&scene.file()).unwrap().news);
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
    line  before  now     packages  architectures  verdict
    7.4   7.4.0   7.4.10  9         amd64          newer release
    7.6   -       7.6.0   9         amd64          new line

    7.4: left out 7.4.11~rc1-1: not X.Y.Z[.N] and a revision; 7.4.80-1: a pre-release
    7.6: a line that is not built; whoever wants it adds it to versions.json by hand

    versions.json was brought up to this
    ");
    assert!(scene.content().contains("\"opennebula-ks\": \"7.4.10-1\""));
    assert!(!scene.content().contains("7.6"));
}

#[test]
fn one_line_alone_is_looked_at() {
    let mut scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
    scene.has("7.0", &["7.0.1-1"]);
    scene.has("7.4", &["7.4.0-1"]);
    scene.detect.line = Some("7.0".parse().unwrap());
    assert_snapshot!(scene.run(), @"
    line  before                 now    packages  architectures  verdict
    7.0   7.0.0 (not confirmed)  7.0.1  7         amd64          newer release

    versions.json was brought up to this
    ");
    scene.detect.line = Some("7.1".parse().unwrap());
    assert_snapshot!(scene.refused(), @"versions.json has no line 7.1: it has 7.0, 7.2");
}

#[test]
fn a_list_that_was_tampered_with_is_refused() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    let path = scene.suite("7.0").join("opennebula/binary-amd64/Packages");
    let changed = fs::read_to_string(&path).unwrap().replace("7.0.0-1", "7.0.9-1");
    fs::write(&path, changed).unwrap();
    let told = scene.refused();
    assert!(
        told.contains("7.0: REPO/7.0/Ubuntu/24.04/dists/stable/opennebula/binary-amd64/Packages is not what the vendor signed; "),
        "{told}"
    );
    fs::write(&path, "").unwrap();
    assert!(
        scene
            .refused()
            .contains("it has 0 bytes, and the signed Release says ")
    );
    // Packed lists are looked at likewise.
    scene.publish("7.0", &[("amd64", list("7.0", &["7.0.0-1"]))], Form::Packed);
    fs::write(path.with_extension("gz"), "x").unwrap();
    assert!(
        scene
            .refused()
            .contains("Packages.gz is not what the vendor signed")
    );
    fs::remove_file(path.with_extension("gz")).unwrap();
    assert!(
        scene
            .refused()
            .contains("neither Packages nor Packages.gz can be had")
    );
}

#[test]
fn only_the_vendor_s_signature_counts() {
    let mut scene = Scene::new(&[("7.0", "7.0.0")]);
    scene.has("7.0", &["7.0.0-1"]);
    let path = scene.suite("7.0").join("InRelease");
    let signed = fs::read_to_string(&path).unwrap();

    fs::write(&path, signed.replace("Suite: stable", "Suite: stabler")).unwrap();
    let told = scene.refused();
    assert!(
        told.contains("7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease: it was changed after"),
        "{told}"
    );

    fs::write(&path, "Suite: stable\nArchitectures: amd64\nSHA256:\n").unwrap();
    let told = scene.refused();
    assert!(told.contains("it is not signed"), "{told}");

    // What stands around the signed part does not count.
    fs::write(&path, format!("Architectures: none\nSHA256:\n\n{signed}")).unwrap();
    scene.run();
    assert!(scene.content().contains("\"confirmed\": true"));

    fs::write(&path, &signed).unwrap();
    let other = Key::make().unwrap();
    let file = scene.dir.path().join("other.asc");
    other.export(&file).unwrap();
    scene.detect.key = Some(file.display().to_string());
    let told = scene.refused();
    assert!(told.contains("it is signed by another key"), "{told}");
    assert!(told.contains("other.asc"), "{told}");

    scene.detect.key = Some(format!("{}none.key", scene.detect.repository));
    assert_snapshot!(scene.refused(), @"REPO/none.key is not there (404): name the vendor's key with --key");
}

#[test]
fn less_than_before_is_refused() {
    let scene = Scene::new(&[("7.0", "7.0.0")]);
    let with = |version: &str, architectures: &[&str]| {
        let lists: Vec<(&str, String)> = architectures
            .iter()
            .map(|architecture| (*architecture, list("7.0", &[version])))
            .collect();
        scene.publish("7.0", &lists, Form::Plain);
    };
    with("7.0.1-1", &["amd64", "arm64"]);
    scene.run();
    with("7.0.0-1", &["amd64", "arm64"]);
    assert_snapshot!(scene.refused(), @"
    versions.json is as it was, for something is wrong with 1 of the lines
      7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease has 7.0.0 as the newest release, which is older than 7.0.1 in versions.json: try again later; if the vendor took the release back, correct the file by hand
    ");
    with("7.0.1-1", &["amd64"]);
    assert_snapshot!(scene.refused(), @r#"
    versions.json is as it was, for something is wrong with 1 of the lines
      7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease has not all packages of 7.0.1 for arm64 any more: try again later; if the vendor took them back, correct "architectures" by hand
    "#);
    scene.publish("7.0", &[("amd64", String::new())], Form::Plain);
    assert_snapshot!(scene.refused(), @"
    versions.json is as it was, for something is wrong with 1 of the lines
      7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease has no release of the line 7.0 that could be built, and an empty list changes nothing: try again later, and look at the address if it stays so
    ");
    let lacking = list("7.0", &["7.0.1-1"]).replace("Package: opennebula-gate", "Package: opennebula-gates");
    scene.publish("7.0", &[("amd64", lacking)], Form::Plain);
    assert_snapshot!(scene.refused(), @"
    versions.json is as it was, for something is wrong with 1 of the lines
      7.0: REPO/7.0/Ubuntu/24.04/dists/stable/InRelease has 7.0.1 without opennebula-gate: the vendor may be publishing just now, try again later
    ");
}

#[test]
fn every_line_s_mistake_is_told_and_a_good_line_is_not_written_then() {
    let scene = Scene::new(&[("7.0", "7.0.0"), ("7.2", "7.2.0"), ("7.4", "7.4.0")]);
    scene.has("7.0", &["7.0.1-1"]);
    scene.has("7.4", &["7.4.80-1"]);
    assert_snapshot!(scene.refused(), @"
    versions.json is as it was, for something is wrong with 2 of the lines
      7.2: neither REPO/7.2/Ubuntu/24.04/dists/stable/InRelease nor REPO/7.2.0/Ubuntu/24.04/dists/stable/InRelease is there (404): try again later; if the vendor publishes no packages of the line, take it out of versions.json
      7.4: REPO/7.4/Ubuntu/24.04/dists/stable/InRelease has no release of the line 7.4 that could be built (but 7.4.80-1: a pre-release), and an empty list changes nothing: try again later, and look at the address if it stays so
    ");
}
