use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::log::Format;

/// A directory with a log, its follower, and what came out.
struct Scene {
    directory: tempfile::TempDir,
    follower: Follower,
    log: Log,
    output: File,
}

impl Scene {
    fn new(name: &str, before: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if !before.is_empty() {
            fs::write(directory.path().join("a.log"), before).unwrap();
        }
        let output = tempfile::tempfile().unwrap();
        let log = Log::start(Format::Text, output.try_clone().unwrap().into()).unwrap();
        let source = Source {
            name: "a".into(),
            path: directory.path().join(name),
            tail: Tail::default(),
        };
        Self {
            follower: Follower::new(vec![source], &log),
            directory,
            log,
            output,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, name: &str) -> File {
        File::options()
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap()
    }

    fn append(&self, name: &str, text: &str) {
        self.open(name).write_all(text.as_bytes()).unwrap();
    }

    fn look(&self) {
        while self.follower.look() {
            // The stream is bounded: what came is written before more comes.
            self.log.finish(Duration::from_secs(10));
        }
    }

    /// The stream, once everything was read.
    fn written(&mut self) -> String {
        self.follower.catch_up_all();
        self.log.finish(Duration::from_secs(10));
        let mut text = String::new();
        self.output.rewind().unwrap();
        self.output.read_to_string(&mut text).unwrap();
        text
    }

    /// The messages that came out.
    fn came(&mut self) -> Vec<String> {
        self.written()
            .lines()
            .map(|line| line.split_once("a  ").unwrap().1.to_owned())
            .collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The writer writes so many lines.
    Write(usize),
    /// Rotation by copy and truncation, as logrotate's copytruncate does it.
    CopyTruncate,
    /// Rotation by a new name; the writer goes on with the old file.
    Rename,
    /// The writer opens the file anew.
    Reopen,
    /// The oldest copy goes.
    Delete,
    /// The follower has its turn.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..400).prop_map(Step::Write),
        1 => Just(Step::CopyTruncate),
        1 => Just(Step::Rename),
        1 => Just(Step::Reopen),
        1 => Just(Step::Delete),
        3 => Just(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_line_comes_once_and_in_order_whatever_is_done_to_the_file(
        steps in prop::collection::vec(step(), 1..40),
        pattern in prop::sample::select(vec!["a.log", "a*.log"]),
    ) {
        let mut scene = Scene::new(pattern, "old\n");
        let mut writer = scene.open("a.log");
        let mut number = 0;
        for step in steps {
            match step {
                Step::Write(lines) => {
                    for _ in 0..lines {
                        number += 1;
                        writeln!(writer, "line {number}").unwrap();
                    }
                }
                Step::CopyTruncate => {
                    // What came and went while nobody looked is lost, by nature; what was partly read is not.
                    for _ in 0..2 {
                        scene.look();
                        number += 1;
                        writeln!(writer, "line {number}").unwrap();
                    }
                    let _ = fs::rename(scene.path("a.log.1"), scene.path("a.log.2"));
                    if scene.path("a.log").exists() {
                        fs::copy(scene.path("a.log"), scene.path("a.log.1")).unwrap();
                        File::options().write(true).truncate(true).open(scene.path("a.log")).unwrap();
                    }
                }
                Step::Rename => {
                    // Likewise: two at once hide the one in the middle.
                    scene.look();
                    let _ = fs::rename(scene.path("a.log"), scene.path("a.log.1"));
                    scene.look();
                }
                Step::Reopen => {
                    scene.look();
                    writer = scene.open("a.log");
                    scene.look();
                }
                Step::Delete => {
                    // What is written to a file that has no name any more is lost, by nature.
                    scene.look();
                    writer = scene.open("a.log");
                    let _ = fs::remove_file(scene.path("a.log.1"));
                }
                Step::Look => scene.look(),
            }
        }
        let expected: Vec<String> = (1..=number).map(|number| format!("line {number}")).collect();
        prop_assert_eq!(scene.came(), expected);
    }
}

#[test]
fn a_file_that_was_cut_and_has_grown_beyond_what_was_read_is_read_from_its_start() {
    let mut scene = Scene::new("a.log", "");
    scene.append("a.log", "Mon Nov 23 10:14:29 2026 [Z0][ONE][I]: before\n");
    scene.look();
    let after: Vec<String> = (0..100).map(|number| format!("after {number}")).collect();
    fs::write(scene.path("a.log"), after.join("\n") + "\n").unwrap();
    let came = scene.came();
    assert_eq!(came.len(), 101, "{came:?}");
    assert_eq!(came[..2], ["[Z0][ONE][I]: before", "after 0"]);
}

#[test]
fn files_that_appear_and_fit_are_followed_and_others_are_not() {
    let mut scene = Scene::new("fireedge*.log", "");
    scene.append("fireedge.log", "one\n");
    scene.look();
    scene.append("fireedge1.log", "two\n");
    scene.append("fireedge.log.1", "not this\n");
    scene.append("oned.log", "nor this\n");
    scene.look();
    fs::rename(scene.path("fireedge1.log"), scene.path("fireedge2.log")).unwrap();
    scene.look();
    scene.append("fireedge2.log", "three\n");
    let mut came = scene.came();
    came.sort();
    assert_eq!(came, ["one", "three", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_trace_in_pieces_is_one_record_and_a_silent_file_needs_no_timer() {
    let scene = Scene::new("a.log", "");
    scene.append("a.log", "Error: it failed\n    at a (b.js:1:2)\n");
    scene.look();
    scene.append("a.log", "    at c (b.js:3:4)\n");
    scene.look();
    let due = scene.follower.due().unwrap();
    assert!(due <= Instant::now() + Duration::from_millis(100));
    assert_eq!(scene.log.recent(Some("a")).len(), 0);
    scene.follower.flush(due);
    assert_eq!(scene.follower.due(), None);
    let recent = scene.log.recent(Some("a"));
    assert_eq!(recent.len(), 1);
    assert_eq!(recent[0].lines().count(), 3, "{recent:?}");
    // Whoever never stops does not wait for ever.
    let began = Instant::now();
    for _ in 0..30 {
        scene.append("a.log", "    more\n");
        scene.look();
        if let Some(due) = scene.follower.due() {
            assert!(due <= began + Duration::from_secs(1));
        }
        tokio::time::advance(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn lines_of_a_file_that_is_silent_already_wait_for_nothing() {
    let scene = Scene::new("a.log", "");
    scene.append("a.log", "one\n");
    let earlier = std::time::SystemTime::now() - Duration::from_secs(1);
    scene.open("a.log").set_modified(earlier).unwrap();
    scene.look();
    assert!(scene.follower.due().is_some());
    scene.follower.flush_silent();
    assert_eq!(scene.follower.due(), None);
    assert_eq!(scene.log.recent(Some("a")).len(), 1);
    scene.append("a.log", "two\n");
    scene.look();
    scene.follower.flush_silent();
    assert!(scene.follower.due().is_some(), "its next line may be on its way");
}

#[test]
fn our_own_rotation_loses_nothing() {
    let mut scene = Scene::new("a.log", "");
    let mut writer = scene.open("a.log");
    let mut number = 0;
    for _ in 0..3 {
        // Long enough to be rotated.
        for _ in 0..2100 {
            number += 1;
            writeln!(writer, "line {number} {}", "x".repeat(4000)).unwrap();
        }
        scene.look();
        number += 1;
        writeln!(writer, "line {number} after the last look").unwrap();
        let rotated =
            crate::log::rotate::rotate(scene.directory.path(), std::time::SystemTime::now()).unwrap();
        assert_eq!(rotated.done.len(), 1, "{rotated:?}");
        scene.look();
    }
    number += 1;
    writeln!(writer, "line {number} at the end").unwrap();
    let came: Vec<usize> = scene
        .came()
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    assert_eq!(scene.log.dropped(), 0);
    assert_eq!(came, (1..=number).collect::<Vec<_>>());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test has no reaper of its own")]
fn what_the_real_logrotate_does_loses_nothing() {
    if Command::new("logrotate").arg("--version").output().is_err() {
        println!("left out: logrotate is not installed");
        return;
    }
    for way in ["copytruncate", "create 0640"] {
        let mut scene = Scene::new("a.log", "");
        let configuration = scene.path("logrotate.conf");
        let log = scene.path("a.log");
        fs::write(
            &configuration,
            format!(
                "{} {{\n rotate 2\n {way}\n compress\n delaycompress\n}}\n",
                log.display()
            ),
        )
        .unwrap();
        fs::set_permissions(
            &configuration,
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        let mut number = 0;
        for _ in 0..4 {
            for _ in 0..100 {
                number += 1;
                scene.append("a.log", &format!("line {number}\n"));
            }
            scene.look();
            number += 1;
            scene.append("a.log", &format!("line {number}\n"));
            let rotated = Command::new("logrotate")
                .arg("--force")
                .arg("--state")
                .arg(scene.path("state"))
                .arg(&configuration)
                .output()
                .unwrap();
            assert!(rotated.status.success(), "{rotated:?}");
            assert!(scene.path("a.log.1").exists());
        }
        let expected: Vec<String> = (1..=number).map(|number| format!("line {number}")).collect();
        assert_eq!(scene.came(), expected, "{way}");
    }
}

#[test]
fn only_regular_files_of_the_directory_are_followed() {
    let mut scene = Scene::new("a*.log", "");
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, scene.path(name)).unwrap();
    link(outside.path(), "a1.log");
    link(Path::new("/dev/urandom"), "a2.log");
    link(Path::new("../etc/passwd"), "a3.log");
    link(Path::new("a5.log"), "a4.log");
    link(Path::new("loop.log"), "a8.log");
    link(Path::new("a8.log"), "loop.log");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.path("a5.log"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    fs::create_dir(scene.path("a6.log")).unwrap();
    scene.append("target.txt", "through a link of the directory\n");
    link(Path::new("target.txt"), "a7.log");
    link(&scene.path("target.txt"), "a7-absolute.log");
    scene.append("a9.log", "a file\n");
    assert_eq!(scene.came(), ["through a link of the directory", "a file"]);
    scene.append("target.txt", "more\n");
    assert_eq!(scene.came().len(), 3);
    let sources = scene.follower.lock();
    let left_out: Vec<_> = sources[0]
        .left_out
        .paths
        .iter()
        .filter_map(|path| path.file_name())
        .collect();
    assert_eq!(
        left_out,
        [
            "a1.log", "a2.log", "a3.log", "a4.log", "a5.log", "a6.log", "a8.log"
        ]
    );
}

#[test]
fn a_limited_number_of_files_is_followed_and_a_limited_part_of_them_read_at_once() {
    let mut scene = Scene::new("a*.log", "");
    let chunk = "x".repeat(CHUNK - 1) + "\n";
    for number in 100..100 + 2 * MAX_FILES {
        scene.append(&format!("a{number}.log"), &chunk.repeat(4));
    }
    // More comes at once than the stream holds: lines may be dropped, which it says in a line of its own.
    let came = scene.written().matches("a  xxx").count();
    assert!((1..=CATCH_UP).contains(&came), "{came}");
    let sources = scene.follower.lock();
    assert_eq!(sources[0].files.len(), MAX_FILES);
    assert!(sources[0].left_out.paths.contains(scene.directory.path()));
}
