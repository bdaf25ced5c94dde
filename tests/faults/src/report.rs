//! What a suite came to: a table of its parts, and the tally. It neither runs nor prints.

use std::fmt;
use std::time::Duration;

use crate::apart;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Name of the part.
    pub name: &'static str,
    /// What must come of it.
    pub expected: &'static str,
    /// What came of it; an error says what did not.
    pub seen: Result<String, String>,
    /// How long it took, start of database and front-end included.
    pub took: Duration,
}

/// All parts in the order of the list. `Display` is a Markdown table, then `N passed, N failed`.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What a part is called in the head of the table.
    pub part: &'static str,
    /// One row a part.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether at least one part was tried and all ended as they must.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.seen.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} | expected | seen | seconds |", self.part)?;
        writeln!(f, "|---|---|---|--:|")?;
        for Row {
            name,
            expected,
            seen,
            took,
        } in &self.rows
        {
            let seen = match seen {
                Ok(seen) => one_line(seen),
                Err(why) => format!("FAILED: {}", one_line(why)),
            };
            writeln!(f, "| {name} | {expected} | {seen} | {:.1} |", took.as_secs_f64())?;
        }
        let passed = self.rows.iter().filter(|row| row.seen.is_ok()).count();
        write!(f, "\n{passed} passed, {} failed", self.rows.len() - passed)
    }
}

impl fmt::Display for Row {
    /// One line for who waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        match &self.seen {
            Ok(seen) => write!(f, "{}: passed in {seconds:.1} s: {seen}", self.name),
            Err(why) => write!(f, "{}: FAILED after {seconds:.1} s: {why}", self.name),
        }
    }
}

/// A table's cell cannot hold a line break or a bar.
fn one_line(text: &str) -> String {
    apart::one_line(text).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_the_tally() {
        let row = |name, seen| Row {
            name,
            expected: "same data",
            seen,
            took: Duration::from_millis(4_320),
        };
        let report = Report {
            part: "fault",
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
        assert_eq!(report.rows[0].to_string(), "stale-lock: passed in 4.3 s: ready");
        assert!(!report.passed());
        assert!(!Report::default().passed());
    }
}
