//! What the scenario came to: a table of the steps with their seconds, and the tally. It neither runs nor prints.

use std::fmt;
use std::time::Duration;

/// How one step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was seen; the text says what, in a few words.
    Passed(String),
    /// It was not; the text says why.
    Failed(String),
    /// It needs what is not there; the text says what.
    NotPossible(&'static str),
    /// It relies on an earlier step, this one, which failed.
    NotRun(&'static str),
}

/// One line of the table.
#[derive(Debug, Clone)]
struct Line {
    step: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// The steps in the order in which they ran. `Display` is a Markdown table, then `N passed, N failed`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    title: String,
    lines: Vec<Line>,
}

impl Report {
    /// An empty report; the title names what was tested.
    pub(crate) fn new(title: String) -> Self {
        Self {
            title,
            lines: Vec::new(),
        }
    }

    /// Adds the next step.
    pub(crate) fn add(&mut self, step: &'static str, took: Duration, outcome: Outcome) {
        self.lines.push(Line { step, took, outcome });
    }

    /// Whether at least one step passed and none failed; what is not possible here is neither.
    pub(crate) fn passed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Passed(_))) > 0
            && self.count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::NotRun(_))) == 0
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.lines.iter().filter(|line| which(&line.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .lines
            .iter()
            .map(|line| line.step.chars().count())
            .max()
            .unwrap_or(4)
            .max(4);
        writeln!(f, "{}\n", self.title)?;
        writeln!(f, "| {:width$} | seconds | result", "step")?;
        writeln!(f, "|-{:-<width$}-|--------:|-------", "")?;
        for Line { step, took, outcome } in &self.lines {
            let seconds = format!("{:.1}", took.as_secs_f64());
            let (seconds, result) = match outcome {
                Outcome::Passed(what) if what.is_empty() => (seconds, "passed".to_owned()),
                Outcome::Passed(what) => (seconds, format!("passed: {what}")),
                Outcome::Failed(why) => (seconds, format!("FAILED: {}", one_line(why))),
                Outcome::NotPossible(why) => ("-".to_owned(), format!("not possible here: {why}")),
                Outcome::NotRun(cause) => ("-".to_owned(), format!("not run, because \"{cause}\" failed")),
            };
            writeln!(f, "| {step:width$} | {seconds:>7} | {result}")?;
        }
        let total: Duration = self.lines.iter().map(|line| line.took).sum();
        writeln!(f, "| {:width$} | {:>7.1} |", "total", total.as_secs_f64())?;
        let not_possible = self.count(|outcome| matches!(outcome, Outcome::NotPossible(_)));
        let not_run = self.count(|outcome| matches!(outcome, Outcome::NotRun(_)));
        writeln!(f)?;
        if not_run > 0 {
            writeln!(
                f,
                "{not_run} steps were not run, because an earlier one that they rely on failed"
            )?;
        }
        if not_possible > 0 {
            writeln!(f, "{not_possible} not possible here")?;
        }
        write!(
            f,
            "{} passed, {} failed",
            self.count(|outcome| matches!(outcome, Outcome::Passed(_))),
            self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
        )
    }
}

/// A table's cell cannot hold a line break or a bar.
fn one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_the_tally() {
        let mut report = Report::new("Helm v4".to_owned());
        report.add(
            "install",
            Duration::from_millis(12_340),
            Outcome::Passed("2 pods".to_owned()),
        );
        report.add(
            "login",
            Duration::from_secs(1),
            Outcome::Failed("refused\nby | oned".to_owned()),
        );
        report.add("uninstall", Duration::ZERO, Outcome::NotRun("login"));
        assert_eq!(
            report.to_string(),
            "Helm v4\n\n\
             | step      | seconds | result\n\
             |-----------|--------:|-------\n\
             | install   |    12.3 | passed: 2 pods\n\
             | login     |     1.0 | FAILED: refused by / oned\n\
             | uninstall |       - | not run, because \"login\" failed\n\
             | total     |    13.3 |\n\n\
             1 steps were not run, because an earlier one that they rely on failed\n\
             1 passed, 1 failed"
        );
        assert!(!report.passed());
    }

    #[test]
    fn what_is_not_possible_is_neither_passed_nor_failed() {
        let mut report = Report::default();
        report.add("grow", Duration::ZERO, Outcome::NotPossible("no class"));
        assert!(!report.passed(), "nothing was seen");
        report.add("install", Duration::ZERO, Outcome::Passed(String::new()));
        assert!(report.passed());
        let text = report.to_string();
        assert!(
            text.contains("| grow    |       - | not possible here: no class"),
            "{text}"
        );
        assert!(
            text.ends_with("1 not possible here\n1 passed, 0 failed"),
            "{text}"
        );
    }

    #[test]
    fn a_report_without_steps_has_not_passed() {
        assert!(!Report::default().passed());
    }

    #[test]
    fn a_step_that_was_not_run_is_no_pass() {
        let mut report = Report::default();
        report.add("install", Duration::ZERO, Outcome::Passed(String::new()));
        assert!(report.passed());
        report.add("login", Duration::ZERO, Outcome::NotRun("install"));
        assert!(!report.passed());
    }
}
