//! The stream of lines: a reader that stops reading, long and broken lines, files that are followed.

use std::fs;
use std::io::Write as _;

use crate::endpoint::control;
use crate::pod::{Services, until};

const LINES: u64 = 100_000;

#[test]
fn a_reader_that_does_not_read_blocks_no_service_and_hears_how_much_it_missed() {
    let script = format!(
        "yes 0123456789012345678901234567890123456789 | head -n {LINES}; touch ready-$NAME; sleep 1000"
    );
    let (mut pod, stdout) = Services::new().script("loud", &script, "").start_unread();
    // The service has written everything although nobody has read a byte.
    pod.until_ok("/startupz");
    let dropped = pod.status()["log_lines_dropped"].as_u64().unwrap();
    assert!(dropped > 0);
    pod.read(stdout);
    until("the report", || {
        pod.shown().contains("log lines were dropped").then_some(())
    });
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    let came = output
        .lines()
        .filter(|line| line.ends_with("loud  0123456789012345678901234567890123456789"))
        .count() as u64;
    let reported: u64 = output
        .lines()
        .filter_map(|line| {
            line.strip_suffix(" log lines were dropped because standard output was not read")?
                .rsplit(' ')
                .next()
        })
        .map(|count| count.parse::<u64>().unwrap())
        .sum();
    println!("{came} lines came, {reported} were dropped and reported");
    assert!(
        came > 0 && came + reported >= LINES && came + reported <= LINES + 20,
        "{came} came, {reported} reported"
    );
    assert!(
        output.contains("all services stopped"),
        "lines flow again after the gap"
    );
}

#[test]
fn long_lines_are_split_and_broken_ones_replaced_and_severities_kept() {
    let script = "head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'b\\377d\\n'; printf '\\033[31mred\\033[0m\\n'
        echo 'Mon Nov 23 10:14:29 2026 [Z0][ONE][E]: it failed' >&2; printf 'no newline'; touch ready-$NAME; sleep 1000";
    let pod = Services::new().script("a", script, "").start();
    pod.until_ok("/startupz");
    let (_, output) = pod.stop();
    let lengths: Vec<usize> = output
        .lines()
        .filter_map(|line| line.split_once("a  x"))
        .map(|(_, rest)| rest.len() + 1)
        .collect();
    assert_eq!(lengths, [16_384, 16_384, 40_000 - 2 * 16_384]);
    for line in [
        "INFO  a  b\u{fffd}d",
        "ERROR a  red",
        "ERROR a  [Z0][ONE][E]: it failed",
        "INFO  a  no newline",
    ] {
        assert!(
            output.lines().any(|found| found.ends_with(line)),
            "{line:?} is missing in {output}"
        );
    }
}

#[test]
fn a_log_file_is_followed_from_its_end_across_truncation_and_rotation() {
    let services = Services::new();
    let path = services.directory().join("a.log");
    fs::write(&path, "old\n").unwrap();
    let pod = services
        .good("a", &format!("logs = [\"{}\"]", path.display()))
        .start();
    pod.until_ok("/startupz");
    let append = |text: &str| {
        fs::File::options()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap()
            .write_all(text.as_bytes())
    };
    // Each line is seen before the next step: what is written just before a truncation may be lost, by nature.
    let seen = |line: &str| {
        until(line, || {
            pod.shown()
                .lines()
                .any(|shown| shown.ends_with(line))
                .then_some(())
        });
    };
    append("one\n").unwrap();
    seen("a  one");
    fs::rename(&path, path.with_extension("1")).unwrap();
    append("two\n").unwrap();
    seen("a  two");
    fs::File::create(&path).unwrap().write_all(b"3\n").unwrap();
    seen("a  3");
    fs::remove_file(&path).unwrap();
    append("four\n").unwrap();
    seen("a  four");
    let (_, output) = pod.stop();
    assert!(!output.contains("a  old"), "{output}");
    for line in ["a  one", "a  two", "a  3", "a  four"] {
        assert_eq!(
            output.lines().filter(|found| found.ends_with(line)).count(),
            1,
            "{line:?} in {output}"
        );
    }
}

#[test]
fn what_a_service_puts_where_its_logs_are_stops_nobody() {
    let services = Services::new();
    let logs = services.directory().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(services.directory().join("key"), "a private line\n").unwrap();
    let script = "cd logs; mkfifo web1.log; ln -s ../key web2.log; ln -s /dev/zero web3.log; mkdir web4.log
        echo a line of a file > web5.log; touch ../ready-$NAME; sleep 1000";
    let pod = services
        .script(
            "web",
            script,
            &format!("logs = [\"{}/web*.log\"]", logs.display()),
        )
        .start();
    pod.until_ok("/startupz");
    until("the file's line", || {
        pod.shown().contains("web  a line of a file").then_some(())
    });
    pod.until_ok("/livez");
    let (code, output) = pod.stop();
    assert_eq!(code, 0, "{output}");
    for (name, reason) in [
        ("web1.log", "it is a FIFO, not a regular file"),
        ("web2.log", "it is a link that leads out of its directory"),
        ("web3.log", "it is a link that leads out of its directory"),
        ("web4.log", "it is a directory, not a regular file"),
    ] {
        let said = output
            .lines()
            .filter(|line| line.ends_with(&format!("{name} is not followed: {reason}")));
        assert_eq!(said.count(), 1, "{name} in {output}");
    }
    assert!(!output.contains("private"), "{output}");
}

#[test]
fn no_service_can_forge_a_line_or_reach_the_terminal() {
    let script = "printf 'x\\r2026-11-23T14:00:00.123Z ERROR onepod  forged\\n'
        printf '\\033]52;c;aGk=\\007 \\302\\233 \\342\\200\\256txt\\n'
        printf '\\033[31m Error: refused \\033[0m\\n\\033[33m slow \\033[0m\\n'; echo end; touch ready-$NAME; sleep 1000";
    for format in ["text", "json"] {
        let pod = Services::new()
            .environment("ONEPOD_LOG_FORMAT", format)
            .script("evil", script, "")
            .start();
        pod.until_ok("/startupz");
        until("the last line", || {
            pod.shown().lines().any(|line| line.contains("end")).then_some(())
        });
        let (_, logs) = control(&pod, &["logs", "evil"]);
        let (_, output) = pod.stop();
        for text in [&output, &logs] {
            let control = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
            assert!(!text.contains(control), "{text:?}");
        }
        if format == "text" {
            for line in [
                "INFO  evil  x\\r2026-11-23T14:00:00.123Z ERROR onepod  forged",
                "INFO  evil  \\u{1b}]52;c;aGk=\\u{7} \\u{9b} \\u{202e}txt",
                "ERROR evil  Error: refused",
                "WARN  evil  slow",
            ] {
                assert!(
                    output.lines().any(|shown| shown.ends_with(line)),
                    "{line} in {output}"
                );
            }
        } else {
            let record = output.lines().find(|line| line.contains("txt")).unwrap();
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            assert_eq!(record["message"], "\u{1b}]52;c;aGk=\u{7} \u{9b} \u{202e}txt");
        }
    }
}

#[test]
fn what_outlives_its_service_costs_no_descriptors_for_ever() {
    // Each run leaves a process behind that holds its output and has left its group before the run ends.
    let script = "rm -f left; setsid sh -c 'touch left; echo a-run-was-here; exec sleep 1000' &
        until [ -e left ]; do sleep 0.01; done; exit 1";
    let pod = Services::new().script("leaver", script, "").good("a", "").start();
    pod.until_ok("/readyz");
    let descriptors = || pod.descriptors();
    let before = descriptors();
    let runs = || pod.shown().matches("a-run-was-here").count();
    for _ in 0..8 {
        let earlier = runs();
        let _ = control(&pod, &["restart", "leaver"]);
        until("another run", || (runs() > earlier).then_some(()));
    }
    until("the warning", || {
        pod.shown()
            .contains("the output of the oldest is closed")
            .then_some(())
    });
    let after = descriptors();
    assert!(after <= before + 2 * 6, "{before} descriptors became {after}");
    assert_eq!(pod.stop().0, 0);
}

/// A service that prints two traces in pieces, and one that talks all the time.
fn with_traces() -> Services {
    let pieces = "trap 'exit 0' TERM
        printf '/usr/lib/one/x.rb:61:in `a'\"'\"': it failed (RuntimeError)\\n\\tfrom /usr/lib/one/x.rb:2:in `b'\"'\"'\\n'
        printf '\\tfrom /usr/lib/one/x.rb:3:in `c'\"'\"'\\n'; echo 'Mon Nov 23 10:14:29 2026 [Z0][VMM][E]: DEPLOY: ERROR: it failed'
        echo 'error: internal error'; echo 'ExitCode: 255'; echo 'Mon Nov 23 10:14:29 2026 [Z0][VMM][I]: next'
        touch ready-$NAME; sleep 1000 & wait";
    let chatter =
        "trap 'exit 0' TERM; touch ready-$NAME; while :; do echo chatter; echo chatter; sleep 0.01; done";
    Services::new()
        .script("chatter", chatter, "")
        .script("traces", pieces, "after = [\"chatter\"]")
}

const TRACES: [(&str, &str); 3] = [
    (
        "ERROR",
        "/usr/lib/one/x.rb:61:in `a': it failed (RuntimeError)\n\tfrom /usr/lib/one/x.rb:2:in `b'\n\tfrom /usr/lib/one/x.rb:3:in `c'",
    ),
    (
        "ERROR",
        "[Z0][VMM][E]: DEPLOY: ERROR: it failed\nerror: internal error\nExitCode: 255",
    ),
    ("INFO", "[Z0][VMM][I]: next"),
];

#[test]
fn a_trace_is_one_object_of_json() {
    let pod = with_traces().environment("ONEPOD_LOG_FORMAT", "json").start();
    pod.until_ok("/startupz");
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    let found: Vec<(String, String)> = output
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| record["service"] == "traces")
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap().to_owned();
            (text("severity"), text("message"))
        })
        .collect();
    assert_eq!(
        found,
        TRACES.map(|(severity, text)| (severity.to_owned(), text.to_owned()))
    );
}

#[test]
fn nobody_speaks_in_the_middle_of_a_trace() {
    let pod = with_traces().start();
    pod.until_ok("/startupz");
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    let lines: Vec<&str> = output
        .lines()
        .map(|line| line.split_once('Z').unwrap().1.trim_start())
        .collect();
    for (severity, text) in TRACES {
        let wanted: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(number, line)| {
                let between = if number == 0 { "" } else { "| " };
                format!("{severity:<5} traces  {between}{line}")
            })
            .collect();
        let place = lines.iter().position(|line| **line == wanted[0]).unwrap();
        assert_eq!(lines[place..place + wanted.len()], wanted);
    }
}

#[test]
fn a_secret_that_a_service_prints_reaches_nobody() {
    // On standard error, in a file that is followed, and as the last line before its end.
    let script = "echo 'cannot log in as oneadmin:S3cret-of-the-test' >&2
        echo 'password S3cret-of-the-test' >> followed-$NAME; touch ready-$NAME; sleep 1000";
    let services = Services::new();
    let followed = services.directory().join("followed-chatty");
    let pod = services
        .environment("ONEADMIN_PASSWORD", "S3cret-of-the-test")
        .script("chatty", script, &format!("logs = [\"{}\"]", followed.display()))
        .script("dying", "echo 'gave up with S3cret-of-the-test'; exit 3", "")
        .start();
    pod.until_ok("/livez");
    let status = until("the last line of the one that ends", || {
        let (_, status) = control(&pod, &["status", "--json"]);
        status.contains("gave up with (secret)").then_some(status)
    });
    // Whoever reaches the port hears states and onepod's own words.
    let answers = ["/status", "/readyz", "/startupz"].map(|path| pod.get(path).unwrap().1);
    assert!(
        answers[0].contains("exit code 3") && !answers.concat().contains("gave up"),
        "{answers:?}"
    );
    until("the line of the file", || {
        pod.shown().contains("password (secret)").then_some(())
    });
    let (_, output) = pod.stop();
    assert!(output.contains("as oneadmin:(secret)"), "{output}");
    assert!(
        !output.contains("S3cret") && !status.contains("S3cret"),
        "{output}\n{status}"
    );
}
