//! Aligned columns that fit a width: what is less important goes first, and the last column is broken into lines.

use super::terminal::View;
use crate::log::visible::visible;

/// The last column has at least this much room, in letters, before another column has to go.
const REMARK: usize = 24;

/// Room between two columns.
const GAP: usize = 2;

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Good,
    Busy,
    Warn,
    Bad,
    Dim,
    Head,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Busy => "\x1b[36m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[31m",
            Self::Dim => "\x1b[2m",
            Self::Head => "\x1b[1m",
        }
    }
}

/// Text in a colour, where colours may be used.
pub(super) fn paint(text: &str, colour: Colour, view: View) -> String {
    if view.colour && colour != Colour::Plain && !text.is_empty() {
        format!("{}{text}\x1b[0m", colour.code())
    } else {
        text.to_owned()
    }
}

/// Text that moves no cursor and changes no colour, whoever wrote it.
pub(super) fn harmless(text: &str) -> String {
    visible(&text.replace(['\t', '\n'], " ")).into_owned()
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    colour: Colour,
}

/// A cell without a colour.
pub(super) fn cell(text: impl AsRef<str>) -> Cell {
    coloured(text, Colour::Plain)
}

/// A cell with a colour; what is empty becomes a dash.
pub(super) fn coloured(text: impl AsRef<str>, colour: Colour) -> Cell {
    let text = harmless(text.as_ref());
    Cell {
        text: if text.is_empty() { "-".to_owned() } else { text },
        colour,
    }
}

/// A table. Its last column is text of any length.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    head: [&'static str; N],
    /// Columns that go when there is no room, in this order.
    minor: &'static [usize],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&'static str; N], minor: &'static [usize]) -> Self {
        Self {
            head,
            minor,
            rows: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines.
    pub(super) fn text(&self, view: View) -> String {
        let widths: Vec<usize> = self
            .head
            .iter()
            .enumerate()
            .map(|(column, head)| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| length(&cell.text))
                    .fold(length(head), usize::max)
            })
            .collect();
        let last = N.saturating_sub(1);
        let before = |kept: &[usize]| -> usize {
            kept.iter()
                .filter(|column| **column != last)
                .filter_map(|column| widths.get(*column))
                .map(|width| width + GAP)
                .sum()
        };
        let mut kept: Vec<usize> = (0..N).collect();
        let wanted = widths.last().copied().unwrap_or(0).min(REMARK);
        let mut minor = self.minor.iter();
        while view.width.is_some_and(|width| before(&kept) + wanted > width)
            && let Some(out) = minor.next()
        {
            kept.retain(|column| column != out);
        }
        // Too narrow even so: the terminal breaks the lines.
        let room = view
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(before(&kept)).max(8));
        let mut out = String::new();
        let head: Vec<Cell> = self
            .head
            .iter()
            .map(|head| coloured(head, Colour::Head))
            .collect();
        let head = std::iter::once(head.as_slice());
        for row in head.chain(self.rows.iter().map(<[Cell; N]>::as_slice)) {
            let indent = before(&kept);
            for (number, part) in wrap(row.last().map_or("", |cell| &cell.text), room)
                .into_iter()
                .enumerate()
            {
                let mut line = String::new();
                if number == 0 {
                    for column in kept.iter().filter(|column| **column != last) {
                        if let (Some(cell), Some(width)) = (row.get(*column), widths.get(*column)) {
                            line += &paint(&cell.text, cell.colour, view);
                            line += &" ".repeat(width + GAP - length(&cell.text));
                        }
                    }
                } else {
                    line += &" ".repeat(indent);
                }
                line += &paint(&part, row.last().map_or(Colour::Plain, |cell| cell.colour), view);
                out += line.trim_end();
                out.push('\n');
            }
        }
        out
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Breaks text at blanks, and within words that are longer than a line. There is always one line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word: &str = word;
        if !line.is_empty() && length(&line) + 1 + length(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while length(word) > width {
            let cut = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
            let (part, rest) = word.split_at(cut);
            lines.push(part.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(width: usize) -> View {
        View {
            width: Some(width),
            colour: false,
        }
    }

    fn table() -> Table<4> {
        let mut table = Table::new(["NAME", "PID", "MEMORY", "REMARK"], &[1, 2]);
        table.push([cell("oned"), cell("12"), cell("180 MiB"), cell("")]);
        table.push([
            cell("x"),
            cell("7"),
            cell("-"),
            cell("address already in use: another one listens there"),
        ]);
        table
    }

    #[test]
    fn it_fits_the_width_and_nothing_of_the_remark_is_lost() {
        insta::assert_snapshot!(table().text(view(60)), @r"
        NAME  PID  MEMORY   REMARK
        oned  12   180 MiB  -
        x     7    -        address already in use: another one
                            listens there
        ");
        insta::assert_snapshot!(table().text(view(40)), @r"
        NAME  MEMORY   REMARK
        oned  180 MiB  -
        x     -        address already in use:
                       another one listens there
        ");
    }

    #[test]
    fn no_line_is_longer_than_any_terminal_is_wide() {
        for width in 20..120 {
            for line in table().text(view(width)).lines() {
                assert!(length(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn long_words_are_broken_and_what_moves_a_cursor_is_not_printed() {
        assert_eq!(wrap("ab cdefghij k", 4), ["ab", "cdef", "ghij", "k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(cell("a\u{1b}[2Jb\nc\u{9b}d").text, "a\\u{1b}[2Jb c\\u{9b}d");
    }
}
