//! The start as a picture: a row for each stage and service, a bar for each run, over the seconds since onepod began.

use std::fmt::{self, Write};

use super::html::Escaped;
use crate::board::{Bar, BarKind};
use crate::format;

/// Width of one letter of the names, in pixels: 12 px in a monospaced font.
const LETTER: f64 = 7.25;

/// Height of a row.
const ROW: f64 = 23.0;

/// Height of a bar.
const THICK: f64 = 13.0;

/// Width of the room for bars.
const CHART: f64 = 640.0;

/// Room to the right of the bars, for the longest text beside one.
const TEXT: f64 = 128.0;

/// Room above the rows, for the scale.
const SCALE: f64 = 24.0;

/// The picture; `now` is where bars end that have no end yet, in seconds since onepod began.
pub(super) fn draw(out: &mut String, bars: &[Bar], now: f64) -> fmt::Result {
    let rows = rows(bars);
    let end = bars.iter().map(|bar| end(bar, now)).fold(0.001, f64::max);
    let letters = rows.iter().map(|(name, _)| name.chars().count()).max();
    let left = LETTER * as_f64(letters.unwrap_or(0)) + 14.0;
    let (width, height) = (left + CHART + TEXT, SCALE + ROW * as_f64(rows.len()) + 4.0);
    write!(
        out,
        "<svg class=\"timeline\" role=\"img\" aria-labelledby=\"timeline-title timeline-desc\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\
         <title id=\"timeline-title\">Timeline of the start</title><desc id=\"timeline-desc\">{}</desc>",
        Escaped(&describe(bars)),
    )?;
    let x = |seconds: f64| left + seconds / end * CHART;
    let step = step(end);
    let mut tick = 0.0;
    while tick <= end {
        write!(
            out,
            "<path class=\"grid\" d=\"M{0:.1} {SCALE}V{1:.1}\"/><text class=\"tick\" x=\"{0:.1}\" y=\"15\">{2}</text>",
            x(tick),
            height - 4.0,
            scale_text(tick, step),
        )?;
        tick += step;
    }
    for (row, (name, runs)) in rows.iter().enumerate() {
        let top = SCALE + ROW * as_f64(row);
        write!(
            out,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 10.0,
            top + ROW / 2.0 + 4.0,
            Escaped(name),
        )?;
        for bar in runs {
            let (start, width) = (x(bar.begins), x(end_of(bar, now)) - x(bar.begins));
            write!(
                out,
                "<rect class=\"bar {}\" x=\"{start:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{THICK}\" rx=\"3\"/>",
                class(bar),
                top + (ROW - THICK) / 2.0,
                width.max(3.0),
            )?;
        }
        if let Some(last) = runs.last() {
            write!(
                out,
                "<text class=\"took\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x(end_of(last, now)).max(x(last.begins) + 3.0) + 7.0,
                top + ROW / 2.0 + 4.0,
                Escaped(&took(last, runs.len(), now)),
            )?;
        }
    }
    out.write_str("</svg>")
}

/// The bars of one name together, in the order of their first.
fn rows(bars: &[Bar]) -> Vec<(&str, Vec<&Bar>)> {
    let mut rows: Vec<(&str, Vec<&Bar>)> = Vec::new();
    for bar in bars {
        let same = |(name, runs): &&mut (&str, Vec<&Bar>)| {
            // A stage and a task may have one name.
            *name == bar.name && runs.first().is_some_and(|first| first.kind == bar.kind)
        };
        match rows.iter_mut().find(same) {
            Some((_, runs)) => runs.push(bar),
            None => rows.push((&bar.name, vec![bar])),
        }
    }
    rows.sort_by(|(_, a), (_, b)| key(a).0.cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
    rows
}

/// Stages before services, then by their beginning.
fn key(runs: &[&Bar]) -> (bool, f64) {
    runs.first()
        .map_or((false, 0.0), |bar| (bar.kind == BarKind::Service, bar.begins))
}

fn end_of(bar: &Bar, now: f64) -> f64 {
    end(bar, now).max(bar.begins)
}

fn end(bar: &Bar, now: f64) -> f64 {
    bar.ready.or(bar.failed).unwrap_or(now)
}

fn class(bar: &Bar) -> &'static str {
    match (bar.ready, bar.failed, bar.kind) {
        (None, Some(_), _) => "failed",
        (None, None, _) => "open",
        (Some(_), _, BarKind::Stage) => "stage",
        (Some(_), _, BarKind::Service) => "service",
    }
}

/// How long it took, beside the last bar of a row.
fn took(bar: &Bar, runs: usize, now: f64) -> String {
    let seconds = format::seconds(end_of(bar, now) - bar.begins);
    let how = match (bar.ready, bar.failed) {
        (Some(_), _) if runs > 1 => format!(", run {runs}"),
        (Some(_), _) => String::new(),
        (None, Some(_)) => ", failed".to_owned(),
        (None, None) => ", not yet".to_owned(),
    };
    seconds + &how
}

/// The picture in words.
fn describe(bars: &[Bar]) -> String {
    let sentences: Vec<String> = bars
        .iter()
        .map(|bar| {
            let (name, begins) = (&bar.name, bar.begins);
            match (bar.ready, bar.failed) {
                (Some(at), _) => format!("{name} began at {begins:.2} s and was ready at {at:.2} s"),
                (None, Some(at)) => format!("{name} began at {begins:.2} s and failed at {at:.2} s"),
                (None, None) => format!("{name} began at {begins:.2} s and is not ready yet"),
            }
        })
        .collect();
    sentences.join("; ")
}

/// A round distance between two marks of the scale, for about six of them.
fn step(end: f64) -> f64 {
    let mut step = 0.001;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if end / (step * factor) <= 7.0 {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

fn scale_text(seconds: f64, step: f64) -> String {
    if step < 1.0 {
        let digits = if step < 0.01 {
            3
        } else if step < 0.1 {
            2
        } else {
            1
        };
        format!("{seconds:.digits$} s")
    } else {
        format!("{seconds:.0} s")
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of services")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, kind: BarKind, times: (f64, Option<f64>, Option<f64>)) -> Bar {
        Bar {
            name: name.to_owned(),
            kind,
            begins: times.0,
            ready: times.1,
            failed: times.2,
        }
    }

    #[test]
    fn the_scale_has_few_round_marks() {
        for (end, wanted) in [
            (0.004, 0.001),
            (0.5, 0.1),
            (5.8, 1.0),
            (61.0, 10.0),
            (400.0, 100.0),
        ] {
            assert!((step(end) - wanted).abs() < 1e-9, "{end}: {}", step(end));
        }
        assert_eq!(
            (
                scale_text(0.2, 0.1),
                scale_text(0.03, 0.01),
                scale_text(10.0, 10.0)
            ),
            ("0.2 s".to_owned(), "0.03 s".to_owned(), "10 s".to_owned())
        );
    }

    #[test]
    fn runs_share_a_row_and_the_last_one_is_told() {
        let bars = [
            bar("oned", BarKind::Service, (1.0, None, Some(1.5))),
            bar("layout", BarKind::Stage, (0.1, Some(0.2), None)),
            bar("oned", BarKind::Service, (2.0, Some(7.0), None)),
            bar("slow", BarKind::Service, (7.0, None, None)),
            bar("layout", BarKind::Service, (8.0, Some(8.5), None)),
        ];
        let names: Vec<(&str, usize)> = rows(&bars)
            .iter()
            .map(|(name, runs)| (*name, runs.len()))
            .collect();
        assert_eq!(names, [("layout", 1), ("oned", 2), ("slow", 1), ("layout", 1)]);
        assert_eq!(took(&bars[2], 2, 9.0), "5.0 s, run 2");
        assert_eq!(took(&bars[3], 1, 9.0), "2.0 s, not yet");
        assert_eq!(took(&bars[0], 1, 9.0), "500 ms, failed");
        let mut svg = String::new();
        draw(&mut svg, &bars, 9.0).unwrap();
        assert_eq!(svg.matches("<rect").count(), 5);
    }
}
