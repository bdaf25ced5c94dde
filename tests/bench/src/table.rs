//! A measurement as people read it: a Markdown table in which every figure has its ratio to onepod's.

use std::fmt;
use std::io::Write as _;

/// One measurement: the same quantity of several programs.
#[derive(Debug)]
pub(crate) struct Table {
    /// What was measured.
    pub(crate) title: String,
    /// How: the sample, the load, what is left out.
    pub(crate) method: String,
    /// What the figures count, for example `ms`.
    pub(crate) unit: &'static str,
    /// The goal, where there is one.
    pub(crate) goal: Option<String>,
    /// Who, figure, remark. Ratios are to the first line, which is onepod's.
    pub(crate) lines: Vec<Line>,
}

/// One program's figure.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) who: String,
    pub(crate) figure: Option<f64>,
    pub(crate) remark: String,
}

impl Line {
    pub(crate) fn new(who: impl Into<String>, figure: f64, remark: impl Into<String>) -> Self {
        Self {
            who: who.into(),
            figure: Some(figure),
            remark: remark.into(),
        }
    }

    /// A program that has no such figure, and why.
    pub(crate) fn without(who: impl Into<String>, remark: impl Into<String>) -> Self {
        Self {
            who: who.into(),
            figure: None,
            remark: remark.into(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "{}", self.method)?;
        if let Some(goal) = &self.goal {
            writeln!(f, "Goal: {goal}.")?;
        }
        writeln!(f, "\n| | {} | ratio | |\n|---|--:|--:|---|", self.unit)?;
        let first = self.lines.first().and_then(|line| line.figure);
        for line in &self.lines {
            let figure = line.figure.map_or_else(|| "–".to_owned(), shown);
            let ratio = match (line.figure, first) {
                (Some(figure), Some(first)) if first > 0.0 => format!("{:.2}", figure / first),
                _ => "–".to_owned(),
            };
            writeln!(f, "| {} | {figure} | {ratio} | {} |", line.who, line.remark)?;
        }
        Ok(())
    }
}

/// Three digits that mean something, thousands set apart.
fn shown(figure: f64) -> String {
    let text = match figure.abs() {
        size if size < 1.0 => format!("{figure:.3}"),
        size if size < 10.0 => format!("{figure:.2}"),
        size if size < 100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// A line on standard output; a closed one is nothing to fail about.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_first_line() {
        let table = Table {
            title: "Memory".to_owned(),
            method: "Eight services.".to_owned(),
            unit: "kB",
            goal: Some("≤ 8,192 kB".to_owned()),
            lines: vec![
                Line::new("onepod", 8000.0, ""),
                Line::new("supervisord", 30_800.0, "Python"),
                Line::without("shell", "supervises nothing"),
            ],
        };
        assert_eq!(
            table.to_string(),
            "### Memory\n\nEight services.\nGoal: ≤ 8,192 kB.\n\n| | kB | ratio | |\n|---|--:|--:|---|\n\
             | onepod | 8,000 | 1.00 |  |\n| supervisord | 30,800 | 3.85 | Python |\n\
             | shell | – | – | supervises nothing |\n"
        );
    }

    #[test]
    fn figures_have_three_digits_that_mean_something() {
        let figures = [0.1234, 1.234, 12.34, 123.4, 1_234_567.0].map(shown);
        assert_eq!(figures, ["0.123", "1.23", "12.3", "123", "1,234,567"]);
    }
}
