//! Tables in Markdown, which people read in a terminal, in a pull request and in the summary of a workflow. Pure.

use std::fmt::Write as _;

/// A table, without the last line's end. The columns are padded, so that it can be read as it is.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let titles = titles.map(str::to_owned);
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.clone().map(|cell| escaped(&cell)))
        .collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let cells = rows.iter().chain([&titles]);
            cells.map(|row| row[column].chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        text.push('|');
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, " {cell:width$} |");
        }
        text.push('\n');
    };
    line(&titles);
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(3))).collect();
    line(&dashes);
    for row in &rows {
        line(row);
    }
    text.trim_end().to_owned()
}

/// A text in code's font. A backtick in it would end it, and becomes an apostrophe.
pub(crate) fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// What would end a cell or a row.
fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_break_its_row() {
        let rows = [["a|b".to_owned(), "c\nd".to_owned()]];
        assert_eq!(
            table(["one", "two"], &rows),
            "| one  | two |\n| ---- | --- |\n| a\\|b | c d |"
        );
        assert_eq!(code("a`b"), "`a'b`");
    }
}
