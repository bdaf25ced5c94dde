use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn append(directory: &TempDir, name: &str, text: &str) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.path().join(name))
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn read(directory: &TempDir, name: &str) -> Option<String> {
    fs::read_to_string(directory.path().join(name)).ok()
}

fn run(directory: &TempDir) -> Done {
    let done = rotate(directory.path(), SystemTime::now()).unwrap();
    assert!(done.failed.is_empty(), "{:?}", done.failed);
    done
}

/// Numbered lines, `length` bytes of them at least.
fn lines(mark: &str, length: u64) -> String {
    (1..=length / 100)
        .map(|number| format!("{mark} {number:010} {}\n", "x".repeat(100)))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn a_daemon_that_holds_its_log_open_goes_on_writing_and_a_few_copies_stay() {
    let directory = directory();
    let path = directory.path().join("oned.log");
    let mut daemon = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let round = |daemon: &mut File, number: u32| {
        let text = lines(&format!("round {number}"), LARGE);
        daemon.write_all(text.as_bytes()).unwrap();
        text
    };
    let texts: Vec<String> = (1..=5)
        .map(|number| {
            let text = round(&mut daemon, number);
            assert_eq!(run(&directory).done.len(), 1);
            text
        })
        .collect();
    daemon.write_all(b"on it goes\n").unwrap();
    run(&directory);
    assert_eq!(read(&directory, "oned.log").unwrap(), "on it goes\n");
    for (copy, text) in (1..=3).zip(texts.iter().rev()) {
        assert!(read(&directory, &format!("oned.log.{copy}")).as_ref() == Some(text));
    }
    assert_eq!(
        fs::metadata(directory.path().join("oned.log.1")).unwrap().mode() & 0o777,
        0o640
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[test]
fn age_rotates_a_small_log_and_removes_copies() {
    let directory = directory();
    append(&directory, "onehem.log", "one\n");
    append(&directory, "onegate.log", "");
    let later = |weeks: u32| SystemTime::now() + weeks * OLD;
    assert!(
        rotate(directory.path(), SystemTime::now())
            .unwrap()
            .done
            .is_empty()
    );
    rotate(directory.path(), later(1)).unwrap();
    assert_eq!(read(&directory, "onehem.log").unwrap(), "");
    assert_eq!(read(&directory, "onehem.log.1").unwrap(), "one\n");
    // What is empty is not worth a copy.
    assert_eq!(read(&directory, "onegate.log.1"), None);
    rotate(directory.path(), later(2)).unwrap();
    assert_eq!(read(&directory, "onehem.log.1"), None);
}

#[test]
fn the_log_of_a_machine_keeps_its_end_under_its_name() {
    let directory = directory();
    fs::create_dir(directory.path().join("oneflow")).unwrap();
    for name in ["42.log", "oneflow/7.log"] {
        append(&directory, name, &lines("machine", LONG));
        append(&directory, name, "the last line\n");
    }
    append(&directory, "43.log", "short\n");
    run(&directory);
    for name in ["42.log", "oneflow/7.log"] {
        let left = read(&directory, name).unwrap();
        assert!(
            left.len() as u64 <= END && left.len() as u64 > END - 1000,
            "{}",
            left.len()
        );
        assert!(
            left.starts_with("machine 0"),
            "it begins with a whole line: {}",
            &left[..40]
        );
        assert!(left.ends_with("x\nthe last line\n"));
        append(&directory, name, "and on\n");
        run(&directory);
        assert!(
            read(&directory, name)
                .unwrap()
                .ends_with("the last line\nand on\n")
        );
    }
    assert_eq!(read(&directory, "43.log").unwrap(), "short\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn what_fireedge_goes_on_in_stays_and_what_it_left_goes() {
    let directory = directory();
    for (name, age) in [
        ("fireedge.log", 90),
        ("fireedge1.log", 80),
        ("fireedge2.log", 70),
        ("fireedge10.log", 60),
        ("fireedge3.log", 5),
    ] {
        append(&directory, name, name);
        let time = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .append(true)
            .open(directory.path().join(name))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    run(&directory);
    for (name, stays) in [
        ("fireedge.log", true),
        ("fireedge1.log", false),
        ("fireedge2.log", false),
        ("fireedge10.log", true),
        ("fireedge3.log", true),
    ] {
        assert_eq!(read(&directory, name).is_some(), stays, "{name}");
    }
}

#[test]
fn a_link_is_never_followed_and_other_files_are_left_alone() {
    let directory = directory();
    let elsewhere = tempfile::tempdir().unwrap();
    append(&elsewhere, "precious", &lines("precious", LARGE));
    let precious = read(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("precious"), directory.path().join("a.log")).unwrap();
    append(&directory, "notes.txt", &lines("notes", LARGE));
    assert!(run(&directory).done.is_empty());
    assert!(read(&elsewhere, "precious").unwrap() == precious);
    assert_eq!(
        open(&directory.path().join("a.log")).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn one_file_that_makes_trouble_does_not_hold_up_the_others() {
    let directory = directory();
    append(&directory, "a.log", &lines("a", LARGE));
    append(&directory, "b.log", &lines("b", LARGE));
    // The unfinished copy cannot be made, as on a full disk.
    fs::create_dir(directory.path().join("a.log.new")).unwrap();
    append(&directory, "a.log.1", "older\n");
    let done = rotate(directory.path(), SystemTime::now()).unwrap();
    assert_eq!((done.done.len(), done.failed.len()), (1, 1), "{done:?}");
    assert!(done.failed[0].contains("a.log") && done.failed[0].contains("without a copy"));
    assert_eq!(read(&directory, "a.log").unwrap(), "");
    assert_eq!(read(&directory, "a.log.1"), None);
    assert!(read(&directory, "b.log.1").is_some());
}

proptest! {
    #[test]
    fn every_name_has_one_role(stem in "[a-z_]{1,8}", number in 1_u32..200) {
        let all = [format!("{stem}.log"), format!("{stem}{number}.log"), format!("{stem}.log.{number}"), format!("{number}.log")];
        prop_assert_eq!(role(&all[0], &all), Role::Daemon);
        prop_assert_eq!(role(&all[1], &all), Role::Continuation(&stem));
        prop_assert_eq!(role(&all[2], &all), Role::Copy);
        prop_assert_eq!(role(&all[3], &all), Role::Machine);
        prop_assert_eq!(role(&all[1], &all[1..]), Role::Daemon);
        prop_assert_eq!(role(&stem, &all), Role::Other);
    }
}
