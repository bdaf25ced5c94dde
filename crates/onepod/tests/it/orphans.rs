//! The reaper as PID 1: no exit status is lost and no zombie stays, however many processes end at once.

use std::env;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onepod::reaper::{Exit, Reaper};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use tokio::task::JoinSet;

use crate::pod::{Process, in_namespace};

/// Set for the copy of this program that is PID 1.
const INSIDE: &str = "ONEPOD_TEST_INSIDE";

const ORPHANS: u64 = 100_000;
const BATCH: u64 = 1_000;
const CONCURRENT: usize = 2_000;
const SHORT: usize = 2_000;

#[test]
fn a_hundred_thousand_orphans_and_two_thousand_concurrent_children_leave_no_zombie_and_lose_no_status() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = in_namespace();
    command
        .arg(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("orphans::a_hundred_thousand_orphans_and_two_thousand_concurrent_children_leave_no_zombie_and_lose_no_status")
        .env(INSIDE, "1")
        .stdout(Stdio::inherit());
    let (mut process, _) = Process::start(&mut command);
    let deadline = Instant::now() + Duration::from_mins(3);
    let code = loop {
        assert!(Instant::now() < deadline, "it did not end");
        if let Some(code) = process.exit() {
            break code;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    assert_eq!(code, 0, "see the output of PID 1 above");
}

/// As PID 1 of a namespace.
fn inside() {
    assert_eq!(std::process::id(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reaper = Reaper::start().unwrap();
        let began = Instant::now();
        let (concurrent, short, batches) = tokio::join!(
            concurrent_children(&reaper),
            short_children(&reaper),
            orphans(&reaper)
        );
        println!(
            "{concurrent} of {CONCURRENT} concurrent and {short} of {SHORT} short children: status right; \
             {} of {ORPHANS} orphans reaped; {:.1} s",
            reaper.orphans_reaped(),
            began.elapsed().as_secs_f64()
        );
        assert_eq!((concurrent, short, batches), (CONCURRENT, SHORT, ORPHANS / BATCH));
        assert_eq!(reaper.orphans_reaped(), ORPHANS);
        assert_eq!(zombies(), Vec::<String>::new());
    });
}

/// Children that all live at once and end at once, each with its own code: how many codes came back right.
async fn concurrent_children(reaper: &Reaper) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    rustix::fs::mknodat(CWD, &gate, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let closed = fs::File::options().read(true).write(true).open(&gate).unwrap();
    let mut children = JoinSet::new();
    for number in 0..CONCURRENT {
        let code = i32::try_from(number % 256).unwrap();
        let script = format!("read line < {}; exit {code}", gate.display());
        let started = reaper
            .spawn(Command::new("/bin/sh").args(["-c", &script]))
            .unwrap();
        children.spawn(async move { started.exit.await.ok() == Some(Exit::Code(code)) });
        if number % 50 == 0 {
            // What cannot be executed is an error here, and no end of anything.
            assert!(reaper.spawn(&mut Command::new("/nowhere/to/be/found")).is_err());
            tokio::task::yield_now().await;
        }
    }
    drop(closed);
    let mut right = 0;
    loop {
        tokio::select! {
            child = children.join_next() => match child {
                Some(child) => right += usize::from(child.unwrap()),
                None => return right,
            },
            // Whoever comes to the gate only now finds it opened again.
            () = tokio::time::sleep(Duration::from_millis(20)) => open(&gate),
        }
    }
}

fn open(gate: &Path) {
    // It fails while nobody waits, which is right.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    drop(
        fs::File::options()
            .write(true)
            .custom_flags(nonblocking)
            .open(gate),
    );
}

/// Children that end as soon as they begin, perhaps before they are registered. They are started from another thread,
/// beside the reaping one, with commands between them that cannot be executed: the standard library waits for those.
async fn short_children(reaper: &Reaper) -> usize {
    let reaper = reaper.clone();
    let start_all = move || {
        (0..SHORT)
            .filter(|number| {
                assert!(reaper.spawn(&mut Command::new("/nowhere/to/be/found")).is_err());
                let (program, code) = if number % 2 == 0 {
                    ("/bin/true", 0)
                } else {
                    ("/bin/false", 1)
                };
                let started = reaper.spawn(&mut Command::new(program)).unwrap();
                started.exit.blocking_recv().ok() == Some(Exit::Code(code))
            })
            .count()
    };
    tokio::task::spawn_blocking(start_all).await.unwrap()
}

/// Shells that leave [`BATCH`] orphans each: how many of them ended well.
async fn orphans(reaper: &Reaper) -> u64 {
    // The inner shell ends without waiting for the ten that it started.
    let script = format!(
        "i=0; while [ $i -lt {BATCH} ]; do ( {} ); i=$((i+10)); done",
        ": & ".repeat(10)
    );
    let mut well = 0;
    for _ in 0..ORPHANS / BATCH {
        let started = reaper
            .spawn(Command::new("/bin/sh").args(["-c", &script]))
            .unwrap();
        well += u64::from(started.exit.await.ok() == Some(Exit::Code(0)));
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while reaper.orphans_reaped() < ORPHANS && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    well
}

/// Every process that has ended and was not reaped.
fn zombies() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| stat.rsplit(')').next().unwrap().starts_with(" Z"))
        .collect()
}
