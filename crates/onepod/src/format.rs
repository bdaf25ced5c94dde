//! Numbers as people read them: spans of time, sizes. Used by the table of `onepod status` and by the page.

use jiff::SignedDuration;

/// A time span with its two largest units.
#[must_use]
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

/// Seconds with as many digits as are of interest.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", seconds * 1000.0),
        ..99.95 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// KiB as MiB, rounded up.
#[must_use]
pub fn mebibytes(kib: u64) -> String {
    format!("{} MiB", kib.div_ceil(1024))
}

/// A number with its noun.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let text = |seconds| span(SignedDuration::from_secs(seconds));
        assert_eq!(
            [text(-5), text(59), text(61), text(3_661), text(90_061)],
            ["0s", "59s", "1m1s", "1h1m", "1d1h"]
        );
    }

    #[test]
    fn durations() {
        assert_eq!(
            [0.0, 0.0426, 0.9994, 0.9996, 4.96, 99.96, 300.4].map(seconds),
            ["0 ms", "43 ms", "999 ms", "1.0 s", "5.0 s", "100 s", "300 s"]
        );
    }
}
