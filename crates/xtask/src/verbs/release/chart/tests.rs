//! The verbs on copies of this repository's files, with git and helm.

use std::os::unix::fs::MetadataExt as _;

use tempfile::TempDir;

use super::*;
use crate::digest::sha256;
use crate::release::chart::version_of;

/// The files that a version is tied to, in a repository of their own.
fn checkout() -> TempDir {
    let dir = TempDir::new().unwrap();
    let ours = Repo::find().unwrap().root;
    let files = [
        "charts/opennebula/values.yaml",
        "charts/opennebula/charts/mariadb/values.yaml",
        "CHANGELOG.md",
        "versions.json",
    ];
    for path in chart::WRITTEN.into_iter().chain(files) {
        let to = dir.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(ours.join(path), to).unwrap();
    }
    git(&dir, &["init", "--quiet"]);
    dir
}

fn git(dir: &TempDir, args: &[&str]) {
    let person = [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "-c",
        "commit.gpgsign=false",
    ];
    cmd("git").args(person).args(args).dir(dir.path()).read().unwrap();
}

fn commit(dir: &TempDir) {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message", "x"]);
}

fn version(text: &str) -> ChartVersion {
    text.parse().unwrap()
}

#[test]
fn this_repository_s_files_can_take_a_version() {
    let dir = checkout();
    let log = dir.path().join("CHANGELOG.md");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(
        &log,
        text.replacen(
            "\n## ",
            "\n## [99.0.0-rc.1] – 2026-12-01\n\n### Security\n\n- Fixed\n\n## ",
            1,
        ),
    )
    .unwrap();
    let mode = fs::metadata(dir.path().join(CHART)).unwrap().mode();
    let said = set(dir.path(), &version("99.0.0-rc.1")).unwrap();
    assert!(
        said.contains(&format!("{CHART} was changed")) && said.contains(&"Cargo.lock was changed".to_owned()),
        "{said:?}"
    );
    let chart = fs::read_to_string(dir.path().join(CHART)).unwrap();
    assert!(
        chart.contains("artifacthub.io/prerelease: \"true\"") && chart.contains("# No repository"),
        "{chart}"
    );
    assert_eq!(fs::metadata(dir.path().join(CHART)).unwrap().mode(), mode);
    check(dir.path(), None).unwrap();
    assert_eq!(
        set(dir.path(), &version("99.0.0-rc.1")).unwrap().len(),
        1,
        "the second time nothing changes"
    );
    let lock = fs::read_to_string(dir.path().join("Cargo.lock")).unwrap();
    assert_eq!(
        lock.matches("version = \"99.0.0-rc.1\"").count(),
        lock.split("\n\n")
            .filter(|part| part.contains("[[package]]") && !part.contains("\nsource"))
            .count()
    );
}

#[test]
fn a_chart_that_changed_since_its_tag_needs_a_version() {
    let dir = checkout();
    let present = version_of(&fs::read_to_string(dir.path().join(CHART)).unwrap()).unwrap();
    set(dir.path(), &present).unwrap();
    commit(&dir);
    git(&dir, &["tag", &format!("{TAG}{present}")]);
    git(&dir, &["tag", &format!("{TAG}0.0.1")]);
    check(dir.path(), None).unwrap();
    let values = dir.path().join("charts/opennebula/values.yaml");
    let text = fs::read_to_string(&values).unwrap();
    fs::write(&values, text + "# more\n").unwrap();
    commit(&dir);
    let told = check(dir.path(), None).unwrap_err().to_string();
    assert!(
        told.contains(&format!(
            "the chart changed since {TAG}{present} and still has its version"
        )),
        "{told}"
    );
    let told = format!("{:#}", check(dir.path(), Some("none".to_owned())).unwrap_err());
    assert!(
        told.contains("the chart of none: fetch the whole history"),
        "{told}"
    );
    assert!(check(dir.path(), Some("--output=x".to_owned())).is_err());
}

/// A program that packs and indexes as helm does, as far as it matters here: without the cluster's programs there is none.
fn helm() -> Option<PathBuf> {
    let helm = crate::cluster::programs(&Repo::find().unwrap())
        .ok()?
        .join("helm");
    helm.is_file().then_some(helm)
}

#[test]
fn one_chart_is_one_archive() {
    // Unit tests are run where the programs may not be built yet; the suite tests/chart insists on them.
    let Some(helm) = helm() else {
        println!("left out: the cluster's programs, and helm with them, are not built");
        return;
    };
    let repo = Repo::find().unwrap();
    let dir = TempDir::new().unwrap();
    let chart = dir.path().join("chart");
    cmd("cp")
        .arg("--recursive")
        .arg(repo.root.join(FOLDER))
        .arg(&chart)
        .read()
        .unwrap();
    let described = fs::read_to_string(chart.join("Chart.yaml")).unwrap();
    let number = version_of(&described).unwrap();
    let pack = |out: &str, image: Option<&Image>| {
        let out = dir.path().join(out);
        let said = package::package(&helm, &chart, &out, Some("https://example.org/charts"), image).unwrap();
        let archive = out.join(format!("opennebula-{number}.tgz"));
        assert!(said.contains(&sha256(&fs::read(&archive).unwrap())), "{said}");
        archive
    };
    let one = pack("one", None);
    let index = fs::read_to_string(dir.path().join("one/index.yaml")).unwrap();
    assert!(
        index.contains(&format!("https://example.org/charts/opennebula-{number}.tgz")),
        "{index}"
    );

    // Again, with files that have other times.
    cmd("touch")
        .args(["--date", "@1"])
        .arg(chart.join("values.yaml"))
        .read()
        .unwrap();
    let two = pack("two", None);
    assert!(
        fs::read(one).unwrap() == fs::read(two).unwrap(),
        "two archives of one chart"
    );

    let (_, release) = described.split_once("appVersion: \"").unwrap();
    let (release, _) = release.split_once('"').unwrap();
    let image: Image = format!("{release}-r1@sha256:{}", "0".repeat(64)).parse().unwrap();
    let three = pack("three", Some(&image));
    let shown = cmd(&helm).args(["show", "chart"]).arg(three).read().unwrap();
    assert_eq!(shown.matches(&image.to_string()).count(), 2, "{shown}");
}
