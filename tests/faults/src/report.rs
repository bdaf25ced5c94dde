//! What the suite came to: a table of the faults, and the tally. It neither runs nor prints.

use std::fmt;
use std::time::Duration;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Name of the fault.
    pub(crate) fault: &'static str,
    /// What must come of it.
    pub(crate) expected: &'static str,
    /// What came of it; an error says what did not.
    pub(crate) seen: Result<String, String>,
    /// How long it took, start of database and front-end included.
    pub(crate) took: Duration,
}

/// All faults in the order of the list. `Display` is a Markdown table, then `N passed, N failed`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Whether at least one fault was tried and all ended as they must.
    pub(crate) fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.seen.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | expected | seen | seconds |")?;
        writeln!(f, "|---|---|---|--:|")?;
        for Row {
            fault,
            expected,
            seen,
            took,
        } in &self.rows
        {
            let seen = match seen {
                Ok(seen) => one_line(seen),
                Err(why) => format!("FAILED: {}", one_line(why)),
            };
            writeln!(f, "| {fault} | {expected} | {seen} | {:.1} |", took.as_secs_f64())?;
        }
        let passed = self.rows.iter().filter(|row| row.seen.is_ok()).count();
        write!(f, "\n{passed} passed, {} failed", self.rows.len() - passed)
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
        let row = |fault, seen| Row {
            fault,
            expected: "same data",
            seen,
            took: Duration::from_millis(4_320),
        };
        let report = Report {
            rows: vec![
                row("stale-lock", Ok("ready".to_owned())),
                row("full-volume", Err("never\nsaid | why".to_owned())),
            ],
        };
        assert_eq!(
            report.to_string(),
            "| fault | expected | seen | seconds |\n\
             |---|---|---|--:|\n\
             | stale-lock | same data | ready | 4.3 |\n\
             | full-volume | same data | FAILED: never said / why | 4.3 |\n\
             \n\
             1 passed, 1 failed"
        );
        assert!(!report.passed());
        assert!(!Report::default().passed());
    }
}
