//! Programs that the benchmarks start, and the clock they are timed by. The only place that starts any.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans protect onepod's reaper; the benchmarks are no PID 1 and wait for each program where it starts it"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::procfs::{began, family};

/// What does not come true within this has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The clock that all processes of the machine share, in nanoseconds.
pub(crate) fn monotonic_ns() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A program that runs until it is dropped; then it is asked to end, and what is left of its family is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    farewell: Signal,
}

impl Running {
    /// Starts it with its output dropped.
    pub(crate) fn start(command: Command) -> Result<Self> {
        Self::with_output(command, Stdio::null())
    }

    /// Starts it with its standard output in a pipe.
    pub(crate) fn start_piped(command: Command) -> Result<(Self, ChildStdout)> {
        let mut running = Self::with_output(command, Stdio::piped())?;
        let stdout = running.child.stdout.take().context("no pipe")?;
        Ok((running, stdout))
    }

    fn with_output(mut command: Command, output: Stdio) -> Result<Self> {
        let shown = format!("{command:?}");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        Ok(Self {
            child,
            farewell: Signal::TERM,
        })
    }

    /// The same, with another signal for the end: runsvdir leaves its services alone at a TERM.
    pub(crate) fn ended_by(mut self, signal: Signal) -> Self {
        self.farewell = signal;
        self
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let family: Vec<_> = family(self.pid())
            .into_iter()
            .skip(1)
            .map(|member| (member, began(member)))
            .collect();
        signal(self.pid(), self.farewell);
        let deadline = Instant::now() + Duration::from_secs(15);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            pause();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Whoever was left behind by its supervisor, unless its number is another's by now.
        for (member, then) in family {
            if then.is_some() && began(member) == then {
                signal(member, Signal::KILL);
            }
        }
    }
}

/// Sends a signal to a process that may have gone already.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// What one run of a program cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// From start to end in milliseconds.
    pub(crate) wall_ms: f64,
    /// Processor time, user and system, in milliseconds.
    pub(crate) cpu_ms: f64,
}

/// Runs a program to its successful end so many times; the mean of them.
pub(crate) fn repeatedly(times: u32, mut command: impl FnMut() -> Command) -> Result<Run> {
    let before = waited_for_cpu_ms()?;
    let began = Instant::now();
    for _ in 0..times {
        let mut command = command();
        let output = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .with_context(|| format!("{command:?}"))?;
        if !output.status.success() {
            bail!(
                "{command:?} ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let times = f64::from(times);
    Ok(Run {
        wall_ms: began.elapsed().as_secs_f64() * 1000.0 / times,
        cpu_ms: (waited_for_cpu_ms()? - before) / times,
    })
}

/// The largest resident memory of one run of a program in kB, by GNU time.
pub(crate) fn largest_memory_kb(command: &Command) -> Result<f64> {
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.output().context("/usr/bin/time")?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .last()
        .and_then(|line| line.trim().parse().ok())
        .with_context(|| format!("/usr/bin/time said {said:?}"))
}

/// Processor time of the children that were waited for: fields 16 and 17 of `proc_pid_stat(5)`, in ticks of 10 ms.
fn waited_for_cpu_ms() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let ticks: f64 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(ticks * 10.0)
}

/// Waits until a condition is true; `what` is for the message when it never is.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        pause();
    }
}

/// Lets time pass: an idle time that is measured, or the half minute after which a service counts as healthy.
pub(crate) fn idle(time: Duration) {
    std::thread::sleep(time);
}

fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// A program by its name, where PATH finds it.
pub(crate) fn found(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| is_file(&directory.join(program))))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
