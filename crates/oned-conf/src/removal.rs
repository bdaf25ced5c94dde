//! What a removal takes with it: its comma, and its line where nothing else is left on that. Comments stay.
//!
//! Only splices are made here; `edit.rs` applies them.

use std::ops::Range;

use crate::document::Document;
use crate::splice::Splice;
use crate::syntax::Entry;

impl Document {
    /// What to cut out so that the entries marked as gone, and one comma for each, are gone.
    pub(crate) fn key_deletions(&self, entries: &[Entry], gone: &[bool]) -> Vec<Splice> {
        let tail = gone
            .iter()
            .rposition(|gone| !gone)
            .map_or(0, |last_kept| last_kept + 1);
        let mut splices = Vec::new();
        let mut previous: Option<&Entry> = None;
        for (position, (entry, gone)) in entries.iter().zip(gone).enumerate() {
            let range = entry.key.start..entry.value.span.end;
            match (previous, entry.comma) {
                _ if !gone => {}
                (_, Some(comma)) if position < tail => {
                    splices.push(self.deletion(range.start..self.behind_comma(range.end, comma)));
                    if !self.is_blank(range.end..comma) {
                        splices.push(Splice::delete(comma..comma + 1));
                    }
                }
                // The last ones: the comma that stood before them goes with them.
                (
                    Some(Entry {
                        value,
                        comma: Some(comma),
                        ..
                    }),
                    _,
                ) => {
                    let gap = value.span.end..range.start;
                    if self.text[gap.clone()].trim_ascii() == "," {
                        splices.push(Splice::delete(gap.start..range.end));
                    } else {
                        splices.push(Splice::delete(*comma..*comma + 1));
                        splices.push(self.deletion(range));
                    }
                }
                _ => splices.push(self.deletion(range)),
            }
            previous = Some(entry);
        }
        splices
    }

    /// The splice that removes a range, with the line where nothing else is left on it.
    pub(crate) fn deletion(&self, range: Range<usize>) -> Splice {
        let line = self.line_start(range.start);
        let behind = range.end
            + self.text[range.end..]
                .bytes()
                .take_while(|byte| is_blank(*byte))
                .count();
        match self.text.as_bytes().get(behind) {
            Some(b'\n') | None if self.is_blank(line..range.start) => {
                Splice::delete(line..self.text.len().min(behind + 1))
            }
            Some(b'\n' | b'#') | None => Splice::delete(range),
            // No entry is left before it: of the blanks around it, those behind stay.
            Some(b']' | b',') => {
                let before = self.text[..range.start]
                    .bytes()
                    .rev()
                    .take_while(|byte| is_blank(*byte))
                    .count();
                Splice::delete(range.start - before..range.end)
            }
            // What follows on the line moves up to where this began.
            Some(_) => Splice::delete(range.start..behind),
        }
    }

    /// Behind the comma where only blanks stand before it, else where they start.
    fn behind_comma(&self, end: usize, comma: usize) -> usize {
        if self.is_blank(end..comma) { comma + 1 } else { end }
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn is_blank(&self, range: Range<usize>) -> bool {
        self.text[range].bytes().all(is_blank)
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
