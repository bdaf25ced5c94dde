//! On this repository's files, with git and helm.

use tempfile::TempDir;

use super::*;

#[test]
fn this_repository_is_in_step() {
    check(&Repo::find().unwrap().root).unwrap();
}

#[test]
fn a_published_version_is_followed_by_a_patch_release() {
    let dir = TempDir::new().unwrap();
    let (root, ours) = (dir.path(), Repo::find().unwrap().root);
    for path in chart::WRITTEN
        .into_iter()
        .chain([chart::CHANGELOG, "versions.json"])
    {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::copy(ours.join(path), root.join(path)).unwrap();
    }
    let git = |words: &str| cmd("git").args(words.split(' ')).dir(root).read().unwrap();
    git("init --quiet");
    assert!(follow(root, "x").unwrap().is_empty());

    git("-c user.name=x -c user.email=x -c commit.gpgsign=false commit --quiet --allow-empty --message x");
    let version = texts(root).unwrap().version().unwrap();
    git(&format!("tag opennebula-{version}"));
    assert_eq!(follow(root, "The image is newer").unwrap().len(), 3);
    let after = texts(root).unwrap();
    assert_eq!(after.version().unwrap(), chart::next_patch(&version));
    assert!(after.get(chart::CHANGELOG).contains("- The image is newer.\n"));
    check(root).unwrap();

    // The published version again, with another chart.
    git("add --all");
    git("-c user.name=x -c user.email=x -c commit.gpgsign=false commit --quiet --message y");
    git(&format!("tag opennebula-{}", after.version().unwrap()));
    check(root).unwrap();
    fs::write(root.join(FOLDER).join("values.yaml"), "x: 1\n").unwrap();
    git("add --all");
    let told = check(root).unwrap_err().to_string();
    assert!(told.contains("was published"), "{told}");
}

#[test]
fn one_chart_is_one_archive() {
    // Unit tests are run where the programs may not be built yet.
    let repo = Repo::find().unwrap();
    let helm = crate::cluster::programs(&repo).map(|programs| programs.join("helm"));
    let Some(helm) = helm.ok().filter(|helm| helm.is_file()) else {
        println!("left out: the cluster's programs, and helm with them, are not built");
        return;
    };
    let dir = TempDir::new().unwrap();
    let (release, _) = default_line(&repo.root).unwrap();
    let image: Image = format!("{release}-r1@sha256:{}", "0".repeat(64)).parse().unwrap();
    let pack = |out: &str| package(&repo.root, &helm, &dir.path().join(out), Some(&image)).unwrap();
    let archive = pack("one");
    assert!(fs::read(&archive).unwrap() == fs::read(pack("two")).unwrap());
    let shown = cmd(&helm).args(["show", "chart"]).arg(archive).read().unwrap();
    assert_eq!(shown.matches(&image.to_string()).count(), 2, "{shown}");
}
