//! What is said while a verb runs: steps with their seconds, and one table at the end.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's terminal is its user interface"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

/// Counts steps and their seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    since: Instant,
    rows: Vec<Row>,
}

/// One step that has ended.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    seconds: f64,
    counts: Counts,
    remark: String,
}

/// How many tests passed and failed, and the names of the failed ones where they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What the machine or the cluster cannot do: neither passed nor failed.
    pub(crate) not_possible: u64,
    pub(crate) failures: Vec<String>,
}

impl Counts {
    /// A step that is one test in itself.
    pub(crate) const PASSED: Self = Self::passed(1);
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        not_possible: 0,
        failures: Vec::new(),
    };

    /// Several tests that all passed.
    pub(crate) const fn passed(passed: u64) -> Self {
        Self {
            passed,
            failed: 0,
            not_possible: 0,
            failures: Vec::new(),
        }
    }

    /// Reads the last line of the form `N passed, N failed`, with which the suites that are programs end, and the names
    /// of the failed parts from the table before it (`| name | … FAILED: why |`).
    pub(crate) fn of_suite(output: &str) -> Option<Self> {
        let (passed, failed) = output.lines().rev().find_map(|line| {
            let (passed, failed) = line.trim().split_once(", ")?;
            Some((
                passed.strip_suffix(" passed")?.parse().ok()?,
                failed.strip_suffix(" failed")?.parse().ok()?,
            ))
        })?;
        let not_possible = output
            .lines()
            .find_map(|line| line.trim().strip_suffix(" not possible here")?.parse().ok());
        let failures = output
            .lines()
            .filter(|line| line.contains("| FAILED"))
            .filter_map(|line| line.split('|').nth(1))
            .map(|name| name.trim().to_owned())
            .collect();
        Some(Self {
            passed,
            failed,
            not_possible: not_possible.unwrap_or_default(),
            failures,
        })
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.not_possible += other.not_possible;
        self.failures.extend(other.failures);
    }
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self {
            since: Instant::now(),
            rows: Vec::new(),
        }
    }

    /// A step that everything after it needs: an error ends the verb.
    pub(crate) fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.say(name);
        let since = Instant::now();
        let value = work().map_err(|error| error.context(format!("step \"{name}\"")))?;
        self.done(name, since, Counts::default(), String::new());
        Ok(value)
    }

    /// A step of tests: it counts, and an error is a failed test, not the end.
    pub(crate) fn test(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) -> bool {
        self.say(name);
        let since = Instant::now();
        let (counts, remark) = match work() {
            Ok(counts) => (counts, String::new()),
            Err(error) => {
                complain(&error);
                (Counts::FAILED, remark(&format!("{error:#}")))
            }
        };
        let passed = counts.failed == 0;
        self.done(name, since, counts, remark);
        passed
    }

    /// A step that was not tried because of an earlier one: as good as failed.
    pub(crate) fn not_tried(&mut self, name: &str, because: &str) {
        self.done(
            name,
            Instant::now(),
            Counts::FAILED,
            format!("not tried: {because}"),
        );
    }

    fn say(&self, what: &str) {
        println!("[{}] {what} …", clock(self.since.elapsed()));
    }

    fn done(&mut self, name: &str, since: Instant, counts: Counts, remark: String) {
        let seconds = since.elapsed().as_secs_f64();
        let outcome = if counts.failed > 0 { "FAILED" } else { "done" };
        println!(
            "[{}] {name}: {outcome} in {seconds:.1} s",
            clock(self.since.elapsed())
        );
        self.rows.push(Row {
            name: name.to_owned(),
            seconds,
            counts,
            remark,
        });
    }

    /// Prints the table of the steps and the line that sums the tests up; true when none failed.
    pub(crate) fn report(&self) -> bool {
        let (text, total) = table(&self.rows, self.since.elapsed());
        println!("\n{text}");
        total.failed == 0
    }
}

/// The table of the steps, and the sum of the counts.
fn table(rows: &[Row], elapsed: Duration) -> (String, Counts) {
    let width = rows
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(4);
    let mut total = Counts::default();
    let mut text = format!(
        "{:width$} {:>9} {:>7} {:>7} {:>12}\n",
        "step", "seconds", "passed", "failed", "not possible"
    );
    for Row {
        name,
        seconds,
        counts,
        remark,
    } in rows
    {
        total += counts.clone();
        let _ = writeln!(
            text,
            "{}",
            format!(
                "{name:width$} {seconds:>9.1} {:>7} {:>7} {:>12} {remark}",
                counts.passed, counts.failed, counts.not_possible
            )
            .trim_end()
        );
    }
    let _ = writeln!(text, "{:width$} {:>9.1}", "all", elapsed.as_secs_f64());
    // Once more at the end: where only the end of a log is kept, it says what failed.
    for row in rows.iter().filter(|row| row.counts.failed > 0) {
        let names = match row.counts.failures.as_slice() {
            [] => row.remark.clone(),
            names => names.join(", "),
        };
        let _ = write!(text, "\nFAILED {}: {names}", row.name);
    }
    if total.failed > 0 {
        text.push('\n');
    }
    if total.not_possible > 0 {
        let _ = write!(text, "\n{} not possible here", total.not_possible);
    }
    let _ = write!(text, "\n{} passed, {} failed", total.passed, total.failed);
    (text, total)
}

/// Prints a line of the verb's own.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Prints a line beside what a verb gives to the next program: on standard error.
pub(crate) fn aside(text: &str) {
    eprintln!("{text}");
}

/// Says that a command runs for longer than one would think.
pub(crate) fn still(what: &str, elapsed: Duration, log: &Path) {
    let what: String = what.chars().take(60).collect();
    println!(
        "        … `{}` for {} s now ({})",
        what.trim_end(),
        elapsed.as_secs(),
        log.display()
    );
}

/// Prints an error with its causes.
pub(crate) fn complain(error: &Error) {
    eprintln!("error: {error:#}");
}

fn clock(elapsed: Duration) -> String {
    format!("{:>2}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// What the table says of an error: its first line, which names the command, and its last, which is where programs say why.
fn remark(error: &str) -> String {
    let shorten = |line: &str| line.trim().chars().take(200).collect::<String>();
    let mut lines = error.lines().filter(|line| !line.trim().is_empty()).map(shorten);
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        Some(last) => format!("{first} … {last}"),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_suite_is_its_sum() {
        assert_eq!(
            Counts::of_suite(
                "3 passed, 0 failed\n| kill-oned | starts again | FAILED: no answer | 3.1 |\n2 not possible here\n12 passed, 1 failed\n"
            ),
            Some(Counts {
                passed: 12,
                failed: 1,
                not_possible: 2,
                failures: vec!["kill-oned".to_owned()],
            })
        );
        assert_eq!(Counts::of_suite("step passed, failed"), None);
    }

    #[test]
    fn the_remark_on_an_error_says_why() {
        assert_eq!(
            remark(
                "`load a.tar` failed (exit status: 1); the end of load.log:\nunpacking\nctr: no space left on device\n\n"
            ),
            "`load a.tar` failed (exit status: 1); the end of load.log: … ctr: no space left on device"
        );
        assert_eq!(remark("there is no Go"), "there is no Go");
        assert_eq!(remark(""), "");
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let row = |name: &str, passed, failed, remark: &str| Row {
            name: name.to_owned(),
            seconds: 1.25,
            counts: Counts {
                passed,
                failed,
                not_possible: failed,
                failures: (0..failed).map(|number| format!("{name}-{number}")).collect(),
            },
            remark: remark.to_owned(),
        };
        let rows = [
            row("format", 1, 0, ""),
            row("crates", 40, 2, ""),
            Row {
                counts: Counts::FAILED,
                ..row("scenarios", 0, 0, "not tried: no image")
            },
        ];
        let (text, total) = table(&rows, Duration::from_secs(9));
        assert_eq!((total.passed, total.failed), (41, 3));
        assert_eq!(
            text,
            "step        seconds  passed  failed not possible\n\
             format          1.2       1       0            0\n\
             crates          1.2      40       2            2\n\
             scenarios       1.2       0       1            0 not tried: no image\n\
             all             9.0\n\
             \n\
             FAILED crates: crates-0, crates-1\n\
             FAILED scenarios: not tried: no image\n\
             \n\
             2 not possible here\n\
             41 passed, 3 failed"
        );
    }
}
