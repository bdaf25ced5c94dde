//! The supervisor with a clock that stands still until everybody waits: tasks and timers that call functions, for days.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::handle::{CommandError, Handle, channel};
use super::*;
use crate::board::TimerState;
use crate::log::Format;

/// 18:00 in UTC.
const BEGIN: &str = "2026-11-23T18:00:00Z";

const HOUR: Duration = Duration::from_hours(1);

/// What the functions do and when they did it, in seconds since the beginning.
#[derive(Debug, Clone, Default)]
struct Calls {
    at: Arc<Mutex<Vec<u64>>>,
    /// So many calls fail before one succeeds.
    failing: Arc<AtomicU32>,
    /// How long a call takes, in seconds.
    seconds: Arc<AtomicU32>,
    at_once: Arc<AtomicU32>,
    most_at_once: Arc<AtomicU32>,
}

impl Calls {
    fn times(&self) -> Vec<u64> {
        self.at.lock().unwrap().clone()
    }

    fn failing(self, calls: u32) -> Self {
        self.failing.store(calls, Ordering::Relaxed);
        self
    }

    fn taking(self, seconds: u32) -> Self {
        self.seconds.store(seconds, Ordering::Relaxed);
        self
    }

    async fn call(self, began: Instant) -> Result<(), String> {
        self.at.lock().unwrap().push(began.elapsed().as_secs());
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        sleep(Duration::from_secs(u64::from(
            self.seconds.load(Ordering::Relaxed),
        )))
        .await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        let fails = self
            .failing
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok();
        if fails {
            Err("the moon is full".to_owned())
        } else {
            Ok(())
        }
    }
}

/// A supervisor at work, with `credentials` as its one task or timer.
struct Pod {
    root: TempDir,
    handle: Handle,
    stop: UnboundedSender<()>,
    board: Board,
    /// Added to the wall clock, in seconds.
    shift: Arc<AtomicI64>,
    looks: Arc<AtomicU32>,
    ending: JoinHandle<Ending>,
}

impl Pod {
    fn new(services: &str, calls: &Calls) -> Self {
        Self::with(TempDir::new().unwrap(), services, calls, |_| {})
    }

    /// `before` speaks before anything runs.
    fn with(root: TempDir, services: &str, calls: &Calls, before: impl FnOnce(&Handle)) -> Self {
        let config = Config::parse(Path::new("services.toml"), services).unwrap();
        let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
        let began = Instant::now();
        let (shift, looks) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicU32::new(0)));
        let (shifted, counted, calls) = (Arc::clone(&shift), Arc::clone(&looks), calls.clone());
        let board = Board::new();
        let means = Means {
            bootstrapping: false,
            // No process is started here.
            reaper: Reaper::default(),
            log: Log::start(Format::Text, null.into()).unwrap(),
            board: board.clone(),
            paths: Paths::new(root.path()),
            inherited: Inherited::default(),
            identity: Identity::default(),
            builtins: Builtins::new().with("credentials", move || calls.clone().call(began)),
            clock: Clock::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                let shift = jiff::SignedDuration::from_secs(shifted.load(Ordering::Relaxed));
                let now = BEGIN.parse::<Timestamp>().unwrap() + began.elapsed() + shift;
                now.to_zoned_datetime(TimeZone::UTC)
            }),
        };
        let (handle, commands) = channel();
        before(&handle);
        let (stop, mut requests) = StopRequests::channel();
        let ending = tokio::spawn(async move { supervise(config, means, commands, &mut requests).await });
        Self {
            root,
            handle,
            stop,
            board,
            shift,
            looks,
            ending,
        }
    }

    async fn stop(self) -> Ending {
        self.stop.send(()).unwrap();
        self.ending.await.unwrap()
    }
}

fn timer(schedule: &str) -> String {
    format!("[timers.a]\nbuiltin = \"credentials\"\nschedule = {{ {schedule} }}\n")
}

const TASK: &str = "[tasks.a]\nbuiltin = \"credentials\"\nessential = true\n";

#[tokio::test(start_paused = true)]
async fn an_essential_task_that_fails_five_times_ends_the_pod_with_the_reason() {
    let calls = Calls::default().failing(u32::MAX);
    let began = Instant::now();
    let pod = Pod::new(TASK, &calls);
    let board = pod.board.clone();
    assert_eq!(
        pod.ending.await.unwrap(),
        Ending::Failed(
            "a: ended 5 times in a row without success; the last time: the moon is full".to_owned()
        )
    );
    let took = began.elapsed();
    assert_eq!(calls.times().len(), 5);
    assert!(
        took >= Duration::from_secs(6) && took <= Duration::from_millis(7_600),
        "0.5 + 1 + 2 + 4 s, less a fifth at most: {took:?}"
    );
    assert!(
        board.reasons()[0].starts_with("the pod is stopping: a: ended 5 times"),
        "{:?}",
        board.reasons()
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_is_tried_again_until_it_succeeds_and_runs_again_when_asked() {
    let calls = Calls::default().failing(3);
    let pod = Pod::new(TASK, &calls);
    sleep(HOUR).await;
    assert_eq!(calls.times().len(), 4);
    assert!(pod.board.started_up() && pod.board.reasons().is_empty());
    assert_eq!(pod.handle.run_task("a").await, Ok(()));
    assert_eq!(calls.times().len(), 5);
    let calls = calls.failing(1);
    assert_eq!(
        pod.handle.run_task("a").await,
        Err(CommandError::Failed {
            name: "a".to_owned(),
            cause: "the moon is full".to_owned()
        })
    );
    assert!(pod.board.reasons().is_empty(), "it had succeeded before");
    sleep(HOUR).await;
    assert_eq!(calls.times().len(), 7, "it is tried again all the same");
    assert_eq!(
        pod.handle.run_task("b").await,
        Err(CommandError::Unknown("b".to_owned()))
    );
    let handle = pod.handle.clone();
    assert_eq!(pod.stop().await, Ending::Asked);
    assert_eq!(handle.run_task("a").await, Err(CommandError::Stopping));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_asked_for_while_it_runs_runs_once_more() {
    let calls = Calls::default().taking(10);
    let pod = Pod::new(TASK, &calls);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pod.handle.run_task("a").await, Ok(()));
    assert_eq!(calls.times(), [0, 10]);
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_is_cut_off() {
    let calls = Calls::default().taking(100);
    let pod = Pod::new(TASK, &calls);
    sleep(Duration::from_secs(150)).await;
    assert!(calls.times().len() >= 2, "{:?}", calls.times());
    let cause = pod.board.services()[0].last_exit.clone().unwrap();
    assert_eq!(cause, "took longer than 60 s; stopped");
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn timers_run_at_their_times_for_days() {
    for (schedule, per_day, first) in [
        ("daily = \"00:00\"", 1, 6 * 3_600),
        ("every_seconds = 600", 144, 600),
        ("at_seconds = [10, 40]", 2_880, 10),
    ] {
        let calls = Calls::default();
        let pod = Pod::new(&timer(schedule), &calls);
        sleep(HOUR * 24 * 3).await;
        let times = calls.times();
        assert!(
            times.len().abs_diff(3 * per_day) <= 1,
            "{schedule}: {}",
            times.len()
        );
        assert_eq!(times[0], first, "{schedule}");
        let looks = pod.looks.load(Ordering::Relaxed);
        assert!(
            u64::from(looks) / (3 * 24 * 60) <= 10,
            "{schedule}: a look at the clock is a wake-up: {looks}"
        );
        assert_eq!(pod.stop().await, Ending::Asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_longer_than_its_interval_is_never_doubled() {
    let calls = Calls::default().taking(25);
    let pod = Pod::new(&timer("every_seconds = 10"), &calls);
    sleep(HOUR).await;
    assert_eq!(calls.most_at_once.load(Ordering::Relaxed), 1);
    assert!(calls.times().len() >= 110, "{}", calls.times().len());
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_noticed_within_a_minute() {
    let calls = Calls::default();
    let pod = Pod::new(&timer("daily = \"00:00\""), &calls);
    sleep(HOUR).await;
    assert_eq!(calls.times(), [0_u64; 0]);
    pod.shift.store(86_400, Ordering::Relaxed);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(calls.times().len(), 1, "midnight has passed");
    sleep(HOUR).await;
    assert_eq!(calls.times().len(), 1);
    pod.shift.store(-86_400, Ordering::Relaxed);
    sleep(HOUR * 24).await;
    assert_eq!(
        calls.times().len(),
        2,
        "the next midnight, not the one two days on"
    );
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn a_daily_run_that_was_missed_is_made_up_for_once() {
    let (schedule, calls) = (timer("daily = \"00:00\""), Calls::default());
    let mut root = TempDir::new().unwrap();
    // The first pod has never run it, and sees no midnight.
    for (last, runs) in [(None, 0), (Some("2026-11-22T00:00:00Z run\n"), 1), (None, 1)] {
        let stamp = Paths::new(root.path()).timers().join("a");
        if let Some(last) = last {
            std::fs::write(&stamp, last).unwrap();
        }
        let mut pod = Pod::with(root, &schedule, &calls, |_| {});
        sleep(Duration::from_mins(1)).await;
        assert_eq!(calls.times().len(), runs, "{last:?}");
        assert_eq!(
            pod.board.timers()[0].last.is_some(),
            runs > 0,
            "what has never run is not shown as run"
        );
        let kept = std::fs::read_to_string(stamp).unwrap();
        assert!(kept.starts_with("2026-11-23T18:0"), "{kept}");
        root = std::mem::replace(&mut pod.root, TempDir::new().unwrap());
        assert_eq!(pod.stop().await, Ending::Asked);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_the_leaders_stands_by_until_it_leads() {
    let calls = Calls::default();
    let services = TASK.to_owned() + "role = \"leader\"\n";
    let pod = Pod::with(TempDir::new().unwrap(), &services, &calls, |handle| {
        handle.set_leader(false);
    });
    sleep(HOUR).await;
    assert_eq!(calls.times(), [0_u64; 0]);
    assert!(pod.board.started_up() && pod.board.reasons().is_empty());
    assert!(matches!(
        pod.handle.run_task("a").await,
        Err(CommandError::State { .. })
    ));
    pod.handle.set_leader(true);
    sleep(HOUR).await;
    assert_eq!(calls.times(), [3_600]);
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_the_leader_rests_and_its_run_is_cut_off_when_the_lead_is_lost() {
    let calls = Calls::default().taking(100);
    let pod = Pod::new(&(timer("every_seconds = 60") + "role = \"leader\"\n"), &calls);
    sleep(Duration::from_secs(70)).await;
    pod.handle.set_leader(false);
    sleep(HOUR).await;
    assert_eq!(calls.times(), [60]);
    assert_eq!(pod.board.timers()[0].state, TimerState::Standby);
    pod.handle.set_leader(true);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(calls.times().len(), 2);
    assert_eq!(pod.stop().await, Ending::Asked);
}

#[tokio::test(start_paused = true)]
async fn whoever_shuts_down_gives_the_reason() {
    let calls = Calls::default().taking(30);
    let pod = Pod::new(TASK, &calls);
    sleep(Duration::from_secs(1)).await;
    pod.handle.shut_down("the database is somebody else's".to_owned());
    pod.handle.shut_down("a later reason".to_owned());
    let board = pod.board.clone();
    assert_eq!(
        pod.ending.await.unwrap(),
        Ending::Failed("the database is somebody else's".to_owned())
    );
    assert_eq!(
        board.reasons(),
        ["the pod is stopping: the database is somebody else's"]
    );

    let asked_before = Pod::with(TempDir::new().unwrap(), TASK, &Calls::default(), |handle| {
        handle.shut_down("not even begun".to_owned());
    });
    assert_eq!(
        asked_before.ending.await.unwrap(),
        Ending::Failed("not even begun".to_owned())
    );
}
