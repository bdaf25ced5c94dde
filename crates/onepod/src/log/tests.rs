//! The stream into a real pipe.

use std::io::{BufRead as _, BufReader};

use rustix::pipe::pipe;

use super::*;

/// Records of all sizes: within what a pipe takes whole, beyond it, and beyond what it holds.
fn record(number: usize) -> String {
    format!(
        "{number} {}",
        "x".repeat([0, 10, 100, 3000, 5000, 70_000][number % 6])
    )
}

#[test]
fn order_is_kept_and_nothing_is_lost_however_it_is_written() {
    const RECORDS: usize = 600;
    let (reader, writer) = pipe().unwrap();
    let log = Log::start(Format::Text, writer).unwrap();
    assert!(log.shared.direct.is_some());
    let reading = thread::spawn(move || {
        BufReader::new(File::from(reader))
            .lines()
            .take(RECORDS)
            .map(|line| line.unwrap().split_once("a  ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    });
    for number in 0..RECORDS {
        log.line("a", Severity::Info, record(number).as_bytes());
        if number % 10 == 0 {
            // The stream is bounded: without this the reader would be too slow.
            log.finish(Duration::from_secs(10));
        }
    }
    log.finish(Duration::from_secs(10));
    assert_eq!(log.dropped(), 0);
    let came = reading.join().unwrap();
    assert!(came == (0..RECORDS).map(record).collect::<Vec<_>>());
}

#[test]
fn a_pipe_that_is_full_holds_up_nobody_and_gets_the_rest_when_it_is_read() {
    let (reader, writer) = pipe().unwrap();
    let log = Log::start(Format::Text, writer).unwrap();
    let text = "x".repeat(1000);
    let began = std::time::Instant::now();
    for _ in 0..5000 {
        log.line("a", Severity::Info, text.as_bytes());
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    let dropped = log.dropped();
    assert!(dropped > 0);
    let mut lines = BufReader::new(File::from(reader)).lines();
    let (mut came, mut reported) = (0, 0);
    // The writer may have come round once while lines were still dropped: then there is a report for each gap.
    while came + reported < 5000 {
        let line = lines.next().unwrap().unwrap();
        if line.contains("were dropped") {
            let count = line.split_whitespace().find_map(|word| word.parse::<u64>().ok());
            reported += count.unwrap();
        } else {
            came += 1;
        }
    }
    assert_eq!((came + reported, reported), (5000, dropped));
    log.line("a", Severity::Info, b"on it goes");
    assert!(lines.next().unwrap().unwrap().ends_with("a  on it goes"));
}
