//! Where the text goes: how wide it may be, whether it may have colours, and how it is drawn again in its place.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::tcgetwinsize;

/// How text is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Columns; none where there is no limit.
    pub(super) width: Option<usize>,
    /// Whether colours may be used.
    pub(super) colour: bool,
}

impl View {
    /// As the standard output is now: a terminal's width may change at any time.
    pub(super) fn of_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self {
                width: None,
                colour: false,
            };
        }
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
        Self {
            width: Some(size().1),
            colour: !set("NO_COLOR") && !dumb,
        }
    }
}

/// Lines and columns of the terminal; what a terminal had for decades where it does not say.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stdout()).ok();
    let known = |number: u16, usual| if number == 0 { usual } else { usize::from(number) };
    size.map_or((24, 80), |size| (known(size.ws_row, 24), known(size.ws_col, 80)))
}

/// The place where text is shown again and again.
#[derive(Debug)]
pub(super) enum Screen {
    /// A terminal: each text takes the place of the one before, on a screen of its own.
    Terminal,
    /// Anything else: one text below the other, with an empty line between two.
    Blocks {
        /// Something was shown already.
        begun: bool,
    },
    /// One line each.
    Lines,
}

/// The alternate screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Around a picture that is to appear at once; terminals that do not know it ignore it.
const AT_ONCE: &str = "\x1b[?2026h";
const SO_FAR: &str = "\x1b[?2026l";

impl Screen {
    pub(super) fn begin(lines: bool) -> Self {
        if lines {
            return Self::Lines;
        }
        if io::stdout().is_terminal() {
            let _ = write(ENTER);
            return Self::Terminal;
        }
        Self::Blocks { begun: false }
    }

    pub(super) fn show(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Terminal => write(&frame(text, size().0)),
            Self::Lines => write(text),
            Self::Blocks { begun } => {
                let gap = if std::mem::replace(begun, true) { "\n" } else { "" };
                write(&format!("{gap}{text}"))
            }
        }
    }

    pub(super) fn end(self) {
        if matches!(self, Self::Terminal) {
            let _ = write(LEAVE);
        }
    }
}

/// Text over what is there, without an empty screen in between: each line is written over its predecessor and the rest of it
/// cleared. What does not fit is counted.
fn frame(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut frame = format!("{AT_ONCE}\x1b[H");
    let room = height.max(2);
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    for (number, line) in lines.iter().take(shown).enumerate() {
        if number > 0 {
            frame += "\r\n";
        }
        frame += line;
        frame += "\x1b[K";
    }
    if lines.len() > shown {
        let more = lines.len() - shown;
        frame += "\r\n";
        // Writing to a String does not fail.
        let _ = fmt::Write::write_fmt(
            &mut frame,
            format_args!("… and {more} lines for which the terminal is too low\x1b[K"),
        );
    }
    frame + "\x1b[J" + SO_FAR
}

/// Writes all of it at once.
fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before_and_never_scrolls() {
        assert_eq!(
            frame("a\nb\n", 3),
            "\x1b[?2026h\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J\x1b[?2026l"
        );
        let low = frame("a\nb\nc\nd\n", 3);
        assert_eq!(low.matches("\r\n").count(), 2);
        assert!(low.contains("b\x1b[K\r\n… and 2 lines"), "{low:?}");
    }
}
